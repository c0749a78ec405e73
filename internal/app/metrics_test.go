package app

import (
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/telemetry"
)

func TestMetricsAreServed(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	tel, err := telemetry.New(t.Context(), telemetry.Config{Output: &said, Level: slog.LevelInfo})
	require.NoError(t, err)
	part := newMetrics("127.0.0.1:0", tel)
	require.NoError(t, part.Start(t.Context()))
	address := regexp.MustCompile(`"address":"([^"]+)"`).FindStringSubmatch(said.String())
	require.Len(t, address, 2)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address[1]+"/metrics", nil)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Contains(t, string(body), "go_goroutines")
	require.NoError(t, part.Stop(t.Context()))
}
