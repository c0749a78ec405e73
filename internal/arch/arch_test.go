package arch_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/arch"
)

// TestTree holds this repository to every rule.
func TestTree(t *testing.T) {
	t.Parallel()
	tree, err := arch.Parse(os.DirFS("../.."))
	require.NoError(t, err)
	require.NotEmpty(t, tree.Files)
	for _, fault := range arch.Check(tree, arch.Rules()) {
		t.Error(fault)
	}
}
