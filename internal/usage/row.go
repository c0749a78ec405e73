package usage

import (
	"crypto/sha256"
	"encoding/binary"
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

// hashRoom holds what nearly every row says, so that a hash allocates nothing.
const hashRoom = 1024

// Hash digests all that the row says. Two messages with one [ID] and unlike
// hashes contradict each other; the layout of their JSON plays no part.
func (r Row) Hash() Hash {
	said := make(fields, 0, hashRoom)
	said = said.text(string(r.Tenant)).text(r.Source).text(r.Event).text(string(r.Meter)).text(string(r.Session)).text(string(r.Request)).
		text(r.Server).text(r.Tool).text(r.Model).text(r.Outcome).text(strconv.FormatBool(r.Billable)).text(string(r.Environment)).
		number(int64(r.Attempts)).number(r.Duration.Milliseconds()).number(r.OccurredAt.UnixNano()).
		quantities(r.Quantities)
	switch len(r.Metadata) {
	case 0:
	case 1:
		for key, value := range r.Metadata {
			said = said.text(key).text(value)
		}
	default:
		for _, key := range slices.Sorted(maps.Keys(r.Metadata)) {
			said = said.text(key).text(r.Metadata[key])
		}
	}
	return sha256.Sum256(said)
}

// fields are texts and numbers with their lengths, so that no two rows flow
// into the same bytes.
type fields []byte

func (f fields) text(text string) fields {
	return append(binary.AppendUvarint(f, uint64(len(text))), text...)
}

func (f fields) number(number int64) fields { return binary.AppendVarint(f, number) }

func (f fields) quantities(quantities []Quantity) fields {
	f = f.number(int64(len(quantities)))
	for _, quantity := range quantities {
		f = f.text(quantity.Unit).number(quantity.Amount.whole).number(quantity.Amount.nano)
	}
	return f
}
