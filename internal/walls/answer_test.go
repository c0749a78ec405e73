package walls

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/provider"
)

// longHeader is more than the client reads of an answer's header.
const longHeader = 128 << 10

// answerWalls are answers made to fill the memory or to hold a slot.
func answerWalls() map[string]attempt {
	const failed = events.ToolError
	small := func(c *provider.Config) { c.MaxResponse = 4096 }
	soon := func(c *provider.Config) { c.Manifests[0].Timeout = provider.Duration(100 * time.Millisecond) }
	late := func(handler http.HandlerFunc) attempt {
		return attempt{handler: handler, change: soon, status: failed, code: events.FaultProviderTimeout, says: "did not answer in time", sent: 1}
	}
	large := func(handler http.HandlerFunc) attempt {
		return attempt{handler: handler, change: small, status: failed, code: events.FaultResultTooLarge, says: "more than 4096 bytes", sent: 1}
	}
	return map[string]attempt{
		"a body above the limit":                     large(answer(`{"text":"` + strings.Repeat("x", 5000) + `"}`)),
		"a small body that unpacks into a large one": large(bomb),
		"a header without an end": {
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Long", strings.Repeat("x", longHeader))
				_, _ = io.WriteString(w, `{}`)
			},
			status: failed, code: events.FaultProviderError, says: "broke the connection off", sent: 1,
		},
		"a body that drips":           late(drip),
		"an answer that never begins": late(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }),
	}
}

// bomb answers with a few bytes that stand for a mebibyte.
func bomb(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Encoding", "gzip")
	packed := gzip.NewWriter(w)
	_, _ = io.WriteString(packed, `{"text":"`+strings.Repeat("x", 1<<20)+`"}`)
	_ = packed.Close()
}

// drip sends a byte at a time, for as long as somebody listens.
func drip(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, `{"text":"`)
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-every.C:
			_, _ = io.WriteString(w, "x")
			_ = http.NewResponseController(w).Flush()
		}
	}
}
