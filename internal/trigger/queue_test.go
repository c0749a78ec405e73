package trigger_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
)

func queue(t require.TestingT, config trigger.QueueConfig) *trigger.Queue {
	made, err := trigger.NewQueue(config)
	require.NoError(t, err)
	return made
}

func key(tenant, id int) trigger.Key {
	return trigger.Key{Tenant: events.TenantID(fmt.Sprint("t", tenant)), Trigger: events.TriggerID(fmt.Sprint("trg_", tenant, "x", id))}
}

func item(of trigger.Key, lane int, sequence uint64, at time.Time) trigger.Item {
	return trigger.Item{Key: of, Lane: events.Lane(strconv.Itoa(lane)), Sequence: sequence, Accepted: at}
}

// TestTheQueueKeepsItsPromises runs it against random endpoints and a clock that
// jumps: one at a time and in order in each lane, within every cap, nothing lost,
// and no time at which it sleeps although something could be told.
func TestTheQueueKeepsItsPromises(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		config := trigger.QueueConfig{
			Slots: rapid.IntRange(1, 12).Draw(t, "slots"), PerTenant: rapid.IntRange(1, 6).Draw(t, "per tenant"),
			PerTrigger: rapid.IntRange(1, 3).Draw(t, "per trigger"), Suspects: rapid.IntRange(1, 4).Draw(t, "suspects"),
			DownAfter: rapid.IntRange(1, 4).Draw(t, "down after"), ProbeEvery: time.Minute,
		}
		q, now := queue(t, config), born
		type lane struct {
			key  trigger.Key
			lane events.Lane
		}
		waiting := map[lane][]uint64{}
		busy := map[uint64]trigger.Item{}
		sequence := uint64(0)
		pending := 0
		begin := func() bool {
			began, ok := q.Next(now)
			if !ok {
				return false
			}
			at := lane{began.Key, began.Lane}
			require.Equal(t, waiting[at][0], began.Sequence, "out of order")
			tenants, triggers := 1, 1
			for _, other := range busy {
				require.NotEqual(t, lane{other.Key, other.Lane}, at, "two of an object at a time")
				if other.Key.Tenant == began.Key.Tenant {
					tenants++
				}
				if other.Key == began.Key {
					triggers++
				}
			}
			busy[began.Sequence] = began
			require.LessOrEqual(t, len(busy), config.Slots)
			require.LessOrEqual(t, tenants, config.PerTenant)
			require.LessOrEqual(t, triggers, config.PerTrigger)
			return true
		}
		end := func(result trigger.Result) {
			for _, ended := range busy {
				q.Done(ended.Sequence, result, now)
				delete(busy, ended.Sequence)
				if result.Gone {
					at := lane{ended.Key, ended.Lane}
					waiting[at] = waiting[at][1:]
					pending--
				}
				return
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				sequence++
				added := item(key(rapid.IntRange(0, 3).Draw(t, "tenant"), rapid.IntRange(0, 2).Draw(t, "trigger")), rapid.IntRange(0, 2).Draw(t, "lane"), sequence, now)
				q.Add(added, now)
				at := lane{added.Key, added.Lane}
				waiting[at] = append(waiting[at], sequence)
				pending++
			},
			"begin":   func(*rapid.T) { begin() },
			"deliver": func(*rapid.T) { end(trigger.Result{Gone: true, Attempted: true, Healthy: true}) },
			"fail": func(t *rapid.T) {
				end(trigger.Result{Attempted: true, Again: now.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "again")) * time.Second)})
			},
			"hold": func(*rapid.T) {
				end(trigger.Result{Attempted: true, Again: now.Add(time.Second), Hold: now.Add(time.Minute)})
			},
			"bury":   func(*rapid.T) { end(trigger.Result{Gone: true, Attempted: true}) },
			"return": func(*rapid.T) { end(trigger.Result{}) },
			"pause": func(t *rapid.T) {
				q.Pause(key(rapid.IntRange(0, 3).Draw(t, "tenant"), rapid.IntRange(0, 2).Draw(t, "trigger")), rapid.Bool().Draw(t, "paused"), now)
			},
			"drop": func(t *rapid.T) {
				of := key(rapid.IntRange(0, 3).Draw(t, "tenant"), rapid.IntRange(0, 2).Draw(t, "trigger"))
				dropped := map[uint64]bool{}
				for _, item := range q.Drop(of) {
					dropped[item.Sequence] = true
				}
				for at, queued := range waiting {
					if at.key != of {
						continue
					}
					for _, sequence := range queued {
						pending--
						if _, ok := busy[sequence]; ok {
							q.Done(sequence, trigger.Result{Gone: true}, now)
							delete(busy, sequence)
							continue
						}
						require.True(t, dropped[sequence], "lost in a drop")
					}
					delete(waiting, at)
				}
			},
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "seconds")) * time.Second)
			},
			"": func(t *rapid.T) {
				require.Equal(t, pending, q.Pending(trigger.Key{}))
				require.Equal(t, len(busy), q.Inflight())
			},
		})
		for tenant := range 4 {
			for id := range 3 {
				q.Pause(key(tenant, id), false, now)
			}
		}
		for pending > 0 {
			for begin() {
			}
			if len(busy) > 0 {
				end(trigger.Result{Gone: true, Attempted: true, Healthy: true})
				continue
			}
			due, ok := q.Due()
			require.True(t, ok, "%d deliveries wait and nothing wakes them", pending)
			require.True(t, due.After(now), "it wakes at once, and for nothing")
			now = due
		}
	})
}

// TestADeadTriggerKeepsOneSlotAMinute, whatever waits for it, and all that waits
// is told at once when the endpoint is there again.
func TestADeadTriggerKeepsOneSlotAMinute(t *testing.T) {
	t.Parallel()
	q, now := queue(t, trigger.QueueConfig{Slots: 16, PerTenant: 16}), born
	for n := range 100 {
		q.Add(item(key(0, 0), n, uint64(n+1), now), now)
	}
	tried := 0
	for range 60 {
		for {
			began, ok := q.Next(now)
			if !ok {
				break
			}
			tried++
			q.Done(began.Sequence, trigger.Result{Attempted: true, Again: now.Add(time.Hour)}, now)
		}
		now = now.Add(time.Minute)
	}
	require.Equal(t, trigger.DefaultDownAfter+59, tried)
	require.Equal(t, 1, q.Down())

	began, ok := q.Next(now)
	require.True(t, ok)
	_, ok = q.Next(now)
	require.False(t, ok)
	q.Done(began.Sequence, trigger.Result{Gone: true, Attempted: true, Healthy: true}, now)
	told := 1
	for {
		began, ok := q.Next(now)
		if !ok {
			break
		}
		told++
		q.Done(began.Sequence, trigger.Result{Gone: true, Attempted: true, Healthy: true}, now)
	}
	require.Equal(t, 100, told)
	require.Zero(t, q.Pending(trigger.Key{}))
	require.Zero(t, q.Down())
}

// TestDeadEndpointsLeaveSlotsToTheLiving: a hundred tenants' endpoints hang, and
// one that lives finds a slot at once.
func TestDeadEndpointsLeaveSlotsToTheLiving(t *testing.T) {
	t.Parallel()
	q, now := queue(t, trigger.QueueConfig{Slots: 16, Suspects: 4}), born
	sequence := uint64(0)
	add := func(tenant int) {
		sequence++
		q.Add(item(key(tenant, 0), int(sequence), sequence, now), now)
	}
	for tenant := range 100 {
		for range 3 {
			add(tenant)
		}
	}
	var hanging []trigger.Item
	for {
		began, ok := q.Next(now)
		if !ok {
			break
		}
		hanging = append(hanging, began)
	}
	for range 150 { // all have failed once
		now = now.Add(trigger.Timeout)
		for _, item := range hanging {
			q.Done(item.Sequence, trigger.Result{Attempted: true, Again: now.Add(time.Second)}, now)
		}
		hanging = nil
		for {
			began, ok := q.Next(now)
			if !ok {
				break
			}
			hanging = append(hanging, began)
		}
	}
	require.LessOrEqual(t, len(hanging), 4)
	add(1000)
	began, ok := q.Next(now)
	require.True(t, ok)
	require.Equal(t, key(1000, 0), began.Key)
}

func TestWhatHasNoProspectExpires(t *testing.T) {
	t.Parallel()
	q, now := queue(t, trigger.QueueConfig{DownAfter: 1}), born
	for n := range uint64(4) {
		q.Add(item(key(0, 0), int(n%2), n+1, now.Add(time.Duration(n)*time.Hour)), now)
		q.Add(item(key(1, 0), int(n%2), n+11, now.Add(time.Duration(n)*time.Hour)), now)
		q.Add(item(key(2, 0), int(n%2), n+21, now.Add(time.Duration(n)*time.Hour)), now)
	}
	q.Pause(key(1, 0), true, now)
	for {
		began, ok := q.Next(now)
		if !ok {
			break
		}
		healthy := began.Key == key(2, 0)
		q.Done(began.Sequence, trigger.Result{Attempted: true, Healthy: healthy, Again: now.Add(time.Hour)}, now)
	}
	var expired []uint64
	for _, item := range q.Expired(born.Add(2*time.Hour + time.Minute)) {
		expired = append(expired, item.Sequence)
	}
	require.Equal(t, []uint64{1, 2, 3, 11, 12, 13}, expired)
	require.Equal(t, 6, q.Pending(trigger.Key{}))
}

func TestQueuesOfNegativeSizeAreRefused(t *testing.T) {
	t.Parallel()
	_, err := trigger.NewQueue(trigger.QueueConfig{Slots: -1})
	require.Error(t, err)
}
