package config

import (
	"errors"
	"strings"
	"time"
)

// NATS says how to reach the broker.
type NATS struct {
	// URL lists the servers of one cluster, separated by commas. Defaults to
	// nats://127.0.0.1:4222.
	URL string `name:"url" aliases:"nats" help:"Servers of the broker, separated by commas." env:"FEIRA_NATS_URL" default:"nats://127.0.0.1:4222"`
	// Credentials is a file with a user's JWT and seed. It excludes User.
	Credentials string `name:"credentials" help:"Credentials file (user JWT and seed)." env:"FEIRA_NATS_CREDENTIALS" type:"path"`
	// User and Password are for brokers without JWTs.
	User     string   `name:"user" help:"User name, where no credentials file is used." env:"FEIRA_NATS_USER"`
	Password Redacted `name:"password" help:"Password of the user; better set by the environment." env:"FEIRA_NATS_PASSWORD"`
	// Name is what the broker's own tools show of this connection. Defaults to
	// "feira".
	Name string `name:"name" help:"Name of this connection, as the broker shows it." env:"FEIRA_NATS_NAME" default:"feira"`
	// Replicas is how many servers keep each stream and bucket: 1, 3 or 5.
	// Defaults to 1.
	Replicas int `name:"replicas" help:"Servers that keep each stream: 1, 3 or 5." env:"FEIRA_NATS_REPLICAS" default:"1"`
	// RequestTimeout bounds one question to the broker. Defaults to 5 s.
	RequestTimeout time.Duration `name:"request-timeout" help:"Bound of one question to the broker." env:"FEIRA_NATS_REQUEST_TIMEOUT" default:"5s"`
}

// WithDefaults fills what was left out.
func (n NATS) WithDefaults() NATS {
	fill(&n.URL, "nats://127.0.0.1:4222")
	fill(&n.Name, "feira")
	fill(&n.Replicas, 1)
	fill(&n.RequestTimeout, 5*time.Second)
	return n
}

func (n NATS) faults() faults {
	var faults faults
	for server := range strings.SplitSeq(n.URL, ",") {
		faults.add("url", checkURL(strings.TrimSpace(server), "nats", "tls", "ws", "wss"))
	}
	if n.Credentials != "" && n.User != "" {
		faults.add("credentials", errors.New("excludes user"))
	}
	if n.User == "" && n.Password != "" {
		faults.add("user", errors.New("is missing though there is a password"))
	}
	if n.Name == "" {
		faults.add("name", errMissing)
	}
	if n.Replicas != 1 && n.Replicas != 3 && n.Replicas != 5 {
		faults.add("replicas", errors.New("is none of 1, 3 and 5"))
	}
	faults.add("request_timeout", checkDuration(n.RequestTimeout, 10*time.Millisecond, time.Minute))
	return faults
}

// Streams bounds what the broker keeps.
type Streams struct {
	// Backlog is how many requests of one tenant may wait; the broker refuses
	// further ones. Defaults to 10 000.
	Backlog int64 `name:"backlog" help:"Requests of one tenant that may wait." env:"FEIRA_STREAMS_BACKLOG" default:"10000"`
	// SessionAge is how long a session's log is kept after its last fact; the
	// ledger's read side keeps it on. Defaults to 30 days.
	SessionAge time.Duration `name:"session-age" help:"How long the log of a session is kept." env:"FEIRA_STREAMS_SESSION_AGE" default:"720h"`
	// UsageAge is how long usage is kept for billing systems that read the
	// stream. Defaults to 400 days.
	UsageAge time.Duration `name:"usage-age" help:"How long usage is kept." env:"FEIRA_STREAMS_USAGE_AGE" default:"9600h"`
}

// WithDefaults fills what was left out.
func (s Streams) WithDefaults() Streams {
	fill(&s.Backlog, 10_000)
	fill(&s.SessionAge, 720*time.Hour)
	fill(&s.UsageAge, 9600*time.Hour)
	return s
}

func (s Streams) faults() faults {
	const century = 100 * 365 * 24 * time.Hour
	var faults faults
	faults.add("backlog", checkRange(s.Backlog, 1, 10_000_000))
	faults.add("session_age", checkDuration(s.SessionAge, time.Hour, century))
	faults.add("usage_age", checkDuration(s.UsageAge, time.Hour, century))
	return faults
}
