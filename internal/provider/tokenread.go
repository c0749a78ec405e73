package provider

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/feira-dev/feira/internal/hostile"
)

// read finds the token and its end in an answer.
func (s *TokenSpec) read(body []byte, now time.Time) (heldToken, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return heldToken{}, &tokenError{cause: errTokenAnswer}
	}
	found, _ := at(document, s.Token)
	token, _ := found.(string)
	if token == "" || hostile.HasControl(token) {
		return heldToken{}, &tokenError{cause: errTokenAnswer}
	}
	return heldToken{token: token, expires: s.expiry(document, now)}, nil
}

// expiry is when a token ends; soon, when the answer does not tell.
func (s *TokenSpec) expiry(document any, now time.Time) time.Time {
	if s.ExpiresIn != "" {
		if found, ok := at(document, s.ExpiresIn); ok {
			if number, isNumber := found.(json.Number); isNumber {
				if seconds, err := number.Int64(); err == nil && seconds > 0 && seconds < 1<<31 {
					return now.Add(time.Duration(seconds) * time.Second)
				}
			}
		}
	}
	if s.ExpiresAt != "" {
		if found, ok := at(document, s.ExpiresAt); ok {
			if text, isText := found.(string); isText {
				if end, ok := parseTime(text, s.UTCOffset); ok {
					return end
				}
			}
		}
	}
	return now.Add(tokenLifetime)
}

// parseTime reads a time that may lack its zone.
func parseTime(text, offset string) (time.Time, bool) {
	if end, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return end, true
	}
	if offset == "" {
		offset = "Z"
	}
	end, err := time.Parse(time.RFC3339Nano, text+offset)
	return end, err == nil
}
