package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds of what a stranger can have compared.
const (
	maxSignatures = 32
	maxSignature  = 8 << 10
)

// Key is one key of a connection's webhooks.
type Key struct {
	Text string
	// Until is when it stops being one, while keys are exchanged; zero: never.
	Until time.Time
}

// Lock is what a delivery is held against.
type Lock struct {
	Scheme Scheme
	// Header is where [SchemeHMAC] looks. Defaults to [DefaultHeader].
	Header string
	// Keys are all that may be in use, the newest first.
	Keys []Key
}

// Delivery is a webhook as it came.
type Delivery struct {
	// Header tells the first value of a header, by its canonical name.
	Header func(name string) string
	// Path is the secret part of the address; empty when it had none.
	Path string
	Body []byte
}

// Proof is what is certain of a delivery after it was verified.
type Proof struct {
	// ID is the event's id, where the sender signed it in a header.
	ID string
	// Signed is the signed time; zero where the scheme has none.
	Signed time.Time
}

// Verify says whether a delivery is of whoever has the keys. Every error is
// one of the sentinels that mean no.
func Verify(lock Lock, delivery Delivery, now time.Time) (Proof, error) {
	keys := lock.active(now)
	switch lock.Scheme {
	case SchemeStripe:
		return verifyStripe(keys, delivery, now)
	case SchemeStandard:
		return verifyStandard(keys, delivery, now)
	case SchemeToken:
		return Proof{}, verifyText(keys, delivery.Header(headerToken))
	case SchemePath:
		return Proof{}, verifyText(keys, delivery.Path)
	case SchemeMelhorEnvio:
		return Proof{}, verifyBody(keys, delivery.Header(headerMelhorEnvio), delivery.Body)
	case SchemeHMAC:
		header := lock.Header
		if header == "" {
			header = DefaultHeader
		}
		return Proof{}, verifyBody(keys, delivery.Header(header), delivery.Body)
	}
	return Proof{}, ErrScheme
}

// active are the keys in use.
func (l Lock) active(now time.Time) []string {
	var keys []string
	for _, key := range l.Keys {
		if key.Until.IsZero() || now.Before(key.Until) {
			keys = append(keys, key.Text)
		}
	}
	return keys
}

// verifyText compares hashes, so that neither content nor length of a key
// shows in the time that it takes.
func verifyText(keys []string, given string) error {
	if given == "" {
		return ErrUnsigned
	}
	got, found := sha256.Sum256([]byte(given)), 0
	for _, key := range keys {
		want := sha256.Sum256([]byte(key))
		found |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	if found != 1 {
		return ErrSignature
	}
	return nil
}

func verifyBody(keys []string, header string, body []byte) error {
	if header == "" {
		return ErrUnsigned
	}
	given := signatureForms(header)
	if len(given) == 0 {
		return ErrMalformedSignature
	}
	raw := make([][]byte, len(keys))
	for i, key := range keys {
		raw[i] = []byte(key)
	}
	return match(raw, given, body)
}

// signatureForms are what a text may mean as a signature: senders write it in
// hex or in base64, with or without the name of the hash before it.
func signatureForms(text string) [][]byte {
	text = strings.TrimPrefix(strings.TrimSpace(text), "sha256=")
	var forms [][]byte
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString, base64.URLEncoding.DecodeString, base64.RawURLEncoding.DecodeString,
	} {
		if raw, err := decode(text); err == nil && len(raw) == sha256.Size {
			forms = append(forms, raw)
		}
	}
	return forms
}

// match holds every signature against every key, so that the time tells nothing.
func match(keys, given [][]byte, parts ...[]byte) error {
	found := 0
	for _, key := range keys {
		mac := hmac.New(sha256.New, key)
		for _, part := range parts {
			_, _ = mac.Write(part) // a hash takes every write
		}
		want := mac.Sum(nil)
		for _, one := range given {
			found |= subtle.ConstantTimeCompare(one, want)
		}
	}
	if found != 1 {
		return ErrSignature
	}
	return nil
}

// verifyStripe reads "t=1492774577,v1=5257a8...,v1=...".
func verifyStripe(keys []string, delivery Delivery, now time.Time) (Proof, error) {
	header := delivery.Header(headerStripe)
	if header == "" {
		return Proof{}, ErrUnsigned
	}
	stamp, given, err := readStripe(header)
	if err != nil {
		return Proof{}, err
	}
	raw := make([][]byte, len(keys))
	for i, key := range keys {
		raw[i] = []byte(key)
	}
	if err := match(raw, given, []byte(strconv.FormatInt(stamp, 10)), []byte("."), delivery.Body); err != nil {
		return Proof{}, err
	}
	return timely(Proof{}, stamp, now)
}

func readStripe(header string) (stamp int64, given [][]byte, err error) {
	if len(header) > maxSignature {
		return 0, nil, fmt.Errorf("%w: %s is too long", ErrMalformedSignature, headerStripe)
	}
	timed := false
	for part := range strings.SplitSeq(header, ",") {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			return 0, nil, fmt.Errorf("%w: %s is no list of pairs", ErrMalformedSignature, headerStripe)
		}
		switch name {
		case "t":
			if stamp, err = strconv.ParseInt(value, 10, 64); err != nil {
				return 0, nil, fmt.Errorf("%w: %s has no time", ErrMalformedSignature, headerStripe)
			}
			timed = true
		case "v1":
			if signature, err := hex.DecodeString(value); err == nil && len(given) < maxSignatures {
				given = append(given, signature)
			}
		}
	}
	if !timed || len(given) == 0 {
		return 0, nil, fmt.Errorf("%w: %s has no time or no v1", ErrMalformedSignature, headerStripe)
	}
	return stamp, given, nil
}

// verifyStandard reads the three headers of Standard Webhooks, whose signatures
// are a list parted by blanks: "v1,g0hM9SsE... v1,bm9ldHUj...".
func verifyStandard(keys []string, delivery Delivery, now time.Time) (Proof, error) {
	id, at, header := delivery.Header(headerID), delivery.Header(headerTimestamp), delivery.Header(headerSignature)
	if id == "" || at == "" || header == "" {
		return Proof{}, ErrUnsigned
	}
	stamp, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %s is no time", ErrMalformedSignature, headerTimestamp)
	}
	if len(header) > maxSignature {
		return Proof{}, fmt.Errorf("%w: %s is too long", ErrMalformedSignature, headerSignature)
	}
	var given [][]byte
	for part := range strings.SplitSeq(header, " ") {
		version, text, _ := strings.Cut(part, ",")
		text, _, _ = strings.Cut(text, ",") // what comes after is passed over, as others do
		signature, err := base64.StdEncoding.DecodeString(text)
		if version == "v1" && err == nil && len(given) < maxSignatures {
			given = append(given, signature)
		}
	}
	var raw [][]byte
	for _, key := range keys {
		if one, err := standardKey(key); err == nil {
			raw = append(raw, one)
		}
	}
	if err := match(raw, given, []byte(id), []byte("."), []byte(at), []byte("."), delivery.Body); err != nil {
		return Proof{}, err
	}
	return timely(Proof{ID: id}, stamp, now)
}

// timely refuses what was signed too long ago: somebody may have kept it. It is
// looked at last, so that a wrong key is told from a wrong clock.
func timely(proof Proof, stamp int64, now time.Time) (Proof, error) {
	proof.Signed = time.Unix(stamp, 0).UTC()
	if age := now.Sub(proof.Signed); age > Tolerance || age < -Tolerance {
		return Proof{}, ErrStale
	}
	return proof, nil
}
