package triggers

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
)

// deliver makes one attempt and does what follows from it. A failure of the
// broker has the attempt made again: at least once.
func (r *round) deliver(ctx context.Context, item trigger.Item) trigger.Result {
	later := trigger.Result{Again: r.config.Now().Add(r.config.Retry)}
	message, found, err := r.config.Pending.Read(ctx, item.Sequence)
	if err != nil {
		r.warn(ctx, "reading a delivery", item, err)
		return later
	}
	if !found {
		return trigger.Result{Gone: true}
	}
	record, err := events.Decode(message)
	queued, ok := record.Event.(*events.DeliveryQueued)
	if err != nil || !ok {
		r.graves.add(reasonUnreadable, item)
		return trigger.Result{Gone: true}
	}
	of, known := r.config.Book.Lookup(item.Key)
	if !known {
		return r.unknown(ctx, item, later)
	}
	if of.Status != trigger.StatusActive {
		return later // and the loop hears of it in a moment
	}
	attempt := attempt{item: item, record: record, queued: queued, began: r.config.Now()}
	answer := r.post(ctx, of, queued)
	if ctx.Err() != nil && answer.Status == 0 {
		return trigger.Result{} // cut off: whoever comes next tells it again
	}
	attempt.answer, attempt.ended = answer, r.config.Now()
	return r.settle(ctx, of, attempt)
}

// unknown is for what the book does not have: the trigger was deleted, or is so
// new that the book has not heard of it.
func (r *round) unknown(ctx context.Context, item trigger.Item, later trigger.Result) trigger.Result {
	known, err := r.config.Registry.Known(ctx, item.Key)
	if err != nil {
		r.warn(ctx, "looking for a trigger", item, err)
	}
	if err != nil || known {
		return later
	}
	r.graves.add(reasonDeleted, item)
	return trigger.Result{Gone: true}
}

// attempt is one try with its answer.
type attempt struct {
	item         trigger.Item
	record       events.Record
	queued       *events.DeliveryQueued
	answer       trigger.Answer
	began, ended time.Time
}

// settle does what the answer asks for.
func (r *round) settle(ctx context.Context, of trigger.Trigger, a attempt) trigger.Result {
	verdict := trigger.Judge(a.answer)
	now := r.config.Now()
	if verdict.Delivered {
		if err := r.config.Pending.Remove(ctx, a.item.Sequence); err != nil {
			r.warn(ctx, "a delivery that was made is made again", a.item, err)
			return trigger.Result{Again: now.Add(r.config.Retry), Attempted: true, Healthy: true}
		}
		r.note(ctx, a, events.DeliveryDone, "", time.Time{})
		return trigger.Result{Gone: true, Attempted: true, Healthy: true}
	}
	// What Feira itself could not do says nothing of the endpoint.
	result := trigger.Result{Attempted: verdict.Code != trigger.FaultSecret}
	if verdict.Hold > 0 {
		result.Hold = now.Add(verdict.Hold)
	}
	if verdict.Gone {
		if err := r.config.Registry.Stop(ctx, a.item.Key, "the endpoint answered 410: gone"); err != nil {
			r.warn(ctx, "stopping a trigger", a.item, err)
			result.Again = now.Add(r.config.Retry)
			return result
		}
		r.config.Logger.InfoContext(ctx, "trigger is stopped: its endpoint is gone", about(a.item)...)
		r.note(ctx, a, events.DeliveryDead, verdict.Code, time.Time{})
		r.graves.add(reasonStopped, a.item)
		result.Gone = true
		return result
	}
	if result.First = a.item.First; result.First.IsZero() {
		result.First = r.memory.first(ctx, a)
	}
	again, more := trigger.Next(a.item.Accepted, result.First, now)
	if !more {
		r.note(ctx, a, events.DeliveryDead, verdict.Code, time.Time{})
		r.graves.add(reasonGivenUp, a.item)
		result.Gone = true
		return result
	}
	if result.Hold.After(again) {
		again = result.Hold
	}
	r.note(ctx, a, events.DeliveryFailed, verdict.Code, again)
	r.config.Logger.DebugContext(ctx, "delivery failed", append(about(a.item), slog.String("code", verdict.Code), slog.String("event", of.Event))...)
	result.Again = again
	return result
}

// note remembers an attempt for the tenant to look at. One that cannot be noted
// is missing there and nowhere else.
func (r *round) note(ctx context.Context, a attempt, came events.DeliveryOutcome, code string, next time.Time) {
	key := a.item.Key
	r.config.Observer.Attempted(came, a.ended.Sub(a.began))
	event := &events.DeliveryAttempted{
		Trigger: key.Trigger, ID: a.queued.ID, Event: a.queued.Event, Object: a.queued.Object, Outcome: came, Cause: a.queued.Cause, Status: a.answer.Status,
		Error: code, DurationMS: a.ended.Sub(a.began).Milliseconds(), NextAt: next.UTC(),
	}
	envelope := events.Envelope{
		ID: a.queued.ID + "/" + strconv.FormatInt(a.ended.UnixNano(), 10), Source: events.TriggerSource(key.Tenant, key.Trigger),
		Type: event.EventType(), Time: a.ended, Tenant: key.Tenant, Session: a.record.Session,
	}
	message, err := events.Encode(events.DeliveriesSubject(key.Tenant, key.Trigger), envelope, event)
	if err == nil {
		err = r.config.Journal.Publish(ctx, []events.Message{message})
	}
	if err != nil {
		r.warn(ctx, "noting an attempt", a.item, err)
	}
}

func (r *round) warn(ctx context.Context, act string, item trigger.Item, err error) {
	if ctx.Err() == nil {
		r.config.Logger.WarnContext(ctx, "delivering is hindered", append(about(item), slog.String("act", act), slog.Any("error", err))...)
	}
}

// letter is the dead letter of a delivery.
func letter(message events.Message, reason, detail string) events.LetterDied {
	return events.LetterDied{
		Stream: events.StreamTriggers, Sequence: message.Sequence, Subject: message.Subject, Reason: reason, Detail: detail,
		Header: message.Header, Data: message.Data, Size: len(message.Data), Deliveries: 1,
	}
}

// detailOf is a sentence for people.
func detailOf(reason string) string {
	if detail, ok := details()[reason]; ok {
		return detail
	}
	return fmt.Sprintf("given up: %s", reason)
}
