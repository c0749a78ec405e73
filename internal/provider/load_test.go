package provider

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEmbeddedManifestsAreValid(t *testing.T) {
	t.Parallel()
	manifests, err := Embedded()
	require.NoError(t, err)
	require.Len(t, manifests, 6)
	for _, manifest := range manifests {
		require.GreaterOrEqual(t, len(manifest.Tools), 6, manifest.ID)
		_, err := compileServer(manifest, "")
		require.NoError(t, err)
	}
}
