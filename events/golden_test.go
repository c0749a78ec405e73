package events_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/schemas"
)

// example is a message as it travels, in a form that people read.
type example struct {
	Subject string            `json:"subject"`
	Header  map[string]string `json:"header"`
	Data    json.RawMessage   `json:"data,omitempty"`

	path string
}

// message is the example on the wire: headers as lists, data without blanks.
func (e example) message(t *testing.T) events.Message {
	t.Helper()
	header := events.Header{}
	for key, value := range e.Header {
		header[key] = []string{value}
	}
	var data bytes.Buffer
	if len(e.Data) > 0 {
		require.NoError(t, json.Compact(&data, e.Data))
	}
	return events.Message{Subject: e.Subject, Header: header, Data: data.Bytes()}
}

// examples reads the golden examples of a folder, "events" or "messages", by
// the name of the schema and then the case.
func examples(t *testing.T, dir string) map[string]map[string]example {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(documents, dir, "examples", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	found := make(map[string]map[string]example)
	for _, path := range paths {
		name, variant, ok := cutLast(strings.TrimSuffix(filepath.Base(path), ".json"), ".")
		require.True(t, ok, path)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		read := example{path: path}
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		require.NoError(t, decoder.Decode(&read), path)
		if found[name] == nil {
			found[name] = make(map[string]example)
		}
		found[name][variant] = read
	}
	return found
}

func cutLast(text, separator string) (before, after string, found bool) {
	at := strings.LastIndex(text, separator)
	if at < 0 {
		return text, "", false
	}
	return text[:at], text[at+len(separator):], true
}

// TestExamplesRoundTrip pins the wire: every event has examples, each of them
// is valid, and what is decoded is encoded again byte for byte.
func TestExamplesRoundTrip(t *testing.T) {
	t.Parallel()
	found := examples(t, "events")
	for _, event := range events.Catalogue() {
		require.NotEmpty(t, found[string(event.EventType())], "%s has no example", event.EventType())
	}
	require.Len(t, found, len(events.Catalogue()), "an example is of no event")
	for name, variants := range found {
		for variant, example := range variants {
			t.Run(name+"/"+variant, func(t *testing.T) {
				t.Parallel()
				message := example.message(t)
				require.Equal(t, name, message.Header.Value(events.HeaderType))
				require.NoError(t, schemas.Validate(name, example.Data))
				requireHeaders(t, "event", example)

				record, err := events.Decode(message)
				require.NoError(t, err)
				tenant, err := events.SubjectTenant(message.Subject)
				require.NoError(t, err)
				require.Equal(t, tenant, record.Tenant)
				written, err := events.Encode(message.Subject, record.Envelope, record.Event)
				require.NoError(t, err)
				require.Empty(t, cmp.Diff(string(message.Data), string(written.Data)))
				require.Empty(t, cmp.Diff(message, written))
			})
		}
	}
}

func requireHeaders(t *testing.T, name string, example example) {
	t.Helper()
	header, err := json.Marshal(example.Header)
	require.NoError(t, err)
	require.NoError(t, schemas.Validate(name+".headers", header))
}

// TestExamplesOfMessagesRoundTrip does the same for what is no event.
func TestExamplesOfMessagesRoundTrip(t *testing.T) {
	t.Parallel()
	found := examples(t, "messages")
	require.NotEmpty(t, found["run"])
	for name := range messages() {
		require.NotEmpty(t, found[name], "%s has no example", name)
		for variant, example := range found[name] {
			require.NoError(t, schemas.Validate(name, example.Data), variant)
		}
	}
	for variant, example := range found["request"] {
		requireHeaders(t, "request", example)
		requireRequest(t, variant, example.message(t))
	}
	for variant, example := range found["run"] {
		requireHeaders(t, "run", example)
		message := example.message(t)
		run, err := events.ParseRun(message)
		require.NoError(t, err, variant)
		written := run.Message()
		written.Data = message.Data
		require.Empty(t, cmp.Diff(message, written), variant)
	}
	for _, example := range found["control"] {
		requireHint(t, example, &events.Control{})
	}
	for _, example := range found["model_delta"] {
		requireHint(t, example, &events.ModelDelta{})
	}
	for _, example := range found["worker_announced"] {
		requireHint(t, example, &events.WorkerAnnounced{})
	}
	for _, example := range found["queue_asked"] {
		requireHint(t, example, &events.QueueAsked{})
	}
	for _, example := range found["queue_told"] {
		requireHint(t, example, &events.QueueTold{})
	}
}

func requireRequest(t *testing.T, variant string, message events.Message) {
	t.Helper()
	head, err := events.ParseRequestHead(message, len(message.Data))
	require.NoError(t, err, variant)
	request, err := events.ParseRequest(head.Kind, message.Data)
	require.NoError(t, err, variant)
	params := events.RequestParams{
		Tenant: head.Tenant, Kind: head.Kind, Priority: head.Priority, NotBefore: head.NotBefore, Expires: head.Expires, Trace: head.Trace,
		Session: events.SessionID(message.Header.Value(events.HeaderSession)),
		ID:      events.RequestID(message.Header.Value(events.HeaderID)),
	}
	written, err := events.NewRequest(params, request)
	require.NoError(t, err, variant)
	require.Empty(t, cmp.Diff(message, written), variant)
}

func requireHint(t *testing.T, example example, hint any) {
	t.Helper()
	message := example.message(t)
	require.NoError(t, json.Unmarshal(message.Data, hint))
	written, err := json.Marshal(hint)
	require.NoError(t, err)
	require.Equal(t, string(message.Data), string(written))
}

// TestExamplesAreCanonical keeps the files as a program would write them, so
// that a diff of one shows the contract and nothing else; -update rewrites them.
func TestExamplesAreCanonical(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"events", "messages"} {
		for _, variants := range examples(t, dir) {
			for _, example := range variants {
				var text bytes.Buffer
				encoder := json.NewEncoder(&text)
				encoder.SetEscapeHTML(false)
				encoder.SetIndent("", "  ")
				require.NoError(t, encoder.Encode(example))
				name, err := filepath.Rel(documents, example.path)
				require.NoError(t, err)
				requireFresh(t, name, text.Bytes())
			}
		}
	}
}

// TestExamplesAreEmbedded sees that a binary carries the documents.
func TestExamplesAreEmbedded(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"events", "messages"} {
		onDisk, err := filepath.Glob(filepath.Join(documents, dir, "examples", "*.json"))
		require.NoError(t, err)
		embedded, err := fs.Glob(schemas.Files(), dir+"/examples/*.json")
		require.NoError(t, err)
		require.Len(t, embedded, len(onDisk))
	}
}

// TestReadersAreTolerantWritersAreNot gives each example a field that nobody
// knows: a reader passes it over, a writer is told its place.
func TestReadersAreTolerantWritersAreNot(t *testing.T) {
	t.Parallel()
	for name, variants := range examples(t, "events") {
		for variant, example := range variants {
			message := example.message(t)
			before, err := events.Decode(message)
			require.NoError(t, err)
			message.Data = append([]byte(`{"from_the_future":{"deep":[1]},`), message.Data[1:]...)
			after, err := events.Decode(message)
			require.NoError(t, err, "%s %s", name, variant)
			require.Empty(t, cmp.Diff(before, after))
			err = schemas.Validate(name, message.Data)
			require.ErrorIs(t, err, schemas.ErrInvalid)
			require.ErrorContains(t, err, "/from_the_future: is unknown")
		}
	}
}
