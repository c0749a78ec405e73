package dialogue_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/gateway"
	"github.com/feira-dev/feira/internal/tenant"
)

// A client that leaves ends its wait alone: the turn goes on, unless the client
// has said that nobody will want its end.
func TestATurnWhoseClientLeaves(t *testing.T) {
	t.Parallel()
	b := Start(t, nil)
	b.Tenants(t, tenant.Tenant{ID: "tenant_still", Servers: []string{"correios"}, Paused: true})
	bundle := &wallBundle{Bed: b}
	left := map[events.RequestID]events.SessionID{}
	for _, media := range []string{"text/event-stream", "application/json"} {
		for _, leave := range []gateway.Leave{"", gateway.LeaveGoOn, gateway.LeaveCancel} {
			id := bundle.field(t, bundle.ask(t, b.Dev.Key, "POST", "/v1/sessions", `{"user_id":"tenant_still"}`), "id")
			request := b.leave(t, id, media, leave)
			if leave == gateway.LeaveCancel {
				require.Equal(t, events.TurnCancelled, b.ending(t, events.SessionID(id), request))
				continue
			}
			left[request] = events.SessionID(id)
		}
	}
	heads, err := b.Broker.Requests().List(t.Context(), "tenant_still")
	require.NoError(t, err)
	require.Len(t, heads, len(left), "those wait on, though nobody waits for them")
	require.NoError(t, b.Operator.PauseTenant(t.Context(), "tenant_still", false))
	for request, session := range left {
		require.Equal(t, events.TurnCompletedOK, b.ending(t, session, request))
	}
}

// leave asks for a turn and is gone once it is in the queue.
func (b *Bed) leave(t *testing.T, session, media string, how gateway.Leave) events.RequestID {
	t.Helper()
	ctx, gone := context.WithCancel(t.Context())
	defer gone()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.Address+"/v1/sessions/"+session+"/send", strings.NewReader(`{"message":"hello"}`))
	require.NoError(t, err)
	request.Header = http.Header{"Authorization": {"Bearer " + b.Dev.Key}, "Content-Type": {"application/json"}, "Accept": {media}}
	if how != "" {
		request.Header.Set("Feira-On-Disconnect", string(how))
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	left := make(chan struct{})
	go func() {
		defer close(left)
		response, err := client.Do(request)
		if err != nil {
			return // that of an answer that is not waited for
		}
		defer func() { _ = response.Body.Close() }()
		_, _ = io.Copy(io.Discard, bufio.NewReader(response.Body))
	}()
	var queued events.RequestID
	require.Eventually(t, func() bool {
		heads, err := b.Broker.Requests().List(t.Context(), "tenant_still")
		for _, head := range heads {
			if string(head.Session) == session {
				queued = head.ID
			}
		}
		return err == nil && queued != ""
	}, patience, 10*time.Millisecond)
	gone()
	<-left
	return queued
}

// ending is how a request ends.
func (b *Bed) ending(t *testing.T, session events.SessionID, request events.RequestID) events.TurnStatus {
	t.Helper()
	var status events.TurnStatus
	require.Eventually(t, func() bool {
		records, err := b.Broker.Log().Read(t.Context(), "tenant_still", session, 0)
		require.NoError(t, err)
		for _, record := range records {
			if end, ok := record.Event.(*events.TurnCompleted); ok && record.Request == request {
				status = end.Status
			}
		}
		return status != ""
	}, patience, 10*time.Millisecond)
	return status
}
