package testenv

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Written is the last sequence of every stream of a broker, the buckets' too:
// when nothing was written between two of them, they are equal.
func Written(t testing.TB, url string) map[string]uint64 {
	t.Helper()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatalf("connecting to %s: %v", url, err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatalf("connecting to %s: %v", url, err)
	}
	last := map[string]uint64{}
	streams := js.ListStreams(t.Context())
	for info := range streams.Info() {
		last[info.Config.Name] = info.State.LastSeq
	}
	if err := streams.Err(); err != nil {
		t.Fatalf("listing the streams of %s: %v", url, err)
	}
	return last
}
