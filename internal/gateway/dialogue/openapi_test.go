package dialogue_test

import (
	"os"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/stretchr/testify/require"
)

// documentPath is where the document lies for those who have no gateway.
const documentPath = "../../../schemas/openapi.json"

// What is served is a legal OpenAPI 3.1 document, the same from two gateways and
// the one that is stored.
func TestOpenAPIIsFresh(t *testing.T) {
	t.Parallel()
	b := Start(t, nil)
	answer, err := Exchange(t.Context(), b.Address, "GET /openapi.json")
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile(documentPath, []byte(answer.Body), 0o600))
	}
	stored, err := os.ReadFile(documentPath)
	require.NoError(t, err)
	require.Equal(t, string(stored), answer.Body, "run task gen")
	again, err := Exchange(t.Context(), b.Gateway(t), "GET /openapi.json")
	require.NoError(t, err)
	require.Equal(t, answer.Body, again.Body)

	document, err := libopenapi.NewDocument(stored)
	require.NoError(t, err)
	require.Equal(t, "3.1.0", document.GetVersion())
	judge, faults := validator.NewValidator(document)
	require.Empty(t, faults)
	valid, found := judge.ValidateDocument()
	require.True(t, valid, "%v", found)
}
