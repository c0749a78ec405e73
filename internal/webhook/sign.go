package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"time"
)

// Sign is what [Verify] takes: the headers with which whoever has the key sends
// a body. The sandbox sends with it; a path's key goes into the address.
func Sign(lock Lock, id string, body []byte, at time.Time) map[string]string {
	if len(lock.Keys) == 0 {
		return nil
	}
	key, stamp := lock.Keys[0].Text, strconv.FormatInt(at.Unix(), 10)
	switch lock.Scheme {
	case SchemeStripe:
		return map[string]string{headerStripe: "t=" + stamp + ",v1=" + hex.EncodeToString(sum([]byte(key), stamp+".", body))}
	case SchemeStandard:
		raw, err := standardKey(key)
		if err != nil {
			return nil
		}
		signature := base64.StdEncoding.EncodeToString(sum(raw, id+"."+stamp+".", body))
		return map[string]string{headerID: id, headerTimestamp: stamp, headerSignature: "v1," + signature}
	case SchemeToken:
		return map[string]string{headerToken: key}
	case SchemeMelhorEnvio:
		return map[string]string{headerMelhorEnvio: hex.EncodeToString(sum([]byte(key), "", body))}
	case SchemeHMAC:
		header := lock.Header
		if header == "" {
			header = DefaultHeader
		}
		return map[string]string{header: hex.EncodeToString(sum([]byte(key), "", body))}
	case SchemePath:
	}
	return nil
}

func sum(key []byte, before string, body []byte) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(before)) // a hash takes every write
	_, _ = mac.Write(body)
	return mac.Sum(nil)
}
