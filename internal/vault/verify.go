package vault

import (
	"bytes"
	"context"
	"fmt"

	"github.com/feira-dev/feira/events"
)

// Chain is what was found of a tenant's audit chain.
type Chain struct {
	Tenant events.TenantID `json:"tenant"`
	// First and Last number the records that are kept; 0 when there is none.
	// Above 1, First says that older ones have been let go.
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	// Head is the hash of the last record. Whoever noted it can show later that
	// nothing before it was changed, and that the chain was not cut.
	Head string `json:"head"`
}

// Verify reads a tenant's chain, tells every record, and is [ErrBroken] at the
// first that does not follow from the one before. With a noted hash, the chain
// has to hold the record of that hash.
func Verify(ctx context.Context, log AuditLog, tenant events.TenantID, noted string, each func(Record, string)) (Chain, error) {
	chain := Chain{Tenant: tenant}
	met := noted == ""
	err := log.Read(ctx, tenant, func(batch []byte) error {
		for line := range bytes.Lines(batch) {
			record, hash, err := parseLine(bytes.TrimSuffix(line, []byte("\n")))
			if err != nil {
				return fmt.Errorf("after record %d: %w", chain.Last, err)
			}
			if err := chain.follow(record); err != nil {
				return err
			}
			chain.Head = hash
			met = met || hash == noted
			if each != nil {
				each(record, hash)
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return chain, fmt.Errorf("audit of %s: %w", tenant, err)
	case !met:
		return chain, fmt.Errorf("audit of %s: %w: no record has the hash %s", tenant, ErrBroken, noted)
	}
	return chain, nil
}

// follow holds a record to the one before it.
func (c *Chain) follow(record Record) error {
	switch {
	case record.Tenant != c.Tenant:
		return fmt.Errorf("after record %d: %w: a record is of tenant %q", c.Last, ErrBroken, record.Tenant)
	case c.Last == 0 && record.N == 1 && record.Prev != "":
		return fmt.Errorf("%w: the first record names one before it", ErrBroken)
	case c.Last > 0 && record.N != c.Last+1:
		return fmt.Errorf("after record %d: %w: record %d comes next", c.Last, ErrBroken, record.N)
	case c.Last > 0 && record.Prev != c.Head:
		return fmt.Errorf("record %d: %w: it does not name the record before it", record.N, ErrBroken)
	}
	if c.Last == 0 {
		c.First = record.N
	}
	c.Last = record.N
	return nil
}
