package triggers_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/trigger"
)

func objectOf(body []byte) string {
	var read struct {
		Object string `json:"object"`
	}
	_ = json.Unmarshal(body, &read)
	return read.Object
}

func TestFactsFanOutToTheirTenantsTriggersAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		h.open(t, "acme", "one")
		h.open(t, "acme", "two")
		h.open(t, "loja", "three")
		stopped := h.open(t, "acme", "four")
		stopped.Status = trigger.StatusStopped
		h.put(stopped)
		forged := saying(t, "loja", 1, 1)
		forged.Subject = events.SessionSubject("acme", "ses_1") // the subject is the broker's word, the headers anybody's
		broken := saying(t, "acme", 1, 2)
		broken.Data = []byte("{")
		started, err := events.Encode(events.SessionSubject("acme", "ses_1"), events.Envelope{
			ID: "turn/0", Source: events.SessionSource("acme", "ses_1"), Time: time.Now(), Tenant: "acme", Session: "ses_1", Request: "req_1",
		}, &events.TurnStarted{RequestSequence: 1, Attempt: 1, Kind: events.KindTurn})
		require.NoError(t, err)
		h.write(saying(t, "acme", 1, 3), started, saying(t, "other", 1, 4), forged, broken)
		defer startFan(t, h.fan("a", newSeat()))()
		pass(time.Second)
		require.Equal(t, map[events.Lane][]string{events.LaneOf("ses_1"): {"3", "3"}}, h.stored(t))
		for _, message := range h.kept {
			tenant, _, _, err := events.SubjectTrigger(message.Subject)
			require.NoError(t, err)
			require.Equal(t, events.TenantID("acme"), tenant)
		}
		require.ElementsMatch(t, []uint64{1, 4, 5}, h.read, "what nobody hears of is not read")
		require.Equal(t, uint64(5), h.cursor(), "and it is done")
	})
}

// The broker stores any part of a wave and refuses the rest, again and again:
// what is about one object stands in order all the same, and all of it once.
func TestWhatIsStoredInPartStandsInOrder(t *testing.T) {
	t.Parallel()
	const sessions, facts = 7, 300
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		chance := rand.New(rand.NewPCG(1, 2))
		h.refuse = func(int) bool { return chance.IntN(5) == 0 }
		h.open(t, "acme", "one")
		want := map[events.Lane][]string{}
		for n := range facts {
			session := chance.IntN(sessions)
			h.write(saying(t, "acme", session, n))
			lane := events.LaneOf(fmt.Sprint("ses_", session))
			want[lane] = append(want[lane], strconv.Itoa(n))
		}
		defer startFan(t, h.fan("a", newSeat()))()
		pass(10 * time.Minute)
		require.Equal(t, want, h.stored(t))
		require.Equal(t, uint64(facts), h.cursor())
	})
}

// The cursor never says that a fact is done whose delivery is not stored, and a
// stop leaves nothing for the next to tell again.
func TestTheCursorFollowsWhatIsStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		h.open(t, "acme", "one")
		away := true
		h.refuse = func(int) bool { return away }
		h.write(saying(t, "acme", 1, 1), saying(t, "acme", 1, 2))
		stop := startFan(t, h.fan("a", newSeat()))
		pass(time.Minute)
		require.Zero(t, h.cursor())
		stop()
		require.Zero(t, h.cursor(), "also at a stop")
		away = false
		stop = startFan(t, h.fan("b", newSeat()))
		pass(time.Minute)
		require.Equal(t, uint64(2), h.cursor())
		h.write(saying(t, "other", 1, 3))
		pass(0)
		stop()
		require.Equal(t, uint64(3), h.cursor(), "what nobody hears of is done too")
		h.read = nil
		defer startFan(t, h.fan("c", newSeat()))()
		pass(time.Minute)
		require.Empty(t, h.read)
		require.Equal(t, map[events.Lane][]string{events.LaneOf("ses_1"): {"1", "2"}}, h.stored(t))
	})
}

// A process that was frozen in the middle of a batch, while another went on,
// cannot take the cursor back, nor store what it still had in its hands.
func TestAFrozenFanIsFenced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		h.open(t, "acme", "one")
		frozen, thaw := true, make(chan struct{})
		h.storing = func() {
			if frozen {
				frozen = false
				<-thaw
			}
		}
		h.write(saying(t, "acme", 1, 1), saying(t, "acme", 1, 2)) // one wave after the other
		old := newSeat()
		held := true
		old.valid = func() bool { return held }
		stop := startFan(t, h.fan("old", old))
		pass(time.Second)
		defer startFan(t, h.fan("new", newSeat()))()
		pass(time.Second)
		h.write(saying(t, "acme", 1, 3))
		pass(time.Second)
		require.Equal(t, uint64(3), h.cursor())
		h.ids = map[string]bool{} // it was frozen for longer than the broker remembers
		held = false
		close(thaw)
		pass(100 * time.Millisecond)
		require.Equal(t, []string{"1", "2", "3", "1"}, h.stored(t)[events.LaneOf("ses_1")], "no more than the wave under way")
		stop()
		require.Equal(t, uint64(3), h.cursor())
	})
}

// Of two that both take themselves for the holder, the one that came last has
// the cursor, and the other notices at its next word.
func TestTakingOverTakesTheCursor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall(t)
		gone := h.open(t, "acme", "one")
		stop := startFan(t, h.fan("old", newSeat()))
		defer stop()
		pass(time.Second)
		before := h.revision
		startFan(t, h.fan("new", newSeat()))() // takes over, and tells nothing
		require.Greater(t, h.revision, before)
		h.write(saying(t, "acme", 1, 1))
		pass(100 * time.Millisecond)
		require.Zero(t, h.cursor(), "the old one cannot move what is another's")
		pass(time.Minute)
		require.Equal(t, uint64(1), h.cursor(), "until it has taken over in its turn")
		require.Len(t, h.kept, 1)
		h.drop(key(gone))
	})
}
