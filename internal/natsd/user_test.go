package natsd_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/natsd"
)

const (
	acme, rival = events.TenantID("acme"), events.TenantID("rival")
	// silence is how long nothing must happen for a test to believe that nothing will.
	silence = 100 * time.Millisecond
)

// market is a server with two tenants and the streams that matter to them.
type market struct {
	server   *natsd.Server
	operator jetstream.JetStream
	acme     *tenantConn
	rival    *tenantConn
}

// tenantConn is a tenant's client with the complaints that it has heard.
type tenantConn struct {
	*nats.Conn

	refusals chan error
}

func openMarket(t *testing.T) *market {
	t.Helper()
	m := &market{server: serve(t, natsd.Config{Users: []natsd.User{
		natsd.OperatorUser("operator", "secret"), natsd.TenantUser(acme, "pa"), natsd.TenantUser(rival, "pr"),
	}})}
	m.operator = streams(t, connect(t, m.server, nats.UserInfo("operator", "secret")))
	for _, config := range []jetstream.StreamConfig{
		{
			Name: events.StreamRequests, Subjects: []string{events.SubjectAllRequests},
			MaxMsgsPerSubject: 3, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
		},
		{
			Name: events.StreamSessions, Subjects: []string{events.SubjectAllSessions},
			RePublish: &jetstream.RePublish{Source: events.FeedSource, Destination: events.FeedTarget},
		},
	} {
		_, err := m.operator.CreateStream(t.Context(), config)
		require.NoError(t, err)
	}
	_, err := m.operator.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: events.BucketTenants})
	require.NoError(t, err)
	m.acme, m.rival = m.connect(t, acme, "pa"), m.connect(t, rival, "pr")
	return m
}

func (m *market) connect(t *testing.T, tenant events.TenantID, password string) *tenantConn {
	t.Helper()
	refusals := make(chan error, 16)
	conn := connect(
		t, m.server, nats.UserInfo(string(tenant), password), nats.CustomInboxPrefix(natsd.InboxPrefix(tenant)),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refusals <- err }),
	)
	return &tenantConn{Conn: conn, refusals: refusals}
}

func (c *tenantConn) requireRefused(t *testing.T) {
	t.Helper()
	select {
	case err := <-c.refusals:
		require.ErrorIs(t, err, nats.ErrPermissionViolation)
	case <-time.After(patience):
		require.Fail(t, "nothing was refused")
	}
}

func TestTenantProducesAndHearsItsFeed(t *testing.T) {
	t.Parallel()
	m := openMarket(t)
	feed, err := m.acme.SubscribeSync(events.FeedSubject(acme, ""))
	require.NoError(t, err)
	require.NoError(t, m.acme.Flush())

	js := streams(t, m.acme.Conn)
	message := nats.NewMsg(events.RequestsSubject(acme))
	message.Header.Set(events.HeaderSession, "s1")
	message.Data = []byte(`{"message":"hi"}`)
	ack, err := js.PublishMsg(t.Context(), message)
	require.NoError(t, err)
	require.Equal(t, uint64(1), ack.Sequence)
	requests, err := m.operator.Stream(t.Context(), events.StreamRequests)
	require.NoError(t, err)
	stored, err := requests.GetMsg(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, events.RequestsSubject(acme), stored.Subject)
	require.Equal(t, message.Data, stored.Data)
	require.Equal(t, nats.Header{events.HeaderSession: {"s1"}}, stored.Header, "walls add nothing to a request")

	for range 2 {
		_, err = js.Publish(t.Context(), events.RequestsSubject(acme), nil)
		require.NoError(t, err)
	}
	_, err = js.Publish(t.Context(), events.RequestsSubject(acme), nil)
	require.ErrorContains(t, err, "maximum messages per subject exceeded", "a refusal of the broker reaches the tenant")

	for _, tenant := range []events.TenantID{rival, acme} {
		_, err = m.operator.Publish(t.Context(), events.SessionSubject(tenant, "s1"), []byte(tenant))
		require.NoError(t, err)
	}
	heard, err := feed.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, events.FeedSubject(acme, "s1"), heard.Subject)
	require.Equal(t, string(acme), string(heard.Data), "the rival's event, which came first, is not heard")
}

func TestTenantMayPublishNothingElse(t *testing.T) {
	t.Parallel()
	m := openMarket(t)
	for _, subject := range []string{
		events.RequestsSubject(rival),
		events.RunsSubject(acme, events.TurnKey("s1")),
		events.SessionSubject(acme, "s1"),
		events.FeedSubject(acme, "s1"),
		events.UsageSubject(acme, "tokens"),
		events.ControlSubject(acme, "s1"),
		events.DeltaSubject(acme, "s1"),
		events.DeltaSubject(rival, "s1"),
		events.RunEnded{Tenant: acme, Sequence: 7}.Subject(),
		events.WorkerSubject("w1"),
		events.SubjectAskQueue,
		"$KV." + events.BucketTenants + ".acme",
		"$JS.API.INFO",
		"$JS.API.STREAM.NAMES",
		"$JS.API.STREAM.CREATE.MINE",
		"$JS.API.STREAM.MSG.GET." + events.StreamRequests,
		"$JS.API.DIRECT.GET." + events.StreamRequests,
		"$JS.API.CONSUMER.CREATE." + events.StreamRequests,
		"$JS.ACK.x",
		"$SYS.REQ.SERVER.PING",
		natsd.InboxPrefix(rival) + ".x",
		natsd.InboxPrefix(acme) + ".x",
		"anything",
	} {
		require.NoError(t, m.acme.PublishRequest(subject, natsd.InboxPrefix(acme)+".answer", []byte("x")))
		require.NoError(t, m.acme.Flush())
		m.acme.requireRefused(t)
	}
	info, err := m.operator.Stream(t.Context(), events.StreamRequests)
	require.NoError(t, err)
	require.Zero(t, info.CachedInfo().State.Msgs)
}

func TestTenantMayHearNothingElse(t *testing.T) {
	t.Parallel()
	m := openMarket(t)
	for _, subject := range []string{
		">", "*", "feira.>", "feira.feed.*.*",
		events.FeedSubject(rival, ""),
		events.FeedSubject(rival, "s1"),
		events.RequestsSubject(acme),
		events.RequestsSubject(rival),
		events.SubjectAllRuns,
		events.SubjectAllSessions,
		events.SubjectAllWorkers,
		events.SubjectAskQueue,
		events.DeltaSubject(acme, "s1"),
		events.DeltaSubject(rival, "s1"),
		natsd.InboxPrefix(rival) + ".>",
		natsd.InboxPrefix(acme),
		"_INBOX.>",
		"$KV.>", "$JS.>", "$SYS.>",
	} {
		_, err := m.acme.SubscribeSync(subject)
		require.NoError(t, err)
		require.NoError(t, m.acme.Flush())
		m.acme.requireRefused(t)
	}
}

// A message's reply subject is bound by no permission, and the broker publishes
// its acknowledgement there in its own name.
func TestTenantCannotAimAnAcknowledgement(t *testing.T) {
	t.Parallel()
	m := openMarket(t)
	kv, err := m.operator.KeyValue(t.Context(), events.BucketTenants)
	require.NoError(t, err)
	_, err = kv.Put(t.Context(), string(rival), []byte("the rival's configuration"))
	require.NoError(t, err)
	var heard atomic.Int64
	_, err = m.rival.Subscribe(natsd.InboxPrefix(rival)+".>", func(*nats.Msg) { heard.Add(1) })
	require.NoError(t, err)
	overseer := connect(t, m.server, nats.UserInfo("operator", "secret"))
	control, err := overseer.SubscribeSync(events.SubjectAllControl)
	require.NoError(t, err)
	require.NoError(t, overseer.Flush())
	require.NoError(t, m.rival.Flush())

	for _, aim := range []string{
		"$KV." + events.BucketTenants + "." + string(rival),
		events.RequestsSubject(rival),
		events.ControlSubject(rival, "s1"),
	} {
		require.NoError(t, m.acme.PublishRequest(events.RequestsSubject(acme), aim, []byte("x")))
	}
	require.NoError(t, m.acme.PublishRequest(events.RequestsSubject(acme), natsd.InboxPrefix(rival)+".x", []byte("x")))
	require.NoError(t, m.acme.Flush())
	requests, err := m.operator.Stream(t.Context(), events.StreamRequests)
	require.NoError(t, err)
	require.Eventually(t, func() bool { // its acknowledgements go nowhere, so nothing else tells that they were sent
		info, err := requests.Info(t.Context())
		return err == nil && info.State.Msgs >= 3
	}, patience, silence/10)

	_, err = control.NextMsg(silence)
	require.ErrorIs(t, err, nats.ErrTimeout)
	entry, err := kv.Get(t.Context(), string(rival))
	require.NoError(t, err)
	require.Equal(t, "the rival's configuration", string(entry.Value()))
	_, err = requests.GetLastMsgForSubject(t.Context(), events.RequestsSubject(rival))
	require.ErrorIs(t, err, jetstream.ErrMsgNotFound)
	require.Zero(t, heard.Load(), "the rival's inbox stays empty")
}

func TestOperatorMayDoEverything(t *testing.T) {
	t.Parallel()
	m := openMarket(t)
	_, err := m.operator.AccountInfo(t.Context())
	require.NoError(t, err)
	for _, subject := range []string{events.RequestsSubject(acme), events.RequestsSubject(rival), events.SessionSubject(rival, "s")} {
		_, err := m.operator.Publish(t.Context(), subject, nil)
		require.NoError(t, err)
	}
}

func TestWrongOrMissingPasswordIsRefused(t *testing.T) {
	t.Parallel()
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	require.NoError(t, err)
	server := serve(t, natsd.Config{Users: []natsd.User{
		natsd.OperatorUser("plain", "right"), natsd.OperatorUser("hashed", string(hash)), natsd.TenantUser(acme, "right"),
	}})
	for _, user := range []string{"plain", "hashed", "acme"} {
		connect(t, server, nats.UserInfo(user, "right"))
		for _, wrong := range []string{"", "wrong", string(hash)} {
			_, err := nats.Connect(server.ClientURL(), nats.UserInfo(user, wrong))
			require.ErrorIs(t, err, nats.ErrAuthorization)
		}
	}
	_, err = nats.Connect(server.ClientURL())
	require.ErrorIs(t, err, nats.ErrAuthorization)
}

func TestNoAuthUser(t *testing.T) {
	t.Parallel()
	server := serve(t, natsd.Config{
		Users:      []natsd.User{natsd.OperatorUser("guest", ""), natsd.TenantUser(acme, "pa")},
		NoAuthUser: "guest",
	})
	_, err := streams(t, connect(t, server)).AccountInfo(t.Context())
	require.NoError(t, err)
	_, err = nats.Connect(server.ClientURL(), nats.UserInfo("guest", ""))
	require.ErrorIs(t, err, nats.ErrAuthorization, "who names the guest needs its password, which nobody has")
}
