package bus

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"

	"github.com/nats-io/nats.go"
)

// denials brings a permissions violation to whoever waits for an answer: the
// broker reports it beside the request, which itself would merely time out.
type denials struct {
	mu      sync.Mutex
	waiting map[string]map[*waiter]struct{} // by subject
}

type waiter struct{ cancel context.CancelCauseFunc }

// deniedSubject finds the subject in the broker's report.
var deniedSubject = regexp.MustCompile(`(Publish|Subscription) to "(\S+)"`)

func newDenials() *denials { return &denials{waiting: make(map[string]map[*waiter]struct{})} }

// watch returns a context that ends with [ErrForbidden] when the broker forbids
// the subject. The function returned ends the watch.
func (d *denials) watch(ctx context.Context, subject string) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &waiter{cancel: cancel}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting[subject] == nil {
		d.waiting[subject] = make(map[*waiter]struct{}, 1)
	}
	d.waiting[subject][w] = struct{}{}
	return ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.waiting[subject], w)
		if len(d.waiting[subject]) == 0 {
			delete(d.waiting, subject)
		}
		cancel(nil)
	}
}

// note ends the waiting for what the report forbids. Without the subscription
// that answers come to, nobody who waits for one can have it.
func (d *denials) note(err error) {
	kind, subject, ok := parseDenial(err)
	if !ok {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for waited, waiters := range d.waiting {
		if kind == "Publish" && waited != subject {
			continue
		}
		for w := range waiters {
			w.cancel(forbidden(kind, subject))
		}
	}
}

func parseDenial(err error) (kind, subject string, ok bool) {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return "", "", false
	}
	found := deniedSubject.FindStringSubmatch(err.Error())
	if found == nil {
		return "", "", false
	}
	return found[1], found[2], true
}

func forbidden(kind, subject string) error {
	if kind == "Publish" {
		return fmt.Errorf("%w: publishing to %s", ErrForbidden, subject)
	}
	return fmt.Errorf("%w: subscribing to %s", ErrForbidden, subject)
}
