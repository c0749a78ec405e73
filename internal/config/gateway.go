package config

import (
	"fmt"
	"time"
)

// Gateway is the role that serves HTTP.
type Gateway struct {
	// Address is where it listens. Defaults to 127.0.0.1:8080.
	Address string `name:"address" help:"Address that the HTTP API listens on." env:"FEIRA_GATEWAY_ADDRESS" default:"127.0.0.1:8080"`
	// SessionIdle closes a session that was opened over HTTP and that nothing
	// happens in. Defaults to 30 min.
	SessionIdle time.Duration `name:"session-idle" help:"After how long without an event a session ends." env:"FEIRA_GATEWAY_SESSION_IDLE" default:"30m"`
	// Wait is how long an answer is waited for. Defaults to 5 min.
	Wait time.Duration `name:"wait" help:"How long an answer is waited for." env:"FEIRA_GATEWAY_WAIT" default:"5m"`
	// MaxBody is the largest body that is taken, in bytes. Defaults to 256 KiB.
	MaxBody int64 `name:"max-body" help:"Largest body that is taken, in bytes." env:"FEIRA_GATEWAY_MAX_BODY" default:"262144"`
	// APIRate is how many requests a minute a tenant may make over all gateways,
	// unless its own api_rate says otherwise. Defaults to 300.
	APIRate int `name:"api-rate" help:"How many API requests a minute a tenant may make that has no api_rate of its own." env:"FEIRA_GATEWAY_API_RATE" default:"300"`
	// ClientTime is how long a client may take to send its headers, its body, and
	// to take in a piece of an answer. Defaults to 10 s.
	ClientTime time.Duration `name:"client-time" help:"How long a client may take to send its headers or its body, or to take in a piece of an answer." env:"FEIRA_GATEWAY_CLIENT_TIME" default:"10s"`
	// KeyAge is how long API keys are trusted as they were last heard of: so long
	// may a revoked one be let in, and so long do those requests go on that need no
	// broker when it is away. Defaults to 1 s.
	KeyAge time.Duration `name:"key-age" help:"How long API keys are trusted when the broker is not heard of." env:"FEIRA_GATEWAY_KEY_AGE" default:"1s"`
	// Newcomers registers a tenant when a platform's key opens a session for one
	// that is not registered, with every provider that there is. Defaults to false;
	// "feira dev" has it on.
	Newcomers bool `name:"newcomers" help:"Register a tenant when a session is opened for one that is not registered." env:"FEIRA_GATEWAY_NEWCOMERS"`
	// Linger is how long a status stream stays open behind its end. Defaults to 5 s.
	Linger time.Duration `name:"linger" help:"How long a status stream stays open behind its end." env:"FEIRA_GATEWAY_LINGER" default:"5s"`
	// PublicURL is where people find the gateway. Defaults to the address that it
	// listens on.
	PublicURL string `name:"public-url" help:"Where people find the HTTP API, as https://HOST." env:"FEIRA_GATEWAY_PUBLIC_URL"`
	// ConnectRedirects are where people may be sent once they have connected an
	// account at a provider. A path that ends in a slash stands for all below it.
	// Defaults to nowhere; on one machine (feira dev), to loopback.
	ConnectRedirects []string `name:"connect-redirects" help:"Where people may be sent once they have connected an account, separated by commas." env:"FEIRA_GATEWAY_CONNECT_REDIRECTS"`
	// SoftStop is how long waits and streams may go on after a stop. Defaults to 10 s.
	SoftStop time.Duration `name:"soft-stop" help:"How long waits may go on after a stop." env:"FEIRA_GATEWAY_SOFT_STOP" default:"10s"`
}

// WithDefaults fills what was left out.
func (g Gateway) WithDefaults() Gateway {
	fill(&g.Address, "127.0.0.1:8080")
	fill(&g.SessionIdle, 30*time.Minute)
	fill(&g.Wait, 5*time.Minute)
	fill(&g.MaxBody, 256<<10)
	fill(&g.APIRate, 300)
	fill(&g.ClientTime, 10*time.Second)
	fill(&g.KeyAge, time.Second)
	fill(&g.Linger, 5*time.Second)
	fill(&g.SoftStop, 10*time.Second)
	return g
}

func (g Gateway) faults() faults {
	var faults faults
	faults.add("address", checkAddress(g.Address))
	faults.add("session_idle", checkDuration(g.SessionIdle, time.Second, 30*24*time.Hour))
	faults.add("wait", checkDuration(g.Wait, time.Second, time.Hour))
	faults.add("key_age", checkDuration(g.KeyAge, time.Second, time.Minute))
	faults.add("max_body", checkRange(g.MaxBody, 1<<10, 1<<20))
	faults.add("api_rate", checkRange(int64(g.APIRate), 1, 1_000_000))
	faults.add("client_time", checkDuration(g.ClientTime, 100*time.Millisecond, time.Hour))
	faults.add("linger", checkDuration(g.Linger, time.Millisecond, time.Hour))
	if g.PublicURL != "" {
		faults.add("public_url", checkURL(g.PublicURL, "http", "https"))
	}
	for i, text := range g.ConnectRedirects {
		faults.add(fmt.Sprintf("connect_redirects[%d]", i), checkURL(text, "http", "https"))
	}
	faults.add("soft_stop", checkDuration(g.SoftStop, time.Second, time.Hour))
	return faults
}
