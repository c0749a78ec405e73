package outbox_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/feira-dev/feira/internal/sandbox/outbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk answers as it is told, and says what came.
type desk struct {
	*httptest.Server
	came chan string
	mu   sync.Mutex
	held chan struct{} // when not nil, an answer waits for it
	code int
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{came: make(chan string, 1000), code: http.StatusOK}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, 16)
		n, _ := r.Body.Read(body)
		d.mu.Lock()
		code, held := d.code, d.held
		d.mu.Unlock()
		if held != nil {
			select {
			case <-held:
			case <-r.Context().Done():
			}
		}
		w.WriteHeader(code)
		d.came <- string(body[:n])
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *desk) set(code int, held chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.code, d.held = code, held
}

func (d *desk) next(t *testing.T) string {
	t.Helper()
	select {
	case text := <-d.came:
		return text
	case <-time.After(20 * time.Second):
		require.FailNow(t, "nothing came")
		return ""
	}
}

// run lets an office run until stop is called, which waits for its end.
func run(t *testing.T, office *outbox.Office) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		office.Run(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

func open(office *outbox.Office, d *desk, rules outbox.Rules) *outbox.Queue {
	rules.Taken = outbox.Success
	return office.Open(outbox.QueueParams{Server: "asaas", Account: "loja", Address: outbox.AddressOf("asaas", d.URL, ""), Rules: rules})
}

func put(queue *outbox.Queue, names ...string) {
	for _, name := range names {
		queue.Put(outbox.Letter{ID: name, Kind: name, Body: []byte(name)})
	}
}

// sent waits until n letters were taken.
func sent(t *testing.T, queue *outbox.Queue, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return queue.Standing().Sent == n }, 20*time.Second, time.Millisecond)
}

// What waits when the office stops is sent when it runs again, a letter that was
// under way too; nothing overtakes.
func TestAStopLosesNothing(t *testing.T) {
	t.Parallel()
	office, d := outbox.New(outbox.Config{Pause: time.Millisecond}), newDesk(t)
	queue := open(office, d, outbox.Rules{Patience: 100})
	put(queue, "a", "b") // nobody runs yet
	stop := run(t, office)
	require.Equal(t, "a", d.next(t))
	require.Equal(t, "b", d.next(t))
	sent(t, queue, 2)
	held := make(chan struct{})
	d.set(http.StatusOK, held)
	put(queue, "c", "d")
	stop()
	require.Equal(t, 2, queue.Standing().Waiting)
	require.Zero(t, queue.Standing().Refused, "a stop is no refusal")
	close(held)
	run(t, office)
	var got string
	for got = d.next(t); got == "c"; got = d.next(t) { // it may have come before the stop
	}
	require.Equal(t, "d", got)
}

func TestOneAddressDoesNotWaitForAnother(t *testing.T) {
	t.Parallel()
	office, slow, quick := outbox.New(outbox.Config{}), newDesk(t), newDesk(t)
	run(t, office)
	held := make(chan struct{})
	slow.set(http.StatusOK, held)
	put(open(office, slow, outbox.Rules{Patience: 1}), "a")
	queue := open(office, quick, outbox.Rules{Patience: 1})
	for n := range 50 {
		put(queue, strconv.Itoa(n))
	}
	for n := range 50 {
		require.Equal(t, strconv.Itoa(n), quick.next(t))
	}
	close(held)
	require.Equal(t, "a", slow.next(t))
}

// Resume ends a pause at once, and Again sends once more what was taken last.
func TestInterruptedQueuesResume(t *testing.T) {
	t.Parallel()
	office, d := outbox.New(outbox.Config{Pause: time.Hour}), newDesk(t)
	run(t, office)
	queue := open(office, d, outbox.Rules{Patience: 1, Interrupts: true})
	require.False(t, queue.Again(), "nothing was taken yet")
	d.set(http.StatusInternalServerError, nil)
	put(queue, "a")
	require.Equal(t, "a", d.next(t))
	require.Eventually(t, func() bool { return queue.Standing().Interrupted }, 10*time.Second, time.Millisecond)
	put(queue, "b")
	d.set(http.StatusOK, nil)
	queue.Resume()
	require.Equal(t, "a", d.next(t))
	require.Equal(t, "b", d.next(t))
	sent(t, queue, 2)
	require.True(t, queue.Again())
	require.Equal(t, "b", d.next(t))
	sent(t, queue, 3)
	queue.Interrupt()
	put(queue, "c")
	require.Equal(t, 1, queue.Standing().Waiting)
	queue.Close()
	put(queue, "d")
	require.Zero(t, queue.Standing().Waiting)
	require.Empty(t, office.Standings())
}

// In a loose queue a refused letter does not hold up the others.
func TestLooseQueuesGoOn(t *testing.T) {
	t.Parallel()
	office, d := outbox.New(outbox.Config{Pause: time.Millisecond}), newDesk(t)
	queue := open(office, d, outbox.Rules{Patience: 100})
	queue.Loosen(true)
	d.set(http.StatusInternalServerError, nil)
	put(queue, "a", "b", "c")
	run(t, office)
	require.Equal(t, []string{"a", "b", "c", "a"}, []string{d.next(t), d.next(t), d.next(t), d.next(t)})
	d.set(http.StatusOK, nil)
	sent(t, queue, 3)
}

func TestAddressesOfThisMachine(t *testing.T) {
	t.Parallel()
	for at, want := range map[string][2]bool{
		"http://127.0.0.1:8080/in": {true, true}, "http://localhost/in": {true, true}, "http://[::1]:1/in": {true, true},
		"https://example.com/in": {false, true}, "http://example.com/in": {false, false}, "ftp://127.0.0.1": {false, false},
		"http://10.0.0.1/": {false, false}, "http://127.0.0.1.example.com/": {false, false}, "": {false, false}, "://": {false, false},
	} {
		address := outbox.AddressOf("asaas", at, "")
		require.Equal(t, want, [2]bool{address.Here(), address.Fits()}, at)
	}
	require.Error(t, outbox.AddressOf("asaas", "", "short").Check())
	require.NoError(t, outbox.AddressOf("asaas", "", "").Check())
}
