package sandbox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/fault"
	"github.com/feira-dev/feira/internal/sandbox/journal"
)

const payment = "amount=15000&currency=brl"

func TestFaultOfStatus(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "stripe", acme)
	require.NoError(t, b.Fault(fault.Fault{Server: "stripe", Kind: fault.KindStatus, Status: 429, RetryAfter: 1500 * time.Millisecond, Path: "/payment_intents", Times: 2}))
	p.ok(t, "POST", "/customers", "name=x")
	for range 2 {
		got := p.call(t, "POST", "/payment_intents", payment)
		require.Equal(t, 429, got.status)
		require.Equal(t, "2", got.header.Get("Retry-After"), "rounded up")
		require.Equal(t, "rate_limit", got.text("error", "code"), "in the provider's words")
	}
	p.ok(t, "POST", "/payment_intents", payment)
	require.Equal(t, 1, b.Journal().Count(journal.Filter{Effect: "payment_intent.created"}))
}

func TestFaultPicksByServerMethodAndPath(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.Fault(fault.Fault{Server: "z-api", Kind: fault.KindStatus, Status: 500, Method: "POST", Path: "/send-text", Times: fault.Always}))
	p := b.peer(t, "z-api", loja)
	p.ok(t, "GET", "/status", "")
	for range 3 {
		require.Equal(t, 500, p.call(t, "POST", "/send-text", `{"phone":"5511987654321","message":"x"}`).status)
	}
	p.ok(t, "POST", "/send-image", `{"phone":"5511987654321","image":"x"}`)
	b.peer(t, "asaas", loja).ok(t, "GET", "/finance/balance", "")
	b.ClearFaults("asaas")
	require.Equal(t, 500, p.call(t, "POST", "/send-text", `{"phone":"5511987654321","message":"x"}`).status)
	b.ClearFaults("z-api")
	p.ok(t, "POST", "/send-text", `{"phone":"5511987654321","message":"x"}`)
}

// A fault before the effect leaves no line in the journal, one after it does.
func TestFaultsBesideTheEffect(t *testing.T) {
	t.Parallel()
	for _, f := range []fault.Fault{
		{Kind: fault.KindCut},
		{Kind: fault.KindGarbage},
		{Kind: fault.KindStatus, Status: 503},
		{Kind: fault.KindDelay, Delay: time.Millisecond},
	} {
		for _, after := range []bool{false, true} {
			b := setup(t)
			p := b.peer(t, "asaas", loja)
			f.Server, f.AfterEffect = "asaas", after
			require.NoError(t, b.Fault(f))
			request := p.request(t, "POST", "/customers", `{"name":"Maria","cpfCnpj":"52998224725"}`)
			response, err := b.http.Do(request)
			switch f.Kind {
			case fault.KindCut:
				require.ErrorIs(t, err, io.EOF)
			case fault.KindGarbage:
				require.Equal(t, 200, response.StatusCode)
			case fault.KindStatus:
				require.Equal(t, 503, response.StatusCode)
			case fault.KindDelay:
				require.Equal(t, 200, response.StatusCode)
			case fault.KindHang:
			}
			if err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				require.NoError(t, response.Body.Close())
			}
			want := 0
			if after || f.Kind == fault.KindDelay {
				want = 1
			}
			require.Equal(t, want, b.Journal().Count(journal.Filter{}), "%s, after the effect: %t", f.Kind, after)
			p.ok(t, "GET", "/finance/balance", "")
		}
	}
}

func TestFaultHangsUntilTheClientLeaves(t *testing.T) {
	t.Parallel()
	for after, want := range map[bool]int{false: 0, true: 1} {
		b := setup(t)
		p := b.peer(t, "stripe", acme)
		require.NoError(t, b.Fault(fault.Fault{Server: "stripe", Kind: fault.KindHang, AfterEffect: after}))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		response, err := b.http.Do(p.request(t, "POST", "/payment_intents", payment).WithContext(ctx))
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Nil(t, response)
		require.Equal(t, want, b.Journal().Count(journal.Filter{}))
	}
}

// A stop does not wait for requests that were asked to hang.
func TestStopEndsWhatHangs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "stripe", acme)
	require.NoError(t, b.Fault(fault.Fault{Server: "stripe", Kind: fault.KindHang, AfterEffect: true}))
	ended := make(chan error, 1)
	request := p.request(t, "POST", "/payment_intents", payment)
	go func() {
		response, err := b.http.Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		ended <- err
	}()
	require.Eventually(t, func() bool { return b.Journal().Count(journal.Filter{}) == 1 }, 5*time.Second, time.Millisecond)
	require.NoError(t, b.Stop(t.Context()))
	require.Error(t, <-ended)
}

func TestFaultsAreChecked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, f := range []fault.Fault{
		{Server: "stripe"},
		{Server: "stripe", Kind: "explode"},
		{Server: "stripe", Kind: fault.KindStatus, Status: 200},
		{Server: "stripe", Kind: fault.KindDelay},
		{Server: "stripe", Kind: fault.KindCut, Times: -2},
	} {
		require.ErrorIs(t, b.Fault(f), fault.ErrInvalid, "%+v", f)
	}
	require.ErrorIs(t, b.Fault(fault.Fault{Server: "paypal", Kind: fault.KindCut}), sandbox.ErrUnknownServer)
}

// Go's client sends a request with an idempotency key once more by itself when
// a reused connection is cut; the provider replays its answer.
func TestACutAfterTheEffectAndARetry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "stripe", acme)
	require.NoError(t, b.Fault(fault.Fault{Server: "stripe", Kind: fault.KindCut, AfterEffect: true, Times: 2}))
	var got answer
	require.Eventually(t, func() bool {
		response, err := b.http.Do(p.request(t, "POST", "/payment_intents", payment, "Idempotency-Key", "k"))
		if errors.Is(err, io.EOF) {
			return false
		}
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		got = answer{status: response.StatusCode, header: response.Header}
		return true
	}, 5*time.Second, time.Millisecond)
	require.Equal(t, 200, got.status)
	require.Equal(t, "true", got.header.Get("Idempotent-Replayed"))
	require.Equal(t, 1, b.Journal().Count(journal.Filter{Effect: "payment_intent.created"}), "one effect in three tries")
}

func TestJournalOverHTTP(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.peer(t, "stripe", acme).ok(t, "POST", "/payment_intents", payment, "Idempotency-Key", "k")
	b.peer(t, "correios", loja).ok(t, "POST", "/prepostagem/v1/prepostagens", prepost)
	get := func(query string) []any {
		request, err := http.NewRequestWithContext(t.Context(), "GET", b.JournalURL()+query, nil)
		require.NoError(t, err)
		entries, ok := b.do(t, request).body["entries"].([]any)
		require.True(t, ok)
		return entries
	}
	require.Len(t, get(""), 2)
	require.Len(t, get("?account=loja"), 1)
	require.Len(t, get("?reference=order-1001&server=correios"), 1)
	require.Len(t, get("?key=k"), 1)
	require.Empty(t, get("?key=k&account=loja"))
	first, _ := get("?server=stripe")[0].(map[string]any)
	for _, field := range []string{"sequence", "time", "server", "account", "effect", "object", "key", "body_hash"} {
		require.Contains(t, first, field)
	}
}

func TestALargeBodyIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.peer(t, "z-api", loja)
	got := p.call(t, "POST", "/send-text", `{"phone":"5511987654321","message":"`+strings.Repeat("x", 16<<20)+`"}`)
	require.Equal(t, http.StatusRequestEntityTooLarge, got.status)
}
