package app

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/rating"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/usage"
)

var (
	// errCardsUnknown occurs when nobody has told yet which rate cards bill.
	errCardsUnknown = errors.New("it is not known yet which rate cards bill: the meter's role copies them from the ledger")
	// errCardUnreadable occurs when the card in force cannot be read here.
	errCardUnreadable = errors.New("cannot be read by this version of Feira")
	// errCardMissing occurs when the list names a card that was not copied.
	errCardMissing = errors.New("it is not there")
)

// cardSet is all that bills, chosen from as rating chooses. It does not change.
type cardSet struct {
	cards rating.Cards
	// faults say which of the cards have a heading alone, and why.
	faults map[*rating.Card]error
	zone   *time.Location
	err    error  // why none of it can be used
	listed string // what it was made of
}

// noCards know no price.
func noCards(why error) *cardSet {
	zone, err := usage.Zone("")
	return &cardSet{zone: zone, err: errors.Join(why, err)}
}

// oneCard is what bills where the configuration names a file.
func oneCard(card *rating.Card) (*cardSet, error) {
	zone, err := usage.Zone("")
	return &cardSet{cards: rating.Cards{card}, zone: zone}, err
}

// readSet makes what bills of a list, and of the cards that it names. found tells
// a card by its key; a card that is missing may be of anybody, so without it
// nothing is known.
func readSet(list []byte, found func(key string) (copiedCard, error)) *cardSet {
	listed, err := events.ParseRateCards(list)
	if err != nil {
		return noCards(err)
	}
	zone, err := usage.Zone(listed.Zone)
	if err != nil {
		return noCards(err)
	}
	standard, err := rating.Default()
	if err != nil {
		return noCards(err)
	}
	set := &cardSet{cards: rating.Cards{standard}, faults: map[*rating.Card]error{}, zone: zone, listed: string(list)}
	for _, key := range listed.Cards {
		kept, err := found(key)
		if err == nil && kept.card == nil {
			err = kept.fault
		}
		if err != nil {
			return noCards(fmt.Errorf("reading %s of the rate cards: %w", key, err))
		}
		set.cards = append(set.cards, kept.card)
		if kept.fault != nil {
			set.faults[kept.card] = kept.fault
		}
	}
	return set
}

// tariff is what a tenant's month is counted by.
func (s *cardSet) tariff(month time.Time, id tenant.ID) monthly {
	if s.err != nil {
		return monthly{err: s.err}
	}
	card, err := s.cards.At(month, rating.KindPrice, id)
	if err != nil {
		return monthly{err: err}
	}
	if s.faults[card] != nil {
		return monthly{err: fmt.Errorf("rate card %s %w", card.Version, errCardUnreadable)}
	}
	made, err := tariffOf(card)
	return monthly{tariff: made, version: card.Version, err: err}
}

// copiedCard is a card as it was copied.
type copiedCard struct {
	card  *rating.Card // nil: it is not known for whom it would be
	fault error        // why it has no prices
}

// copiedCards are the cards that were read, by their keys. An entry never changes,
// so whoever needs one may read it, and all of a process share them. They are safe
// for concurrent use.
type copiedCards struct {
	mu   sync.Mutex
	read map[string]copiedCard
}

func (c *copiedCards) find(key string) (copiedCard, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, known := c.read[key]
	if !known {
		return kept, errCardMissing
	}
	return kept, nil
}

// take reads a card that is new, and reports whether it was.
func (c *copiedCards) take(key string, text []byte) (bool, error) {
	if _, err := c.find(key); err == nil {
		return false, nil
	}
	kept, err := readCopy(key, text)
	if err != nil {
		return false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.read == nil {
		c.read = map[string]copiedCard{}
	}
	c.read[key] = kept
	return true, nil
}

// readCopy reads a card from its copy.
func readCopy(key string, text []byte) (copiedCard, error) {
	if events.KeyRateCard(text) != key {
		return copiedCard{}, fmt.Errorf("%w: %s is not what its key says", rating.ErrInvalidCard, key)
	}
	card, err := rating.Parse(text)
	if err == nil {
		return copiedCard{card: card}, nil
	}
	heading, unknown := rating.Heading(text)
	if unknown != nil {
		return copiedCard{fault: errors.Join(err, unknown)}, nil
	}
	return copiedCard{card: heading, fault: err}, nil
}
