package vault

import "context"

// Store keeps sealed entries under keys of letters, digits, "_", "-" and ".".
// Implementations are safe for concurrent use and give only their own errors;
// the vault tells a lost race from a failure by loading again.
type Store interface {
	// Load returns an entry with its revision, which is above 0 and changes with
	// every write; revision 0 and no error when there is no entry.
	Load(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Save writes only if the entry is still at revision, 0 meaning that there
	// is none; otherwise it fails and changes nothing.
	Save(ctx context.Context, key string, value []byte, revision uint64) error
	// Delete removes an entry and every earlier revision of it for good.
	// Deleting what is not there succeeds.
	Delete(ctx context.Context, key string) error
	// List returns the keys that begin with prefix, in any order.
	List(ctx context.Context, prefix string) ([]string, error)
}
