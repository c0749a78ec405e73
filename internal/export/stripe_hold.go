package export

import (
	"context"
	"fmt"
	"time"

	"github.com/feira-dev/feira/internal/usage"
)

// monthKey is what Stripe bills as one sum.
type monthKey struct {
	sumKey

	month time.Time
}

func (s *stripe) month(send usage.Send) monthKey {
	return monthKey{
		sumKey: sumKey{string(send.Tenant), string(send.Meter), send.Unit},
		month:  usage.MonthOf(send.Start, s.config.Zone).From.UTC(),
	}
}

// has is what Stripe has taken, by month; nothing is read where no open sum
// takes away.
func (s *stripe) has(ctx context.Context, open []usage.Send) (map[monthKey]usage.Change, error) {
	wanted := map[monthKey]usage.Change{}
	for _, send := range open {
		if send.Value.Negative {
			wanted[s.month(send)] = usage.Change{}
		}
	}
	if len(wanted) == 0 {
		return wanted, nil
	}
	accepted, err := s.books.Sends(ctx, s.settings.Name, usage.SendAccepted)
	if err != nil {
		return nil, err
	}
	for _, send := range accepted {
		if err := take(wanted, s.month(send), send.Value); err != nil {
			return nil, err
		}
	}
	return wanted, nil
}

func take(has map[monthKey]usage.Change, in monthKey, value usage.Change) (err error) {
	if before, wanted := has[in]; wanted {
		has[in], err = before.Add(value)
	}
	return err
}

// tellOrHold tells Stripe of a sum, unless it takes away more than Stripe has of
// that month. Stripe takes negative quantities, and bills a period whose sum is
// below zero as nothing: what is below would be lost without a word. That comes
// of a void of what Stripe refused, or could not take any more.
func (s *stripe) tellOrHold(ctx context.Context, send usage.Send, has map[monthKey]usage.Change) (usage.SendState, error) {
	in := s.month(send)
	if send.Value.Negative && send.State != usage.SendTried {
		left, err := has[in].Add(send.Value)
		if err != nil {
			return send.State, err
		}
		closed := s.now().Sub(usage.MonthOf(send.Start, s.config.Zone).To) > s.settings.Closes
		if left.Negative && !closed {
			detail := fmt.Sprintf("Stripe has %s of this month, and would bill a sum below zero as nothing", has[in])
			if send.State == usage.SendHeld && send.Detail == detail {
				return usage.SendHeld, nil
			}
			return s.mark(ctx, send, usage.SendHeld, detail)
		}
	}
	state, err := s.tell(ctx, send)
	if err == nil && state == usage.SendAccepted {
		err = take(has, in, send.Value)
	}
	return state, err
}

func sign(of usage.Change) int {
	if of.Negative {
		return 1
	}
	return 0
}
