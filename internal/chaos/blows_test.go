package chaos_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"
)

// act is what is done to a process.
type act string

const (
	actKill  act = "kill -9"
	actStart act = "start"
	actStop  act = "SIGSTOP"
	actCont  act = "SIGCONT"
)

// blow is one act on one process, at a moment after the storm's beginning.
type blow struct {
	at     time.Duration
	victim int
	act    act
}

// Times between the blows to one process, and how long it is down. A freeze may
// be longer than the scheduler's lease of 2 s; one in frozenLong of a worker is
// longer than a run's lease of 10 s too.
const (
	calm       = 5 * time.Second // mean
	downLeast  = 100 * time.Millisecond
	downMost   = 2 * time.Second
	frozeLeast = 200 * time.Millisecond
	frozeMost  = 6 * time.Second
	deepLeast  = 10500 * time.Millisecond
	deepMost   = 13 * time.Second
	frozenLong = 5
)

// blows makes a storm: from one seed always the same. Every process that is
// down is started again, every frozen one goes on, some after the storm's end.
func blows(seed uint64, length time.Duration, crew []string) []blow {
	var all []blow
	for victim, role := range crew {
		chance := rand.New(rand.NewPCG(seed, uint64(victim)))
		between := func(least, most time.Duration) time.Duration {
			return least + time.Duration(chance.Int64N(int64(most-least)))
		}
		for at := between(0, 2*calm); at < length; at += between(downLeast, 2*calm) {
			if chance.IntN(2) == 0 {
				all = append(all, blow{at, victim, actKill})
				at += between(downLeast, downMost)
				all = append(all, blow{at, victim, actStart})
				continue
			}
			all = append(all, blow{at, victim, actStop})
			if role == "worker" && chance.IntN(frozenLong) == 0 {
				at += between(deepLeast, deepMost)
			} else {
				at += between(frozeLeast, frozeMost)
			}
			all = append(all, blow{at, victim, actCont})
		}
	}
	slices.SortStableFunc(all, func(a, b blow) int { return cmp.Compare(a.at, b.at) })
	return all
}
