package usage

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
)

// ID is what makes a usage event one: the same (tenant, source, event) is the
// same fact, however often it arrives.
type ID struct {
	Tenant events.TenantID
	Source string
	Event  string
}

// Hash is a digest of what a row says, without when and how it arrived.
type Hash [sha256.Size]byte

// Quantity is an exact amount of one unit.
type Quantity struct {
	Unit   string `json:"unit"`
	Amount Amount `json:"amount"`
}

// Row is one usage event as a ledger keeps it. Its texts are within bounds and
// fit for any database.
type Row struct {
	ID
	Meter       events.Meter
	Session     events.SessionID
	Request     events.RequestID
	Server      string
	Tool        string
	Model       string
	Outcome     string
	Billable    bool
	Environment events.Environment
	// Quantities hold each unit once, in the order of the event.
	Quantities []Quantity
	Attempts   int
	// Duration is kept to the millisecond.
	Duration time.Duration
	Metadata map[string]string

	// OccurredAt is the event's own time. It alone decides the period.
	OccurredAt time.Time
	// ReceivedAt and Sequence are the broker's.
	ReceivedAt time.Time
	Sequence   uint64
}

// Key is what the row's quantity of a unit is summed by.
func (r Row) Key(unit string) Key {
	return Key{
		Meter: r.Meter, Unit: unit, Server: r.Server, Tool: r.Tool, Model: r.Model,
		Billable: r.Billable, Environment: r.Environment,
	}
}

// Hash digests all that the row says. Two messages with one [ID] and unlike
// hashes contradict each other; the layout of their JSON plays no part.
func (r Row) Hash() Hash {
	digest := fieldDigest{hash: sha256.New()}
	for _, text := range []string{
		string(r.Tenant), r.Source, r.Event, string(r.Meter), string(r.Session), string(r.Request),
		r.Server, r.Tool, r.Model, r.Outcome, strconv.FormatBool(r.Billable), string(r.Environment),
	} {
		digest.text(text)
	}
	digest.number(int64(r.Attempts))
	digest.number(r.Duration.Milliseconds())
	digest.number(r.OccurredAt.UnixNano())
	digest.quantities(r.Quantities)
	for _, key := range slices.Sorted(maps.Keys(r.Metadata)) {
		digest.text(key)
		digest.text(r.Metadata[key])
	}
	return Hash(digest.hash.Sum(nil))
}

// fieldDigest hashes fields with their lengths, so that no two rows flow into
// the same bytes.
type fieldDigest struct {
	hash    hash.Hash
	scratch []byte
}

func (d *fieldDigest) text(text string) {
	d.scratch = binary.AppendUvarint(d.scratch[:0], uint64(len(text)))
	d.scratch = append(d.scratch, text...)
	d.hash.Write(d.scratch)
}

func (d *fieldDigest) quantities(quantities []Quantity) {
	d.number(int64(len(quantities)))
	for _, quantity := range quantities {
		d.text(quantity.Unit)
		d.number(quantity.Amount.whole)
		d.number(quantity.Amount.nano)
	}
}

func (d *fieldDigest) number(number int64) {
	d.scratch = binary.AppendVarint(d.scratch[:0], number)
	d.hash.Write(d.scratch)
}
