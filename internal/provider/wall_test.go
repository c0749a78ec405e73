package provider

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/events"
)

// The other walls are held to the table of internal/walls.

// TestOldAndUntrustedTLSIsRefused holds a call against servers that speak TLS
// of some version, with a certificate that the client knows or does not.
func TestOldAndUntrustedTLSIsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		newest  uint16
		trusted bool
		want    events.ToolStatus
	}{
		"TLS 1.3": {tls.VersionTLS13, true, events.ToolOK}, "TLS 1.2": {tls.VersionTLS12, true, events.ToolOK},
		"TLS 1.1": {tls.VersionTLS11, true, events.ToolError}, "a certificate of nobody's": {tls.VersionTLS13, false, events.ToolError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var reached atomic.Int32
			host := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				reached.Add(1)
				answerWith(http.StatusOK, `{}`)(w, r)
			}))
			host.Config.ErrorLog = log.New(io.Discard, "", 0)
			host.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: test.newest}
			host.StartTLS()
			t.Cleanup(host.Close)
			b := setup(t, "open", nil, func(c *Config) {
				c.Manifests, c.Credentials = []Manifest{openManifest()}, fields{"key": "open-key-0001"}
				c.BaseURLs["open"] = host.URL
			})
			if test.trusted {
				roots := x509.NewCertPool()
				roots.AddCert(host.Certificate())
				b.client.servers["open"].wire.Pooled.TLSClientConfig.RootCAs = roots
			}
			result := b.call(t, "read", `{"id":"1"}`)
			require.Equal(t, test.want, result.Status, "%+v", result.Fault)
			if test.want == events.ToolOK {
				return
			}
			requireFault(t, result, test.want, events.FaultProviderError)
			require.Contains(t, result.Fault.Message, "nothing was sent")
			require.Zero(t, reached.Load())
		})
	}
}
