package vault

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"
)

const (
	// plainless is the format that said nothing in clear.
	plainless    = 1
	recordFormat = 2
	// maxPlain is the longest value that is kept in clear, in bytes.
	maxPlain = 512
)

// record is a credential as it lies in the store. All that is readable in it
// is authenticated by the ciphertext's associated data.
type record struct {
	Format    int       `json:"v"`
	Version   uint64    `json:"version"`
	UpdatedAt time.Time `json:"updated_at"`
	Fields    []string  `json:"fields"`
	// Plain are values of fields that are no secret, in clear.
	Plain      map[string]string `json:"plain,omitempty"`
	Ciphertext []byte            `json:"ciphertext"`
}

// associatedData binds a ciphertext to its place and to what is said of it in
// clear. None of the parts but the last can hold "|", the field names no ",".
func (r record) associatedData(at place) []byte {
	parts := []string{
		"v" + strconv.Itoa(r.Format), string(at.tenant), at.server, string(at.env),
		strconv.FormatUint(r.Version, 10), strconv.FormatInt(r.UpdatedAt.UnixNano(), 10), strings.Join(r.Fields, ","),
	}
	if r.Format != plainless {
		for _, name := range slices.Sorted(maps.Keys(r.Plain)) {
			parts = append(parts, name+"="+strconv.Quote(r.Plain[name]))
		}
	}
	return []byte(strings.Join(parts, "|"))
}

func (v *Vault) seal(key tink.AEAD, at place, draft record, fields map[string]Secret) ([]byte, error) {
	draft.Format = recordFormat
	draft.Fields = slices.Sorted(maps.Keys(fields))
	draft.Plain = map[string]string{}
	for _, name := range v.plain {
		if value := fields[name].Reveal(); value != "" && len(value) <= maxPlain {
			draft.Plain[name] = value
		}
	}
	values := make(map[string]string, len(fields))
	for name, secret := range fields {
		values[name] = secret.Reveal()
	}
	plain, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("encoding fields: %w", err)
	}
	if draft.Ciphertext, err = key.Encrypt(plain, draft.associatedData(at)); err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	return json.Marshal(draft)
}

func parseRecord(value []byte) (record, error) {
	var read record
	if err := json.Unmarshal(value, &read); err != nil {
		return record{}, fmt.Errorf("%w: the record cannot be read", ErrSealed)
	}
	if read.Format != recordFormat && read.Format != plainless {
		return record{}, fmt.Errorf("%w: the record has format %d", ErrSealed, read.Format)
	}
	if read.Format == plainless {
		read.Plain = nil // nobody vouches for it
	}
	return read, nil
}

func (r record) open(key tink.AEAD, at place) (Credential, error) {
	plain, err := key.Decrypt(r.Ciphertext, r.associatedData(at))
	if err != nil {
		return Credential{}, ErrSealed
	}
	var values map[string]string
	if err := json.Unmarshal(plain, &values); err != nil {
		return Credential{}, ErrSealed
	}
	fields := make(map[string]Secret, len(values))
	for name, value := range values {
		fields[name] = NewSecret(value)
	}
	return Credential{fields: fields, stamp: r.stamp()}, nil
}
