// Package config is what an operator may set.
//
// It owns the settings of every role, a struct for each section, with their
// names, environment variables, help and defaults. The tags are those of kong,
// so that the command line embeds the structs as they are, and kong calls
// Validate after parsing; nothing here knows kong. Every variable is FEIRA_*,
// but for OPENAI_API_KEY and OPENAI_BASE_URL, which other tools know too;
// CODESPAR_TEST_MODE_ENABLED, which CodeSpar's own test suites set, is another
// name of FEIRA_TEST_MODE.
//
// It promises that a [Config] which passes Validate is well formed, and that no
// secret of it is printed, logged or marshalled. It does not read files or the
// environment, and does not decide which role needs which setting: what is
// merely missing is the business of the role that misses it.
package config

import (
	"errors"
	"fmt"
)

// Config is every setting of every role.
type Config struct {
	// DataDir holds what a process keeps on disk: the embedded broker, the
	// embedded ledger, the key file. Defaults to ".feira".
	DataDir string `name:"data-dir" help:"Folder for the embedded broker, ledger and key file." env:"FEIRA_DATA_DIR" default:".feira" type:"path"`

	// TestMode lets sessions of environment test be opened with mocks, and lets no
	// tool call of such a session out: what no mock answers is refused.
	TestMode bool `name:"test-mode" help:"Answer the tool calls of environment test from their session's mocks, and send none." env:"FEIRA_TEST_MODE,CODESPAR_TEST_MODE_ENABLED"`

	NATS      NATS      `embed:"" prefix:"nats-" group:"Broker"`
	Streams   Streams   `embed:"" prefix:"streams-" group:"Broker"`
	Gateway   Gateway   `embed:"" prefix:"gateway-" group:"Gateway"`
	Scheduler Scheduler `embed:"" prefix:"scheduler-" group:"Scheduler"`
	Worker    Worker    `embed:"" prefix:"worker-" group:"Worker"`
	Model     Model     `embed:"" prefix:"model-" group:"Model"`
	Provider  Provider  `embed:"" prefix:"provider-" group:"Providers"`
	MCP       MCP       `embed:"" prefix:"mcp-" group:"Providers"`
	Vault     Vault     `embed:"" prefix:"vault-" group:"Vault"`
	Ledger    Ledger    `embed:"" prefix:"ledger-" group:"Ledger"`
	Export    Export    `embed:"" prefix:"export-" group:"Ledger"`
	Exporter  Exporter  `embed:"" prefix:"exporter-" group:"Ledger"`
	Upkeep    Upkeep    `embed:"" prefix:"upkeep-" group:"Upkeep"`
	Triggers  Triggers  `embed:"" prefix:"triggers-" group:"Triggers"`
	Telemetry Telemetry `embed:"" group:"Telemetry"`
}

// Default is the configuration of which nothing has been set.
func Default() Config { return Config{}.WithDefaults() }

// WithDefaults fills what was left out.
func (c Config) WithDefaults() Config {
	fill(&c.DataDir, ".feira")
	c.NATS = c.NATS.WithDefaults()
	c.Streams = c.Streams.WithDefaults()
	c.Gateway = c.Gateway.WithDefaults()
	c.Scheduler = c.Scheduler.WithDefaults()
	c.Worker = c.Worker.WithDefaults()
	c.Model = c.Model.WithDefaults()
	c.Provider = c.Provider.WithDefaults()
	c.Vault = c.Vault.WithDefaults()
	c.Exporter = c.Exporter.WithDefaults()
	c.Upkeep = c.Upkeep.WithDefaults()
	c.Triggers = c.Triggers.WithDefaults()
	c.Telemetry = c.Telemetry.WithDefaults()
	return c
}

// Validate joins every fault of every section, each naming its field as in
// "nats.url: ...".
func (c Config) Validate() error {
	var faults faults
	if c.DataDir == "" {
		faults.add("data_dir", errMissing)
	}
	faults.section("nats", c.NATS.faults())
	faults.section("streams", c.Streams.faults())
	faults.section("gateway", c.Gateway.faults())
	faults.section("scheduler", c.Scheduler.faults())
	faults.section("worker", c.Worker.faults())
	faults.section("model", c.Model.faults())
	faults.section("provider", c.Provider.faults())
	faults.section("mcp", c.MCP.faults())
	faults.section("vault", c.Vault.faults())
	faults.section("exporter", c.Exporter.faults())
	faults.section("upkeep", c.Upkeep.faults())
	faults.section("triggers", c.Triggers.faults())
	faults.section("telemetry", c.Telemetry.faults())
	return faults.join()
}

// ErrInvalid occurs when a setting cannot be used; the text names it.
var ErrInvalid = errors.New("invalid configuration")

var errMissing = errors.New("is missing")

// faults collects what is wrong, by field.
type faults []error

func (f *faults) add(field string, err error) {
	if err != nil {
		*f = append(*f, fmt.Errorf("%s: %w", field, err))
	}
}

func (f *faults) section(name string, inner faults) {
	for _, err := range inner {
		*f = append(*f, fmt.Errorf("%s.%w", name, err))
	}
}

func (f *faults) join() error {
	if len(*f) == 0 {
		return nil
	}
	return fmt.Errorf("%w:\n%w", ErrInvalid, errors.Join(*f...))
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
