package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
)

// Hash is the SHA-256 of a key's full text. A slow hash, which passwords need
// because people choose them, would protect nothing here: 190 random bits are
// not found by trying, however fast one tries, and each request would pay for
// it. Nor is there a salt: no two keys are alike, and without one the hash is
// itself the place to look under, so that no secret is ever compared with
// others one by one.
type Hash [sha256.Size]byte

// ParseHash reads what [Hash.String] wrote.
func ParseHash(text string) (Hash, error) {
	var hash Hash
	read, err := hex.DecodeString(text)
	if err != nil || len(read) != len(hash) || text != hex.EncodeToString(read) {
		return Hash{}, fmt.Errorf("%w: hash is not %d bytes in lower-case hex", ErrInvalid, len(hash))
	}
	copy(hash[:], read)
	return hash, nil
}

// String is the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Equal compares in constant time.
func (h Hash) Equal(other Hash) bool { return subtle.ConstantTimeCompare(h[:], other[:]) == 1 }
