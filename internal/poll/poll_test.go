package poll_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/poll"
	"github.com/feira-dev/feira/internal/webhook"
)

var began = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func code(n int) string { return fmt.Sprintf("AA%09dBR", n) }

func parcels(tenant events.TenantID) poll.Lane {
	return poll.Lane{Tenant: tenant, Server: "correios", Environment: events.EnvironmentTest}
}

func watch(tenant events.TenantID, n int, made time.Time) poll.Watch {
	return poll.Pauses{}.New(parcels(tenant), poll.Found{Server: "correios", Kind: poll.KindParcel, Object: code(n)}, made)
}

func TestWhatACallMadeIsFound(t *testing.T) {
	t.Parallel()
	parcel := poll.Found{Server: "correios", Kind: poll.KindParcel, Object: "AA123456789BR"}
	for name, test := range map[string]struct {
		server, tool, output string
		want                 poll.Found
	}{
		"pre-posting":           {"correios", "create_prepost", `{"id":"PR1","codigoObjeto":"AA123456789BR"}`, parcel},
		"return":                {"correios", "create_reverse", `{"id":"LR1","codigoObjeto":"AA123456789BR"}`, parcel},
		"no code yet":           {"correios", "create_prepost", `{"id":"PR1"}`, poll.Found{}},
		"a code that is none":   {"correios", "create_prepost", `{"codigoObjeto":"AA123456789BR,BB123456789BR"}`, poll.Found{}},
		"reading":               {"correios", "get_prepost", `{"id":"PR1","codigoObjeto":"AA123456789BR"}`, poll.Found{}},
		"label by the own tool": {"codespar", "codespar_ship", `{"id":"PR1","status":"created","tracking_code":"AA123456789BR","carrier":"Correios"}`, parcel},
		"tracking by it":        {"codespar", "codespar_ship", `{"id":"AA123456789BR","status":"posted","tracking_code":"AA123456789BR","carrier":"Correios"}`, poll.Found{}},
		"another carrier":       {"codespar", "codespar_ship", `{"id":"x","tracking_code":"AA123456789BR","carrier":"Melhor Envio"}`, poll.Found{}},
		"invoice":               {"nuvem-fiscal", "create_nfe", `{"id":"nfe_1","status":"pendente"}`, poll.Found{Server: "nuvem-fiscal", Kind: poll.KindNFe, Object: "nfe_1"}},
		"authorised at once":    {"nuvem-fiscal", "create_nfse", `{"id":"nfs_1","status":"autorizada"}`, poll.Found{}},
		"invoice by own tool":   {"codespar", "codespar_invoice", `{"id":"nfs_1","status":"pending","type":"nfse"}`, poll.Found{Server: "nuvem-fiscal", Kind: poll.KindNFSe, Object: "nfs_1"}},
		"settled by own tool":   {"codespar", "codespar_invoice", `{"id":"nfs_1","status":"authorized","type":"nfse"}`, poll.Found{}},
		"an id with a path":     {"nuvem-fiscal", "create_nfe", `{"id":"../empresas","status":"pendente"}`, poll.Found{}},
		"one that has webhooks": {"asaas", "create_payment", `{"id":"pay_1"}`, poll.Found{}},
		"no object":             {"correios", "create_prepost", `[1]`, poll.Found{}},
	} {
		returned := events.ToolReturned{Server: test.server, Tool: test.tool, Status: events.ToolOK, Output: test.output}
		found, ok := poll.FoundIn(&returned)
		require.Equal(t, test.want != poll.Found{}, ok, name)
		if ok {
			require.Equal(t, test.want, found, name)
		}
		returned.Mock = &events.MockAnswer{Tool: "x"}
		_, ok = poll.FoundIn(&returned)
		require.False(t, ok, "a mock made nothing")
		returned.Mock, returned.Status = nil, events.ToolUnknown
		_, ok = poll.FoundIn(&returned)
		require.False(t, ok, "nobody knows of it")
	}
}

// history is an answer of the post's about one parcel, newest first.
func history(object string, scans ...string) []byte {
	answer := `{"objetos":[{"codObjeto":"` + object + `","eventos":[`
	for i, one := range scans {
		if i > 0 {
			answer += ","
		}
		answer += one
	}
	return []byte(answer + `]},{"codObjeto":"ZZ999999999BR","eventos":[{"codigo":"BDE","tipo":"01"}]}]}`)
}

func scan(code, kind, at, text string) string {
	return fmt.Sprintf(`{"codigo":%q,"tipo":%q,"dtHrCriado":%q,"descricao":%q,"unidade":{"tipo":"Agência"}}`, code, kind, at, text)
}

func TestParcelsAreRead(t *testing.T) {
	t.Parallel()
	object := code(1)
	answer := history(object,
		scan("BDE", "01", "2026-11-29T09:00:00", "Objeto entregue ao destinatário"),
		scan("OEC", "01", "2026-11-29T08:00:00", "Objeto saiu para entrega ao destinatário"),
		scan("RO", "01", "2026-11-28T08:00:00", "Objeto em transferência"),
		scan("PO", "01", "2026-11-27T08:00:00", "Objeto postado"))
	readings, err := poll.Read(poll.KindParcel, []string{object, code(2)}, answer)
	require.NoError(t, err)
	require.Len(t, readings, 1, "what was not asked for is not told")
	require.True(t, readings[object].Ended)
	var told []string
	for _, one := range readings[object].News {
		told = append(told, one.OccurredAt.Format(time.TimeOnly)+" "+one.Kind+" "+string(one.Fact)+" "+one.Status)
	}
	require.Equal(t, []string{
		"11:00:00 tracking.PO shipment.posted PO-01", "11:00:00 tracking.RO shipment.in_transit RO-01",
		"11:00:00 tracking.OEC shipment.in_transit OEC-01", "12:00:00 tracking.BDE shipment.delivered BDE-01",
	}, told, "in the order in which it happened, by Brasília's time")

	for _, test := range []struct {
		scan  string
		fact  events.Fact
		ended bool
	}{
		{scan("BDE", "23", "x", "Objeto devolvido ao remetente"), events.FactShipmentFailed, true},
		{scan("BDI", "09", "x", "Objeto não localizado"), events.FactShipmentFailed, true},
		{scan("BDE", "20", "x", "Carteiro não atendido"), events.FactShipmentUpdated, false},
		{scan("BDE", "", "x", "Objeto entregue ao remetente"), events.FactShipmentFailed, true},
		{scan("XYZ", "", "", ""), events.FactShipmentUpdated, false},
	} {
		readings, err = poll.Read(poll.KindParcel, []string{object}, history(object, test.scan))
		require.NoError(t, err)
		require.Equal(t, test.fact, readings[object].News[0].Fact, test.scan)
		require.Equal(t, test.ended, readings[object].Ended, test.scan)
	}
	readings, err = poll.Read(poll.KindParcel, []string{object}, []byte(`{"objetos":[{"codObjeto":"`+object+`","mensagem":"SRO-020: Objeto não encontrado"}]}`))
	require.NoError(t, err)
	require.Empty(t, readings[object].News)
	for _, junk := range []string{``, `[]`, `{}`, `{"objetos":"none"}`, `"<html>"`} {
		_, err = poll.Read(poll.KindParcel, []string{object}, []byte(junk))
		require.ErrorIs(t, err, poll.ErrUnreadable, junk)
	}
}

func TestDocumentsAreRead(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]events.Fact{
		"autorizado": events.FactInvoiceAuthorized, "autorizada": events.FactInvoiceAuthorized, "rejeitado": events.FactInvoiceRejected,
		"negada": events.FactInvoiceRejected, "denegado": events.FactInvoiceRejected, "cancelado": "",
	} {
		readings, err := poll.Read(poll.KindNFe, []string{"nfe_1"}, []byte(`{"id":"nfe_1","status":"`+status+`","autorizacao":{"data_recebimento":"2026-11-29T12:00:00Z"}}`))
		require.NoError(t, err)
		require.True(t, readings["nfe_1"].Ended, status)
		require.Len(t, readings["nfe_1"].News, 1)
		require.Equal(t, want, readings["nfe_1"].News[0].Fact)
		require.Equal(t, began, readings["nfe_1"].News[0].OccurredAt)
	}
	readings, err := poll.Read(poll.KindNFe, []string{"nfe_1"}, []byte(`{"id":"nfe_1","status":"processando"}`))
	require.NoError(t, err)
	require.Empty(t, readings["nfe_1"])
	_, err = poll.Read(poll.KindNFe, []string{"nfe_1"}, []byte(`{"id":"nfe_1"}`))
	require.ErrorIs(t, err, poll.ErrUnreadable)
}

// What is posted is read as what was found, by the same reader as every webhook.
func TestNewsAreWebhooks(t *testing.T) {
	t.Parallel()
	one := watch("acme", 1, began)
	readings, err := poll.Read(poll.KindParcel, []string{one.Object}, history(one.Object, scan("RO", "01", "2026-11-28T08:00:00", "Objeto em transferência")))
	require.NoError(t, err)
	news := readings[one.Object].News[0]
	sent, err := news.Webhook(one, "ca_1", began)
	require.NoError(t, err)
	require.Equal(t, news.ID(one, "ca_1"), sent.Event)
	parsed, err := events.ParseWebhook(sent.Message())
	require.NoError(t, err)
	event, err := webhook.Read(parsed.Server, parsed.Event, parsed.Body)
	require.NoError(t, err)
	require.Equal(t, webhook.Event{
		ID: sent.Event, Kind: "tracking.RO", Fact: events.FactShipmentInTransit, Object: one.Object, Status: "RO-01",
		OccurredAt: time.Date(2026, 11, 28, 11, 0, 0, 0, time.UTC),
	}, event)
	town, ok := webhook.Value(sent.Body, "data.detail.unidade.tipo")
	require.True(t, ok, "rules may ask for what the provider said")
	require.Equal(t, "Agência", town)

	other := one
	other.Tenant = "loja"
	ids := []string{news.ID(one, "ca_1"), news.ID(one, "ca_2"), news.ID(other, "ca_1")}
	slices.Sort(ids)
	require.Len(t, slices.Compact(ids), 3, "no tenant's event is another's")
}

// Whatever part of a history an answer shows, each scan is told once.
func TestEachScanIsToldOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var scans []string
		for i := range rapid.IntRange(1, 40).Draw(t, "scans") {
			scans = append(scans, scan("RO", fmt.Sprintf("%02d", i%7), began.Add(time.Duration(i/2)*time.Hour).Format("2006-01-02T15:04:05"), "x"))
		}
		slices.Reverse(scans)
		one := watch("acme", 1, began)
		told := map[string]int{}
		for range 6 {
			from := rapid.IntRange(0, len(scans)-1).Draw(t, "from")
			readings, err := poll.Read(poll.KindParcel, []string{one.Object}, history(one.Object, scans[from:]...))
			require.NoError(t, err)
			for _, news := range readings[one.Object].Unseen(one) {
				told[news.ID(one, "ca")]++
			}
			one = poll.Pauses{}.After(one, began, readings[one.Object])
			stored, err := json.Marshal(one)
			require.NoError(t, err)
			var again poll.Watch
			require.NoError(t, json.Unmarshal(stored, &again))
			one = again
		}
		for id, times := range told {
			require.Equal(t, 1, times, id)
		}
	})
}

// A watch is due within its kind's bounds, less and less often, and ends.
func TestPausesGrowAndEnd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]poll.Kind{poll.KindParcel, poll.KindNFe}).Draw(t, "kind")
		plan, _ := kind.Plan()
		one := poll.Pauses{}.New(parcels("acme"), poll.Found{Server: plan.Server, Kind: kind, Object: code(rapid.IntRange(0, 1e6).Draw(t, "n"))}, began)
		now, last, asked := began, time.Duration(0), 0
		for one.Ended == "" {
			pause := one.Due.Sub(now)
			require.GreaterOrEqual(t, pause, plan.First-plan.First/10)
			require.LessOrEqual(t, pause, plan.Longest+plan.Longest/10)
			require.GreaterOrEqual(t, pause, last*8/10, "pauses do not shrink but by their spread")
			now, last = one.Due, pause
			one = poll.Pauses{}.After(one, now, poll.Reading{})
			asked++
			require.Less(t, asked, 1000)
		}
		require.Equal(t, poll.EndingAge, one.Ended)
		require.WithinDuration(t, began.Add(plan.Age), now, plan.Longest+plan.Longest/5)
	})
}

func TestMissesHalveABatchAndPostponeIt(t *testing.T) {
	t.Parallel()
	s := poll.NewSchedule(poll.Pauses{})
	missed := watch("acme", 0, began)
	for range 3 {
		missed = poll.Pauses{First: time.Second}.Missed(missed, began)
	}
	require.Equal(t, 3, missed.Misses)
	require.GreaterOrEqual(t, missed.Due.Sub(began), 3*time.Minute)
	for n := range 20 {
		one := watch("acme", n, began)
		one.Misses, one.Due = 3, began
		s.Put(one, uint64(n+1))
	}
	require.Len(t, s.Batch(parcels("acme"), began), 6)
	require.Zero(t, poll.Pauses{}.After(missed, began, poll.Reading{}).Misses)
}

func TestBatchesHaveFiftyAtMost(t *testing.T) {
	t.Parallel()
	for count, want := range map[int][]int{1: {1}, 49: {49}, 50: {50}, 51: {50, 1}, 100: {50, 50}, 120: {50, 50, 20}} {
		s := poll.NewSchedule(poll.Pauses{})
		for n := range count {
			s.Put(watch("acme", n, began), uint64(n+1))
		}
		now := s.Next(began)
		require.False(t, now.IsZero())
		require.Empty(t, s.Due(now.Add(-time.Nanosecond)))
		var sizes []int
		for range 10 {
			batch := s.Batch(parcels("acme"), now)
			if len(batch) == 0 {
				break
			}
			sizes = append(sizes, len(batch))
			for _, one := range batch {
				s.Put(poll.Pauses{}.After(one.Watch, now, poll.Reading{}), one.Revision+1000)
			}
			now = now.Add(10 * time.Second) // what has become due meanwhile
			if next := s.Next(now); next.After(now) && next.Before(began.Add(12*time.Minute)) {
				now = next
			}
		}
		require.Equal(t, want, sizes, "what was made together is asked for together: %d", count)
	}
}

// The schedule agrees with a plain list of watches, whatever happens to them.
func TestScheduleIsALIst(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := poll.NewSchedule(poll.Pauses{})
		model := map[string]poll.Held{}
		holds := map[poll.Lane]poll.Hold{}
		revision := uint64(0)
		tenants := []events.TenantID{"acme", "loja"}
		now := began
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			revision++
			tenant := rapid.SampledFrom(tenants).Draw(t, "tenant")
			one := watch(tenant, rapid.IntRange(0, 60).Draw(t, "n"), began)
			one.Due = began.Add(time.Duration(rapid.IntRange(-10, 10).Draw(t, "due")) * time.Hour)
			switch rapid.SampledFrom([]string{"put", "put", "put", "old", "end", "drop", "hold"}).Draw(t, "what") {
			case "put":
				s.Put(one, revision)
				model[one.Key()] = poll.Held{Watch: one, Revision: revision}
			case "old":
				if _, known := model[one.Key()]; known {
					s.Put(one, 0)
				}
			case "end":
				one.Ended = poll.EndingStatus
				s.Put(one, revision)
				delete(model, one.Key())
			case "drop":
				s.Drop(one.Key(), revision)
				delete(model, one.Key())
			case "hold":
				hold := poll.Hold{NotBefore: began.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "until")) * time.Minute)}
				s.PutHold(one.Lane(), hold, revision)
				holds[one.Lane()] = hold
			}
		}
		require.Equal(t, len(model), s.Len())
		due := map[poll.Lane]int{}
		for _, one := range model {
			if !one.Due.After(now) && !holds[one.Lane()].Free().After(now) {
				due[one.Lane()]++
			}
		}
		lanes := s.Due(now)
		require.Len(t, lanes, len(due))
		for _, id := range lanes {
			batch := s.Batch(id, now)
			require.GreaterOrEqual(t, len(batch), min(due[id], 50), "all that is due, as far as there is room")
			require.LessOrEqual(t, len(batch), 50)
			seen := map[string]bool{}
			for _, one := range batch {
				require.False(t, seen[one.Key()])
				seen[one.Key()] = true
				require.Equal(t, id, one.Lane(), "no tenant's object is in another's batch")
				require.Equal(t, model[one.Key()].Revision, one.Revision)
			}
			s.Busy(id, true)
			require.NotContains(t, s.Due(now), id)
			s.Busy(id, false)
		}
	})
}

func TestFailuresBackOffWithinBounds(t *testing.T) {
	t.Parallel()
	hold, last := poll.Hold{}, time.Duration(0)
	for range 20 {
		hold = hold.Failed(parcels("acme"), began, 0)
		pause := hold.NotBefore.Sub(began)
		require.Greater(t, pause, last*9/10)
		require.LessOrEqual(t, pause, time.Hour+6*time.Minute)
		last = pause
	}
	require.Equal(t, 20, hold.Failures)
	require.Equal(t, began.Add(2*time.Hour), hold.Failed(parcels("acme"), began, 2*time.Hour).NotBefore, "the provider's own wish")
	require.Equal(t, began.Add(time.Minute), poll.Hold{Until: began.Add(time.Minute), NotBefore: began}.Free())
}
