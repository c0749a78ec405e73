package upkeep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/poll"
)

// parseLane is the reverse of a lane's key.
func parseLane(key string) (poll.Lane, bool) {
	parts := strings.Split(key, ".")
	if len(parts) != 4 {
		return poll.Lane{}, false
	}
	id := poll.Lane{Tenant: events.TenantID(parts[1]), Server: parts[2], Environment: events.Environment(parts[3])}
	return id, id.Key() == key
}

// visit is one turn of a lane.
type visit struct {
	*Polls

	id       poll.Lane
	revision uint64 // of the hold
	hold     poll.Hold
	until    time.Time // when no further request is begun
}

// visit looks after a lane for a while, if nobody else does, and says whether it
// went well. A panic of it is its own end: the lane's lease runs out, and the
// others go on.
func (p *Polls) visit(fetch, work context.Context, id poll.Lane) (well bool) {
	defer func() {
		if value := recover(); value != nil {
			p.config.Observer.Failed(id.Server)
			p.config.Logger.ErrorContext(work, "a poll panicked", append(about(id), "panic", value)...)
			well = false
		}
	}()
	now := p.config.Now()
	v := &visit{Polls: p, id: id, until: now.Add(p.config.Lease / 2)}
	ctx, cancel := context.WithTimeout(work, p.config.Lease)
	defer cancel()
	err := v.claim(ctx, now)
	if err == nil {
		err = v.look(fetch, ctx)
		err = errors.Join(err, v.save(ctx, v.hold))
	}
	switch {
	case err == nil:
		return true
	case errors.Is(err, ErrMoved): // another has it
	case work.Err() == nil:
		p.config.Observer.Failed(id.Server)
		p.config.Logger.WarnContext(work, "what was made at a provider cannot be looked after", append(about(id), "error", err)...)
	}
	return false
}

func about(id poll.Lane) []any {
	return []any{slog.String("tenant", string(id.Tenant)), slog.String("server", id.Server), slog.String("environment", string(id.Environment))}
}

// claim writes our name into the lane's record.
func (v *visit) claim(ctx context.Context, now time.Time) error {
	v.mu.Lock()
	v.hold, v.revision = v.schedule.Hold(v.id)
	v.mu.Unlock()
	if v.hold.Free().After(now) {
		return ErrMoved // another has come first, and we have heard of it since the lane was due
	}
	taken := v.hold
	taken.Holder, taken.Until = v.config.ID, now.UTC().Add(v.config.Lease)
	v.hold.Holder, v.hold.Until = "", time.Time{}
	return v.save(ctx, taken)
}

// save writes the lane's record.
func (v *visit) save(ctx context.Context, hold poll.Hold) error {
	value, err := json.Marshal(hold)
	if err != nil {
		return err
	}
	revision, err := v.config.Records.Save(ctx, v.id.Key(), value, v.revision)
	if errors.Is(err, ErrMoved) {
		return errors.Join(err, v.reload(ctx, v.id.Key()))
	}
	if err != nil {
		return fmt.Errorf("writing down who polls: %w", err)
	}
	v.revision = revision
	v.mu.Lock()
	defer v.mu.Unlock()
	v.schedule.PutHold(v.id, hold, revision)
	return nil
}

// reload learns what stands at a key that we were wrong about: the follower may
// be behind, or the record may have aged out.
func (p *Polls) reload(ctx context.Context, key string) error {
	value, revision, err := p.config.Records.Load(ctx, key)
	if err != nil {
		return fmt.Errorf("reading what is polled: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if revision == 0 {
		p.forget(key)
		return nil
	}
	p.take(key, value, revision)
	return nil
}

// forget is of a key that is no more, under the mutex.
func (p *Polls) forget(key string) {
	if id, ok := parseLane(key); ok && !events.IsPoll(key) {
		p.schedule.ResetHold(id)
		return
	}
	p.schedule.Drop(key, ^uint64(0))
}

// look asks for what is due, request after request. What it has to say of the
// lane is in hold.
func (v *visit) look(fetch, ctx context.Context) error {
	customer, known, err := v.config.Tenants.Lookup(ctx, v.id.Tenant)
	if err != nil {
		return fmt.Errorf("looking up tenant: %w", err)
	}
	served := known && !customer.Paused && customer.Environment == v.id.Environment && slices.Contains(customer.Servers, v.id.Server)
	if known && !served {
		v.hold.NotBefore = v.config.Now().UTC().Add(v.config.Rest)
		return nil
	}
	for n := range v.config.Batches {
		batch := v.next()
		if len(batch) == 0 || fetch.Err() != nil || v.config.Now().After(v.until) {
			return nil
		}
		if !known {
			if err := v.write(ctx, batch, ended); err != nil {
				return err
			}
			continue
		}
		if n > 0 && !lifecycle.Pause(fetch, v.pace(batch[0].Kind)) {
			return nil
		}
		v.hold.NotBefore = time.Time{}
		on, err := v.poll(ctx, batch)
		if v.hold.NotBefore.IsZero() { // the pace holds for the next visit too, whoever makes it
			v.hold.NotBefore = v.config.Now().UTC().Add(v.pace(batch[0].Kind))
		}
		if err != nil || !on {
			return err
		}
	}
	return nil
}

// ended is a watch whose tenant is no more.
func ended(watch poll.Watch) poll.Watch {
	watch.Ended = poll.EndingTenant
	return watch
}

func (v *visit) next() []poll.Held {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.schedule.Batch(v.id, v.config.Now())
}

func (v *visit) pace(kind poll.Kind) time.Duration {
	if v.config.Pace > 0 {
		return v.config.Pace
	}
	plan, _ := kind.Plan()
	return plan.Pace
}

// poll asks once, and posts what is new. It says false where the lane is to be
// left alone for a while.
func (v *visit) poll(ctx context.Context, batch []poll.Held) (bool, error) {
	kind := batch[0].Kind
	plan, known := kind.Plan()
	if !known { // of a newer Feira's
		return true, v.write(ctx, batch, func(watch poll.Watch) poll.Watch { return v.config.Pauses.Missed(watch, v.config.Now()) })
	}
	objects := make([]string, len(batch))
	for i, one := range batch {
		objects[i] = one.Object
	}
	arguments, err := kind.Arguments(objects)
	if err != nil {
		return false, err
	}
	answer := v.config.Asker.Ask(ctx, Question{
		Tenant: v.id.Tenant, Environment: v.id.Environment, Server: v.id.Server, Tool: plan.Tool, Arguments: arguments,
	})
	v.config.Observer.Asked(v.id.Server, answer.State, len(batch))
	now := v.config.Now()
	var readings map[string]poll.Reading
	if answer.State == AnswerGiven {
		if readings, err = poll.Read(kind, objects, answer.Body); err != nil {
			answer.State, answer.Reason = AnswerRefused, err.Error()
		}
	}
	switch answer.State {
	case AnswerGiven:
		v.hold.Failures = 0
		return true, v.tell(ctx, batch, readings)
	case AnswerRefused:
		v.config.Logger.DebugContext(ctx, "a poll is refused", append(about(v.id), "objects", len(batch), "reason", answer.Reason)...)
		return true, v.write(ctx, batch, func(watch poll.Watch) poll.Watch { return v.config.Pauses.Missed(watch, now) })
	case AnswerLimited, AnswerAway, AnswerUnconnected:
	}
	v.hold = v.hold.Failed(v.id, now, answer.Again)
	v.config.Logger.InfoContext(ctx, "polls of a connection wait", append(about(v.id),
		"state", string(answer.State), "reason", answer.Reason, "until", v.hold.NotBefore, "failures", v.hold.Failures)...)
	return false, nil
}

// tell posts the news of each object in their order, and only then writes down
// that they were: a crash between the two posts them again, under the same ids.
// The news of one object that cannot be posted keep back no other's.
func (v *visit) tell(ctx context.Context, batch []poll.Held, readings map[string]poll.Reading) error {
	connection := v.config.Connection(v.id.Tenant, v.id.Server, v.id.Environment)
	var faults []error
	told := batch[:0:0]
	for _, one := range batch {
		if err := v.post(ctx, connection, one.Watch, readings[one.Object]); err != nil {
			faults = append(faults, err)
			continue
		}
		told = append(told, one)
	}
	now := v.config.Now()
	err := v.write(ctx, told, func(watch poll.Watch) poll.Watch {
		return v.config.Pauses.After(watch, now, readings[watch.Object])
	})
	if err = errors.Join(append(faults, err)...); err != nil {
		v.hold = v.hold.Failed(v.id, now, 0) // what was not posted is due still
	}
	return err
}

func (v *visit) post(ctx context.Context, connection string, watch poll.Watch, reading poll.Reading) error {
	fresh := reading.Unseen(watch)
	for _, one := range fresh {
		webhook, err := one.Webhook(watch, connection, v.config.Now())
		if err != nil {
			return fmt.Errorf("laying out news: %w", err)
		}
		if err := v.config.Post.Publish(ctx, webhook); err != nil {
			return fmt.Errorf("posting news: %w", err)
		}
	}
	v.config.Observer.Told(v.id.Server, len(fresh))
	return nil
}

// write changes the records of watches. One that another has changed meanwhile
// is the other's.
func (v *visit) write(ctx context.Context, batch []poll.Held, change func(poll.Watch) poll.Watch) error {
	return each(batch, func(one poll.Held) error {
		watch := change(one.Watch)
		value, err := json.Marshal(watch)
		if err != nil {
			return err
		}
		revision, err := v.config.Records.Save(ctx, watch.Key(), value, one.Revision)
		if errors.Is(err, ErrMoved) {
			return v.reload(ctx, watch.Key())
		}
		if err != nil {
			return fmt.Errorf("writing down what is polled: %w", err)
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.schedule.Put(watch, revision)
		return nil
	})
}
