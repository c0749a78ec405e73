package fault

import (
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Set holds the faults to come. It is safe for concurrent use; the zero value is empty.
type Set struct {
	mu     sync.Mutex
	faults []*Fault
}

// Add puts a fault behind those that are there.
func (s *Set) Add(fault Fault) error {
	fault = fault.withDefaults()
	if err := fault.Validate(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &fault)
	return nil
}

// Clear drops the faults of a server, or all of them when server is empty.
func (s *Set) Clear(server string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return server == "" || f.Server == server })
}

// strike takes what hits this request: every delay, and the first other fault.
func (s *Set) strike(server string, r *http.Request) (delays []Fault, hit *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, fault := range s.faults {
		if !fault.matches(server, r) || fault.Kind != KindDelay && hit != nil {
			continue
		}
		if fault.Times > 0 {
			fault.Times--
		}
		struck := *fault
		if fault.Kind == KindDelay {
			delays = append(delays, struck)
		} else {
			hit = &struck
		}
	}
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return f.Times == 0 })
	return delays, hit
}

func (f *Fault) matches(server string, r *http.Request) bool {
	return f.Server == server && (f.Method == "" || f.Method == r.Method) && strings.Contains(r.URL.Path, f.Path)
}
