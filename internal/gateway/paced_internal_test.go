package gateway

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// quick is how long a client of these tests may take.
const quick = 50 * time.Millisecond

// deaf is a server whose one client asks and does not read, with as little room
// between them as a kernel gives.
func deaf(t *testing.T, handle http.HandlerFunc) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handle(pace(w, quick), r)
	}))
	server.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		_ = conn.(*net.TCPConn).SetWriteBuffer(1)
		return ctx
	}
	server.Start()
	t.Cleanup(server.Close)
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(1))
	_, err = conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
	require.NoError(t, err)
}

// within fails the test where nothing comes.
func within[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case got := <-from:
		return got
	case <-time.After(time.Minute):
		require.FailNow(t, "it hangs")
		panic("unreachable")
	}
}

func TestClientThatDoesNotReadIsCut(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	deaf(t, func(w http.ResponseWriter, _ *http.Request) {
		_, err := w.Write([]byte(strings.Repeat("x", 32<<20)))
		ended <- err
	})
	require.ErrorIs(t, within(t, ended), os.ErrDeadlineExceeded)
}

// Who waits for an event that does not come finds out by the heartbeats that the
// client has left.
func TestHeartbeatsEndTheWaitOfClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	deaf(t, func(w http.ResponseWriter, r *http.Request) {
		out := newFrames(w, time.Microsecond)
		defer out.close()
		<-r.Context().Done()
		ended <- out.send("", "late", nil)
	})
	require.ErrorIs(t, within(t, ended), os.ErrDeadlineExceeded)
}

func TestMomentsHaveMilliseconds(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("BRT", -3*3600)
	for at, want := range map[time.Time]string{
		time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC):               `"2026-07-01T12:00:00.000Z"`,
		time.Date(2026, 7, 1, 12, 0, 0, 123_456_789, time.UTC):     `"2026-07-01T12:00:00.123Z"`,
		time.Date(2026, 7, 1, 23, 59, 59, 999_999_999, zone):       `"2026-07-02T02:59:59.999Z"`,
		time.Date(2026, 7, 1, 12, 0, 0, 120_000_000, time.UTC):     `"2026-07-01T12:00:00.120Z"`,
		time.Date(2026, 12, 31, 21, 0, 0, 1_000_000, zone).Local(): `"2027-01-01T00:00:00.001Z"`,
	} {
		have, err := momentOf(at).MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, want, string(have))
	}
	require.Nil(t, moment(time.Time{}))
}
