package app

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/natsd"
	"github.com/feira-dev/feira/internal/sandbox/fault"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// testBundle is a whole Feira in the test's process, offline.
type testBundle struct {
	world    *world
	operator *Operator
	// http is the gateway's base URL, tel what all of it tells of itself.
	http string
	tel  *telemetry.Telemetry
}

func setup(t *testing.T, changes ...func(*config.Config)) *testBundle {
	t.Helper()
	return setupIn(t, worldParams{}, changes...)
}

// setupIn is setup with a world of other ways; broker and stand-ins it has anyhow.
func setupIn(t *testing.T, params worldParams, changes ...func(*config.Config)) *testBundle {
	t.Helper()
	tel, err := telemetry.New(t.Context(), telemetry.Config{Output: testenv.Log(t)})
	require.NoError(t, err)
	cfg := config.Default()
	cfg.DataDir, cfg.Model.Key = testenv.Dir(t), ""
	cfg.Model.Timeout, cfg.Model.MaxElapsed = 2*time.Second, 4*time.Second
	cfg.Provider.Timeout = 3 * time.Second
	cfg.Gateway.Address = "127.0.0.1:0"
	for _, change := range changes {
		change(&cfg)
	}
	params.broker, params.standIns = natsd.Config{Dir: filepath.Join(cfg.DataDir, "nats")}, true
	w, err := newWorld(cfg, tel, params)
	require.NoError(t, err)
	require.NoError(t, w.start(t.Context()))
	_, err = w.prepare(t.Context(), tel, true)
	require.NoError(t, err)
	running, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, stopped := make(chan struct{}), make(chan error, 1)
	var at Addresses
	go func() {
		stopped <- RunRoles(running, w.cfg, tel, AllRoles(), func(bound Addresses) {
			at = bound
			close(ready)
		})
	}()
	o := NewOperator(w.cfg, tel)
	t.Cleanup(func() {
		o.Close()
		stop()
		require.NoError(t, <-stopped)
		require.NoError(t, w.stop(running))
	})
	select {
	case <-ready:
	case err := <-stopped:
		stopped <- nil // for the clean-up
		require.NoError(t, err)
	}
	return &testBundle{world: w, operator: o, http: "http://" + at.HTTP, tel: tel}
}

// send asks tenant_acme's agent and waits for the ending, as "feira send" does.
func (b *testBundle) send(t *testing.T, text string) *events.TurnCompleted {
	t.Helper()
	return b.deliver(t, events.RequestParams{Tenant: "tenant_acme"}, events.Request{Message: text})
}

func (b *testBundle) deliver(t *testing.T, params events.RequestParams, request events.Request) *events.TurnCompleted {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sent, err := b.operator.Send(ctx, params, request, false, nil)
	require.NoError(t, err)
	return sent.Ending
}

func (b *testBundle) requireServes(t *testing.T) {
	t.Helper()
	b.world.sandbox.ClearFaults("")
	end := b.send(t, "What is the balance now?")
	require.Equal(t, events.TurnCompletedOK, end.Status, "%s: %s", end.Reason, end.Detail)
	require.Positive(t, end.ToolCalls)
}

// What a model does wrong ends its turn with a reason that the caller reads,
// and the next request is served.
func TestFaultsOfTheModelAreToldAndPass(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		fault  fault.Fault
		status events.TurnStatus
		reason string
	}{
		"garbage for ever":  {fault.Fault{Kind: fault.KindGarbage, Times: fault.Always, Body: "<html>busy</html>"}, events.TurnFailed, events.ReasonModelGarbage},
		"wrong key":         {fault.Fault{Kind: fault.KindStatus, Status: 401, Times: fault.Always}, events.TurnFailed, events.ReasonModelFailed},
		"429 once":          {fault.Fault{Kind: fault.KindStatus, Status: 429, RetryAfter: time.Second}, events.TurnCompletedOK, ""},
		"500 once":          {fault.Fault{Kind: fault.KindStatus, Status: 500}, events.TurnCompletedOK, ""},
		"cut in the middle": {fault.Fault{Kind: fault.KindCut}, events.TurnCompletedOK, ""},
		"hangs once":        {fault.Fault{Kind: fault.KindHang}, events.TurnCompletedOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			test.fault.Server = "model"
			require.NoError(t, b.world.sandbox.Fault(test.fault))
			end := b.send(t, "What is the balance now?")
			require.Equal(t, test.status, end.Status, "%s: %s", end.Reason, end.Detail)
			require.Equal(t, test.reason, end.Reason)
			if test.reason != "" {
				require.NotEmpty(t, end.Detail)
				require.NotContains(t, end.Detail, offlineKey)
			}
			b.requireServes(t)
		})
	}
}

// What goes wrong at a provider goes back to the model as that call's outcome;
// the turn goes on, and the next request is served.
func TestFaultsOfAToolAreToldAndPass(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tool      string
		arguments string
		fault     *fault.Fault
		status    events.TurnStatus
		reason    string
		detail    string
	}{
		"wrong arguments":    {"stripe__create_payment_intent", `{"amount":"much"}`, nil, events.TurnRejected, events.FaultInvalidArguments, "amount"},
		"missing argument":   {"stripe__create_payment_intent", `{"amount":100}`, nil, events.TurnRejected, events.FaultInvalidArguments, "currency"},
		"unknown tool":       {"stripe__rob_bank", `{}`, nil, events.TurnRejected, events.FaultUnknownTool, "rob_bank"},
		"foreign server":     {"asaas__get_balance", `{}`, nil, events.TurnRejected, events.FaultServerNotInSession, "asaas"},
		"provider says no":   {"stripe__retrieve_payment_intent", `{"id":"pi_none"}`, nil, events.TurnFailed, events.FaultProviderError, "pi_none"},
		"provider is down":   {"stripe__retrieve_balance", `{}`, &fault.Fault{Kind: fault.KindStatus, Status: 500, Times: fault.Always}, events.TurnFailed, events.FaultProviderError, "500"},
		"provider limits":    {"stripe__retrieve_balance", `{}`, &fault.Fault{Kind: fault.KindStatus, Status: 429, Times: fault.Always}, events.TurnFailed, events.FaultProviderLimited, ""},
		"garbage from it":    {"stripe__retrieve_balance", `{}`, &fault.Fault{Kind: fault.KindGarbage}, events.TurnFailed, events.FaultProviderError, "not JSON"},
		"cut, then answered": {"stripe__retrieve_balance", `{}`, &fault.Fault{Kind: fault.KindCut}, events.TurnCompletedOK, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			if test.fault != nil {
				test.fault.Server = "stripe"
				require.NoError(t, b.world.sandbox.Fault(*test.fault))
			}
			end := b.deliver(t, events.RequestParams{Tenant: "tenant_acme", Kind: events.KindCall},
				events.Request{Tool: test.tool, Arguments: []byte(test.arguments)})
			require.Equal(t, test.status, end.Status, "%s: %s", end.Reason, end.Detail)
			require.Equal(t, test.reason, end.Reason)
			require.Contains(t, end.Detail, test.detail)
			b.requireServes(t)
		})
	}
}

// A tool that never answers costs its own time-out and nothing else: the model
// hears of it and the turn ends.
func TestProviderThatHangsIsLeft(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.world.sandbox.Fault(fault.Fault{Kind: fault.KindHang, Server: "stripe", Times: fault.Always}))
	hanging := make(chan Sent, 1)
	other := NewOperator(b.world.cfg, b.operator.kit.telemetry) // an operator belongs to one goroutine
	t.Cleanup(other.Close)
	go func() {
		sent, _ := other.Send(t.Context(), events.RequestParams{Tenant: "tenant_acme"}, events.Request{Message: "/call stripe__retrieve_balance {}"}, false, nil)
		hanging <- sent
	}()
	// Meanwhile the tenant's other providers answer.
	end := b.deliver(t, events.RequestParams{Tenant: "tenant_acme", Kind: events.KindCall},
		events.Request{Tool: "correios__find_cep", Arguments: []byte(`{"cep":"01310100"}`)})
	require.Equal(t, events.TurnCompletedOK, end.Status, "%s: %s", end.Reason, end.Detail)
	left := (<-hanging).Ending
	require.NotNil(t, left)
	require.Equal(t, events.TurnCompletedOK, left.Status, "%s: %s", left.Reason, left.Detail)
	require.Contains(t, left.Message, "stripe__retrieve_balance")
	b.requireServes(t)
}

func TestModelThatCallsForeignToolsIsRefusedAndGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	end := b.send(t, "/call asaas__get_balance {}\n/call stripe__retrieve_balance {}")
	require.Equal(t, events.TurnCompletedOK, end.Status)
	require.Equal(t, 2, end.ToolCalls)
	require.Zero(t, b.world.sandbox.Journal().Count(journalOf("asaas")), "nothing may reach the other's provider")
}

func TestSendRefusesWhatCannotBeServed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, test := range map[string]struct {
		params  events.RequestParams
		request events.Request
		want    string
	}{
		"unknown tenant":  {events.RequestParams{Tenant: "tenant_ghost"}, events.Request{Message: "hello"}, "tenant_ghost"},
		"illegal session": {events.RequestParams{Tenant: "tenant_acme", Session: "no spaces"}, events.Request{Message: "hello"}, "Feira-Session"},
		"empty message":   {events.RequestParams{Tenant: "tenant_acme"}, events.Request{}, "message"},
		"too large":       {events.RequestParams{Tenant: "tenant_acme"}, events.Request{Message: strings.Repeat("x", 2<<20)}, "bytes"},
	} {
		_, err := b.operator.Send(t.Context(), test.params, test.request, true, nil)
		require.ErrorContains(t, err, test.want, name)
	}
	b.requireServes(t)
}

func journalOf(server string) journal.Filter { return journal.Filter{Server: server} }
