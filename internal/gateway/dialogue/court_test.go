package dialogue_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/stretchr/testify/require"
)

// court holds answers against the OpenAPI document that the gateway serves, so
// that what the document says is what a client gets.
type court struct{ validator.Validator }

func newCourt(t *testing.T, address string) court {
	t.Helper()
	answer, err := Exchange(t.Context(), address, "GET /openapi.json")
	require.NoError(t, err)
	document, err := libopenapi.NewDocument([]byte(answer.Body))
	require.NoError(t, err)
	made, faults := validator.NewValidator(document)
	require.Empty(t, faults)
	return court{made}
}

// faults are what of an answer the document does not have: its status, its type,
// or the form of its body. A stream's frames have no schema.
func (c court) faults(t *testing.T, turn Turn) []string {
	t.Helper()
	if strings.HasPrefix(turn.Answer.Header.Get("Content-Type"), "text/event-stream") {
		return nil
	}
	method, target, _ := strings.Cut(turn.Request, " ")
	target, _, _ = strings.Cut(target, "\n")
	request, err := http.NewRequestWithContext(t.Context(), method, "http://feira"+target, http.NoBody)
	require.NoError(t, err)
	valid, found := c.ValidateHttpResponse(request, &http.Response{
		StatusCode: turn.Answer.Status, Header: turn.Answer.Header, Request: request, Body: io.NopCloser(bytes.NewReader([]byte(turn.Answer.Body))),
	})
	if valid {
		return nil
	}
	var faults []string
	for _, one := range found {
		fault := one.Message + ": " + one.Reason
		for _, detail := range one.SchemaValidationErrors {
			fault += "; " + detail.Reason
		}
		faults = append(faults, fault)
	}
	return faults
}
