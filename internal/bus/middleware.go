package bus

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/feira-dev/feira/events"
)

// The chain, written once. Each of the four knows the delivery by the message's
// context.

// settling runs the rest of the chain and does to the message what its error
// says. To Watermill every message has gone well: verdicts are not its matter.
// The one defer that frees the slot stands here.
func settling(s *settler) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			ctx := msg.Context()
			d := deliveryOf(ctx)
			defer d.vacate()
			_, err := next(msg)
			s.settle(ctx, d, err)
			return nil, nil
		}
	}
}

// correlating gives the logs of a run its tenant, session and request's place.
func correlating(correlate func(context.Context, ...slog.Attr) context.Context) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			d := deliveryOf(msg.Context())
			msg.SetContext(correlate(msg.Context(), d.attrs()...))
			return next(msg)
		}
	}
}

// tracing puts the run under the trace of its request.
func tracing(trace func(context.Context, string) (context.Context, func(error))) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			ctx, end := trace(msg.Context(), deliveryOf(msg.Context()).message.Header.Value(events.HeaderTrace))
			msg.SetContext(ctx)
			_, err := next(msg)
			end(err)
			return nil, err
		}
	}
}

// recovering makes a panic the error of its run alone.
func recovering(logger *slog.Logger) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) (_ []*message.Message, err error) {
			defer func() {
				value := recover()
				if value == nil {
					return
				}
				err = fmt.Errorf("%w: %v", ErrPanic, value)
				logger.ErrorContext(msg.Context(), "run panicked", slog.Any("value", value), slog.String("stack", string(debug.Stack())))
			}()
			return next(msg)
		}
	}
}

// handling is the end of the chain.
func handling(config RunPoolConfig) message.NoPublishHandlerFunc {
	handler := config.Handler
	for _, wrap := range slices.Backward(config.Middleware) {
		handler = wrap(handler)
	}
	return func(msg *message.Message) error {
		d := deliveryOf(msg.Context())
		if d.err != nil {
			return d.err // no handler could read it either
		}
		return handler(msg.Context(), d.run, d.deliveries)
	}
}

func (d *runDelivery) attrs() []slog.Attr {
	return []slog.Attr{
		slog.String("tenant", string(d.run.Tenant)),
		slog.String("session", string(d.run.Session)),
		slog.Uint64("request_sequence", d.run.Sequence),
	}
}
