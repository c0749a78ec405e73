package app

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/gowebpki/jcs"
)

// Sentinels of signed reports.
var (
	// ErrReportKey occurs when a text is no ed25519 key in PEM.
	ErrReportKey = errors.New("the key is no ed25519 key in PEM; openssl genpkey -algorithm ed25519 makes one")
	// ErrReportSignature occurs when a report is not what was signed, or was
	// signed by another key.
	ErrReportSignature = errors.New("the report is not what the holder of this key signed")
)

// reportContext keeps a signature of a report from being one of anything else.
const reportContext = "feira audit report v1\n"

// SignedReport is an audit with the word of whoever made it.
type SignedReport struct {
	// Report is in canonical JSON (RFC 8785), of which the signature is.
	Report json.RawMessage `json:"report"`
	// Key is the digest of the public key.
	Key       string `json:"key"`
	Algorithm string `json:"algorithm"`
	Signature string `json:"signature"`
}

// SignAudit signs an audit with a private key in PEM (PKCS #8).
func SignAudit(audit LedgerAudit, key []byte) ([]byte, error) {
	private, err := privateKey(key)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(audit)
	if err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	canonical, err := jcs.Transform(plain)
	if err != nil {
		return nil, fmt.Errorf("writing the report: %w", err)
	}
	public, _ := private.Public().(ed25519.PublicKey)
	return json.Marshal(SignedReport{
		Report: canonical, Key: keyID(public), Algorithm: "ed25519",
		Signature: base64.StdEncoding.EncodeToString(ed25519.Sign(private, reportBytes(canonical))),
	})
}

// VerifyAudit holds a signed report against a public key, or the private one,
// and returns what was signed.
func VerifyAudit(text, key []byte) (LedgerAudit, error) {
	var audit LedgerAudit
	public, err := publicKey(key)
	if err != nil {
		return audit, err
	}
	var signed SignedReport
	if err := json.Unmarshal(text, &signed); err != nil {
		return audit, fmt.Errorf("reading the report: %w", err)
	}
	canonical, err := jcs.Transform(signed.Report)
	if err != nil {
		return audit, fmt.Errorf("reading the report: %w", err)
	}
	signature, err := base64.StdEncoding.DecodeString(signed.Signature)
	if err != nil || signed.Key != keyID(public) || !ed25519.Verify(public, reportBytes(canonical), signature) {
		return audit, ErrReportSignature
	}
	if err := json.Unmarshal(canonical, &audit); err != nil {
		return audit, fmt.Errorf("reading the report: %w", err)
	}
	return audit, nil
}

func reportBytes(canonical []byte) []byte {
	return bytes.Join([][]byte{[]byte(reportContext), canonical}, nil)
}

func keyID(public ed25519.PublicKey) string {
	sum := sha256.Sum256(public)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func privateKey(text []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, ErrReportKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, ErrReportKey
	}
	return private, nil
}

func publicKey(text []byte) (ed25519.PublicKey, error) {
	if private, err := privateKey(text); err == nil {
		public, _ := private.Public().(ed25519.PublicKey)
		return public, nil
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, ErrReportKey
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	public, ok := parsed.(ed25519.PublicKey)
	if err != nil || !ok {
		return nil, ErrReportKey
	}
	return public, nil
}
