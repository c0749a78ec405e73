package export

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/usage"
)

// webhook tells any address, signed as Standard Webhooks says. A batch keeps
// its id and its contents when it is told again.
type webhook struct {
	*wire
	settings Settings
	signer   signer
}

func newWebhook(config Config, signer signer) *webhook {
	return &webhook{wire: newWire(config, func(*http.Request) {}), settings: config.Settings, signer: signer}
}

// webhookBody is what is told: the numbers of the batch and its items.
type webhookBody struct {
	Type      string        `json:"type"`
	Timestamp string        `json:"timestamp"`
	Data      webhookedData `json:"data"`
}

type webhookedData struct {
	Export  string        `json:"export"`
	After   int64         `json:"after"`
	Through int64         `json:"through"`
	Items   []webhookItem `json:"items"`
}

// webhookItem is an item with an identifier that is its own for ever.
type webhookItem struct {
	ID         string            `json:"id"`
	Number     int64             `json:"number"`
	Tenant     string            `json:"tenant"`
	OccurredAt string            `json:"occurred_at"`
	Quantity   string            `json:"quantity"`
	Properties map[string]any    `json:"properties"`
	Metadata   map[string]string `json:"metadata,omitempty"`
}

// typeUsageExported is what a webhook says that it is.
const typeUsageExported = "usage.exported"

func (w *webhook) send(ctx context.Context, batch batch) error {
	body := webhookBody{Type: typeUsageExported, Data: webhookedData{Export: batch.export, After: batch.after, Through: batch.through}}
	for _, item := range batch.items {
		body.Data.Items = append(body.Data.Items, w.item(item))
		body.Timestamp = moment(item.Row.OccurredAt) // of the batch's last, so that it is the same again
	}
	text, err := marshal(body)
	if err != nil {
		return err
	}
	id := fmt.Sprintf("%s_%d_%d", batch.export, batch.after, batch.through)
	at := w.config.Now()
	got, err := w.wire.send(ctx, letter{method: http.MethodPost, kind: "application/json", body: text, headers: map[string]string{
		"Webhook-Id": id, "Webhook-Timestamp": strconv.FormatInt(at.Unix(), 10), "Webhook-Signature": w.signer.sign(id, at, text),
	}})
	if err != nil {
		return err
	}
	if !got.ok() {
		return w.refusal(got)
	}
	return nil
}

func (w *webhook) item(item usage.Item) webhookItem {
	tenant, _ := w.settings.tenant(item.Row.Tenant)
	return webhookItem{
		ID: item.Key(), Number: item.Number, Tenant: tenant, OccurredAt: moment(item.Row.OccurredAt), Quantity: item.Change.String(),
		Properties: w.settings.properties(item), Metadata: item.Row.Metadata,
	}
}

func (w *webhook) look(context.Context, []Sum) ([]Sum, error) { return nil, errNoWord }

// signer signs with one secret.
type signer []byte

const secretPrefix = "whsec_"

// parseSecret reads a secret as Standard Webhooks writes it, never quoting it.
func parseSecret(text string) (signer, error) {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, secretPrefix))
	if err != nil || len(secret) < 16 {
		return nil, fmt.Errorf("%w: the webhook's secret (FEIRA_EXPORT_KEY) is not whsec_ and 16 bytes or more of base64", ErrSettings)
	}
	return secret, nil
}

func (s signer) sign(id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, s)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
