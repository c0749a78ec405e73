package fault_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/fault"
)

func TestFaultsNameEachFieldInOrder(t *testing.T) {
	t.Parallel()
	faults := fault.In("couriers")
	require.NoError(t, faults.Join(nil))
	faults.Missing("Lease", true)
	faults.Missing("Book", false)
	faults.Negative("Retry", true)
	faults.Negative("Show", false)
	inner := errors.New("queue: slots is -1")
	err := faults.Join(nil, inner)
	require.ErrorIs(t, err, inner)
	require.EqualError(t, err, "couriers: Lease is missing\ncouriers: Retry is negative\nqueue: slots is -1")
}
