package dialogue_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/tenant"
)

// Whoever sends too slowly hears of it, or is cut where there is nothing to
// answer yet; who is refused for another reason is not waited for either.
func TestSlowClientsAreCut(t *testing.T) {
	t.Parallel()
	b := Start(t, func(c *config.Config) { c.Gateway.ClientTime = 500 * time.Millisecond })
	head := func(method, path, rest string) string {
		return method + " " + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b.Dev.Key + "\r\nContent-Type: application/json\r\n" + rest
	}
	const chunked = "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"ser"
	for name, sent := range map[string]struct {
		text   string
		status int // 0: cut without an answer
	}{
		"half a body":            {head("POST", "/v1/sessions", "Content-Length: 100\r\n\r\n{"), http.StatusRequestTimeout},
		"no body":                {head("POST", "/v1/sessions", "Content-Length: 100\r\n\r\n"), http.StatusRequestTimeout},
		"half a chunk":           {head("POST", "/v1/sessions", chunked), http.StatusRequestTimeout},
		"a body that is not for": {head("GET", "/v1/whoami", "Content-Length: 100\r\n\r\n{"), http.StatusRequestTimeout},
		"an endpoint that isn't": {head("POST", "/nowhere", "Content-Length: 100\r\n\r\n{"), http.StatusNotFound},
		"a method that isn't":    {head("PUT", "/v1/sessions", chunked), http.StatusMethodNotAllowed},
		"a project that isn't":   {head("POST", "/v1/sessions", "X-Codespar-Project: none\r\nContent-Length: 100\r\n\r\n{"), http.StatusBadRequest},
		"half a header":          {"GET /health HTTP/1.1\r\nHost:", 0},
		"nothing":                {"", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, b.Address)
			_, err := conn.Write([]byte(sent.text))
			require.NoError(t, err)
			answer, err := readAnswer(bufio.NewReader(conn))
			if sent.status == 0 {
				require.Error(t, err, "it is not answered")
				require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it hangs")
				return
			}
			require.NoError(t, err)
			require.Equal(t, sent.status, answer.Status, answer.Body)
			require.Contains(t, answer.Body, `"request_id":"req_`)
		})
	}
}

// A client that is slow within its time is served, and a connection that has
// rested is as good as new.
func TestPatientClientsAreServed(t *testing.T) {
	t.Parallel()
	b := Start(t, func(c *config.Config) { c.Gateway.ClientTime = 2 * time.Second })
	conn := dial(t, b.Address)
	in := bufio.NewReader(conn)
	const body = `{"servers":["stripe"],"user_id":"tenant_acme"}`
	head := fmt.Sprintf("POST /v1/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", b.Dev.Key, len(body))
	for range 2 { // on one connection
		for part := range strings.SplitAfterSeq(head+body, " ") {
			_, err := conn.Write([]byte(part))
			require.NoError(t, err)
		}
		answer, err := readAnswer(in)
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, answer.Status, answer.Body)
	}
}

// Of several who delete one tenant at a time all hear that it is gone.
func TestTenantIsDeletedOnce(t *testing.T) {
	t.Parallel()
	b := Start(t, nil)
	b.Tenants(t, tenant.Tenant{ID: "tenant_nova", Servers: []string{"stripe"}})
	request := "DELETE /v1/tenants/tenant_nova\nAuthorization: Bearer " + b.Dev.Key
	var all sync.WaitGroup
	answers := make([]*Answer, 8)
	for n := range answers {
		all.Go(func() { answers[n], _ = Exchange(t.Context(), b.Address, request) })
	}
	all.Wait()
	gone := 0
	for _, answer := range answers {
		require.NotNil(t, answer)
		require.Contains(t, []int{http.StatusOK, http.StatusNotFound}, answer.Status, answer.Body)
		if answer.Status == http.StatusOK {
			gone++
		}
	}
	require.Positive(t, gone)
	for range 3 {
		answer, err := Exchange(t.Context(), b.Address, request)
		require.NoError(t, err)
		require.Equal(t, http.StatusNotFound, answer.Status, answer.Body)
		require.Contains(t, answer.Body, `"code":"tenant_not_found"`)
	}
}

// dial connects for as long as a test waits for anything.
func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	return conn
}
