package natskv

import (
	"context"
	"fmt"
)

// Records keeps entries of any form under keys of letters, digits, "_", "-" and
// ".". It is safe for concurrent use. Its errors name keys, never values.
type Records struct {
	bucket *bucket
}

// Records opens a bucket.
func (c *Client) Records(ctx context.Context, bucket string) (*Records, error) {
	opened, err := c.open(ctx, bucket)
	if err != nil {
		return nil, err
	}
	return &Records{bucket: opened}, nil
}

// Load returns an entry, on the word of the bucket's leader, with the revision
// to save upon; revision 0 and no error when there is none.
func (r *Records) Load(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	found, err := r.bucket.latest(ctx, key)
	if err != nil {
		return nil, 0, fmt.Errorf("loading %s: %w", key, err)
	}
	if found.removed {
		return nil, 0, nil
	}
	return found.value, found.revision, nil
}

// Save writes only if the entry is still at revision, 0 meaning that there is
// none, and returns the new one; otherwise it is [ErrConflict] and changes
// nothing. After any other error the entry may or may not have been written.
func (r *Records) Save(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	var saved uint64
	var err error
	if revision == 0 {
		saved, err = r.bucket.Create(ctx, key, value)
	} else {
		saved, err = r.bucket.Update(ctx, key, value, revision)
	}
	switch {
	case refused(err):
		return 0, fmt.Errorf("saving %s: %w", key, ErrConflict)
	case err != nil:
		return 0, fmt.Errorf("saving %s: %w", key, err)
	default:
		return saved, nil
	}
}

// Delete removes an entry for good. Deleting what is not there succeeds.
func (r *Records) Delete(ctx context.Context, key string) error {
	if err := r.bucket.Purge(ctx, key); err != nil {
		return fmt.Errorf("deleting %s: %w", key, err)
	}
	return nil
}
