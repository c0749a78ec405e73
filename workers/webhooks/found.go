package webhooks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/feira-dev/feira/internal/webhook"
)

// word is what is known of a thing that can be found as well as told: which
// event told it. What was found and what is told have not the same id.
type word struct {
	Event string `json:"event"`
	// Found is set where it was found first, and Told is the provider's own event
	// of it, which came later.
	Found bool   `json:"found,omitempty"`
	Told  string `json:"told,omitempty"`
}

// news reports whether an event says something that neither was told nor found
// under another id. Of what the provider tells twice, under two ids, both count:
// it happened twice.
func (w *Worker) news(ctx context.Context, a arrival) (bool, error) {
	name, ok := webhook.Findable(a.Server, a.event)
	if !ok {
		return true, nil
	}
	key := wordKey(a.Webhook, name)
	for range maxAppends {
		value, revision, err := w.cfg.Inbox.Load(ctx, key)
		if err != nil {
			return false, fmt.Errorf("looking for what was told or found: %w", err)
		}
		var known word
		if revision != 0 {
			if err := json.Unmarshal(value, &known); err != nil {
				return false, fmt.Errorf("reading what was told or found: %w", err)
			}
		}
		next, news := known.hear(a)
		if next == known {
			return news, nil
		}
		if value, err = json.Marshal(next); err != nil {
			return false, err
		}
		if _, err = w.cfg.Inbox.Save(ctx, key, value, revision); err == nil {
			return news, nil
		} else if !errors.Is(err, ErrMoved) {
			return false, fmt.Errorf("writing down what was told or found: %w", err)
		}
	}
	return false, fmt.Errorf("writing down what was told or found: %w", ErrMoved)
}

// hear is what is known after an event, and whether that is news.
func (k word) hear(a arrival) (word, bool) {
	switch {
	case k.Event == "":
		return word{Event: a.event.ID, Found: a.Found}, true
	case k.Event == a.event.ID:
		return k, true // it comes again; what became of it stands in the inbox
	case a.Found || k.Told == a.event.ID:
		return k, false
	case k.Found && k.Told == "":
		k.Told = a.event.ID
		return k, false
	default:
		return k, true
	}
}
