package trigger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Headers of a delivery: those of Standard Webhooks, and the one that CodeSpar's
// receivers look for.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
	HeaderCodeSpar  = "X-CodeSpar-Signature"
)

// Sign returns the headers that prove a body, each to be sent as it is spelled.
// Every active secret signs, so that a receiver may have the old one or the new
// one. CodeSpar's header has room for one signature, that of the newest, and no
// time: a receiver that looks at it alone cannot tell a repetition.
func Sign(secrets Secrets, id string, body []byte, now time.Time) (map[string]string, error) {
	active := secrets.active(now)
	if len(active) == 0 {
		return nil, fmt.Errorf("%w: no secret is active", ErrInvalid)
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	signatures := make([]string, 0, len(active))
	for _, text := range active {
		key, err := keyOf(text)
		if err != nil {
			return nil, err
		}
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac(key, []byte(id+"."+timestamp+"."), body)))
	}
	return map[string]string{
		HeaderID: id, HeaderTimestamp: timestamp, HeaderSignature: strings.Join(signatures, " "),
		HeaderCodeSpar: hex.EncodeToString(mac([]byte(active[0]), body)),
	}, nil
}

func mac(key []byte, parts ...[]byte) []byte {
	sum := hmac.New(sha256.New, key)
	for _, part := range parts {
		sum.Write(part)
	}
	return sum.Sum(nil)
}
