package upkeep_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/lifecycle/lifecycletest"
	"github.com/feira-dev/feira/internal/poll"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/upkeep"
)

// A parcel moves, with two replicas looking: each of its scans is told once, and
// when it is delivered nobody asks for it any more.
func TestAParcelsWayIsToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, known := newWorld("acme"), newShelf()
		for range 2 {
			part := w.replica(t, known, known, func(config *upkeep.PollsConfig) { config.Look = time.Minute })
			defer func() { require.NoError(t, part.Stop(context.Background())) }() //nolint:usetesting // t's is over by then
		}
		w.registers(t, known, "acme", code(1))
		for _, one := range []string{"PO", "RO", "OEC", "BDE"} {
			<-time.After(12 * time.Hour)
			w.moves(code(1), one)
		}
		<-time.After(12 * time.Hour)
		w.mu.Lock()
		w.scans[code(1)][0] = `{"codigo":"BDE","tipo":"01","dtHrCriado":"2026-01-01T00:00:00","descricao":"Objeto entregue ao destinatário"}`
		w.mu.Unlock()
		require.Equal(t, map[string]int{
			"shipment.posted PO-01": 1, "shipment.in_transit RO-01": 1, "shipment.in_transit OEC-01": 1, "shipment.delivered BDE-01": 1,
		}, w.facts(code(1)))
		for event, times := range w.posts() {
			require.Equal(t, 1, times, event)
		}
		require.Equal(t, poll.EndingStatus, known.watch(t, key("acme", code(1))).Ended)
		asked := len(w.questions())
		require.Less(t, asked, 100, "pauses grow")
		w.registers(t, known, "acme", code(1))
		<-time.After(30 * 24 * time.Hour)
		require.Len(t, w.questions(), asked, "what has ended is not asked for, though its call is told again")
	})
}

// So many objects are so many requests, each of fifty at most.
func TestParcelsAreAskedForByFifties(t *testing.T) {
	t.Parallel()
	for count, want := range map[int]int{49: 1, 50: 1, 51: 2, 120: 3} {
		t.Run(strconv.Itoa(count), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, known := newWorld("acme"), newShelf()
				var codes []string
				for n := range count {
					codes = append(codes, code(n))
				}
				w.registers(t, known, "acme", codes...)
				first := w.replica(t, known, known, nil)
				second := w.replica(t, known, known, nil)
				<-time.After(12 * time.Minute)
				questions := w.questions()
				require.Len(t, questions, want)
				seen := map[string]int{}
				for i, question := range questions {
					require.Equal(t, "track_bulk", question.Tool)
					require.LessOrEqual(t, len(question.objects), 50)
					if i > 0 {
						require.GreaterOrEqual(t, question.at-questions[i-1].at, time.Second, "the rest of the limit is the agents'")
					}
					for _, object := range question.objects {
						seen[object]++
					}
				}
				require.Len(t, seen, count)
				for object, times := range seen {
					require.Equal(t, 1, times, object)
				}
				require.NoError(t, first.Stop(t.Context()))
				require.NoError(t, second.Stop(t.Context()))
			})
		})
	}
}

// A replica dies at any of its steps: between claim and question, question and
// post, post and post, post and record. Another goes on when the lease is over,
// nothing is lost and nothing counts twice.
func TestAReplicaThatDiesCostsNothing(t *testing.T) {
	t.Parallel()
	for step := range 6 {
		t.Run("step "+strconv.Itoa(step), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, known := newWorld("acme"), newShelf()
				w.registers(t, known, "acme", code(1))
				w.moves(code(1), "PO")
				w.moves(code(1), "RO")
				dead := &mortal{world: w, shelf: known, left: step}
				first := w.replica(t, dead, known, func(config *upkeep.PollsConfig) { config.Asker, config.Post = dead, dead })
				<-time.After(12 * time.Minute)
				require.True(t, dead.died(), "it lives on")
				second := w.replica(t, known, known, nil)
				<-time.After(15 * time.Minute)
				require.Equal(t, map[string]int{"shipment.posted PO-01": 1, "shipment.in_transit RO-01": 1}, w.facts(code(1)))
				require.Len(t, known.watch(t, key("acme", code(1))).Seen, 2)
				require.NoError(t, second.Stop(t.Context()))
				_ = first.Stop(t.Context())
			})
		})
	}
}

// While one replica waits for an answer, no other asks for the same tenant.
func TestOneReplicaAsksAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, known := newWorld("acme"), newShelf()
		var codes []string
		for n := range 60 {
			codes = append(codes, code(n))
			w.moves(code(n), "RO")
		}
		w.registers(t, known, "acme", codes...)
		w.answer = func(context.Context, upkeep.Question) (upkeep.Answer, bool) {
			<-time.After(25 * time.Second)
			return upkeep.Answer{}, false
		}
		for range 3 {
			part := w.replica(t, known, known, nil)
			defer func() { require.NoError(t, part.Stop(context.Background())) }() //nolint:usetesting // t's is over by then
		}
		<-time.After(14 * time.Minute)
		require.Zero(t, w.overlapped())
		require.Len(t, w.questions(), 2)
		for event, times := range w.posts() {
			require.Equal(t, 1, times, event)
		}
	})
}

// mortal does so many steps, and then none: not even an error comes back from it
// before its process is given up.
type mortal struct {
	*world
	shelf *shelf

	mu   sync.Mutex
	left int
	dead bool
}

func (m *mortal) died() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

// step does what is done, and dies after the last of its steps before its answer
// comes back.
func (m *mortal) step(ctx context.Context, do func()) {
	m.mu.Lock()
	dead := m.dead
	m.left--
	m.dead = m.dead || m.left < 0
	last := m.dead
	m.mu.Unlock()
	if !dead {
		do()
	}
	if last {
		<-ctx.Done()
	}
}

func (m *mortal) Load(ctx context.Context, key string) ([]byte, uint64, error) {
	return m.shelf.Load(ctx, key)
}

func (m *mortal) Save(ctx context.Context, key string, value []byte, revision uint64) (saved uint64, err error) {
	err = errBoom
	m.step(ctx, func() { saved, err = m.shelf.Save(ctx, key, value, revision) })
	return saved, err
}

func (m *mortal) Ask(ctx context.Context, question upkeep.Question) (answer upkeep.Answer) {
	answer.State = upkeep.AnswerAway
	m.step(ctx, func() { answer = m.world.Ask(ctx, question) })
	return answer
}

func (m *mortal) Publish(ctx context.Context, webhook events.Webhook) (err error) {
	err = errBoom
	m.step(ctx, func() { err = m.world.Publish(ctx, webhook) })
	return err
}

// What the provider asks is heeded, for the tenant whom it asked and nobody else.
func TestALimitHoldsUpOneConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, known := newWorld("acme", "loja"), newShelf()
		w.registers(t, known, "acme", code(1))
		w.registers(t, known, "loja", code(2))
		w.answer = func(_ context.Context, question upkeep.Question) (upkeep.Answer, bool) {
			return upkeep.Answer{State: upkeep.AnswerLimited, Again: 3 * time.Hour}, question.Tenant == "acme"
		}
		part := w.replica(t, known, known, nil)
		<-time.After(170 * time.Minute)
		counts := map[events.TenantID]int{}
		for _, one := range w.questions() {
			counts[one.Tenant]++
		}
		require.Equal(t, 1, counts["acme"])
		require.Greater(t, counts["loja"], 5)
		require.NoError(t, part.Stop(t.Context()))

		again := w.replica(t, known, known, nil) // the pause outlives the process
		w.mu.Lock()
		w.answer = nil
		w.mu.Unlock()
		w.moves(code(1), "RO")
		<-time.After(15 * time.Minute)
		require.Empty(t, w.facts(code(1)))
		<-time.After(20 * time.Minute)
		require.Equal(t, map[string]int{"shipment.in_transit RO-01": 1}, w.facts(code(1)))
		require.NoError(t, again.Stop(t.Context()))
	})
}

// A server that never answers holds up neither another server nor, while there
// are slots, another tenant.
func TestASilentServerHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, known := newWorld("loja"), newShelf()
		for n := range 40 {
			id := tenant.ID(fmt.Sprintf("t-%02d", n))
			w.amend(id, func(customer *tenant.Tenant) { *customer = w.tenants["loja"]; customer.ID = id })
			w.registers(t, known, id, code(n))
		}
		w.registers(t, known, "loja", code(99), "nfe_1")
		w.becomes("nfe_1", "autorizado")
		w.answer = func(ctx context.Context, question upkeep.Question) (upkeep.Answer, bool) {
			if question.Server != "correios" || question.Tenant == "loja" {
				return upkeep.Answer{}, false
			}
			select {
			case <-ctx.Done():
			case <-time.After(30 * time.Second):
			}
			return upkeep.Answer{State: upkeep.AnswerAway}, true
		}
		w.moves(code(99), "RO")
		part := w.replica(t, known, known, nil)
		<-time.After(time.Minute)
		require.Equal(t, map[string]int{"invoice.authorized autorizado": 1}, w.facts("nfe_1"))
		<-time.After(13 * time.Minute)
		require.Equal(t, map[string]int{"shipment.in_transit RO-01": 1}, w.facts(code(99)))
		require.Zero(t, w.overlapped())
		before := len(w.questions())
		<-time.After(24 * time.Hour)
		require.Less(t, len(w.questions())-before, 41*40, "who does not answer is asked ever less")
		require.NoError(t, part.Stop(t.Context()))
	})
}

// All slots of a server that does not answer are taken, and another server's are
// free.
func TestSlotsAreOfOneServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, known := newWorld("acme", "loja", "third"), newShelf()
		for n, id := range []events.TenantID{"acme", "loja", "third"} {
			w.registers(t, known, id, code(n))
		}
		w.answer = func(ctx context.Context, question upkeep.Question) (upkeep.Answer, bool) {
			if question.Server == "correios" {
				<-ctx.Done() // until the lease is over
			}
			return upkeep.Answer{State: upkeep.AnswerAway}, question.Server == "correios"
		}
		part := w.replica(t, known, known, func(config *upkeep.PollsConfig) { config.Slots = 2 })
		<-time.After(11*time.Minute + 30*time.Second)
		require.Len(t, w.questions(), 2, "both slots are taken")
		w.registers(t, known, "acme", "nfe_1")
		w.becomes("nfe_1", "rejeitado")
		<-time.After(40 * time.Second)
		require.Equal(t, map[string]int{"invoice.rejected rejeitado": 1}, w.facts("nfe_1"))
		_ = part.Stop(t.Context())
	})
}

// Nobody is asked for a tenant that is paused, has lost the server, has no
// credential or is deleted; who comes back is looked after again.
func TestOnlyServedTenantsArePolled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, known := newWorld("acme", "gone", "other", "moved"), newShelf()
		for n, id := range []events.TenantID{"acme", "gone", "other", "moved"} {
			w.registers(t, known, id, code(n))
			w.moves(code(n), "RO")
		}
		w.amend("acme", func(customer *tenant.Tenant) { customer.Paused = true })
		w.amend("other", func(customer *tenant.Tenant) { customer.Servers = []string{"stripe"} })
		w.amend("moved", func(customer *tenant.Tenant) { customer.Environment = events.EnvironmentLive })
		delete(w.tenants, "gone")
		part := w.replica(t, known, known, nil)
		<-time.After(2 * time.Hour)
		require.Empty(t, w.questions())
		require.Equal(t, poll.EndingTenant, known.watch(t, key("gone", code(1))).Ended)
		w.amend("acme", func(customer *tenant.Tenant) { customer.Paused = false })
		<-time.After(11 * time.Minute)
		require.Equal(t, map[string]int{"shipment.in_transit RO-01": 1}, w.facts(code(0)))
		require.Empty(t, w.facts(code(2)))
		require.NoError(t, part.Stop(t.Context()))
	})
}

// One object that the provider refuses is found by halves, and the others of its
// batch are looked after.
func TestOnePoisonedObjectSpoilsNoBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, known := newWorld("acme"), newShelf()
		var codes []string
		for n := range 50 {
			codes = append(codes, code(n))
			w.moves(code(n), "RO")
		}
		w.registers(t, known, "acme", codes...)
		w.answer = func(_ context.Context, question upkeep.Question) (upkeep.Answer, bool) {
			return upkeep.Answer{State: upkeep.AnswerRefused}, contains(w.questions(), code(7))
		}
		part := w.replica(t, known, known, nil)
		<-time.After(24 * time.Hour)
		for n := range 50 {
			if n != 7 {
				require.NotEmpty(t, w.facts(code(n)), n)
			}
		}
		require.Empty(t, w.facts(code(7)))
		require.GreaterOrEqual(t, known.watch(t, key("acme", code(7))).Misses, 6)
		require.NoError(t, part.Stop(t.Context()))
	})
}

// contains reports whether the last question is about an object.
func contains(all []asked, object string) bool {
	return slices.Contains(all[len(all)-1].objects, object)
}

// What cannot be posted is found again, and keeps back no other object.
func TestWhatIsNotPostedIsFoundAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, known := newWorld("acme"), newShelf()
		w.registers(t, known, "acme", code(1), code(2))
		w.moves(code(1), "RO")
		w.moves(code(2), "RO")
		var refused int
		w.refuse = func(events.Webhook) error {
			if refused++; refused == 1 {
				return errBoom
			}
			return nil
		}
		part := w.replica(t, known, known, nil)
		<-time.After(15 * time.Minute)
		for n := 1; n <= 2; n++ {
			require.Equal(t, map[string]int{"shipment.in_transit RO-01": 1}, w.facts(code(n)))
		}
		require.NoError(t, part.Stop(t.Context()))
	})
}

// The broker is away for a day, a record ages out, and junk lies in the bucket.
func TestABucketInTroubleIsSurvived(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, known := newWorld("acme"), newShelf()
		w.registers(t, known, "acme", code(1), code(2))
		for _, junk := range []string{"object.x", "lane.x", "lane.a.b.c.d", key("acme", code(3))} {
			_, err := known.Save(t.Context(), junk, []byte("{not json"), 0)
			require.NoError(t, err)
		}
		known.mu.Lock()
		known.down = true
		known.mu.Unlock()
		part := w.replica(t, known, known, nil)
		<-time.After(24 * time.Hour)
		require.Empty(t, w.questions(), "who cannot write down that it asks does not ask")
		// All of it while nobody asks: a look may be under way at this very instant.
		known.ageOut(key("acme", code(2)))
		w.moves(code(1), "RO")
		known.mu.Lock()
		known.down = false
		known.mu.Unlock()
		<-time.After(time.Minute)
		require.NotEmpty(t, w.facts(code(1)))
		_, revision, err := known.Load(t.Context(), key("acme", code(2)))
		require.NoError(t, err)
		require.Zero(t, revision, "what aged out is not written again")
		known.ageOut(events.KeyPollLane("acme", "correios", events.EnvironmentTest))
		w.moves(code(1), "OEC")
		<-time.After(24 * time.Hour)
		require.Len(t, w.facts(code(1)), 2, "a lane without a record gets a new one")
		require.NoError(t, part.Stop(t.Context()))
	})
}

func TestPollsConfigNamesItsFaults(t *testing.T) {
	t.Parallel()
	_, err := upkeep.NewPolls(upkeep.PollsConfig{Look: -1, Lease: -1, Rest: -1, Pace: -1, Slots: -1, Batches: -1, Pauses: poll.Pauses{First: -1}})
	for _, field := range []string{"ID", "Records", "Follower", "Tenants", "Asker", "Post", "Connection", "Look", "Lease", "Rest", "Pace", "Pauses.First", "Slots", "Batches"} {
		require.ErrorContains(t, err, "upkeep: polls: "+field)
	}
	_, err = upkeep.NewLookout(upkeep.LookoutConfig{})
	require.ErrorContains(t, err, "upkeep: lookout: Records is missing")
	require.ErrorContains(t, err, "upkeep: lookout: Tenants is missing")
}

// It counts goroutines, which those of others would disturb: it is not parallel.
func TestPollsLiveAsPartsDo(t *testing.T) {
	lifecycletest.Stress(t, func() lifecycle.Part {
		w, known := newWorld("acme"), newShelf()
		part, err := upkeep.NewPolls(upkeep.PollsConfig{
			ID: "upk", Records: known, Follower: known, Tenants: w, Asker: w, Post: w, Connection: connection,
		})
		require.NoError(t, err)
		return part
	})
}
