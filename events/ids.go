package events

import (
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Longest identifiers, in bytes.
const (
	MaxTenantID  = 64
	MaxSessionID = 64
	MaxRequestID = 128
)

// IllegalTenant stands in for the tenant of a subject whose token is no tenant
// id, so that what came on it can be refused aloud like anything else. No real
// tenant can have this name.
const IllegalTenant TenantID = "_illegal"

// ErrInvalidID occurs when a text cannot be an identifier; the error that wraps
// it names the field and the rule.
var ErrInvalidID = errors.New("invalid identifier")

// TenantID names one customer of the SaaS. It is one token of a subject: a
// letter or digit, then letters, digits, "_" and "-", at most [MaxTenantID] bytes.
type TenantID string

// SessionID names one conversation of a tenant, unique within the tenant. It has
// the form of a tenant id, at most [MaxSessionID] bytes.
type SessionID string

// RequestID names one request of a session, unique within the session. A
// letter or digit, then letters, digits and "._:-", at most [MaxRequestID] bytes.
type RequestID string

// ParseTenantID returns the tenant that text names, or [ErrInvalidID].
func ParseTenantID(text string) (TenantID, error) {
	if err := checkID("tenant", text, MaxTenantID, "_-"); err != nil {
		return "", err
	}
	return TenantID(text), nil
}

// ParseSessionID returns the session that text names, or [ErrInvalidID].
func ParseSessionID(text string) (SessionID, error) {
	if err := checkID("session", text, MaxSessionID, "_-"); err != nil {
		return "", err
	}
	return SessionID(text), nil
}

// ParseRequestID returns the request that text names, or [ErrInvalidID].
func ParseRequestID(text string) (RequestID, error) {
	if err := checkID("request id", text, MaxRequestID, "._:-"); err != nil {
		return "", err
	}
	return RequestID(text), nil
}

// A session id that Feira makes: prefix, eight letters and digits that tell the
// tenant, sixteen that tell its sessions apart.
const (
	sessionPrefix = "ses_"
	tagBytes      = 5
	tagLength     = 8
	nonceBytes    = 10
	sessionLength = len(sessionPrefix) + tagLength + 16
)

// TenantTag is a short text that follows from a tenant's id. The ids of sessions
// that Feira makes begin with it, so that whoever knows all tenants finds a
// session's without an index of sessions. Two tenants may share one.
func TenantTag(tenant TenantID) string {
	sum := sha256.Sum256([]byte("feira/tenant/" + string(tenant)))
	return lowerBase32(sum[:tagBytes])
}

// NewSession is the id of a tenant's session, made of randomness.
func NewSession(tenant TenantID, random [nonceBytes]byte) SessionID {
	return SessionID(sessionPrefix + TenantTag(tenant) + lowerBase32(random[:]))
}

// SessionTag is the tag of the session's tenant; false when the id is one that a
// producer chose.
func SessionTag(session SessionID) (string, bool) {
	rest, ok := strings.CutPrefix(string(session), sessionPrefix)
	if !ok || len(session) != sessionLength {
		return "", false
	}
	return rest[:tagLength], true
}

// DerivedSession is the session that a request without one opens. It follows
// from the tenant and the request's sequence in REQUESTS alone, so a producer
// that holds the broker's acknowledgement, a redelivery and a new leader all
// agree on it.
func DerivedSession(tenant TenantID, sequence uint64) SessionID {
	sum := sha256.Sum256([]byte("feira/session/" + string(tenant) + "/" + strconv.FormatUint(sequence, 10)))
	return NewSession(tenant, [nonceBytes]byte(sum[:nonceBytes]))
}

func lowerBase32(data []byte) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(data))
}

// DerivedRequest is the id of a request that came without one.
func DerivedRequest(sequence uint64) RequestID {
	return RequestID("req_" + strconv.FormatUint(sequence, 10))
}

func checkID(field, text string, limit int, extra string) error {
	if text == "" {
		return fmt.Errorf("%w: %s is empty", ErrInvalidID, field)
	}
	if len(text) > limit {
		return fmt.Errorf("%w: %s has %d bytes, at most %d are allowed", ErrInvalidID, field, len(text), limit)
	}
	if text[0] == '_' || text[0] == '-' || text[0] == '.' || text[0] == ':' {
		return fmt.Errorf("%w: %s starts with %q, want a letter or digit", ErrInvalidID, field, text[0])
	}
	for i := range len(text) {
		c := text[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		digit := c >= '0' && c <= '9'
		if !letter && !digit && strings.IndexByte(extra, c) < 0 {
			return fmt.Errorf("%w: %s has an illegal character at byte %d; letters, digits and %q are allowed", ErrInvalidID, field, i, extra)
		}
	}
	return nil
}
