package bus

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/testenv"
)

const testPatience = 20 * time.Second

// exchangeBundle is an exchange, and a connection on which its questions come in.
type exchangeBundle struct {
	bus   *Bus
	asked chan *nats.Msg
}

func setupExchange(t *testing.T, timeout time.Duration) *exchangeBundle {
	t.Helper()
	server := testenv.NATS(t)
	b, err := Connect(t.Context(), Config{
		URL: server.URL, User: server.User, Password: server.Password, Timeout: timeout, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(b.Close)
	far := server.Connect(t)
	asked := make(chan *nats.Msg, 4096)
	_, err = far.ChanSubscribe("questions.*", asked)
	require.NoError(t, err)
	require.NoError(t, far.Flush())
	return &exchangeBundle{bus: b, asked: asked}
}

// waiting is how many questions are not answered yet.
func (b *exchangeBundle) waiting() int {
	b.bus.exchange.mu.Lock()
	defer b.bus.exchange.mu.Unlock()
	return len(b.bus.exchange.waiting)
}

func question7() *nats.Msg { return &nats.Msg{Subject: "questions.7", Data: []byte("7")} }

func (b *exchangeBundle) next(t *testing.T) *nats.Msg {
	t.Helper()
	select {
	case msg := <-b.asked:
		return msg
	case <-time.After(testPatience):
		require.FailNow(t, "waiting for a question")
		return nil
	}
}

// Each asker gets the answer to its own question, in whatever order they come.
func TestExchangeAnswersEachQuestion(t *testing.T) {
	t.Parallel()
	b := setupExchange(t, testPatience)
	const count = 500
	var asking sync.WaitGroup
	for i := range count {
		asking.Go(func() {
			text := strconv.Itoa(i)
			answer, err := b.bus.exchange.ask(t.Context(), &nats.Msg{Subject: "questions." + text, Data: []byte(text)})
			if err != nil || string(answer.Data) != text+"!" {
				t.Errorf("question %s: %v, %v", text, answer, err)
			}
		})
	}
	held := make([]*nats.Msg, 0, count)
	for range count {
		held = append(held, b.next(t))
	}
	for i := range held { // the last is answered first
		msg := held[len(held)-1-i]
		require.NoError(t, msg.Respond(append(msg.Data, '!')))
		require.NoError(t, msg.Respond([]byte("a second answer that nobody waits for")))
	}
	asking.Wait()
	require.Zero(t, b.waiting())
}

func TestExchangeLosesItsPatience(t *testing.T) {
	t.Parallel()
	b := setupExchange(t, 100*time.Millisecond)
	ended := make(chan error, 2)
	require.NoError(t, b.bus.exchange.send(question7(), func(_ *nats.Msg, err error) { ended <- err }))
	msg := b.next(t)
	require.ErrorIs(t, <-ended, context.DeadlineExceeded)
	require.ErrorIs(t, explained(context.DeadlineExceeded), ErrUncertain, "it may have been done")
	require.NoError(t, msg.Respond([]byte("too late")))
	_, err := b.bus.exchange.ask(t.Context(), question7())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, ended, "an end is told once")
}

func TestExchangeObeysTheAskersContext(t *testing.T) {
	t.Parallel()
	b := setupExchange(t, time.Minute)
	ctx, cancel := context.WithCancelCause(t.Context())
	boom := errors.New("boom")
	go func() {
		<-b.asked
		cancel(boom)
	}()
	_, err := b.bus.exchange.ask(ctx, question7())
	require.ErrorIs(t, err, boom)
	require.Zero(t, b.waiting())
}

func TestExchangeEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	b := setupExchange(t, time.Minute)
	ended := make(chan error, 1)
	require.NoError(t, b.bus.exchange.send(question7(), func(_ *nats.Msg, err error) { ended <- err }))
	b.next(t)
	b.bus.Close()
	err := <-ended
	require.ErrorIs(t, err, errLost)
	require.ErrorIs(t, explained(err), ErrUncertain, "the question was on its way")
	_, err = b.bus.exchange.ask(t.Context(), question7())
	require.ErrorIs(t, err, nats.ErrConnectionClosed)
	require.True(t, isRefused(err), "this one was not")
}

func TestExchangeHearsThatNobodyListens(t *testing.T) {
	t.Parallel()
	b := setupExchange(t, time.Minute)
	_, err := b.bus.exchange.ask(t.Context(), &nats.Msg{Subject: "nobody.listens"})
	require.ErrorIs(t, err, nats.ErrNoResponders)
	_, err = b.bus.exchange.ask(t.Context(), &nats.Msg{Subject: "not a subject"})
	require.ErrorIs(t, err, nats.ErrBadSubject)
	require.Zero(t, b.waiting())
}
