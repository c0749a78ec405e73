package events

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// BucketRateCards is a copy of the rate cards that the ledger bills by, for those
// who count money and know no database.
const BucketRateCards = "feira_ratecards"

// KeyRateCards is the key in [BucketRateCards] of [RateCards], which is written
// after the cards that it lists: who reads it finds them all.
const KeyRateCards = "cards"

const rateCard = "card."

// KeyRateCard is the key in [BucketRateCards] of a card's text. It follows from
// the text, so that an entry never changes and a damaged one shows.
func KeyRateCard(text []byte) string {
	hash := sha256.Sum256(text)
	return rateCard + base64.RawURLEncoding.EncodeToString(hash[:])
}

// RateCards says which cards bill, beside the one that comes with Feira, and in
// which zone months are cut.
type RateCards struct {
	Zone string `json:"zone"`
	// Cards are their keys.
	Cards []string `json:"cards"`
}

// ErrRateCards occurs when the list of rate cards cannot be read.
var ErrRateCards = errors.New("malformed list of rate cards")

// ParseRateCards reads what [RateCards.Encode] has written.
func ParseRateCards(data []byte) (RateCards, error) {
	var listed RateCards
	if err := json.Unmarshal(data, &listed); err != nil {
		return RateCards{}, fmt.Errorf("%w: %w", ErrRateCards, err)
	}
	if listed.Zone == "" {
		return RateCards{}, fmt.Errorf("%w: zone is missing", ErrRateCards)
	}
	return listed, nil
}

// Encode is the entry; the same cards in any order give the same bytes.
func (r RateCards) Encode() ([]byte, error) {
	r.Cards = slices.Clone(r.Cards)
	slices.Sort(r.Cards)
	r.Cards = slices.Compact(r.Cards)
	return json.Marshal(r)
}
