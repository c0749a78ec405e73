// Package fault collects what is wrong with the configuration of a part.
//
// It promises that a fault names the part and one field, never a value, and that
// all faults are told at one time, in the order in which they were looked for.
// It knows no rule of any part: whether a field breaks one is for the part to say.
package fault

import "errors"

// Faults are those of one part's configuration. It is for one goroutine.
type Faults struct {
	part  string
	found []error
}

// In returns the faults of a part, of which there are none yet.
func In(part string) *Faults { return &Faults{part: part} }

// Missing notes that a field which is required is not set, where that is so.
func (f *Faults) Missing(field string, is bool) { f.note(field, "is missing", is) }

// Negative notes that a field which must not be is below 0, where that is so.
func (f *Faults) Negative(field string, is bool) { f.note(field, "is negative", is) }

func (f *Faults) note(field, what string, is bool) {
	if is {
		f.found = append(f.found, errors.New(f.part+": "+field+" "+what))
	}
}

// Join returns all faults, and then those of what the configuration holds; nil
// where there are none.
func (f *Faults) Join(others ...error) error {
	return errors.Join(append(f.found, others...)...)
}
