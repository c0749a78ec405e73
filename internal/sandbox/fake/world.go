package fake

import (
	"crypto/sha256"
	"strconv"
	"strings"
	"time"

	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/sandbox/outbox"
)

// Alphabets of ids.
const (
	Decimal  = "0123456789"
	Hex      = "0123456789abcdef"
	HexUpper = "0123456789ABCDEF"
	Lower36  = "0123456789abcdefghijklmnopqrstuvwxyz"
	Base62   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	Base64   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
)

// World is what every fake is given.
type World struct {
	// Seed makes the ids and generated credentials.
	Seed string
	// Now is the clock.
	Now func() time.Time
	// Journal takes the effects.
	Journal *journal.Journal
	// Outbox sends the webhooks.
	Outbox *outbox.Office
}

// Token makes n characters of an alphabet that follow from the seed and the
// parts alone.
func (w World) Token(alphabet string, n int, parts ...string) string {
	var text strings.Builder
	for block := 0; text.Len() < n; block++ {
		sum := sha256.Sum256([]byte(w.Seed + "\x00" + strings.Join(parts, "\x00") + "\x00" + strconv.Itoa(block)))
		for _, b := range sum[:min(len(sum), n-text.Len())] {
			text.WriteByte(alphabet[int(b)%len(alphabet)])
		}
	}
	return text.String()
}

// UUID makes an id of that form.
func (w World) UUID(parts ...string) string {
	t := w.Token(Hex, 30, parts...)
	return t[:8] + "-" + t[8:12] + "-4" + t[12:15] + "-9" + t[15:18] + "-" + t[18:30]
}
