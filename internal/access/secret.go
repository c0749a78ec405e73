package access

import (
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/feira-dev/feira/events"
)

// The form of a key: brand, environment, so many random digits, and so many of
// a checksum over all that stands before it.
//
//	csk_live_ 7Qx...(32 digits, 190 bits) 0aB3xZ
const (
	brand          = "csk_"
	randomDigits   = 32
	checksumDigits = 6
	// shownDigits of the random ones are shown for ever, so that people know a
	// key again. The 28 that are not make 166 bits.
	shownDigits = 4
)

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

const redacted = "[redacted]"

// Secret is the full text of an API key, which its holder alone keeps. However
// it is printed, logged or encoded, it comes out as [redacted]; only
// [Secret.Reveal] tells.
//
// The text sits in a closure: printing by reflection, of a struct with an
// unexported Secret say, reaches an address and no text.
type Secret struct {
	reveal      func() string
	environment events.Environment
}

// Parse returns the key that text is, or [ErrMalformed]. Nobody needs to be
// asked to refuse a mistyped one: of such, the checksum lets pass one in four
// thousand million. It is no protection against those who forge.
func Parse(text string) (Secret, error) {
	for _, environment := range []events.Environment{events.EnvironmentLive, events.EnvironmentTest} {
		digits, ok := strings.CutPrefix(text, head(environment))
		if !ok {
			continue
		}
		if len(digits) != randomDigits+checksumDigits {
			return Secret{}, fmt.Errorf("%w: it has %d characters after its prefix, want %d", ErrMalformed, len(digits), randomDigits+checksumDigits)
		}
		if strings.Trim(digits, alphabet) != "" {
			return Secret{}, fmt.Errorf("%w: it has a character that is no letter or digit", ErrMalformed)
		}
		body := text[:len(text)-checksumDigits]
		if text[len(body):] != checksum(body) {
			return Secret{}, fmt.Errorf("%w: its checksum does not fit, so it was mistyped or cut", ErrMalformed)
		}
		return hide(text, environment), nil
	}
	return Secret{}, fmt.Errorf("%w: it starts with neither %s nor %s", ErrMalformed, head(events.EnvironmentLive), head(events.EnvironmentTest))
}

// newSecret draws a key. A byte that would favour the first digits is thrown
// away, so that all are equally likely.
func newSecret(random io.Reader, environment events.Environment) (Secret, error) {
	digits, err := draw(random, randomDigits)
	if err != nil {
		return Secret{}, err
	}
	body := head(environment) + digits
	return hide(body+checksum(body), environment), nil
}

func draw(random io.Reader, count int) (string, error) {
	const fair = 256 / len(alphabet) * len(alphabet)
	digits := make([]byte, 0, count)
	buffer := make([]byte, count)
	for len(digits) < count {
		if _, err := io.ReadFull(random, buffer); err != nil {
			return "", fmt.Errorf("drawing random digits: %w", err)
		}
		for _, b := range buffer {
			if int(b) < fair && len(digits) < count {
				digits = append(digits, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(digits), nil
}

func hide(text string, environment events.Environment) Secret {
	return Secret{reveal: func() string { return text }, environment: environment}
}

func head(environment events.Environment) string { return brand + string(environment) + "_" }

func checksum(body string) string {
	sum := crc32.ChecksumIEEE([]byte(body))
	var digits [checksumDigits]byte
	for i := checksumDigits - 1; i >= 0; i-- {
		digits[i] = alphabet[sum%uint32(len(alphabet))]
		sum /= uint32(len(alphabet))
	}
	return string(digits[:])
}

// Reveal tells the full text; "" for a zero Secret.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// Hash is what a key is stored and looked up under.
func (s Secret) Hash() Hash { return sha256.Sum256([]byte(s.Reveal())) }

// Environment is the one that the key names in its text.
func (s Secret) Environment() events.Environment { return s.environment }

// Prefix is how much of the key may be shown.
func (s Secret) Prefix() string {
	text := s.Reveal()
	return text[:min(len(text), len(head(s.environment))+shownDigits)]
}

// String implements [fmt.Stringer].
func (Secret) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (Secret) GoString() string { return redacted }

// Format implements [fmt.Formatter], so that no verb gets around String.
func (Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// MarshalText implements [encoding.TextMarshaler], which slog asks too.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// MarshalJSON implements [encoding/json.Marshaler].
func (Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }
