package natskv_test

import (
	"crypto/sha256"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/natskv"
)

func (b *bench) replies(t *testing.T, claim time.Duration) *natskv.Replies {
	t.Helper()
	replies, err := b.client(t, "").Replies(t.Context(), natskv.RepliesConfig{Claim: claim})
	require.NoError(t, err)
	return replies
}

func asked(key, body string) natskv.BeginParams {
	return natskv.BeginParams{Scope: "key_1 POST /v1/sessions", Key: key, Body: sha256.Sum256([]byte(body))}
}

func begin(t *testing.T, replies *natskv.Replies, params natskv.BeginParams, want natskv.ReplyState) natskv.Beginning {
	t.Helper()
	begun, err := replies.Begin(t.Context(), params)
	require.NoError(t, err)
	require.Equal(t, want, begun.State)
	require.Equal(t, want == natskv.ReplyFresh, begun.Claim != nil)
	return begun
}

func TestRepliesAreGivenAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	here, there := b.replies(t, 0), b.replies(t, 0)
	claim := begin(t, here, asked("k", "body"), natskv.ReplyFresh).Claim
	for _, replies := range []*natskv.Replies{here, there} {
		begin(t, replies, asked("k", "body"), natskv.ReplyInProgress)
		begin(t, replies, asked("k", "other body"), natskv.ReplyConflict)
	}
	reply := natskv.Reply{Status: 201, Header: map[string][]string{"Content-Type": {"application/json"}, "X": {"1", "2"}}, Body: []byte(`{"id":"ses_1"}`)}
	require.NoError(t, claim.Finish(t.Context(), reply))
	for _, replies := range []*natskv.Replies{here, there} {
		require.Empty(t, cmp.Diff(reply, begin(t, replies, asked("k", "body"), natskv.ReplyDone).Reply))
		begin(t, replies, asked("k", "other body"), natskv.ReplyConflict)
	}
	// What is alike and not the same is another one.
	begin(t, here, asked("K", "body"), natskv.ReplyFresh)
	other := asked("k", "body")
	other.Scope, other.Key = other.Scope[:len(other.Scope)-1], "sk"
	begin(t, here, other, natskv.ReplyFresh)
	stream, err := b.js.Stream(t.Context(), "KV_"+events.BucketReplies)
	require.NoError(t, err)
	require.Equal(t, events.RepliesAge, stream.CachedInfo().Config.MaxAge)
}

// Of those who begin at one time, on several gateways, one gets the claim.
func TestRepliesHaveOneWinner(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gateways := []*natskv.Replies{b.replies(t, 0), b.replies(t, 0), b.replies(t, 0)}
	for round := range 20 {
		params := asked(strings.Repeat("k", round+1), "body")
		var racers sync.WaitGroup
		var mu sync.Mutex
		states := map[natskv.ReplyState]int{}
		for i := range 9 {
			racers.Go(func() {
				begun, err := gateways[i%3].Begin(t.Context(), params)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Errorf("beginning: %v", err)
				}
				states[begun.State]++
			})
		}
		racers.Wait()
		require.Equal(t, map[natskv.ReplyState]int{natskv.ReplyFresh: 1, natskv.ReplyInProgress: 8}, states)
	}
}

// Whoever dies with a claim blocks the key for a while, and has no say when he
// turns out to be alive.
func TestClaimsRunOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	replies := b.replies(t, time.Second)
	first := begin(t, replies, asked("k", "body"), natskv.ReplyFresh).Claim
	begun := time.Now()
	var second natskv.Beginning
	require.Eventually(t, func() bool {
		var err error
		second, err = replies.Begin(t.Context(), asked("k", "body"))
		return err == nil && second.State == natskv.ReplyFresh
	}, patience, poll)
	require.GreaterOrEqual(t, time.Since(begun), 900*time.Millisecond)

	require.ErrorIs(t, first.Finish(t.Context(), natskv.Reply{Status: 200}), natskv.ErrClaimLost)
	require.ErrorIs(t, first.Extend(t.Context()), natskv.ErrClaimLost)
	require.ErrorIs(t, first.Abandon(t.Context()), natskv.ErrClaimLost)
	require.NoError(t, second.Claim.Finish(t.Context(), natskv.Reply{Status: 202}))
	require.Equal(t, 202, begin(t, replies, asked("k", "body"), natskv.ReplyDone).Reply.Status)

	// An answer outlives the claim's time; so does a claim that is extended.
	third := begin(t, replies, asked("long", "body"), natskv.ReplyFresh).Claim
	for begun := time.Now(); time.Since(begun) < 2500*time.Millisecond; {
		require.NoError(t, third.Extend(t.Context()))
		begin(t, replies, asked("long", "body"), natskv.ReplyInProgress)
		begin(t, replies, asked("k", "body"), natskv.ReplyDone)
	}
}

func TestAbandonedClaimsAreFree(t *testing.T) {
	t.Parallel()
	b := setup(t)
	replies := b.replies(t, 0)
	for range 3 {
		claim := begin(t, replies, asked("k", "body"), natskv.ReplyFresh).Claim
		require.NoError(t, claim.Abandon(t.Context()))
	}
	claim := begin(t, replies, asked("k", "another body"), natskv.ReplyFresh).Claim
	require.NoError(t, claim.Finish(t.Context(), natskv.Reply{Status: 200}))
}

func TestRepliesAreBounded(t *testing.T) {
	t.Parallel()
	replies := setup(t).replies(t, 0)
	header := map[string][]string{"A": {"bc", "d"}} // five bytes
	full := natskv.Reply{Status: 200, Header: header, Body: make([]byte, natskv.MaxReply-5)}
	require.NoError(t, begin(t, replies, asked("full", "body"), natskv.ReplyFresh).Claim.Finish(t.Context(), full))
	require.Empty(t, cmp.Diff(full, begin(t, replies, asked("full", "body"), natskv.ReplyDone).Reply))

	over := natskv.Reply{Status: 200, Header: header, Body: make([]byte, natskv.MaxReply-4)}
	err := begin(t, replies, asked("over", "body"), natskv.ReplyFresh).Claim.Finish(t.Context(), over)
	require.ErrorIs(t, err, natskv.ErrReplyTooLarge)
	require.ErrorContains(t, err, "it has 65537 bytes")
	begin(t, replies, asked("over", "other body"), natskv.ReplyConflict)
	again := begin(t, replies, asked("over", "body"), natskv.ReplyFresh).Claim
	begin(t, replies, asked("over", "body"), natskv.ReplyInProgress)
	require.NoError(t, again.Finish(t.Context(), full))
	begin(t, replies, asked("over", "body"), natskv.ReplyDone)
}

func TestRepliesRefuseWhatIsInvalid(t *testing.T) {
	t.Parallel()
	b := setup(t)
	replies := b.replies(t, 0)
	for want, params := range map[string]natskv.BeginParams{
		"scope has 0 bytes":             {Key: "k"},
		"scope has 513 bytes":           {Scope: strings.Repeat("s", natskv.MaxReplyScope+1), Key: "k"},
		"idempotency key has 0 bytes":   {Scope: "s"},
		"idempotency key has 256 bytes": {Scope: "s", Key: strings.Repeat("k", natskv.MaxReplyKey+1)},
	} {
		_, err := replies.Begin(t.Context(), params)
		require.ErrorIs(t, err, natskv.ErrInvalid)
		require.ErrorContains(t, err, want)
	}
	begin(t, replies, natskv.BeginParams{Scope: strings.Repeat("s", natskv.MaxReplyScope), Key: strings.Repeat("é", 127)}, natskv.ReplyFresh)
	client := b.client(t, "")
	for _, claim := range []time.Duration{time.Second - 1, -1, events.RepliesAge + 1} {
		_, err := client.Replies(t.Context(), natskv.RepliesConfig{Claim: claim})
		require.ErrorIs(t, err, natskv.ErrConfig)
	}
	kept, err := b.js.KeyValue(t.Context(), events.BucketReplies)
	require.NoError(t, err)
	claim := begin(t, replies, asked("k", "body"), natskv.ReplyFresh).Claim
	keys, err := kept.Keys(t.Context())
	require.NoError(t, err)
	for _, key := range keys {
		_, err := kept.PutString(t.Context(), key, "garbage")
		require.NoError(t, err)
	}
	_, err = replies.Begin(t.Context(), asked("k", "body"))
	require.ErrorIs(t, err, natskv.ErrMalformed)
	require.ErrorIs(t, claim.Finish(t.Context(), natskv.Reply{Status: 200}), natskv.ErrClaimLost)
}
