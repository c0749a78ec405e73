package outbox

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/feira-dev/feira/internal/webhook"
)

// longest is how many times the first pause the longest one is.
const longest = 30

// parcel is a letter on its way, as its queue was set when it left.
type parcel struct {
	letter  Letter
	address Address
	rules   Rules
}

// work sends until the queue is empty or may not go on.
func (q *Queue) work(ctx context.Context) {
	pauses := backoff.NewExponentialBackOff(backoff.WithInitialInterval(q.office.cfg.Pause), backoff.WithMaxInterval(longest*q.office.cfg.Pause),
		backoff.WithRandomizationFactor(0), backoff.WithMaxElapsedTime(0))
	for {
		next, ok := q.next(ctx)
		if !ok {
			return
		}
		status := q.office.send(ctx, next)
		if ctx.Err() != nil {
			continue // nobody refused it: the sandbox stops
		}
		if next.rules.Taken(status) {
			q.taken(next.letter)
			pauses.Reset()
			continue
		}
		q.office.cfg.Logger.InfoContext(ctx, "a webhook was not taken", "server", q.params.Server, "account", q.params.Account, "kind", next.letter.Kind, "status", status)
		q.refuse(next)
		q.rest(ctx, pauses.NextBackOff())
	}
}

// next is the first letter. Where there is none to send, the queue has nobody
// who sends any more; what waits at a stop is due when the office runs again.
func (q *Queue) next(ctx context.Context) (parcel, bool) {
	q.office.mu.Lock()
	defer q.office.mu.Unlock()
	waits := len(q.letters) > 0 && !q.interrupted && !q.closed
	if waits && ctx.Err() == nil {
		return parcel{letter: q.letters[0], address: q.params.Address, rules: q.params.Rules}, true
	}
	q.busy = false
	if waits {
		q.office.call(q)
	}
	return parcel{}, false
}

// taken takes the letter out of the queue, which is its first unless the queue
// was closed meanwhile.
func (q *Queue) taken(letter Letter) {
	q.office.mu.Lock()
	defer q.office.mu.Unlock()
	q.sent++
	q.refused, q.last = 0, &letter
	if len(q.letters) > 0 {
		q.letters = q.letters[1:]
	}
}

// refuse does what the rules say of a letter that was not taken.
func (q *Queue) refuse(of parcel) {
	q.office.mu.Lock()
	defer q.office.mu.Unlock()
	if len(q.letters) == 0 {
		return
	}
	q.refused++
	switch spent := q.refused >= of.rules.Patience; {
	case spent && of.rules.Interrupts:
		q.interrupted = true
	case spent:
		q.letters, q.refused = q.letters[1:], 0
		q.dropped++
	case of.rules.Loose:
		q.letters = append(q.letters[1:], q.letters[0])
	}
}

// rest waits, unless there is a reason to look at the queue sooner.
func (q *Queue) rest(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-q.nudge:
	case <-ctx.Done():
	}
}

// send posts a letter and returns the status, 0 where nobody answered.
func (o *Office) send(ctx context.Context, of parcel) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, of.address.URL, bytes.NewReader(of.letter.Body))
	if err != nil {
		return 0
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "feira-sandbox")
	for name, value := range webhook.Sign(of.address.Lock, of.letter.ID, of.letter.Body, o.cfg.Now()) {
		request.Header.Set(name, value)
	}
	answer, err := o.client.Do(request)
	if err != nil {
		return 0
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // the status says it all
	return answer.StatusCode
}
