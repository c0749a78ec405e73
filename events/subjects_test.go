package events_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
)

// TestSubjectsArePinned: other languages spell these, so a change is a new contract.
func TestSubjectsArePinned(t *testing.T) {
	t.Parallel()
	for got, want := range map[string]string{
		events.RequestsSubject("acme"):                                                                      "feira.requests.acme",
		events.RunsSubject("acme", events.TurnKey("s1")):                                                    "feira.runs.acme.s-s1",
		events.RunsSubject("acme", events.CallKey(9)):                                                       "feira.runs.acme.c-9",
		events.SessionSubject("acme", "s1"):                                                                 "feira.sessions.acme.s1",
		events.TenantSessionsSubject("acme"):                                                                "feira.sessions.acme.*",
		events.FeedSubject("acme", "s1"):                                                                    "feira.feed.acme.s1",
		events.FeedSubject("acme", ""):                                                                      "feira.feed.acme.*",
		events.UsageSubject("acme", events.MeterToolCall):                                                   "feira.usage.acme.tool_call",
		events.WebhooksSubject("acme", "asaas"):                                                             "feira.webhooks.acme.asaas",
		events.HeaderConnection + " " + events.DurableWebhooks + " " + events.DurableObjects:                "Feira-Connection webhooks objects",
		events.BucketInbox + " " + events.BucketObjects:                                                     "feira_inbox feira_objects",
		events.BucketRateCards + " " + events.KeyRateCards + " " + events.KeyRateCard([]byte("version: v")): "feira_ratecards cards card.CZ30JyzjvpQlNcax5M7nKkZ89oXp81mi5cMdRqiCRYk",
		events.BucketPolls + " " + events.DurablePolls:                                                      "feira_polls polls",
		events.KeyPollLane("acme", "correios", "test"):                                                      "lane.acme.correios.test",
		events.KeyPoll("acme", "correios", "test", "AA123456789BR"):                                         "object.acme.correios.test.wywnzktaeezjmbbnwztmpzxc4dxrxid6",
		events.DeadSubject("acme", events.StreamRequests):                                                   "feira.dead.acme.REQUESTS",
		events.DeadSubject(events.IllegalTenant, "REQUESTS"):                                                "feira.dead._illegal.REQUESTS",
		events.TenantUsageSubject("acme"):                                                                   "feira.usage.acme.*",
		events.TenantUsageSubject(""):                                                                       "feira.usage.*.*",
		events.TenantDeadSubject("acme"):                                                                    "feira.dead.acme.*",
		events.TenantDeadSubject(""):                                                                        "feira.dead.*.*",
		events.RunEnded{Tenant: "acme", Sequence: 7}.Subject():                                              "feira.done.acme.7.served",
		events.AuditSubject("acme") + " " + events.StreamAudit:                                              "feira.audit.acme AUDIT",
		events.WorkerSubject("w1"):                                                                          "feira.workers.w1",
		events.ControlSubject("acme", "s1"):                                                                 "feira.control.acme.s1",
		events.DeltaSubject("acme", "s1"):                                                                   "feira.delta.acme.s1",
		events.SubjectAskQueue:                                                                              "feira.ask.queue",
		strings.Join(events.Streams(), " "):                                                                 "REQUESTS RUNS SESSIONS USAGE WEBHOOKS TRIGGERS DELIVERIES DEAD",
		events.FeedSource + " " + events.FeedTarget:                                                         "feira.sessions.*.* feira.feed.{{wildcard(1)}}.{{wildcard(2)}}",
		events.BucketTenants + " " + events.BucketLeases:                                                    "feira_tenants feira_leases",
		events.DurableWorkers + " " + events.DurableMeter:                                                   "workers meter",
		events.HeaderSession + " " + events.HeaderRequest:                                                   "Feira-Session Feira-Request",
		events.HeaderTenant + " " + events.HeaderID:                                                         "Ce-Tenantid Ce-Id",
		events.KeySchedulerLease + " " + events.DurableLedger:                                               "scheduler ledger",
		events.HeaderKind + " " + events.HeaderPriority:                                                     "Feira-Kind Feira-Priority",
		events.HeaderNotBefore + " " + events.HeaderContentType:                                             "Feira-Not-Before Content-Type",
	} {
		require.Equal(t, want, got)
	}
}

// matches reports whether a subject is taken in by a pattern with "*".
func matches(pattern, subject string) bool {
	tokens, parts := strings.Split(pattern, "."), strings.Split(subject, ".")
	if len(tokens) != len(parts) {
		return false
	}
	for i := range tokens {
		if tokens[i] != "*" && tokens[i] != parts[i] {
			return false
		}
	}
	return true
}

// TestSubjectsStayWithTheirTenant: a subject built for a tenant is taken in by
// that stream's pattern alone, reads back as that tenant's, and never as
// another's.
func TestSubjectsStayWithTheirTenant(t *testing.T) {
	t.Parallel()
	patterns := []string{
		events.SubjectAllRequests, events.SubjectAllRuns, events.SubjectAllSessions, events.SubjectAllUsage,
		events.SubjectAllWebhooks, events.SubjectAllDead, events.SubjectAllTriggers, events.SubjectAllDeliveries,
	}
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,63}`)
		tenant := events.TenantID(id.Draw(t, "tenant"))
		session := events.SessionID(id.Draw(t, "session"))
		sequence := rapid.Uint64().Draw(t, "sequence")
		for i, subject := range []string{
			events.RequestsSubject(tenant), events.RunsSubject(tenant, events.TurnKey(session)),
			events.SessionSubject(tenant, session), events.UsageSubject(tenant, events.MeterToolCall),
			events.WebhooksSubject(tenant, "asaas"), events.DeadSubject(tenant, events.StreamRuns),
			events.TriggersSubject(tenant, "trg_a", events.LaneOf(string(session))), events.DeliveriesSubject(tenant, "trg_a"),
		} {
			for j, pattern := range patterns {
				require.Equal(t, i == j, matches(pattern, subject), "%s in %s", subject, pattern)
			}
			read, err := events.SubjectTenant(subject)
			require.NoError(t, err)
			require.Equal(t, tenant, read)
		}
		for _, subject := range []string{events.SessionSubject(tenant, session), events.FeedSubject(tenant, session)} {
			readTenant, readSession, err := events.SubjectSession(subject)
			require.NoError(t, err)
			require.Equal(t, tenant, readTenant)
			require.Equal(t, session, readSession)
		}
		readTenant, readTrigger, readLane, err := events.SubjectTrigger(events.TriggersSubject(tenant, "trg_a", events.LaneOf(string(session))))
		require.NoError(t, err)
		require.Equal(t, tenant, readTenant)
		require.Equal(t, events.TriggerID("trg_a"), readTrigger)
		require.Equal(t, events.LaneOf(string(session)), readLane)
		for _, key := range []events.RunKey{events.TurnKey(session), events.CallKey(sequence)} {
			readTenant, readKey, err := events.SubjectRun(events.RunsSubject(tenant, key))
			require.NoError(t, err)
			require.Equal(t, tenant, readTenant)
			require.Equal(t, key, readKey)
		}
		require.NotEqual(t, events.TurnKey(session), events.CallKey(sequence))
	})
}

func TestSubjectsOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	for _, subject := range []string{"", "feira", "feira.requests", "feirax.requests.acme", "other.requests.acme", ".."} {
		_, err := events.SubjectTenant(subject)
		require.ErrorIs(t, err, events.ErrForeignSubject, subject)
	}
	for _, subject := range []string{"feira.requests.", "feira.requests.*", "feira.requests._illegal", "feira.requests.a b"} {
		_, err := events.SubjectTenant(subject)
		require.ErrorIs(t, err, events.ErrInvalidID, subject)
	}
	for _, subject := range []string{"", "feira.sessions.acme", "feira.runs.acme.s-1", "feira.sessions.acme.s1.x", "x.sessions.acme.s1"} {
		_, _, err := events.SubjectSession(subject)
		require.ErrorIs(t, err, events.ErrForeignSubject, subject)
	}
	for _, subject := range []string{"", "feira.runs.acme", "feira.sessions.acme.s1", "feira.runs.acme.s-1.x", "x.runs.acme.s-1"} {
		_, _, err := events.SubjectRun(subject)
		require.ErrorIs(t, err, events.ErrForeignSubject, subject)
	}
}

func TestEventTypesFollowTheForm(t *testing.T) {
	t.Parallel()
	seen := map[events.Type]bool{}
	for _, event := range events.Catalogue() {
		require.Regexp(t, `^feira\.[a-z]+\.[a-z]+\.v1$`, event.EventType())
		require.False(t, seen[event.EventType()], "%s twice", event.EventType())
		seen[event.EventType()] = true
	}
}
