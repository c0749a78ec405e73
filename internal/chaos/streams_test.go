package chaos_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/access"
	"github.com/feira-dev/feira/internal/sandbox/journal"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/internal/testenv"
)

const (
	// streams is how many clients listen to the gateway that dies.
	streams = 100
	// rounds is how often each turn asks the model: calls, and the last answer.
	rounds = 4
)

var serving = regexp.MustCompile(`"msg":"serving HTTP".*"address":"([^"]+)"`)

// street starts a scheduler, three workers and two gateways, all at one time,
// and returns the gateways with where they serve when everybody is up.
func (m *market) street(t *testing.T) (gateways [2]*testenv.Child, at [2]string) {
	t.Helper()
	crew := []*testenv.Child{m.launch(t, "scheduler")}
	for range 3 {
		crew = append(crew, m.launch(t, "worker", "--worker-slots", "40"))
	}
	for n := range gateways {
		gateways[n] = m.launch(t, "gateway", "--gateway-address", "127.0.0.1:0", "--gateway-api-rate", "1000000")
	}
	for n, gateway := range gateways {
		at[n] = "http://" + gateway.WaitForOutput(t, serving)[1]
	}
	for _, child := range append(crew, gateways[:]...) {
		child.WaitForOutput(t, rolesAreUp)
	}
	return gateways, at
}

// apiKey is one of the platform's.
func (m *market) apiKey(t *testing.T) string {
	t.Helper()
	_, secret, err := m.operator(t).CreateKey(t.Context(), access.MintParams{
		Name: "chaos", Environment: events.EnvironmentTest, Scopes: []access.Scope{access.ScopeAll},
	})
	require.NoError(t, err)
	return secret.Reveal()
}

// A gateway is killed with -9 in the middle of a hundred streams, each of them
// at a place of its own in its turn. Its clients go on at the other gateway,
// half by sending again under their idempotency key and half by the request's
// address: by the session log, every one of them has seen each event once, in
// order, and no turn was run twice.
func TestKilledGatewayCostsNoStreamAnEvent(t *testing.T) {
	t.Parallel()
	m := setup(t, marketParams{tenants: []tenant.Tenant{{ID: "shop", Concurrency: 128}}})
	gateways, at := m.street(t)
	crowd := m.listeners(t, m.apiKey(t), at[0])

	broken := make([]error, len(crowd))
	var reading sync.WaitGroup
	for n, one := range crowd {
		reading.Go(func() { broken[n] = one.ask(t.Context(), at[0]) })
	}
	for n, one := range crowd {
		select {
		case <-one.first:
		case <-time.After(patience):
			require.Fail(t, "no event", "of stream %d", n)
		}
	}
	gateways[0].Kill(t)
	killed := time.Now()
	reading.Wait()
	cut, seen := 0, 0
	for n, one := range crowd {
		if seen += len(one.events); !one.ended {
			require.Error(t, broken[n], "a stream that is not over ends as one that broke off")
			cut++
		}
	}
	require.GreaterOrEqual(t, cut, streams*9/10, "it is killed in the middle of the streams")

	for n, one := range crowd {
		if !one.ended {
			reading.Go(func() { broken[n] = one.resume(t.Context(), at[1]) })
		}
	}
	reading.Wait()
	m.requireDrained(t)
	m.judgeStreams(t, crowd, broken)
	t.Logf("%d of %d streams were cut after %d events; all were over %s after kill -9", cut, streams, seen, time.Since(killed).Round(time.Millisecond))
}

// listeners open a session each.
func (m *market) listeners(t *testing.T, key, at string) []*listener {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	crowd := make([]*listener, streams)
	for n := range crowd {
		message := fmt.Sprintf("/wait %dms", 700+100*(n%6))
		for round := range rounds - 1 {
			message += fmt.Sprintf("\n/then\n/call stripe__create_customer {\"email\": \"buyer-%d-%d@example.com\"}", n, round)
		}
		crowd[n] = &listener{key: key, message: message, resend: n%2 == 0, client: client, first: make(chan struct{})}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"/v1/sessions", bytes.NewReader([]byte(`{"user_id":"shop","servers":["stripe"]}`)))
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+key)
		request.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(request)
		require.NoError(t, err)
		var opened struct{ ID string }
		require.NoError(t, json.NewDecoder(answer.Body).Decode(&opened))
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusCreated, answer.StatusCode)
		crowd[n].session = opened.ID
	}
	return crowd
}

// judgeStreams holds what the clients read against the session log.
func (m *market) judgeStreams(t *testing.T, crowd []*listener, broken []error) {
	t.Helper()
	ids, endings := map[string][]string{}, map[string]int{}
	for _, record := range m.log(t) {
		frames := 0
		switch event := record.Event.(type) {
		case *events.ModelReplied:
			if frames = len(event.ToolCalls); event.Text != "" {
				frames++
			}
		case *events.ToolReturned:
			frames = 1
		case *events.TurnCompleted:
			frames = 1
			endings[string(record.Session)]++
		}
		for n := range frames {
			ids[string(record.Session)] = append(ids[string(record.Session)], fmt.Sprintf("%d.%d", record.Sequence, n+1))
		}
	}
	for n, one := range crowd {
		require.NoError(t, broken[n], one.session)
		require.True(t, one.ended, one.session)
		read := make([]string, len(one.events))
		for i, event := range one.events {
			read[i] = event.id
		}
		require.Equal(t, ids[one.session], read, "%s: each event once and in order", one.session)
		require.Equal(t, "done", one.events[len(one.events)-1].event)
		require.Equal(t, 1, one.greeted, "%s: what was asked is told once", one.session)
		require.Equal(t, 1, endings[one.session])
	}
	effects := m.sandbox.Journal().Entries(journal.Filter{})
	require.Len(t, effects, streams*(rounds-1))
	requireOneEffectEach(t, effects)
}
