package events

import (
	"errors"
	"fmt"
)

// TypeUsageCorrected names [UsageCorrected].
const TypeUsageCorrected Type = "feira.usage.corrected.v1"

// Correction is what becomes of a recorded usage event.
type Correction string

// Corrections.
const (
	// CorrectionVoid: the event counts nothing.
	CorrectionVoid Correction = "void"
	// CorrectionAdjust: the event counts these quantities instead of its own.
	CorrectionAdjust Correction = "adjust"
)

// UsageCorrected says later what a recorded usage event ought to have counted.
// The recorded event stays as it is; a void goes before every adjustment, and
// among adjustments the one with the latest time counts. A correction of a
// correction has no effect.
type UsageCorrected struct {
	// Meter is that of the corrected event.
	Meter Meter `json:"meter"`
	// CorrectsSource and CorrectsID are the corrected event's.
	CorrectsSource string     `json:"corrects_source"`
	CorrectsID     string     `json:"corrects_id"`
	Kind           Correction `json:"kind"`
	// Quantities replace those of the event; empty for a void.
	Quantities []Quantity `json:"quantities,omitempty"`
	// Reason is for people, and goes into the audit.
	Reason string `json:"reason"`
}

// EventType implements [Event].
func (*UsageCorrected) EventType() Type { return TypeUsageCorrected }

// Validate implements [Event].
func (e *UsageCorrected) Validate() error {
	var faults []error
	if err := checkID("meter", string(e.Meter), MaxTenantID, "_-"); err != nil {
		faults = append(faults, err)
	}
	if e.CorrectsSource == "" || e.CorrectsID == "" {
		faults = append(faults, errors.New("corrects_source or corrects_id is missing"))
	}
	switch e.Kind {
	case CorrectionVoid:
		if len(e.Quantities) > 0 {
			faults = append(faults, errors.New("quantities of a void are not empty"))
		}
	case CorrectionAdjust:
		if len(e.Quantities) == 0 {
			faults = append(faults, errors.New("quantities of an adjustment are empty"))
		}
	default:
		faults = append(faults, fmt.Errorf("kind is %q, want void or adjust", e.Kind))
	}
	for i, quantity := range e.Quantities {
		if quantity.Unit == "" || quantity.Amount == "" {
			faults = append(faults, fmt.Errorf("quantities[%d] has no unit or no amount", i))
		}
	}
	if e.Reason == "" {
		faults = append(faults, errors.New("reason is missing"))
	}
	return errors.Join(faults...)
}
