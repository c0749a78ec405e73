package tenant

import (
	"cmp"
	"fmt"
	"time"

	"github.com/feira-dev/feira/internal/gcra"
)

// DefaultAPIRate is CodeSpar's for its middle plan; the others are 60 and 1 000.
const DefaultAPIRate = 300

// APILimit is how many API requests the tenant may make: APIRate a minute, and
// after a quiet time a minute's worth at once, as one expects who reads "300
// requests per minute".
func (t Tenant) APILimit() gcra.Limit {
	rate := cmp.Or(t.APIRate, DefaultAPIRate)
	return gcra.Limit{Rate: rate, Burst: rate, Period: time.Minute}
}

func (t Tenant) validateAPIRate() error {
	if t.APIRate < 0 || t.APIRate > MaxRate {
		return fmt.Errorf("%w: api_rate is %d, want 0 to %d", ErrInvalid, t.APIRate, MaxRate)
	}
	return nil
}
