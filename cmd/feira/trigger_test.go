package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/testenv"
)

// shop is a tenant's endpoint. It trusts what the standard's own library does.
type shop struct {
	mu     sync.Mutex
	secret string
	faults []string
	ids    map[string]int   // how often each webhook-id came
	order  map[string][]int // by session, each id once, as they came first
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	library, secretErr := standardwebhooks.NewWebhook(s.secret)
	var told struct {
		ID      string `json:"id"`
		Type    string `json:"type"`
		Session string `json:"session_id"`
		Data    struct {
			Iterations int `json:"iterations"`
		} `json:"data"`
	}
	for _, fault := range []error{err, secretErr, json.Unmarshal(body, &told)} {
		if fault != nil {
			s.faults = append(s.faults, fault.Error())
			return
		}
	}
	if err := library.Verify(body, r.Header); err != nil {
		s.faults = append(s.faults, err.Error())
	}
	if s.ids[told.ID]++; s.ids[told.ID] == 1 {
		s.order[told.Session] = append(s.order[told.Session], told.Data.Iterations)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *shop) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.ids)
}

// The process that tells is killed with -9 in the middle, twice: each fact is
// told, in the order of its session, and what is told again has its old id.
func TestTellersMayDie(t *testing.T) {
	t.Parallel()
	const sessions, turns = 10, 40
	b := setup(t)
	b.url = testenv.Restartable(t).URL
	file := filepath.Join(b.dir, "tenants.yaml")
	require.NoError(t, os.WriteFile(file, []byte(tenantsFile), 0o600))
	b.feira(t, "", "tenant", "apply", "-f", file)
	endpoint := &shop{ids: map[string]int{}, order: map[string][]int{}}
	server := httptest.NewServer(endpoint)
	t.Cleanup(server.Close)
	b.env = append(b.env, "FEIRA_TRIGGERS_LOOPBACK=true")
	endpoint.secret = strings.TrimSpace(b.feira(t, "", "trigger", "create", "tenant_acme", server.URL, "--event", "turn.*", "--triggers-loopback"))
	require.Contains(t, endpoint.secret, "whsec_")

	role := func() *testenv.Child {
		child := testenv.Start(t, testenv.ChildParams{Path: testenv.Binary(t), Env: b.env, Args: []string{"run", "triggers", "--nats", b.url}})
		child.WaitForOutput(t, regexp.MustCompile("roles are up"))
		return child
	}
	js := b.jetStream(t)
	tell := func(from, to int) {
		for turn := from; turn < to; turn++ {
			for session := range sessions {
				happen(t, js, events.SessionID(fmt.Sprint("s", session)), turn)
			}
		}
	}
	first, second := role(), role()
	tell(0, 20)
	require.Eventually(t, func() bool { return endpoint.count() > sessions*5 }, patience, pace)
	first.Kill(t)
	tell(20, turns)
	require.Eventually(t, func() bool { return endpoint.count() > sessions*25 }, patience, pace)
	second.Kill(t)
	third := role()
	require.Eventually(t, func() bool { return endpoint.count() == sessions*turns }, patience, pace)
	third.Terminate(t)
	require.Zero(t, third.Wait(t))

	endpoint.mu.Lock()
	defer endpoint.mu.Unlock()
	require.Empty(t, endpoint.faults)
	repeated := 0
	for _, times := range endpoint.ids {
		repeated += times - 1
	}
	t.Logf("%d deliveries, %d of them again", sessions*turns, repeated)
	require.Len(t, endpoint.order, sessions)
	for session, order := range endpoint.order {
		require.Len(t, order, turns)
		require.True(t, slices.IsSorted(order), "%s: %v", session, order)
	}
	waiting, err := js.Stream(t.Context(), events.StreamTriggers)
	require.NoError(t, err)
	require.Zero(t, waiting.CachedInfo().State.Msgs)
	for _, bucket := range []string{events.BucketTriggers, events.BucketVault} {
		requireWithout(t, js, bucket, endpoint.secret)
	}
}

// happen writes the end of a turn into a session's log.
func happen(t *testing.T, js jetstream.JetStream, session events.SessionID, turn int) {
	t.Helper()
	message, err := events.Encode(events.SessionSubject("tenant_acme", session), events.Envelope{
		ID: fmt.Sprint("turn/", turn), Source: events.SessionSource("tenant_acme", session), Time: time.Now(), Tenant: "tenant_acme", Session: session,
	}, &events.TurnCompleted{Status: events.TurnCompletedOK, Iterations: turn})
	require.NoError(t, err)
	_, err = js.PublishMsg(t.Context(), &nats.Msg{Subject: message.Subject, Header: nats.Header(message.Header), Data: message.Data})
	require.NoError(t, err)
}

func requireWithout(t *testing.T, js jetstream.JetStream, bucket, secret string) {
	t.Helper()
	kv, err := js.KeyValue(t.Context(), bucket)
	require.NoError(t, err)
	keys, err := kv.Keys(t.Context())
	require.NoError(t, err)
	for _, key := range keys {
		entry, err := kv.Get(t.Context(), key)
		require.NoError(t, err)
		require.NotContains(t, string(entry.Value()), strings.TrimPrefix(secret, "whsec_"), key)
	}
}
