package poll

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
)

// News is one thing that has happened to an object.
type News struct {
	// Kind is the provider's own name of it, as tracking.BDE or nfe.autorizado.
	Kind string
	// Fact is Feira's word; empty where there is none.
	Fact events.Fact
	// Status is the object's by it, in the provider's words.
	Status string
	// OccurredAt is zero where the provider gives no time.
	OccurredAt time.Time
	// stamp is the provider's time as it wrote it.
	stamp string
	// detail is what the provider said, in its own form.
	detail json.RawMessage
}

// Reading is what an answer says of one object.
type Reading struct {
	// News are in the order in which they happened, old ones included.
	News []News
	// Ended is set when there will be no more.
	Ended bool
}

// Unseen are the news that have not been told yet.
func (r Reading) Unseen(watch Watch) []News {
	seen := make(map[string]bool, len(watch.Seen))
	for _, id := range watch.Seen {
		seen[id] = true
	}
	var fresh []News
	for _, one := range r.News {
		if id := one.short(watch); !seen[id] {
			seen[id] = true
			fresh = append(fresh, one)
		}
	}
	return fresh
}

// shortID is how much of an id is remembered: of one object's news.
const shortID = 12

func (n News) short(watch Watch) string { return n.digest(watch, "")[:shortID] }

// ID is the event's: the same for the same news of the same object in the same
// connection, for whoever finds it.
func (n News) ID(watch Watch, connection string) string {
	return "poll_" + n.digest(watch, connection)
}

func (n News) digest(watch Watch, connection string) string {
	var text strings.Builder
	for _, part := range []string{string(watch.Tenant), connection, watch.Server, string(watch.Environment), watch.Object, n.Kind, n.Status, n.stamp} {
		text.WriteString(strconv.Itoa(len(part)) + ":" + part)
	}
	sum := sha256.Sum256([]byte(text.String()))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}

// maxDetail is how much of what the provider said goes with the news, in bytes.
const maxDetail = 32 << 10

// Webhook is the news as a webhook that the provider might have sent: in the
// form that Standard Webhooks advises.
func (n News) Webhook(watch Watch, connection string, now time.Time) (events.Webhook, error) {
	id := n.ID(watch, connection)
	data := map[string]any{"id": watch.Object, "status": n.Status}
	if len(n.detail) > 0 && len(n.detail) <= maxDetail {
		data["detail"] = n.detail
	}
	told := map[string]any{"id": id, "type": n.Kind, "data": data}
	if n.Fact != "" {
		told["fact"] = n.Fact
	}
	if !n.OccurredAt.IsZero() {
		told["timestamp"] = n.OccurredAt.UTC().Format(time.RFC3339)
	}
	body, err := json.Marshal(told)
	if err != nil {
		return events.Webhook{}, err
	}
	return events.Webhook{Tenant: watch.Tenant, Server: watch.Server, Connection: connection, Event: id, Received: now, Body: body}, nil
}
