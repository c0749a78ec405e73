package events

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Streams of triggers.
const (
	// StreamTriggers holds what endpoints of tenants are still to be told.
	StreamTriggers = "TRIGGERS"
	// StreamDeliveries remembers what came of the last attempts.
	StreamDeliveries = "DELIVERIES"
)

// Subjects that take in a whole stream.
const (
	SubjectAllTriggers   = root + ".triggers.*.*.*"
	SubjectAllDeliveries = root + ".deliveries.*.*"
)

// What triggers share beside streams.
const (
	BucketTriggers   = "feira_triggers" // tenant and trigger -> configuration, without secrets
	BucketCursors    = "feira_cursors"  // a reader that one process at a time is -> the sequence that it has done
	KeyTriggersLease = "triggers"       // in [BucketLeases]: who delivers
	KeyFanLease      = "triggers-fan"   // in [BucketLeases]: who turns facts into deliveries
	KeyFanCursor     = "triggers-fan"   // in [BucketCursors]: how far that went in SESSIONS
)

// DurableTriggersOfOld read SESSIONS before triggers did in order, with a cursor.
// Provisioning deletes it.
const DurableTriggersOfOld = "triggers"

// Limits of the memory of attempts.
const (
	DefaultDeliveriesAge = 30 * 24 * time.Hour
	// MaxDeliveriesKept is how many attempts of one trigger are remembered.
	MaxDeliveriesKept = 1000
)

// TriggerID names one trigger: "trg_" and letters and digits. Those that Feira
// makes begin with the tenant's tag, as sessions' do, and for the same reason.
type TriggerID string

const (
	triggerPrefix = "trg_"
	maxTriggerID  = 64
)

// NewTrigger is the id of a tenant's trigger, made of randomness.
func NewTrigger(tenant TenantID, random [nonceBytes]byte) TriggerID {
	return TriggerID(triggerPrefix + TenantTag(tenant) + lowerBase32(random[:]))
}

// TriggerTag is the tag of the trigger's tenant; false when the id is none that
// Feira made.
func TriggerTag(trigger TriggerID) (string, bool) {
	rest, ok := strings.CutPrefix(string(trigger), triggerPrefix)
	if !ok || len(trigger) != sessionLength {
		return "", false
	}
	return rest[:tagLength], true
}

// ParseTriggerID returns the trigger that text names, or [ErrInvalidID].
func ParseTriggerID(text string) (TriggerID, error) {
	rest, ok := strings.CutPrefix(text, triggerPrefix)
	if !ok {
		return "", fmt.Errorf("%w: trigger does not begin with %s", ErrInvalidID, triggerPrefix)
	}
	if err := checkID("trigger", rest, maxTriggerID-len(triggerPrefix), ""); err != nil {
		return "", err
	}
	if strings.ToLower(rest) != rest {
		return "", fmt.Errorf("%w: trigger has capital letters", ErrInvalidID)
	}
	return TriggerID(text), nil
}

// Lane is the queue of one object's events to one trigger, a token of a subject.
type Lane string

// LaneOf is the lane of an object, which may be any text.
func LaneOf(object string) Lane {
	sum := sha256.Sum256([]byte("feira/lane/" + object))
	return Lane(hex.EncodeToString(sum[:8]))
}

// TriggersSubject is where a delivery waits.
func TriggersSubject(tenant TenantID, trigger TriggerID, lane Lane) string {
	return root + ".triggers." + string(tenant) + "." + string(trigger) + "." + string(lane)
}

// SubjectTrigger is the reverse of [TriggersSubject].
func SubjectTrigger(subject string) (TenantID, TriggerID, Lane, error) {
	parts := strings.Split(subject, ".")
	if len(parts) != 5 || parts[0] != root || parts[1] != "triggers" {
		return "", "", "", fmt.Errorf("%w: %q is no trigger's", ErrForeignSubject, subject)
	}
	return TenantID(parts[2]), TriggerID(parts[3]), Lane(parts[4]), nil
}

// DeliveriesSubject is where the attempts of a trigger are remembered.
func DeliveriesSubject(tenant TenantID, trigger TriggerID) string {
	return root + ".deliveries." + string(tenant) + "." + string(trigger)
}

// KeyTrigger is the key of a trigger in [BucketTriggers].
func KeyTrigger(tenant TenantID, trigger TriggerID) string {
	return string(tenant) + "." + string(trigger)
}

// KeyTriggersOf takes in all triggers of a tenant.
func KeyTriggersOf(tenant TenantID) string { return string(tenant) + ".*" }

// TriggerSource is the source of what is said of a trigger.
func TriggerSource(tenant TenantID, trigger TriggerID) string {
	return "/tenants/" + string(tenant) + "/triggers/" + string(trigger)
}
