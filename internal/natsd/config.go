package natsd

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	"github.com/feira-dev/feira/events"
)

// DefaultHost keeps an embedded server to its own machine.
const DefaultHost = "127.0.0.1"

// DefaultName is the server's name where there is no cluster.
const DefaultName = "feira"

// DefaultMaxMemory bounds streams that live in memory. Feira has none, so this
// is a roof over other people's, not a size to plan by.
const DefaultMaxMemory = 256 << 20

// Config says where a server listens, where it stores, and who may use it.
type Config struct {
	// Name tells servers apart. In a cluster it must be unique, and stay the
	// same over a restart. Defaults to "feira".
	Name string
	// Dir is the JetStream store, for this server's use alone; its mode is made
	// 0700. Empty means a temporary directory that Stop removes.
	Dir string
	// Host is the address to listen on. Defaults to 127.0.0.1.
	Host string
	// Port is the port to listen on; 0 takes a free one.
	Port int
	// SyncAlways makes every stored message reach the disk before it is
	// acknowledged. Without it a power cut may take the last two minutes; a
	// crash of the process takes nothing either way.
	SyncAlways bool
	// MaxPayload is the largest message, headers and all. Defaults to
	// [events.MaxMessageBytes].
	MaxPayload int
	// MaxStore bounds the store in bytes. Defaults to what the server thinks
	// fit: three quarters of the free disk.
	MaxStore int64
	// Users may connect. With none, anybody may, with full rights, which is
	// allowed on a loopback address only.
	Users []User
	// NoAuthUser is the user that a client without credentials becomes. Empty
	// means that such a client is refused.
	NoAuthUser string
	// Cluster joins the server to others. Defaults to none.
	Cluster *ClusterConfig
	// Logger hears the server's warnings, and its notices at debug level.
	// Defaults to nobody.
	Logger *slog.Logger
}

// ClusterConfig says how a server finds the others of its cluster.
type ClusterConfig struct {
	// Name is the same on every server of the cluster.
	Name string
	// Host is the address to listen on for the others. Defaults to 127.0.0.1.
	Host string
	// Port is the port to listen on for the others.
	Port int
	// Peers are the others' "host:port", and may include this server's own.
	Peers []string
	// User and Password are what the servers prove themselves to each other
	// with. Both empty means no proof, allowed on a loopback address only.
	User     string
	Password string
}

func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name = DefaultName
	}
	if c.Host == "" {
		c.Host = DefaultHost
	}
	if c.MaxPayload == 0 {
		c.MaxPayload = events.MaxMessageBytes
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Cluster != nil {
		cluster := *c.Cluster
		if cluster.Host == "" {
			cluster.Host = DefaultHost
		}
		c.Cluster = &cluster
	}
	return c
}

// Validate joins every fault, each naming its field.
func (c Config) Validate() error {
	c = c.withDefaults()
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
	}
	if strings.ContainsAny(c.Name, " \t\n") {
		fault("name %q has a space", c.Name)
	}
	if c.Port < 0 || c.Port > 65535 {
		fault("port is %d, want 0 to 65535", c.Port)
	}
	if c.MaxPayload < 1<<10 || c.MaxPayload > 64<<20 {
		fault("max_payload is %d bytes, want 1 KiB to 64 MiB", c.MaxPayload)
	}
	if c.MaxStore < 0 {
		fault("max_store is %d bytes, want 0 or more", c.MaxStore)
	}
	if len(c.Users) == 0 && !loopback(c.Host) {
		fault("users is empty: an open server may listen on a loopback address only, not on %s", c.Host)
	}
	if c.Cluster != nil {
		faults = append(faults, c.Cluster.validate())
	}
	return errors.Join(append(faults, validateUsers(c.Users, c.NoAuthUser))...)
}

func (c *ClusterConfig) validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: cluster: "+format, append([]any{ErrConfig}, args...)...))
	}
	if c.Name == "" || strings.ContainsAny(c.Name, " \t\n") {
		fault("name is %q, want one word", c.Name)
	}
	if c.Port < 1 || c.Port > 65535 {
		fault("port is %d, want 1 to 65535", c.Port)
	}
	if len(c.Peers) == 0 {
		fault("peers is empty")
	}
	for i, peer := range c.Peers {
		if _, _, err := net.SplitHostPort(peer); err != nil {
			fault("peers[%d] is %q, want host:port", i, peer)
		}
	}
	if (c.User == "") != (c.Password == "") {
		fault("user and password belong together")
	}
	if c.User == "" && !loopback(c.Host) {
		fault("user is empty: servers may trust each other unproven on a loopback address only, not on %s", c.Host)
	}
	return errors.Join(faults...)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
