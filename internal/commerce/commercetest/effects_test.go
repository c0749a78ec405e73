package commercetest

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/agent"
	"github.com/feira-dev/feira/internal/commerce"
	"github.com/feira-dev/feira/internal/ordeal"
	"github.com/feira-dev/feira/internal/provider"
	"github.com/feira-dev/feira/internal/sandbox"
	"github.com/feira-dev/feira/internal/sandbox/journal"
)

// subject is a recipe with a step that must not be made twice.
type subject struct {
	server, tool, arguments string
	// effects are those of its steps in their order, each with the clause that
	// says so when a later step fails. The last one is what the recipe is for.
	effects []effect
	// prepare are calls made before, each with the id of the one before for "%s".
	prepare [][2]string
	// stock is the path at Asaas by which what was prepared is paid.
	stock string
	// blind recipes can end in doubt and with nothing to find out by.
	blind bool
	// sighted ones nearly always find out.
	sighted bool
}

type effect struct{ name, clause string }

func subjects() map[string]subject {
	register := [2]string{"nuvem-fiscal__register_company", company}
	return map[string]subject{
		"charge at asaas": {
			server: "asaas", tool: "codespar_charge", arguments: charge("pix"),
			effects: []effect{{"customer.created", "customer cus_"}, {"payment.created", "payment pay_"}},
		},
		"charge at stripe": {
			server: "stripe", tool: "codespar_charge", arguments: charge("card"),
			effects: []effect{{"customer.created", "customer cus_"}, {"payment_intent.created", "payment intent pi_"}},
		},
		"pay at asaas": {
			server: "asaas", tool: "codespar_pay", arguments: `{"action":"pay","amount":1990,"currency":"BRL","description":"x","recipient":"a@b.co"}`,
			effects: []effect{{"transfer.created", "transfer "}}, prepare: [][2]string{{"codespar_charge", charge("pix")}}, stock: "/sandbox/payment/%s/confirm",
		},
		"label at correios": {
			server: "correios", tool: "codespar_ship", arguments: `{"action":"label",` + parcel + `}`, effects: []effect{{"prepost.created", "pre-posting "}},
		},
		"label at melhor-envio": {
			server: "melhor-envio", tool: "codespar_ship", arguments: `{"action":"label",` + parcel + `}`,
			effects: []effect{{"order.created", "was created"}, {"order.paid", "was paid"}, {"label.generated", "was generated"}},
		},
		"invoice at nuvem-fiscal": {
			server: "nuvem-fiscal", tool: "codespar_invoice", arguments: service, effects: []effect{{"nfse.created", "nfse "}}, prepare: [][2]string{register},
		},
		"goods at nuvem-fiscal": {
			server: "nuvem-fiscal", tool: "codespar_invoice", arguments: product, effects: []effect{{"nfe.created", "nfe "}}, prepare: [][2]string{register},
		},
		"cancellation at nuvem-fiscal": {
			server: "nuvem-fiscal", tool: "codespar_invoice", arguments: `{"type":"nfse","action":"amend","invoice_id":"%s","reason":"The course was cancelled"}`,
			effects: []effect{{"nfse.cancelled", "was cancelled"}}, prepare: [][2]string{register, {"codespar_invoice", service}}, sighted: true,
		},
		"letter at nuvem-fiscal": {
			server: "nuvem-fiscal", tool: "codespar_invoice", arguments: `{"type":"nfe","action":"amend","invoice_id":"%s","correction":"The street is another"}`,
			effects: []effect{{"nfe.corrected", "was sent"}}, prepare: [][2]string{register, {"codespar_invoice", product}}, blind: true,
		},
		"message at z-api": {
			server: "z-api", tool: "codespar_notify", arguments: `{"channel":"whatsapp","to":"5511987654321","message":"Hello"}`,
			effects: []effect{{"message.sent", "was sent"}}, blind: true,
		},
	}
}

// TestEffectsThroughRandomSchedules makes each recipe go through a hundred
// random schedules of broken connections, faults and dying workers, and lets the
// fake's journal judge: nothing is done twice, what ends well was done, what
// ends as an error was not, or says what was, and an outcome that nobody can
// know is written down as such.
func TestEffectsThroughRandomSchedules(t *testing.T) {
	t.Parallel()
	for name, about := range subjects() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setupEffects(t, about)
			met := map[events.ToolStatus]int{}
			rapid.Check(t, func(t *rapid.T) { // a hundred times
				met[b.play(t, ordeal.Draw(t, 14, ordeal.FateFine, ordeal.FateFine, ordeal.FateFine))]++
			})
			require.GreaterOrEqual(t, met[events.ToolOK], 1)
			require.True(t, about.sighted || met[events.ToolUnknown] > 0, "%v", met)
			t.Logf("%v", met)
		})
	}
}

// effectsBundle is one fake behind a front, with an account for each schedule.
type effectsBundle struct {
	subject

	manifest provider.Manifest
	sandbox  *sandbox.Sandbox
	front    *ordeal.Front
	base     string
	accounts int
	// market keeps nothing, so that all workers may share the one of which the
	// provider is changed.
	market *commerce.Market
	now    *current
}

// current is the provider's client of the worker that lives.
type current struct{ *provider.Client }

func setupEffects(t *testing.T, about subject) *effectsBundle {
	t.Helper()
	started, err := sandbox.New(sandbox.Config{Now: noon})
	require.NoError(t, err)
	require.NoError(t, started.Start(t.Context()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		require.NoError(t, started.Stop(ctx))
	})
	b := &effectsBundle{subject: about, sandbox: started}
	for _, one := range manifests(t) {
		if one.ID == about.server {
			b.manifest = one
		}
	}
	// Each worker reads its manifest anew: the tools of no recipe would take most of the time.
	b.manifest.Tools = slices.DeleteFunc(slices.Clone(b.manifest.Tools), func(spec provider.ToolSpec) bool { return !slices.Contains(ingredients(), spec.Name) })
	b.now = &current{}
	b.market, err = commerce.New(commerce.Config{Catalogue: b.now, Provider: b.now, Now: noon})
	require.NoError(t, err)
	b.front, b.base = ordeal.NewFront(t, started.BaseURLs()[about.server], exchange)
	return b
}

// exchange tells the exchange of a token, which is not of a call: several may
// wait for one.
func exchange(r *http.Request) bool {
	return strings.HasSuffix(r.URL.Path, "/oauth/token") || strings.Contains(r.URL.Path, "/token/v1/")
}

// ingredients are the tools that the recipes are made of.
func ingredients() []string {
	return strings.Fields("list_customers create_customer create_payment get_pix_qrcode create_transfer list_transfers create_payment_intent " +
		"calculate_shipping get_delivery_time create_prepost create_shipment checkout_cart generate_label print_label get_shipment list_shipments " +
		"list_empresas register_company consult_cep create_nfse create_nfe get_nfse get_nfe cancel_nfse send_correction_letter_nfe check_number send_text")
}

// worker is a new process: nothing of the one before is left in it. The market
// is its own until it leaves.
func (b *effectsBundle) worker(t *rapid.T, held fields) (leave func()) {
	client, err := provider.New(provider.Config{
		Manifests: []provider.Manifest{b.manifest}, Credentials: safe{b.server: held}, BaseURLs: map[string]string{b.server: b.base},
		RetryWait: time.Microsecond, Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() }, BreakerFailures: 1000,
	})
	require.NoError(t, err)
	b.now.Client = client
	return client.Close
}

// play runs one call through a schedule and judges how it ended.
func (b *effectsBundle) play(t *rapid.T, plan ordeal.Schedule) events.ToolStatus {
	b.accounts++
	account := "tenant_" + strconv.Itoa(b.accounts)
	opened, err := b.sandbox.Open(b.server, sandbox.Account{Tenant: account})
	require.NoError(t, err)
	b.front.Expect(nil)
	arguments := b.prepared(t, opened)
	before := b.sandbox.Journal().Count(journal.Filter{Account: account})
	b.front.Expect(plan.Fates)
	log := ordeal.NewDiary(t, shop, b.server)
	log.Begin(t, 1, &events.CallRequested{Tool: b.tool, Arguments: json.RawMessage(arguments)})
	doubted := false
	for life := 0; ; life++ {
		if b.live(t, log, opened, plan.Forgetful(life)) {
			break
		}
		require.Less(t, life, plan.Lives(), "it never ends")
		doubted = true // whatever it did, the next one cannot know
		log.Begin(t, life+2, nil)
	}
	doubted = doubted || slices.ContainsFunc(b.front.Seen(), ordeal.Fate.LeavesDoubt)
	returned := log.Outcome(t)
	b.judge(t, b.sandbox.Journal().Entries(journal.Filter{Account: account})[before:], returned, doubted)
	return returned.Status
}

// prepared makes what the call is about, and gives its arguments.
func (b *effectsBundle) prepared(t *rapid.T, held fields) string {
	defer b.worker(t, held)()
	id := ""
	for i, step := range b.prepare {
		server, tool, _ := agent.SplitTool(step[0])
		result := b.market.Call(context.Background(), agent.Call{
			Tenant: shop, Environment: events.EnvironmentTest, Server: server, Tool: tool, Arguments: json.RawMessage(step[1]),
			Key: "prepare_" + strconv.Itoa(i), Reach: agent.Reach{Servers: []string{b.server}, Opened: []string{b.server}, Environment: events.EnvironmentTest},
		})
		require.Equal(t, events.ToolOK, result.Status, "%+v", result.Fault)
		var made struct{ ID string }
		require.NoError(t, json.Unmarshal([]byte(result.Output), &made))
		id = made.ID
	}
	if b.stock != "" {
		elsewhere(t, b.sandbox.BaseURLs()[b.server]+strings.ReplaceAll(b.stock, "%s", id), held["api_key"])
	}
	return strings.ReplaceAll(b.arguments, "%s", id)
}

// live is the life of one worker; false when it died before the end.
func (b *effectsBundle) live(t *rapid.T, log *ordeal.Diary, held fields, forgets bool) bool {
	defer b.worker(t, held)()
	loop, err := agent.New(agent.Config{Model: ordeal.NoModel{}, Catalogue: b.market, Provider: b.market, Grace: time.Nanosecond})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	log.Revive(forgets)
	b.front.Killing(func() {
		log.Kill()
		cancel()
	})
	_, err = loop.Run(ctx, log.Scope(), log)
	return err == nil
}

func (b *effectsBundle) judge(t *rapid.T, entries []journal.Entry, returned *events.ToolReturned, doubted bool) {
	counts := map[string]int{}
	for _, entry := range entries {
		counts[entry.Effect]++
	}
	told := []any{"%s: %+v after %v with %v", returned.Status, returned.Error, b.front.Seen(), counts}
	for name, count := range counts {
		require.Equal(t, 1, count, append([]any{"%s twice? " + told[0].(string), name}, told[1:]...)...)
	}
	last := b.effects[len(b.effects)-1].name
	said := ""
	if returned.Error != nil {
		_, said, _ = strings.Cut(returned.Error.Message, "; before that, ")
	}
	for _, one := range b.effects {
		if strings.Contains(said, one.clause) {
			require.Equal(t, 1, counts[one.name], told...) // no deed is told that was not done
		}
	}
	switch returned.Status {
	case events.ToolOK:
		require.Equal(t, 1, counts[last], told...)
	case events.ToolError, events.ToolRefused:
		require.Zero(t, counts[last], told...)
		for _, one := range b.effects {
			if counts[one.name] > 0 && !doubted {
				require.Contains(t, said, one.clause, told...)
			}
		}
	case events.ToolUnknown:
		require.True(t, doubted, told...)
		require.Equal(t, events.FaultOutcomeUnknown, returned.Error.Code, told...)
		require.Regexp(t, `stopped at step \w+`, returned.Error.Message, told...)
	}
	if b.blind && counts[last] == 1 && slices.ContainsFunc(b.front.Seen(), func(one ordeal.Fate) bool { return one == ordeal.FateKillAfter }) {
		require.Equal(t, events.ToolUnknown, returned.Status, told...)
	}
}
