package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/trigger"
)

// TriggerReplay says what an endpoint is to be told again. Where both fields are
// empty that is all that was given up.
type TriggerReplay struct {
	// Delivery is one, by its webhook-id: given up, or delivered.
	Delivery string
	// Since are all that were given up or delivered at or after it.
	Since time.Time
}

// replay has a trigger told again, under the webhook-ids of the first time, and
// says how many that are. What still waits is not told twice, nor what is asked
// for twice before it is told. One that is named and that nobody knows is
// [ErrUnknownDelivery].
func (d *desk) replay(ctx context.Context, owner tenant.ID, id events.TriggerID, what TriggerReplay) (int, error) {
	found, err := d.show(ctx, owner, id)
	if err != nil {
		return 0, err
	}
	if found.Status != trigger.StatusActive {
		return 0, fmt.Errorf("%w: %s", ErrInactiveTrigger, id)
	}
	replayed, err := d.exhume(ctx, found, what)
	if err != nil || what.Delivery == "" && what.Since.IsZero() || what.Delivery != "" && replayed > 0 {
		return replayed, err
	}
	again, err := d.retell(ctx, found, what)
	if err == nil && again == 0 && what.Delivery != "" {
		err = d.known(ctx, found, what.Delivery)
	}
	return replayed + again, err
}

// known is [ErrUnknownDelivery] for a delivery that neither waits nor has been
// attempted. In this order, since what waits no more has been attempted.
func (d *desk) known(ctx context.Context, of trigger.Trigger, delivery string) error {
	waits, err := d.streams.Waits(ctx, of.Tenant, of.ID, delivery)
	if err != nil || waits {
		return err
	}
	attempts, err := d.streams.Attempts(ctx, of.Tenant, of.ID, events.MaxDeliveriesKept)
	if err != nil {
		return err
	}
	for _, record := range attempts {
		if attempt, ok := record.Event.(*events.DeliveryAttempted); ok && attempt.ID == delivery {
			return nil
		}
	}
	return fmt.Errorf("%w: %s", ErrUnknownDelivery, delivery)
}

// exhume replays what was given up. A letter is taken away when its delivery is
// stored, so one that is cut short between is told twice, under one id.
func (d *desk) exhume(ctx context.Context, of trigger.Trigger, what TriggerReplay) (int, error) {
	letters, err := d.streams.Letters(ctx, of.Tenant, of.ID)
	if err != nil {
		return 0, err
	}
	replayed := 0
	for _, record := range letters {
		letter, ok := record.Event.(*events.LetterDied)
		if !ok || what.Delivery != "" && letter.Header.Value(events.HeaderID) != what.Delivery || record.Time.Before(what.Since) {
			continue
		}
		message := events.Message{Subject: letter.Subject, Header: letter.Header, Data: letter.Data}
		if err := d.again(ctx, message, strconv.FormatUint(record.Sequence, 10)); err != nil {
			return replayed, err
		}
		if err := d.streams.DropLetter(ctx, record.Sequence); err != nil {
			return replayed, err
		}
		replayed++
	}
	return replayed, nil
}

// again stores a delivery anew. The broker keeps back what it heard a short time
// ago under the same occasion.
func (d *desk) again(ctx context.Context, message events.Message, occasion string) error {
	tenant, _, _, err := events.SubjectTrigger(message.Subject)
	if err != nil {
		return err
	}
	message.Header.Set(events.HeaderMsgID, string(tenant)+"/"+message.Header.Value(events.HeaderID)+"/"+occasion)
	return d.streams.Publish(ctx, []events.Message{message})
}

// retell replays what was delivered. Its body is gone, and is made of its fact
// again, as long as the log has that: the same fact makes the same delivery.
func (d *desk) retell(ctx context.Context, of trigger.Trigger, what TriggerReplay) (int, error) {
	attempts, err := d.streams.Attempts(ctx, of.Tenant, of.ID, events.MaxDeliveriesKept)
	if err != nil {
		return 0, err
	}
	replayed := 0
	for _, last := range delivered(attempts, what) {
		attempt := last.Event.(*events.DeliveryAttempted) //nolint:forcetypeassert // delivered leaves nothing else in
		message, found, err := d.delivery(ctx, of, attempt)
		if err != nil {
			return replayed, err
		}
		if !found {
			continue
		}
		if err := d.again(ctx, message, "told/"+strconv.FormatUint(last.Sequence, 10)); err != nil {
			return replayed, err
		}
		replayed++
	}
	return replayed, nil
}

// delivered are the last attempts, of those that are wanted, at what was
// delivered, in the order of their facts. A test has no fact, and is left out.
func delivered(newestFirst []events.Record, what TriggerReplay) []events.Record {
	seen := map[string]bool{}
	var wanted []events.Record
	for _, record := range newestFirst {
		attempt, ok := record.Event.(*events.DeliveryAttempted)
		if !ok || seen[attempt.ID] {
			continue
		}
		seen[attempt.ID] = true
		if attempt.Outcome == events.DeliveryDone && attempt.Cause > 0 && !record.Time.Before(what.Since) &&
			(what.Delivery == "" || what.Delivery == attempt.ID) {
			wanted = append(wanted, record)
		}
	}
	slices.SortStableFunc(wanted, func(a, b events.Record) int {
		return cmp.Compare(a.Event.(*events.DeliveryAttempted).Cause, b.Event.(*events.DeliveryAttempted).Cause) //nolint:forcetypeassert // as above
	})
	return wanted
}

// delivery makes a delivery of its fact; false when the log has that no more.
func (d *desk) delivery(ctx context.Context, of trigger.Trigger, attempt *events.DeliveryAttempted) (events.Message, bool, error) {
	fact, found, err := d.log.Fact(ctx, attempt.Cause)
	if err != nil || !found {
		return events.Message{}, false, err
	}
	record, err := events.Decode(fact)
	if err != nil || record.Tenant != of.Tenant {
		return events.Message{}, false, nil //nolint:nilerr // it is not the fact that was told
	}
	event, ok := trigger.FromRecord(record)
	if !ok {
		return events.Message{}, false, nil
	}
	message, err := trigger.Delivery(of, event)
	if err != nil {
		return events.Message{}, false, err
	}
	return message, message.Header.Value(events.HeaderID) == attempt.ID, nil
}
