package events

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Streams, in the order in which a request passes them.
const (
	StreamRequests = "REQUESTS"
	StreamRuns     = "RUNS"
	StreamSessions = "SESSIONS"
	StreamUsage    = "USAGE"
	StreamWebhooks = "WEBHOOKS"
	StreamDead     = "DEAD"
)

// StreamAudit holds the vault's audit, outside the path of a request: a chain of
// records per tenant that no client can delete from.
const StreamAudit = "AUDIT"

// Streams lists every stream that a request or its facts pass.
func Streams() []string {
	return []string{StreamRequests, StreamRuns, StreamSessions, StreamUsage, StreamWebhooks, StreamTriggers, StreamDeliveries, StreamDead}
}

// Key-value buckets.
const (
	BucketTenants = "feira_tenants" // tenant configuration, watched by every role
	BucketKeys    = "feira_keys"    // API key hash -> scope
	BucketVault   = "feira_vault"   // ciphertext only
	BucketLeases  = "feira_leases"  // scheduler leadership
	BucketSpend   = "feira_spend"   // period spend of a tenant and the sequence it is true for
	BucketRates   = "feira_rates"   // what API requests of a tenant have left, shared by gateways; in memory
	BucketReplies = "feira_replies" // answers given under an idempotency key
	BucketGrants  = "feira_grants"  // who was sent to a provider to connect an account, until they come back

	BucketInbox   = "feira_inbox"   // provider events by their hash, so that each counts once
	BucketObjects = "feira_objects" // a provider's object -> the session and call that made it
)

// Durable consumers.
const (
	DurableWorkers = "workers" // on RUNS: every worker pulls from this one
	DurableMeter   = "meter"   // on SESSIONS: session events -> usage events
	DurableLedger  = "ledger"  // on USAGE: usage events -> SQL

	DurableWebhooks = "webhooks" // on WEBHOOKS: provider events -> session logs and requests
	DurableObjects  = "objects"  // on SESSIONS: what calls made -> BucketObjects
)

// KeySchedulerLease is the key in [BucketLeases] that the leading scheduler holds.
const KeySchedulerLease = "scheduler"

// KeyExporterLease is the key in [BucketLeases] that whoever tells one system of
// usage holds. An export's name has letters, digits, dots and dashes alone.
func KeyExporterLease(export string) string { return "exporter." + export }

// KeyRatesClock is the key in [BucketRates] that is written to learn the
// broker's time. No tenant can have its name.
const KeyRatesClock = "broker.clock"

// KeyAllHashes takes in what [BucketKeys] holds under hashes, which are one
// token, and leaves out what it holds under [KeyLastUsed].
const KeyAllHashes = "*"

const lastUsed = "used."

// KeyLastUsed is the key in [BucketKeys] that says when an API key, by its id,
// was last used.
func KeyLastUsed(id string) string { return lastUsed + id }

// LastUsedID is the reverse of [KeyLastUsed].
func LastUsedID(key string) (id string, ok bool) { return strings.CutPrefix(key, lastUsed) }

// Limits of the streams.
const (
	// DefaultBacklog is how many requests of one tenant the broker keeps; it
	// refuses the next one.
	DefaultBacklog = 10_000
	// WebhooksBacklog is how many webhooks of one tenant's server wait at most; the
	// broker refuses the next one, and the provider sends it again.
	WebhooksBacklog = 100_000
	// MaxMessageBytes is the largest message that the broker accepts anywhere.
	MaxMessageBytes = 1 << 20
	// MaxRequestBytes is the largest body of a request, which must fit an event
	// with room to spare. A larger one that the broker let through becomes a
	// dead letter.
	MaxRequestBytes = 192 << 10
	// MaxMocksBytes is the largest JSON of a session's mocks.
	MaxMocksBytes = 64 << 10
	// MaxEventBytes is the largest data of an event.
	MaxEventBytes = 256 << 10
)

// Times that several roles must agree on.
const (
	LeaseTTL           = 2 * time.Second        // a scheduler not heard of for so long has lost its lease
	LeaseRefresh       = 500 * time.Millisecond // how often the leader refreshes it
	RunLease           = 10 * time.Second       // AckWait of RUNS: what a worker killed with -9 costs
	RunLeaseRefresh    = 3 * time.Second        // how often a worker extends it
	WorkerAnnounce     = time.Second            // how often a worker says how many slots it has
	WorkerGone         = 3 * WorkerAnnounce     // a worker silent for so long has gone
	MaxRunDeliveries   = 5                      // deliveries of one run without an ending, then the turn fails
	DefaultSessionsAge = 30 * 24 * time.Hour
	DefaultUsageAge    = 400 * 24 * time.Hour
	DefaultDeadAge     = 90 * 24 * time.Hour
	DefaultAuditAge    = 400 * 24 * time.Hour
	RatesAge           = time.Hour           // a tenant that asked nothing for so long has all its requests left
	RepliesAge         = 24 * time.Hour      // how long an idempotency key is remembered
	GrantsAge          = 10 * time.Minute    // how long a person has to connect an account
	InboxAge           = 30 * 24 * time.Hour // how long a provider's event is known to have come
	ObjectsAge         = 90 * 24 * time.Hour // how long a provider's object is known to be a session's
	ReplyMarkerAge     = time.Minute         // how long the broker remembers that a claim on one has run out
)

const root = "feira"

// Subjects that take in a whole stream.
const (
	SubjectAllRequests = root + ".requests.*"
	SubjectAllRuns     = root + ".runs.*.*"
	SubjectAllSessions = root + ".sessions.*.*"
	SubjectAllUsage    = root + ".usage.*.*"
	SubjectAllWebhooks = root + ".webhooks.*.*"
	SubjectAllDead     = root + ".dead.*.*"
	SubjectAllAudit    = root + ".audit.*"
	SubjectAllFeeds    = root + ".feed.*.*"
	SubjectAllDone     = root + ".done.*.*.*"
	SubjectAllWorkers  = root + ".workers.*"
	SubjectAllControl  = root + ".control.*.*"
	// FeedSource and FeedTarget are the republication of SESSIONS after storing.
	FeedSource = root + ".sessions.*.*"
	FeedTarget = root + ".feed.{{wildcard(1)}}.{{wildcard(2)}}"
)

// SubjectAskQueue is where the leading scheduler is asked about its queue (core
// NATS, request and reply): by operators, never by tenants.
const SubjectAskQueue = root + ".ask.queue"

// RequestsSubject is where requests of a tenant are published.
func RequestsSubject(tenant TenantID) string { return root + ".requests." + string(tenant) }

// RunsSubject is the one place that a run of this key may have.
func RunsSubject(tenant TenantID, key RunKey) string {
	return root + ".runs." + string(tenant) + "." + string(key)
}

// SessionSubject is the log of a session.
func SessionSubject(tenant TenantID, session SessionID) string {
	return root + ".sessions." + string(tenant) + "." + string(session)
}

// FeedSubject carries a session's events after they are stored; an empty
// session means all sessions of the tenant.
func FeedSubject(tenant TenantID, session SessionID) string {
	return root + ".feed." + string(tenant) + "." + orAny(string(session))
}

// TenantSessionsSubject takes in the logs of all sessions of a tenant; an empty
// tenant means all of them.
func TenantSessionsSubject(tenant TenantID) string {
	return root + ".sessions." + orAny(string(tenant)) + ".*"
}

// UsageSubject carries usage events of a tenant for one meter.
func UsageSubject(tenant TenantID, meter Meter) string {
	return root + ".usage." + string(tenant) + "." + string(meter)
}

// WebhooksSubject carries a tenant's provider webhooks.
func WebhooksSubject(tenant TenantID, provider string) string {
	return root + ".webhooks." + string(tenant) + "." + provider
}

// DeadSubject holds what was given up of a tenant in a stream.
func DeadSubject(tenant TenantID, stream string) string {
	return root + ".dead." + string(tenant) + "." + stream
}

// TenantUsageSubject takes in all usage events of a tenant; of all tenants when
// empty.
func TenantUsageSubject(tenant TenantID) string {
	return root + ".usage." + orAny(string(tenant)) + ".*"
}

// TenantDeadSubject takes in all dead letters of a tenant; of all tenants when empty.
func TenantDeadSubject(tenant TenantID) string { return root + ".dead." + orAny(string(tenant)) + ".*" }

// AuditSubject is the chain of a tenant's audit records.
func AuditSubject(tenant TenantID) string { return root + ".audit." + string(tenant) }

// WorkerSubject carries one worker's announcements (core NATS).
func WorkerSubject(id string) string { return root + ".workers." + id }

// ControlSubject carries orders to a running session (core NATS).
func ControlSubject(tenant TenantID, session SessionID) string {
	return root + ".control." + string(tenant) + "." + string(session)
}

// DeltaSubject carries the model's text in a session as it arrives (core NATS).
// Workers alone publish there; a tenant's own credentials may not.
func DeltaSubject(tenant TenantID, session SessionID) string {
	return root + ".delta." + string(tenant) + "." + string(session)
}

// RunKey is the place of a run: one per session for turns, one per request for
// calls, which take no session turn.
type RunKey string

// TurnKey is the run key of a session's turns.
func TurnKey(session SessionID) RunKey { return RunKey("s-" + string(session)) }

// CallKey is the run key of one call request.
func CallKey(sequence uint64) RunKey { return RunKey("c-" + strconv.FormatUint(sequence, 10)) }

// ErrForeignSubject occurs when a subject is not of the form asked for.
var ErrForeignSubject = errors.New("foreign subject")

// SubjectTenant returns the tenant of any subject of Feira's: its third token,
// as the broker authorised it.
func SubjectTenant(subject string) (TenantID, error) {
	parts := strings.SplitN(subject, ".", 4)
	if len(parts) < 3 || parts[0] != root {
		return "", fmt.Errorf("%w: %q", ErrForeignSubject, subject)
	}
	return ParseTenantID(parts[2])
}

// SubjectSession returns the tenant and session of a SESSIONS or feed subject,
// on which only Feira writes; the tenant may be [IllegalTenant].
func SubjectSession(subject string) (TenantID, SessionID, error) {
	parts := strings.Split(subject, ".")
	if len(parts) != 4 || parts[0] != root || parts[1] != "sessions" && parts[1] != "feed" {
		return "", "", fmt.Errorf("%w: %q is no session's", ErrForeignSubject, subject)
	}
	return TenantID(parts[2]), SessionID(parts[3]), nil
}

// SubjectRun returns the tenant and key of a RUNS subject, on which only the
// scheduler writes; the tenant may be [IllegalTenant].
func SubjectRun(subject string) (TenantID, RunKey, error) {
	parts := strings.Split(subject, ".")
	if len(parts) != 4 || parts[0] != root || parts[1] != "runs" || parts[2] == spacer {
		return "", "", fmt.Errorf("%w: %q is no run's", ErrForeignSubject, subject)
	}
	return TenantID(parts[2]), RunKey(parts[3]), nil
}

func orAny(token string) string {
	if token == "" {
		return "*"
	}
	return token
}
