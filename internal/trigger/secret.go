package trigger

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// SecretPrefix begins a secret's text.
const SecretPrefix = "whsec_"

// How long a secret is, and how long one goes on signing that was replaced.
const (
	secretBytes = 32
	// Overlap is how long the receiver has for taking over the new secret.
	Overlap = 24 * time.Hour
	// maxSecrets bounds how many sign at a time, the newest.
	maxSecrets = 4
)

// Secret signs what a trigger tells.
type Secret struct {
	Text string `json:"text"`
	// Until is when it stops signing; zero for the one that is not replaced.
	Until time.Time `json:"until,omitzero"`
}

// Secrets are a trigger's, the newest first. They are printed by nobody: what
// holds them is sealed.
type Secrets struct{ list []Secret }

// String keeps secrets out of logs.
func (Secrets) String() string { return "[redacted]" }

// GoString keeps secrets out of logs.
func (Secrets) GoString() string { return "[redacted]" }

// NewSecrets makes the first secret of a trigger from a source of randomness.
func NewSecrets(random io.Reader) (Secrets, error) { return Secrets{}.Rotated(random, time.Time{}) }

// Rotated puts a new secret before the others, which go on signing for
// [Overlap] at most.
func (s Secrets) Rotated(random io.Reader, now time.Time) (Secrets, error) {
	raw := make([]byte, secretBytes)
	if _, err := io.ReadFull(random, raw); err != nil {
		return Secrets{}, fmt.Errorf("making a secret: %w", err)
	}
	list := []Secret{{Text: SecretPrefix + base64.StdEncoding.EncodeToString(raw)}}
	for _, old := range s.list {
		if old.Until.IsZero() {
			old.Until = now.Add(Overlap).UTC()
		}
		if old.Until.After(now) && len(list) < maxSecrets {
			list = append(list, old)
		}
	}
	return Secrets{list: list}, nil
}

// Newest is the text of the last secret that was made.
func (s Secrets) Newest() string {
	if len(s.list) == 0 {
		return ""
	}
	return s.list[0].Text
}

// active are those that sign at a time.
func (s Secrets) active(now time.Time) []string {
	var texts []string
	for _, secret := range s.list {
		if secret.Until.IsZero() || secret.Until.After(now) {
			texts = append(texts, secret.Text)
		}
	}
	return texts
}

// Reveal lays the secrets out for the vault.
func (s Secrets) Reveal() (string, error) {
	text, err := json.Marshal(s.list)
	return string(text), err
}

// ParseSecrets is the reverse of [Secrets.Reveal].
func ParseSecrets(text string) (Secrets, error) {
	var list []Secret
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return Secrets{}, fmt.Errorf("%w: secrets cannot be read", ErrInvalid)
	}
	for _, secret := range list {
		if _, err := keyOf(secret.Text); err != nil {
			return Secrets{}, err
		}
	}
	if len(list) == 0 {
		return Secrets{}, fmt.Errorf("%w: secrets are missing", ErrInvalid)
	}
	return Secrets{list: list}, nil
}

// keyOf is the key that a secret's text stands for.
func keyOf(text string) ([]byte, error) {
	encoded, ok := strings.CutPrefix(text, SecretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) == 0 {
		return nil, fmt.Errorf("%w: a secret is not %s and base64", ErrInvalid, SecretPrefix)
	}
	return key, nil
}
