package upkeep_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/poll"
	"github.com/feira-dev/feira/internal/tenant"
	"github.com/feira-dev/feira/workers/upkeep"
)

var errBoom = errors.New("boom")

// shelf is a bucket in memory, as the broker's behave.
type shelf struct {
	mu        sync.Mutex
	revision  uint64
	values    map[string][]byte
	revisions map[string]uint64
	followers map[*follower]struct{}
	down      bool
}

type follower struct {
	keys []string
	wake chan struct{}
}

func newShelf() *shelf {
	return &shelf{values: map[string][]byte{}, revisions: map[string]uint64{}, followers: map[*follower]struct{}{}}
}

func (s *shelf) Load(_ context.Context, key string) ([]byte, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key], s.revisions[key], nil
}

func (s *shelf) Save(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return 0, errBoom
	}
	if s.revisions[key] != revision {
		return 0, upkeep.ErrMoved
	}
	s.revision++
	s.values[key], s.revisions[key] = slices.Clone(value), s.revision
	for one := range s.followers {
		one.keys = append(one.keys, key)
		select {
		case one.wake <- struct{}{}:
		default:
		}
	}
	return s.revision, nil
}

// ageOut removes a record as the broker does, which tells nobody.
func (s *shelf) ageOut(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, key)
	delete(s.revisions, key)
}

func (s *shelf) Follow(ctx context.Context, each func(string, []byte, uint64), caughtUp func()) error {
	one := &follower{wake: make(chan struct{}, 1)}
	s.mu.Lock()
	s.followers[one] = struct{}{}
	one.keys = slices.Collect(maps.Keys(s.values))
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.followers, one)
	}()
	for first := true; ; first = false {
		s.mu.Lock()
		keys := one.keys
		one.keys = nil
		s.mu.Unlock()
		for _, key := range keys {
			value, revision, _ := s.Load(ctx, key)
			each(key, value, revision)
		}
		if first {
			caughtUp()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-one.wake:
		}
	}
}

func (s *shelf) watch(t *testing.T, key string) poll.Watch {
	t.Helper()
	value, revision, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	require.NotZero(t, revision, key)
	var watch poll.Watch
	require.NoError(t, json.Unmarshal(value, &watch))
	return watch
}

// world is the providers, the tenants and the inbox.
type world struct {
	mu      sync.Mutex
	began   time.Time
	tenants map[tenant.ID]tenant.Tenant
	scans   map[string][]string // by object, newest first
	status  map[string]string   // of documents
	asked   []asked
	answer  func(ctx context.Context, question upkeep.Question) (upkeep.Answer, bool)
	posted  map[string]int // by tenant, object, status
	once    map[string]events.Webhook
	refuse  func(webhook events.Webhook) error
	busy    map[string]int // questions under way by lane
	// overlaps are questions of a lane that began while another was under way.
	overlaps int
}

type asked struct {
	upkeep.Question

	objects []string
	at      time.Duration
}

func newWorld(tenants ...tenant.ID) *world {
	w := &world{
		began: time.Now(), tenants: map[tenant.ID]tenant.Tenant{}, scans: map[string][]string{}, status: map[string]string{},
		posted: map[string]int{}, once: map[string]events.Webhook{}, busy: map[string]int{},
	}
	for _, id := range tenants {
		w.tenants[id] = tenant.Tenant{ID: id, Servers: []string{"correios", "nuvem-fiscal"}, Environment: events.EnvironmentTest}
	}
	return w
}

func (w *world) Lookup(_ context.Context, id tenant.ID) (tenant.Tenant, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	found, ok := w.tenants[id]
	return found, ok, nil
}

func (w *world) amend(id tenant.ID, change func(*tenant.Tenant)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	customer := w.tenants[id]
	change(&customer)
	w.tenants[id] = customer
}

func (w *world) Ask(ctx context.Context, question upkeep.Question) upkeep.Answer {
	var arguments struct {
		Codes []string
		ID    string
	}
	if err := json.Unmarshal(question.Arguments, &arguments); err != nil {
		panic(err)
	}
	objects := arguments.Codes
	if arguments.ID != "" {
		objects = []string{arguments.ID}
	}
	lane := string(question.Tenant) + "/" + question.Server
	w.mu.Lock()
	w.busy[lane]++
	if w.busy[lane] > 1 {
		w.overlaps++
	}
	w.asked = append(w.asked, asked{Question: question, objects: objects, at: time.Since(w.began)})
	answer := w.answer
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.busy[lane]--
	}()
	if answer != nil {
		if given, ok := answer(ctx, question); ok {
			return given
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if question.Server == "nuvem-fiscal" {
		return upkeep.Answer{State: upkeep.AnswerGiven, Body: []byte(`{"id":"` + arguments.ID + `","status":"` + w.status[arguments.ID] + `"}`)}
	}
	if len(objects) > 50 {
		return upkeep.Answer{State: upkeep.AnswerRefused, Reason: "SRO-002"}
	}
	told := make([]string, 0, len(objects))
	for _, object := range objects {
		told = append(told, `{"codObjeto":"`+object+`","eventos":[`+strings.Join(w.scans[object], ",")+`]}`)
	}
	return upkeep.Answer{State: upkeep.AnswerGiven, Body: []byte(`{"objetos":[` + strings.Join(told, ",") + `]}`)}
}

// Publish is the inbox: it knows each event once in a connection.
func (w *world) Publish(_ context.Context, webhook events.Webhook) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil {
		if err := w.refuse(webhook); err != nil {
			return err
		}
	}
	w.posted[webhook.Event]++
	if _, known := w.once[webhook.Connection+webhook.Event]; !known {
		w.once[webhook.Connection+webhook.Event] = webhook
	}
	return nil
}

// facts are what was told of an object, each with how often it counts.
func (w *world) facts(object string) map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := map[string]int{}
	for _, webhook := range w.once {
		var body struct {
			Fact string
			Data struct{ ID, Status string }
		}
		if err := json.Unmarshal(webhook.Body, &body); err != nil {
			panic(err)
		}
		if body.Data.ID == object {
			found[body.Fact+" "+body.Data.Status]++
		}
	}
	return found
}

// moves has the post scan a parcel.
func (w *world) moves(object, code string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := time.Now().UTC().Format("2006-01-02T15:04:05")
	w.scans[object] = append([]string{fmt.Sprintf(`{"codigo":%q,"tipo":"01","dtHrCriado":%q,"descricao":"Objeto"}`, code, at)}, w.scans[object]...)
}

// becomes gives a document a status.
func (w *world) becomes(document, status string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.status[document] = status
}

// posts counts how often each event was posted.
func (w *world) posts() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.posted)
}

func (w *world) overlapped() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.overlaps
}

func (w *world) questions() []asked {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.asked)
}

func connection(id events.TenantID, server string, _ events.Environment) string {
	return "ca_" + string(id) + "_" + server
}

// replica starts a part that polls.
func (w *world) replica(t *testing.T, known upkeep.Records, follow upkeep.Follower, change func(*upkeep.PollsConfig)) *upkeep.Polls {
	t.Helper()
	config := upkeep.PollsConfig{
		ID: "upk_" + t.Name(), Records: known, Follower: follow, Tenants: w, Asker: w, Post: w, Connection: connection, Logger: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&config)
	}
	part, err := upkeep.NewPolls(config)
	require.NoError(t, err)
	require.NoError(t, part.Start(t.Context()))
	return part
}

func code(n int) string { return fmt.Sprintf("AA%09dBR", n) }

func key(id events.TenantID, object string) string {
	return events.KeyPoll(id, "correios", events.EnvironmentTest, object)
}

// registers has sessions of a tenant register parcels.
func (w *world) registers(t *testing.T, known upkeep.Records, id events.TenantID, objects ...string) {
	t.Helper()
	lookout, err := upkeep.NewLookout(upkeep.LookoutConfig{Records: known, Tenants: w})
	require.NoError(t, err)
	var batch []events.Message
	for i, object := range objects {
		returned := &events.ToolReturned{
			CallID: "c", Name: "correios__create_prepost", Server: "correios", Tool: "create_prepost", Status: events.ToolOK,
			Output: `{"id":"PR` + object + `","codigoObjeto":"` + object + `"}`, Attempts: 1,
		}
		if strings.HasPrefix(object, "nfe_") {
			returned.Name, returned.Server, returned.Tool = "nuvem-fiscal__create_nfe", "nuvem-fiscal", "create_nfe"
			returned.Output = `{"id":"` + object + `","status":"pendente"}`
		}
		ses := events.SessionID(fmt.Sprintf("ses_%d", i))
		message, err := events.Encode(events.SessionSubject(id, ses), events.Envelope{
			ID: "1", Source: events.SessionSource(id, ses), Time: time.Now(), Tenant: id, Session: ses, Request: "req_1",
		}, returned)
		require.NoError(t, err)
		batch = append(batch, message)
	}
	require.NoError(t, lookout.Handle(t.Context(), batch))
	require.NoError(t, lookout.Handle(t.Context(), batch), "a batch that comes again changes nothing")
}
