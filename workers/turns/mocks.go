package turns

import (
	"github.com/feira-dev/feira/internal/mock"
	"github.com/feira-dev/feira/internal/session"
	"github.com/feira-dev/feira/internal/tenant"
)

// mocks are those of a request, once through the gate; nil where it has none.
// A turn that has started passed the gate then, and goes on by the log.
func (w *Worker) mocks(customer tenant.Tenant, state *session.State, o order) (*mock.Set, error) {
	if o.request.Mocks == nil {
		return nil, nil
	}
	if _, started := state.Turn(o.head.ID); started {
		return nil, nil
	}
	environment := customer.Environment
	if state.Opened {
		environment = state.Environment
	}
	return mock.Gate{TestMode: w.cfg.TestMode}.Admit(o.request.Mocks, environment)
}

// refusedMocks reports whether a request cannot be served for its mocks.
func refusedMocks(err error) bool {
	_, refused := mock.As(err)
	return refused
}
