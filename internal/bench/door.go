package bench

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/tenant"
)

// door is the gateway's role as a deployment runs it, and a client of it. It is
// safe for concurrent use.
type door struct {
	at     string // its URL
	key    string
	client *http.Client
}

// gateway registers the world's tenants, starts the role and returns when it
// serves. A bench is no customer that is to be slowed down: its rate is the
// highest that there is.
func (w *world) gateway(ctx context.Context) (*door, error) {
	dir, err := os.MkdirTemp("", "feira-bench-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for the gateway: %w", err)
	}
	w.later(func(context.Context) { _ = os.RemoveAll(dir) })
	tel, err := telemetry.New(ctx, telemetry.Config{Output: murmur{w.config.Logger}, Level: slog.LevelWarn, Format: telemetry.FormatText})
	if err != nil {
		return nil, err
	}
	cfg := w.settings(dir)
	key, err := w.register(ctx, cfg, tel)
	if err != nil {
		return nil, err
	}
	made := &door{key: key, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * producers}}}
	w.later(func(context.Context) { made.client.CloseIdleConnections() })
	part := lifecycle.NewRunner("gateway", func(fetch, _ context.Context, ready func()) error {
		return app.RunRoles(fetch, cfg, tel, []app.Role{app.RoleGateway}, func(at app.Addresses) {
			made.at = "http://" + at.HTTP
			ready()
		})
	})
	return made, w.start(ctx, part)
}

func (w *world) settings(dir string) config.Config {
	cfg := config.Default()
	cfg.DataDir = dir
	cfg.NATS.URL, cfg.NATS.User, cfg.NATS.Password = w.url, w.config.User, config.Redacted(w.config.Password)
	cfg.NATS.Credentials = w.config.CredsFile
	cfg.Gateway.Address, cfg.Gateway.Wait, cfg.Gateway.SoftStop = "127.0.0.1:0", time.Hour, time.Second
	if w.config.URL == "" {
		cfg.Streams.Backlog = embeddedBacklog
	}
	return cfg
}

// register tells the gateway who the tenants are, and makes a key of the
// platform. Both are gone when the world is.
func (w *world) register(ctx context.Context, cfg config.Config, tel *telemetry.Telemetry) (string, error) {
	operator := app.NewOperator(cfg, tel)
	w.later(func(context.Context) { operator.Close() })
	for n := range w.tenants {
		w.tenants[n].APIRate = tenant.MaxRate
	}
	if err := operator.ApplyTenants(ctx, w.tenants); err != nil {
		return "", err
	}
	w.later(func(ctx context.Context) {
		for _, customer := range w.tenants {
			if _, err := operator.DeleteTenant(ctx, customer.ID); err != nil {
				w.config.Logger.WarnContext(ctx, "deleting a tenant of the bench", "tenant", string(customer.ID), "error", err)
			}
		}
	})
	key, secret, err := operator.CreateKey(ctx, access.MintParams{
		Name: "bench", Environment: w.tenants[0].Environment, Scopes: []access.Scope{access.ScopeAll},
	})
	if err != nil {
		return "", err
	}
	w.later(func(ctx context.Context) {
		if _, err := operator.RevokeKey(ctx, string(key.ID)); err != nil {
			w.config.Logger.WarnContext(ctx, "revoking the key of the bench", "error", err)
		}
	})
	return secret.Reveal(), nil
}

// murmur passes what the roles warn of on to the bench's logger.
type murmur struct{ to *slog.Logger }

// Write implements [io.Writer].
func (m murmur) Write(line []byte) (int, error) {
	m.to.Warn("the gateway says", "line", string(bytes.TrimSpace(line)))
	return len(line), nil
}

// post asks the gateway something; a status that is not good is an error.
func (d *door) post(ctx context.Context, path, accept string, body any) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("laying out a body: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.at+path, bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+d.key)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", cmp.Or(accept, "application/json"))
	answer, err := d.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the gateway: %w", err)
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		defer func() { _ = answer.Body.Close() }()
		told, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
		return nil, fmt.Errorf("%w: %s: %s: %s", ErrUnserved, path, answer.Status, bytes.TrimSpace(told))
	}
	return answer, nil
}

// sessions opens n of the first tenant's.
func (d *door) sessions(ctx context.Context, n int) ([]events.SessionID, error) {
	opened := make([]events.SessionID, n)
	err := each(ctx, n, func(ctx context.Context, i int) error {
		answer, err := d.post(ctx, "/v1/sessions", "", map[string]any{"user_id": tenantID(0), "servers": []string{"stripe"}})
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		var shown struct {
			ID events.SessionID `json:"id"`
		}
		if err := json.NewDecoder(answer.Body).Decode(&shown); err != nil {
			return fmt.Errorf("reading a session: %w", err)
		}
		opened[i] = shown.ID
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	})
	return opened, err
}

// send has a session's agent answer, in JSON.
func (d *door) send(ctx context.Context, session events.SessionID) error {
	answer, err := d.post(ctx, "/v1/sessions/"+string(session)+"/send", "", map[string]string{"message": "hello"})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return err
}

// firstFrame is how long it takes from before a send to the first frame that
// the agent is the cause of; user_message, which the gateway writes on its own,
// is none. The stream is read to its end.
func (d *door) firstFrame(ctx context.Context, session events.SessionID) (time.Duration, error) {
	begun, first := time.Now(), time.Duration(0)
	answer, err := d.post(ctx, "/v1/sessions/"+string(session)+"/send", "text/event-stream", map[string]string{"message": "hello"})
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	ended := false
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		switch lines.Text() {
		case "event: assistant_delta", "event: assistant_text":
			first = cmp.Or(first, time.Since(begun))
		case "event: done":
			ended = true
		}
	}
	if first == 0 || !ended {
		return 0, fmt.Errorf("%w: the stream of session %s is over without an answer", ErrUnserved, session)
	}
	return first, nil
}
