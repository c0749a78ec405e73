package mock

import "github.com/feira-dev/feira/events"

// Gate is what mocks pass on their way into a session.
type Gate struct {
	// TestMode is the operator's flag.
	TestMode bool
}

// Admit holds the JSON of a request's mocks against the flag, then the size,
// then the shape, so that whoever has the flag off learns nothing of the rest.
// The error is a *[Error]. Raw must be there: no mocks need no gate.
func (g Gate) Admit(raw []byte, environment events.Environment) (*Set, error) {
	switch {
	case !g.TestMode:
		return nil, ErrTestModeOff
	case environment != events.EnvironmentTest:
		return nil, ErrLive
	}
	return Parse(raw)
}
