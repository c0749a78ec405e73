package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
)

// holder is what is known of an object: which call of ours made it, and the
// time of the latest event that was told of it.
type holder struct {
	Session  events.SessionID  `json:"session,omitempty"`
	ToolCall events.ToolCallID `json:"tool_call,omitempty"`
	// Sequence is that of the fact in SESSIONS that told so; 0 where an event did.
	Sequence uint64    `json:"sequence,omitempty"`
	Latest   time.Time `json:"latest,omitzero"`
}

// objects remembers holders.
type objects struct{ records Records }

func (o objects) load(ctx context.Context, key string) (holder, uint64, error) {
	value, revision, err := o.records.Load(ctx, key)
	if err != nil || revision == 0 {
		return holder{}, 0, err
	}
	var held holder
	if err := json.Unmarshal(value, &held); err != nil {
		return holder{}, revision, nil //nolint:nilerr // what cannot be read is written anew
	}
	return held, revision, nil
}

// amend changes a holder; change says false when there is nothing to change.
func (o objects) amend(ctx context.Context, key string, change func(*holder) bool) error {
	for {
		held, revision, err := o.load(ctx, key)
		if err != nil {
			return err
		}
		if !change(&held) {
			return nil
		}
		value, err := json.Marshal(held)
		if err != nil {
			return err
		}
		if _, err = o.records.Save(ctx, key, value, revision); !errors.Is(err, ErrMoved) {
			return err
		}
	}
}

// IndexConfig is what an index is made of.
type IndexConfig struct {
	Objects Records
	// Makes reports whether a tool makes things, rather than reads them: an object
	// is of the session that made it, and not of whoever looked at it.
	Makes func(server, tool string) bool
	// References are what a call of the tool with that key leaves with servers, or
	// may leave, where their events tell it again. Defaults to none.
	References func(server, tool, key string) []Reference
	Logger     *slog.Logger
}

// Index learns from the log which objects at providers our calls have made, and
// by which references they are known whose answers never come. Its Handle
// belongs to one goroutine at a time.
type Index struct {
	objects    objects
	makes      func(server, tool string) bool
	references func(server, tool, key string) []Reference
	logger     *slog.Logger
}

// NewIndex makes an index, or says what is missing.
func NewIndex(config IndexConfig) (*Index, error) {
	if config.Objects == nil || config.Makes == nil || config.Logger == nil {
		return nil, errors.New("webhooks: index: objects, makes and logger are needed")
	}
	if config.References == nil {
		config.References = func(string, string, string) []Reference { return nil }
	}
	return &Index{objects: objects{config.Objects}, makes: config.Makes, references: config.References, logger: config.Logger}, nil
}

// claim says that a call made what a key names.
type claim struct {
	key      string
	place    events.ToolCallPlace
	sequence uint64
}

// ahead is how many objects are written at one time.
const ahead = 16

// Handle learns from a batch of SESSIONS. What cannot be read is passed over:
// the meter makes dead letters of such.
func (x *Index) Handle(ctx context.Context, batch []events.Message) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(ahead)
	for _, one := range x.claims(batch) {
		group.Go(func() error { return x.own(ctx, one) })
	}
	return group.Wait()
}

// claims are what a batch says, one of each key: of those who answer with an
// object's id, the first has made it.
func (x *Index) claims(batch []events.Message) []claim {
	telling := []events.Type{events.TypeTurnStarted, events.TypeModelReplied, events.TypeToolReturned}
	var found []claim
	claimed := map[string]bool{}
	for _, message := range batch {
		if !slices.Contains(telling, events.Type(message.Header.Value(events.HeaderType))) {
			continue
		}
		record, err := events.Decode(message)
		if err != nil {
			continue
		}
		for _, one := range append(x.made(record), x.expected(record)...) {
			if !claimed[one.key] {
				claimed[one.key] = true
				found = append(found, one)
			}
		}
	}
	return found
}

// made are the objects that a call has returned.
func (x *Index) made(record events.Record) []claim {
	returned, ok := record.Event.(*events.ToolReturned)
	if !ok {
		return nil
	}
	server := returned.Server
	if server == agent.OwnServer {
		server = returned.ServedBy
	}
	if server == "" || returned.Status != events.ToolOK || returned.Mock != nil || !x.makes(returned.Server, returned.Tool) {
		return nil
	}
	place := events.ToolCallPlace{Session: record.Session, Request: record.Request, Iteration: returned.Iteration, Index: returned.Index}
	var found []claim
	for _, id := range idsIn(returned.Output) {
		found = append(found, claim{objectKey(record.Tenant, server, id), place, record.Sequence})
	}
	return found
}

// own writes a claim down, unless an earlier fact has claimed the same: another
// process may have been faster with a later batch.
func (x *Index) own(ctx context.Context, one claim) error {
	err := x.objects.amend(ctx, one.key, func(held *holder) bool {
		if held.Session != "" && held.Sequence <= one.sequence {
			return false
		}
		held.Session, held.ToolCall, held.Sequence = one.place.Session, one.place.ID(), one.sequence
		return true
	})
	if err != nil {
		return fmt.Errorf("remembering what session %s has made: %w", one.place.Session, err)
	}
	return nil
}

// maxMade is how many ids of one answer are remembered.
const maxMade = 8

// idsIn are the ids that a tool's answer gives what it has made: by the names
// that the providers use for them, at the top or one object below it.
func idsIn(output string) []string {
	var fields map[string]any
	decoder := json.NewDecoder(strings.NewReader(output))
	decoder.UseNumber()
	if decoder.Decode(&fields) != nil {
		return nil
	}
	ids := idsOf(fields)
	for _, name := range []string{"payment", "raw", "data", "order"} {
		if inner, ok := fields[name].(map[string]any); ok {
			ids = append(ids, idsOf(inner)...)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return ids[:min(len(ids), maxMade)]
}

func idsOf(fields map[string]any) []string {
	var ids []string
	for _, name := range []string{"id", "payment_intent", "messageId", "zaapId", "protocol", "tracking", "tracking_code", "codigoObjeto", "installment"} {
		var id string
		switch value := fields[name].(type) {
		case string:
			id = value
		case json.Number:
			id = value.String()
		}
		if id != "" && len(id) <= events.MaxWebhookWord {
			ids = append(ids, id)
		}
	}
	return ids
}
