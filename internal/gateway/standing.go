package gateway

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/gateway/waits"
	"github.com/feira-dev/feira/internal/standing"
)

// DefaultLinger is how long a status stream stays open behind its end.
const DefaultLinger = 5 * time.Second

type toolCallPath struct {
	ID string `path:"id" doc:"The tool call's id, tc_..., from the answer to it."`
}

type paymentOut struct{ Body PaymentStatus }

type verificationOut struct{ Body VerificationStatus }

func (g *Gateway) standingRoutes() {
	end := func(path, id, summary string, media ...string) endpoint {
		return endpoint{
			method: http.MethodGet, path: "/v1/tool-calls/{id}/" + path, id: id, summary: summary, group: "status",
			scope: access.ScopeSessionsRead, faults: []int{http.StatusNotFound}, media: media,
		}
	}
	serve(g, end("payment-status", "payment-status", "Show how the payment stands that a tool call began"),
		func(ctx context.Context, caller access.Caller, in *toolCallPath) (*paymentOut, error) {
			found, err := g.standing(ctx, caller, standing.KindPayment, in.ID)
			if err != nil {
				return nil, err
			}
			return &paymentOut{Body: paymentStatus(found.Standing)}, nil
		})
	serve(g, end("verification-status", "verification-status", "Show how the verification stands that a tool call began"),
		func(ctx context.Context, caller access.Caller, in *toolCallPath) (*verificationOut, error) {
			found, err := g.standing(ctx, caller, standing.KindVerification, in.ID)
			if err != nil {
				return nil, err
			}
			return &verificationOut{Body: verificationStatus(found.Standing)}, nil
		})
	serve(g, end("payment-status/stream", "payment-status-stream", "Stream how the payment stands: snapshot, update, done", "text/event-stream"),
		func(ctx context.Context, caller access.Caller, in *toolCallPath) (*huma.StreamResponse, error) {
			found, err := g.standing(ctx, caller, standing.KindPayment, in.ID)
			if err != nil {
				return nil, err
			}
			return g.streamStanding(found, func() any { return paymentStatus(found.Standing) }), nil //nolint:contextcheck // it is written under the exchange's own
		})
	serve(g, end("verification-status/stream", "verification-status-stream", "Stream how the verification stands: snapshot, update, done", "text/event-stream"),
		func(ctx context.Context, caller access.Caller, in *toolCallPath) (*huma.StreamResponse, error) {
			found, err := g.standing(ctx, caller, standing.KindVerification, in.ID)
			if err != nil {
				return nil, err
			}
			return g.streamStanding(found, func() any { return verificationStatus(found.Standing) }), nil //nolint:contextcheck // it is written under the exchange's own
		})
}

// known is a call's standing, and how far the log was read for it.
type known struct {
	*standing.Standing

	tenant   events.TenantID
	session  events.SessionID
	sequence uint64
}

// standing folds what the log has of a call that the caller reaches. Whatever
// the reason that there is none, the answer is the same.
func (g *Gateway) standing(ctx context.Context, caller access.Caller, kind standing.Kind, text string) (*known, error) {
	gone := problem(http.StatusNotFound, CodeNotFound, "there is no such tool call")
	place, err := events.ParseToolCallID(text)
	if err != nil {
		return nil, gone
	}
	session, err := g.session(ctx, caller, string(place.Session))
	if refused, ok := errors.AsType[*APIError](err); ok && refused.status == http.StatusNotFound {
		return nil, gone
	}
	if err != nil {
		return nil, err
	}
	records, err := g.cfg.Log.Read(ctx, session.tenant, session.id, 0)
	if err != nil {
		return nil, worded(err)
	}
	found := &known{Standing: standing.New(kind, place), tenant: session.tenant, session: session.id}
	for _, record := range records {
		found.Apply(record)
		found.sequence = record.Sequence
	}
	if found.Call() == standing.CallAbsent {
		return nil, gone
	}
	return found, nil
}

// streamStanding tells how it stands now, what becomes of it, and that it has
// its end, and then lingers: some of what follows an end follows at once.
func (g *Gateway) streamStanding(found *known, envelope func() any) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		header := w.Header()
		header.Set("Content-Type", "text/event-stream")
		header.Set("X-Accel-Buffering", "no") // or nginx keeps the frames back
		out := newFrames(w, g.cfg.Heartbeat)
		defer out.close()
		if err := g.follow(r.Context(), out, found, envelope); err != nil && r.Context().Err() == nil && !errors.Is(err, errSettled) {
			_ = out.send("", "error", g.problemOf(r.Context(), err)) // it is the last
		}
	}}
}

// errSettled ends a stream behind its end.
var errSettled = errors.New("it has its end")

func (g *Gateway) follow(ctx context.Context, out *frames, found *known, envelope func() any) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := false
	tell := func(event string) error {
		if err := out.send(eventID{found.sequence, 1}.String(), event, envelope()); err != nil {
			return err
		}
		if done || !found.Settled() {
			return nil
		}
		done = true
		time.AfterFunc(g.cfg.Linger, func() { cancel(errSettled) })
		return out.send("", "done", envelope())
	}
	if err := tell("snapshot"); err != nil {
		return err
	}
	reader, err := g.cfg.Waits.Follow(ctx, waits.FollowParams{Tenant: found.tenant, Session: found.session, From: waits.Behind(found.sequence)})
	if err != nil {
		return worded(err)
	}
	defer reader.Close()
	for {
		item, err := reader.Next(ctx)
		if err != nil {
			return worded(err)
		}
		found.sequence = item.Record.Sequence
		if found.Apply(*item.Record) {
			if err := tell("update"); err != nil {
				return err
			}
		}
	}
}
