package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/testenv"
)

func queueText(t *testing.T, told events.QueueTold, one bool) string {
	t.Helper()
	var out bytes.Buffer
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	writeQueue(table, told, one)
	require.NoError(t, table.Flush())
	return out.String()
}

func TestQueueIsReadByPeople(t *testing.T) {
	t.Parallel()
	told := events.QueueTold{
		Leader: "sch_1", Queued: 420, Running: 6, Slots: 64, Workers: 2, DesiredWorkers: 3, OldestWait: 754.2, Busy: 7,
		Tenants: []events.QueueTenant{
			{Tenant: "acme", Queued: 412, Running: 4, OldestWait: 754.2, Waits: "cap", Share: 0.5, SlotSeconds: 81.25, Limits: events.QueueLimits{Concurrency: 4, Weight: 2}},
			{Tenant: "globex", Queued: 8, OldestWait: 1.5, Waits: "rate", Share: 0.25, Limits: events.QueueLimits{Concurrency: 10, Weight: 1, Rate: 5, Burst: 10, RatePeriod: 60, Backlog: 50}},
			{Tenant: "initech", Running: 2, Share: 0.25, Limits: events.QueueLimits{Concurrency: 4, Weight: 1, Rate: 5, Burst: 5, RatePeriod: 90}},
			{Tenant: "umbrella", Running: 1, Share: 0.25, Limits: events.QueueLimits{Concurrency: 4, Weight: 1, Paused: true}},
		},
	}
	want := strings.TrimPrefix(`
420 queued, 6 running; slots 64, workers 2 (desired 3); busy tenants 7; oldest wait 12m34s; leader sch_1
TENANT    QUEUED  RUNNING/CAP  OLDEST  SHARE  WEIGHT  RATE            SLOT TIME  STATE
acme      412     4/4          12m34s  50.0%  2       -               1m21.3s    cap
globex    8/50    0/10         1.5s    25.0%  1       5/min burst 10  0s         rate
initech   0       2/4          -       25.0%  1       5/90s burst 5   0s         running
umbrella  0       1/4          -       25.0%  1       -               0s         paused
3 more
`, "\n")
	require.Empty(t, cmp.Diff(want, queueText(t, told, false)))

	told.Tenants, told.Rebuilding = []events.QueueTenant{{
		Tenant: "acme", Queued: 4, OldestWait: 3.25, Waits: "session", Share: 1, Partial: true, Limits: events.QueueLimits{Concurrency: 4, Weight: 1},
		Requests: []events.QueuedRequest{
			{Place: 1, Sequence: 9, Session: "order-1001", Kind: "turn", Priority: "interactive", Waited: 1.25, Reason: "session"},
			{
				Place: 2, Sequence: 7, Session: "order-1", Kind: "call", Priority: "normal", Waited: 3.25, Reason: "not_before",
				NotBefore: time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC),
			},
		},
	}}, true
	want = strings.TrimPrefix(`
420 queued, 6 running; slots 64, workers 2 (desired 3); busy tenants 7; oldest wait 12m34s; leader sch_1
The leader is new and still reads what is queued: the figures are growing.
TENANT  QUEUED  RUNNING/CAP  OLDEST  SHARE   WEIGHT  RATE  SLOT TIME  STATE
acme    4       0/4          3.25s   100.0%  1       -     0s         session

More are queued than one question looks at: places are among the oldest.
PLACE  SEQUENCE  SESSION     KIND  PRIORITY     WAITED  REASON
1      9         order-1001  turn  interactive  1.25s   session
2      7         order-1     call  normal       3.25s   not_before 2026-11-24T13:00:00Z
2 more
`, "\n")
	require.Empty(t, cmp.Diff(want, queueText(t, told, true)))
}

// The whole way: a paused tenant of "feira dev" is asked for, and watched.
func TestQueueOfDev(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start(t)
	calm := regexp.MustCompile(`^0 queued, 0 running; slots 64, workers 1 \(desired 0\); busy tenants 0; oldest wait 0s; leader sch_\w+\nTENANT +QUEUED`)
	require.Eventually(t, func() bool { return calm.MatchString(b.feira(t, "", "queue")) }, patience, pace)
	file := filepath.Join(b.dir, "paused.yaml")
	require.NoError(t, os.WriteFile(file, []byte("tenants:\n  - {id: tenant_acme, servers: [stripe], paused: true}\n"), 0o600))
	b.feira(t, "", "tenant", "apply", "-f", file)
	require.Eventually(t, func() bool {
		return strings.HasSuffix(strings.TrimSpace(b.feira(t, "", "queue", "tenant_acme")), "REASON") &&
			strings.Contains(b.feira(t, "", "queue", "tenant_acme"), "paused")
	}, patience, pace)
	b.feira(t, "", "send", "tenant_acme", "hello", "--session", "s1", "--detach")
	b.feira(t, "", "send", "tenant_acme", "hello", "--session", "s2", "--priority", "bulk", "--detach")
	require.Eventually(t, func() bool { return strings.HasPrefix(b.feira(t, "", "queue"), "2 queued") }, patience, pace)

	require.Regexp(t, `(?m)^tenant_acme +2 +0/4 +\S+ +100.0% +1 +- +0s +paused$`, b.feira(t, "", "queue"))
	one := b.feira(t, "", "queue", "tenant_acme", "--limit", "1")
	require.Regexp(t, `(?m)^1 +\d+ +s1 +turn +interactive +\S+ +paused\n1 more$`, one)
	require.NotContains(t, one, "bulk")
	var told events.QueueTold
	require.NoError(t, json.Unmarshal([]byte(b.feira(t, "", "queue", "tenant_acme", "--json")), &told))
	require.Len(t, told.Tenants[0].Requests, 2)

	var out, complaints bytes.Buffer
	code := run(t.Context(), []string{"queue", "tenant_nobody", "--nats-url", b.url}, streams{out: &out, err: &complaints})
	require.Equal(t, exitFailed, code)
	require.Contains(t, complaints.String(), "tenant is not registered: tenant_nobody")
	b.requireWatch(t)
}

// requireWatch sees an object a second until the command is interrupted.
func (b *testBundle) requireWatch(t *testing.T) {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	var complaints bytes.Buffer
	go func() {
		ended <- run(ctx, []string{"queue", "--watch", "--json", "--nats-url", b.url}, streams{out: writer, err: &complaints})
		_ = writer.Close()
	}()
	lines := bufio.NewScanner(reader)
	began := time.Now()
	for range 3 {
		require.True(t, lines.Scan())
		var told events.QueueTold
		require.NoError(t, json.Unmarshal(lines.Bytes(), &told))
		require.Equal(t, 2, told.Queued)
	}
	require.GreaterOrEqual(t, time.Since(began), watchPace)
	interrupt()
	for lines.Scan() { // what was on its way
	}
	require.Equal(t, exitOK, <-ended, complaints.String())
}

func TestQueueWithoutALeaderSaysSo(t *testing.T) {
	t.Parallel()
	server := testenv.NATS(t)
	var out, complaints bytes.Buffer
	std := streams{out: &out, err: &complaints}
	broker := []string{"--nats-url", server.URL, "--nats-user", server.User, "--nats-password", server.Password, "--nats-request-timeout", "300ms"}
	require.Equal(t, exitFailed, run(t.Context(), append(broker, "queue"), std))
	require.Equal(t, "feira: asking about the queue: no scheduler leads: nobody answers\n", complaints.String())
	require.Empty(t, out.String())

	complaints.Reset()
	require.Equal(t, exitFailed, run(t.Context(), append(broker, "queue", "--limit", "501"), std))
	require.Contains(t, complaints.String(), "limit is 501, want 0 to 500")
	require.False(t, isTerminal(&out))
}
