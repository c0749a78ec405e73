package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/natsd"
	"github.com/feira-dev/feira/internal/poll"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/fault"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
)

const prepost = `{"codigoServico":"03298","remetente":{"nome":"Acme","endereco":{"cep":"01001000"}},` +
	`"destinatario":{"nome":"Ana","endereco":{"cep":"90010150"}},"objetoPostal":{"formato":"2","peso":500}}`

// postBundle is a whole Feira but for what polls, beside a post whose clock the
// test moves, and an endpoint that a trigger tells.
type postBundle struct {
	world    *world
	operator *Operator
	bucket   jetstream.KeyValue

	mu      sync.Mutex
	ahead   time.Duration
	batches [][]string // codes of each tracking request that the post answered
	told    map[string]int
}

func (b *postBundle) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Add(b.ahead)
}

func (b *postBundle) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ahead += d
}

func (b *postBundle) observe(exchange sandbox.Exchange) {
	query, err := url.ParseQuery(exchange.Query)
	if exchange.Server != "correios" || exchange.Path != "/srorastro/v1/objetos" || exchange.Status != http.StatusOK || err != nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.batches = append(b.batches, query["codigosObjetos"])
}

func (b *postBundle) asked() [][]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([][]string(nil), b.batches...)
}

// hears counts what a trigger tells, by fact and object.
func (b *postBundle) hears(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var told struct{ Type, Object string }
	if err == nil && json.Unmarshal(body, &told) == nil {
		b.mu.Lock()
		b.told[told.Type+" "+told.Object]++
		b.mu.Unlock()
	}
	w.WriteHeader(http.StatusNoContent)
}

func (b *postBundle) heard(what string) map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := map[string]int{}
	for key, times := range b.told {
		if strings.HasPrefix(key, what+" ") {
			found[key] = times
		}
	}
	return found
}

func setupPost(t *testing.T) *postBundle {
	t.Helper()
	b := &postBundle{told: map[string]int{}}
	tel := b.telemetry(t)
	cfg := config.Default()
	cfg.DataDir, cfg.Model.Key, cfg.Gateway.Address = testenv.Dir(t), "", "127.0.0.1:0"
	cfg.Triggers.Loopback, cfg.Upkeep.PollFirst = true, time.Second
	var err error
	b.world, err = newWorld(cfg, tel, worldParams{
		broker: natsd.Config{Dir: filepath.Join(cfg.DataDir, "nats")}, standIns: true, now: b.now, observe: b.observe,
	})
	require.NoError(t, err)
	require.NoError(t, b.world.start(t.Context()))
	t.Cleanup(func() { require.NoError(t, b.world.stop(context.WithoutCancel(t.Context()))) })
	b.operator = NewOperator(b.world.cfg, tel)
	t.Cleanup(b.operator.Close)
	require.NoError(t, b.operator.kit.provision(t.Context()))
	acme := tenant.Tenant{
		ID: "acme", Servers: []string{"correios", "nuvem-fiscal"}, Concurrency: 32,
		Webhooks: []tenant.WebhookRule{
			{On: "shipment.in_transit", Session: tenant.SessionMaker, Message: "/say {object} is on its way"},
			{On: "invoice.rejected", Session: tenant.SessionMaker, Message: "/say {object} is refused"},
		},
	}.WithDefaults()
	require.NoError(t, b.operator.ApplyTenants(t.Context(), []tenant.Tenant{acme}))
	require.NoError(t, b.world.openAccounts(t.Context(), b.operator, []tenant.Tenant{acme}))
	endpoint := httptest.NewServer(http.HandlerFunc(b.hears))
	t.Cleanup(endpoint.Close)
	desk, err := b.operator.Triggers(t.Context(), "acme")
	require.NoError(t, err)
	_, _, err = desk.Open(t.Context(), TriggerDraft{Name: "all", Event: "*", URL: endpoint.URL})
	require.NoError(t, err)
	conn, err := nats.Connect(b.world.cfg.NATS.URL)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	require.NoError(t, err)
	b.bucket, err = js.KeyValue(t.Context(), events.BucketPolls)
	require.NoError(t, err)
	var rest []Role
	for _, role := range AllRoles() {
		if role != RoleUpkeep {
			rest = append(rest, role)
		}
	}
	b.run(t, rest...)
	return b
}

func (*postBundle) telemetry(t *testing.T) *telemetry.Telemetry {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Config{Output: testenv.Log(t)})
	require.NoError(t, err)
	return tel
}

// run runs roles as a process of their own does.
func (b *postBundle) run(t *testing.T, roles ...Role) {
	t.Helper()
	running, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, stopped := make(chan struct{}), make(chan error, 1)
	tel := b.telemetry(t)
	go func() {
		stopped <- RunRoles(running, b.world.cfg, tel, roles, func(Addresses) { close(ready) })
	}()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-stopped)
	})
	select {
	case <-ready:
	case err := <-stopped:
		stopped <- nil
		require.NoError(t, err)
	}
}

// learn runs what learns from the log, and nothing that polls, until it knows so
// many objects.
func (b *postBundle) learn(t *testing.T, count int) {
	t.Helper()
	k := newKit(b.world.cfg, b.telemetry(t))
	defer k.close()
	part, err := k.lookout(t.Context())
	require.NoError(t, err)
	group := lifecycle.NewGroup("lookout", part)
	require.NoError(t, group.Start(context.WithoutCancel(t.Context())))
	require.Eventually(t, func() bool { return len(b.watches(t)) == count }, patience, pace)
	require.NoError(t, group.Stop(t.Context()))
}

// watches is what is known of the objects, by object.
func (b *postBundle) watches(t *testing.T) map[string]poll.Watch {
	t.Helper()
	found := map[string]poll.Watch{}
	lister, err := b.bucket.ListKeys(t.Context())
	require.NoError(t, err)
	for key := range lister.Keys() {
		if !events.IsPoll(key) {
			continue
		}
		entry, err := b.bucket.Get(t.Context(), key)
		require.NoError(t, err)
		var one poll.Watch
		require.NoError(t, json.Unmarshal(entry.Value(), &one))
		found[one.Object] = one
	}
	return found
}

// calls has sessions make calls, several at one time, each in its own.
func (b *postBundle) calls(t *testing.T, count int, tool, arguments string) {
	t.Helper()
	var wait sync.WaitGroup
	faults := make(chan string, count)
	slots := make(chan struct{}, 16)
	for n := range count {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			params := events.RequestParams{Tenant: "acme", Session: events.SessionID(fmt.Sprintf("%s-%d", strings.ReplaceAll(tool, "_", "-"), n)), Kind: events.KindCall}
			sent, err := b.operator.Send(t.Context(), params, events.Request{Tool: tool, Arguments: json.RawMessage(arguments)}, false, nil)
			if err != nil {
				faults <- err.Error()
			} else if sent.Ending.Status != events.TurnCompletedOK {
				faults <- sent.Ending.Detail
			}
		})
	}
	wait.Wait()
	close(faults)
	for fault := range faults {
		require.Empty(t, fault)
	}
}

// facts counts what the sessions' logs tell by webhook, and the turns that such
// an event has caused, by object.
func (b *postBundle) facts(t *testing.T, fact events.Fact) (told, turns map[string]int) {
	t.Helper()
	broker, err := b.operator.kit.broker(t.Context())
	require.NoError(t, err)
	sessions, err := broker.Log().Sessions(t.Context(), "acme")
	require.NoError(t, err)
	told, turns = map[string]int{}, map[string]int{}
	for _, id := range sessions {
		records, err := broker.Log().Load(t.Context(), "acme", id)
		require.NoError(t, err)
		requests := map[events.RequestID]string{}
		for _, record := range records {
			switch event := record.Event.(type) {
			case *events.WebhookReceived:
				if event.Fact == fact {
					require.NotEmpty(t, event.ToolCall, "it is of the call that made it")
					told[event.Object]++
					requests[event.Request] = event.Object
				}
			case *events.TurnCompleted:
				if object, ok := requests[record.Request]; ok && record.Request != "" {
					require.Equal(t, events.TurnCompletedOK, event.Status)
					turns[object]++
				}
			}
		}
	}
	return told, turns
}

// waitForAll waits until the trigger has told of as many objects.
func (b *postBundle) waitForAll(t *testing.T, count int, fact events.Fact) {
	t.Helper()
	require.Eventually(t, func() bool { return len(b.heard(string(fact))) == count }, 2*patience, 10*pace, "%s is not told of all", fact)
}

// A hundred and twenty parcels that sessions registered are three requests to the
// post, with two replicas of upkeep. They move: each is one event, one turn of
// the session that made it, and one delivery of the trigger; when they are
// delivered, nobody asks any more. The post's rate limit is waited for.
func TestParcelsThatSessionsMadeAreFollowed(t *testing.T) {
	t.Parallel()
	const count = 120
	b := setupPost(t)
	b.calls(t, count, "correios__create_prepost", prepost)
	b.learn(t, count)
	require.NoError(t, b.world.sandbox.Fault(fault.Fault{Server: "correios", Path: "/srorastro", Kind: fault.KindStatus, Status: http.StatusTooManyRequests, RetryAfter: time.Second}))
	for range 2 {
		b.run(t, RoleUpkeep)
	}
	limited := func() (hold poll.Hold) {
		entry, err := b.bucket.Get(t.Context(), events.KeyPollLane("acme", "correios", events.EnvironmentTest))
		if err == nil {
			require.NoError(t, json.Unmarshal(entry.Value(), &hold))
		}
		return hold
	}
	require.Eventually(t, func() bool { return limited().Failures == 1 }, patience, pace)
	require.Empty(t, b.asked())
	require.Eventually(t, func() bool { return len(b.asked()) >= 3 }, patience, pace, "the limit is over in some seconds")
	first := map[string]bool{}
	for _, codes := range b.asked()[:3] {
		for _, one := range codes {
			first[one] = true
		}
	}
	require.Len(t, first, count, "three requests ask for all")
	told, _ := b.facts(t, events.FactShipmentInTransit)
	require.Empty(t, told)

	b.pass(37 * time.Hour)
	b.waitForAll(t, count, events.FactShipmentInTransit)
	b.pass(36 * time.Hour)
	b.waitForAll(t, count, events.FactShipmentDelivered)
	require.Eventually(t, func() bool {
		for _, one := range b.watches(t) {
			if one.Ended != poll.EndingStatus {
				return false
			}
		}
		return true
	}, patience, 10*pace)
	asked := len(b.asked())
	require.Never(t, func() bool { return len(b.asked()) != asked }, 4*time.Second, 10*pace, "they have ended")
	require.Eventually(t, func() bool {
		_, turns := b.facts(t, events.FactShipmentInTransit)
		return len(turns) == count
	}, 2*patience, 50*pace)
	for _, codes := range b.asked() {
		require.LessOrEqual(t, len(codes), 50)
	}
	for _, fact := range []events.Fact{events.FactShipmentPosted, events.FactShipmentInTransit, events.FactShipmentDelivered} {
		told, turns := b.facts(t, fact)
		for _, counted := range []map[string]int{told, turns, b.heard(string(fact))} {
			for object, times := range counted {
				require.Equal(t, 1, times, "%s of %s", fact, object)
			}
		}
		require.Len(t, told, count)
	}
	audit, err := b.operator.AuditLedger(t.Context(), LedgerAuditParams{Patience: patience})
	require.NoError(t, err)
	require.True(t, audit.OK, "%+v", audit)
	used, err := b.operator.Usage(t.Context(), "acme", "")
	require.NoError(t, err)
	require.NotContains(t, fmt.Sprintf("%+v", used), "track_bulk", "what upkeep asks is nobody's bill")
}

// A document is authorised, another rejected.
func TestDocumentsThatSessionsMadeAreFollowed(t *testing.T) {
	t.Parallel()
	b := setupPost(t)
	document := func(nature string) string {
		return `{"infNFe":{"ide":{"natOp":"` + nature + `"},"emit":{"CNPJ":"11222333000181"},"det":[{}],"total":{},"transp":{},"pag":{"detPag":[{"tPag":"01"}]}}}`
	}
	b.run(t, RoleUpkeep)
	b.calls(t, 1, "nuvem-fiscal__create_nfe", document("VENDA"))
	params := events.RequestParams{Tenant: "acme", Session: "rejected", Kind: events.KindCall}
	sent, err := b.operator.Send(t.Context(), params, events.Request{Tool: "nuvem-fiscal__create_nfe", Arguments: json.RawMessage(document("REJEITAR"))}, false, nil)
	require.NoError(t, err)
	require.Equal(t, events.TurnCompletedOK, sent.Ending.Status, sent.Ending.Detail)
	for _, fact := range []events.Fact{events.FactInvoiceAuthorized, events.FactInvoiceRejected} {
		require.Eventually(t, func() bool {
			told, _ := b.facts(t, fact)
			return len(told) == 1 && len(b.heard(string(fact))) == 1
		}, patience, pace, fact)
	}
	require.Eventually(t, func() bool {
		_, turns := b.facts(t, events.FactInvoiceRejected)
		return len(turns) == 1
	}, patience, pace)
	for object, one := range b.watches(t) {
		require.Equal(t, poll.EndingStatus, one.Ended, object)
	}
}
