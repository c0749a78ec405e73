package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// redaction stands where a secret would.
const redaction = "[redacted]"

// ErrRedacted occurs when a text that stands for a secret is read as one, as
// from a configuration that was printed and fed back.
var ErrRedacted = errors.New(redaction + " stands for a secret and is none")

// Redacted is a secret of the configuration. It prints, logs and marshals as
// "[redacted]"; only [Redacted.Reveal] and an explicit conversion show it. An
// empty one prints as empty, so that people see what is not set.
//
// Keep it in exported fields: fmt calls no methods on unexported ones, nor for
// %p.
type Redacted string

// Reveal returns the secret, for the one place that sends it.
func (r Redacted) Reveal() string { return string(r) }

// String implements [fmt.Stringer].
func (r Redacted) String() string {
	if r == "" {
		return ""
	}
	return redaction
}

// GoString implements [fmt.GoStringer].
func (r Redacted) GoString() string { return fmt.Sprintf("config.Redacted(%q)", r.String()) }

// Format implements [fmt.Formatter], since %d and other verbs that do not fit a
// text would print it bare.
func (r Redacted) Format(state fmt.State, verb rune) {
	text := r.String()
	switch {
	case verb == 'v' && state.Flag('#'):
		text = r.GoString()
	case verb == 'q':
		text = fmt.Sprintf("%q", text)
	}
	_, _ = io.WriteString(state, text)
}

// LogValue implements [slog.LogValuer].
func (r Redacted) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalText implements [encoding.TextMarshaler]; JSON and YAML follow it.
func (r Redacted) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (r *Redacted) UnmarshalText(text []byte) error {
	if string(text) == redaction {
		return ErrRedacted
	}
	*r = Redacted(text)
	return nil
}
