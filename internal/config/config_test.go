package config_test

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/config"
)

// parse reads arguments and environment as the command line does.
func parse(t *testing.T, args ...string) config.Config {
	t.Helper()
	var grammar struct {
		Config config.Config `embed:""`
	}
	parser, err := kong.New(&grammar, kong.Name("feira"), kong.Exit(func(int) { t.Error("kong exits") }))
	require.NoError(t, err)
	_, err = parser.Parse(args)
	require.NoError(t, err)
	return grammar.Config
}

// settings calls visit for every field that an operator may set.
func settings(value reflect.Value, visit func(reflect.StructField, reflect.Value)) {
	for i := range value.NumField() {
		field := value.Type().Field(i)
		if _, section := field.Tag.Lookup("embed"); section {
			settings(value.Field(i), visit)
			continue
		}
		visit(field, value.Field(i))
	}
}

func TestDefaultsOfTagsAndCodeAgree(t *testing.T) {
	clearEnvironment(t)
	parsed := parse(t)
	parsed.DataDir = config.Default().DataDir // kong makes paths absolute
	require.Empty(t, gocmp.Diff(config.Default(), parsed))
	require.NoError(t, parsed.Validate())
}

func TestEverySettingHasHelpAndVariable(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	settings(reflect.ValueOf(config.Config{}), func(field reflect.StructField, _ reflect.Value) {
		variable, alias, _ := strings.Cut(field.Tag.Get("env"), ",")
		require.NotEmpty(t, field.Tag.Get("help"), field.Name)
		require.NotEmpty(t, field.Tag.Get("name"), field.Name)
		require.Empty(t, seen[variable], "%s and %s share %s", field.Name, seen[variable], variable)
		seen[variable] = field.Name
		if variable != "OPENAI_API_KEY" && variable != "OPENAI_BASE_URL" {
			require.True(t, strings.HasPrefix(variable, "FEIRA_"), variable)
		}
		if alias != "" {
			require.Equal(t, "FEIRA_TEST_MODE CODESPAR_TEST_MODE_ENABLED", variable+" "+alias, "the one setting with a second name")
		}
	})
	require.Contains(t, seen, "OPENAI_API_KEY")
	require.Contains(t, seen, "FEIRA_MODEL")
}

func TestEnvironmentReachesEverySetting(t *testing.T) {
	clearEnvironment(t)
	byType := map[reflect.Type]string{
		reflect.TypeFor[string]():            "text",
		reflect.TypeFor[config.Redacted]():   "secret",
		reflect.TypeFor[bool]():              "true",
		reflect.TypeFor[int]():               "3",
		reflect.TypeFor[int64]():             "7",
		reflect.TypeFor[time.Duration]():     "7s",
		reflect.TypeFor[slog.Level]():        "error",
		reflect.TypeFor[[]string]():          "a,b",
		reflect.TypeFor[map[string]string](): "stripe=http://127.0.0.1:1;asaas=http://127.0.0.1:2",

		reflect.TypeFor[map[string]config.Redacted](): "stripe=one;lago-eu=two=2",
	}
	byVariable := map[string]string{
		"FEIRA_NATS_URL":            "nats://127.0.0.1:1",
		"FEIRA_STREAMS_SESSION_AGE": "7h",
		"FEIRA_STREAMS_USAGE_AGE":   "7h",
		"FEIRA_GATEWAY_ADDRESS":     ":1",
		"FEIRA_GATEWAY_MAX_BODY":    "4096",
		"FEIRA_SCHEDULER_RENEW":     "2s",

		"FEIRA_GATEWAY_PUBLIC_URL":        "https://feira.example",
		"FEIRA_GATEWAY_CONNECT_REDIRECTS": "https://app.example/a,https://app.example/b/",

		"FEIRA_METRICS_ADDRESS":     ":2",
		"FEIRA_VAULT_AUDIT_AGE":     "24h",
		"FEIRA_OTLP_ENDPOINT":       "http://127.0.0.1:3",
		"FEIRA_LOG_FORMAT":          "text",
		"FEIRA_MODEL_DELTAS":        "off",
		"FEIRA_UPKEEP_POLLS":        "off",
		"OPENAI_BASE_URL":           "http://127.0.0.1:4/v1",
		"FEIRA_MCP_PRIVATE_ORIGINS": "http://127.0.0.1:5,http://127.0.0.1:6",
		"FEIRA_MCP_COMMANDS":        "/usr/bin/node /opt/a,b.js;/opt/crm",
	}
	settings(reflect.ValueOf(config.Config{}), func(field reflect.StructField, _ reflect.Value) {
		variable, _, _ := strings.Cut(field.Tag.Get("env"), ",")
		if variable == "FEIRA_NATS_CREDENTIALS" {
			return // excludes the user
		}
		t.Setenv(variable, cmp.Or(byVariable[variable], byType[field.Type]))
	})
	parsed := parse(t)
	settings(reflect.ValueOf(parsed), func(field reflect.StructField, value reflect.Value) {
		require.Equal(t, field.Name == "Credentials", value.IsZero(), field.Name)
	})
	require.Equal(t, "secret", parsed.Model.Key.Reveal())
	require.Equal(t, "one two=2", parsed.Exporter.Keys["stripe"].Reveal()+" "+parsed.Exporter.Keys["lago-eu"].Reveal())
	require.NotContains(t, fmt.Sprintf("%+v", parsed), "two=2")
	require.Equal(t, 7*time.Second, parsed.Worker.SoftStop)
	require.Equal(t, "http://127.0.0.1:2", parsed.Provider.URLs["asaas"])
	require.Equal(t, []string{"http://127.0.0.1:5", "http://127.0.0.1:6"}, parsed.MCP.PrivateOrigins)
	require.Equal(t, []string{"/usr/bin/node /opt/a,b.js", "/opt/crm"}, parsed.MCP.Commands)
}

// Test mode is off unless somebody asks for it, by either name; ours counts
// before CodeSpar's.
func TestTestModeHasTwoNames(t *testing.T) {
	for _, test := range []struct {
		feira, codespar string
		args            []string
		want            bool
	}{
		{},
		{feira: "true", want: true},
		{feira: "1", want: true},
		{codespar: "true", want: true},
		{codespar: "TRUE", want: true},
		{codespar: "1", want: true},
		{codespar: "false"},
		{codespar: "0"},
		{feira: "false", codespar: "true"},
		{args: []string{"--test-mode"}, want: true},
	} {
		t.Run(test.feira+test.codespar, func(t *testing.T) {
			clearEnvironment(t)
			for variable, value := range map[string]string{"FEIRA_TEST_MODE": test.feira, "CODESPAR_TEST_MODE_ENABLED": test.codespar} {
				if value != "" {
					t.Setenv(variable, value)
				}
			}
			require.Equal(t, test.want, parse(t, test.args...).TestMode)
		})
	}
}

func TestFlagsAreNamedForTheirSection(t *testing.T) {
	clearEnvironment(t)
	parsed := parse(t, "--nats-replicas=3", "--worker-slots=9", "--log-level=debug", "--provider-urls=stripe=http://127.0.0.1:1")
	require.Equal(t, 3, parsed.NATS.Replicas)
	require.Equal(t, 9, parsed.Worker.Slots)
	require.Equal(t, "DEBUG", parsed.Telemetry.LogLevel.String())
	require.Equal(t, map[string]string{"stripe": "http://127.0.0.1:1"}, parsed.Provider.URLs)
}

func TestValidateNamesEveryFault(t *testing.T) {
	t.Parallel()
	for fault, spoil := range map[string]func(*config.Config){
		"data_dir: is missing":                                   func(c *config.Config) { c.DataDir = "" },
		"nats.url: has another scheme than nats, tls, ws, wss":   func(c *config.Config) { c.NATS.URL = "nats://a:4222, http://b" },
		"nats.url: has no host":                                  func(c *config.Config) { c.NATS.URL = "nats://:4222" },
		"nats.url: holds a user or a password":                   func(c *config.Config) { c.NATS.URL = "nats://me:canary@a:4222" },
		"nats.url: is not a URL":                                 func(c *config.Config) { c.NATS.URL = "nats://me:canary@a:port" },
		"nats.credentials: excludes user":                        func(c *config.Config) { c.NATS.Credentials, c.NATS.User = "a.creds", "me" },
		"nats.user: is missing though there is a password":       func(c *config.Config) { c.NATS.Password = "canary" },
		"nats.name: is missing":                                  func(c *config.Config) { c.NATS.Name = "" },
		"nats.replicas: is none of 1, 3 and 5":                   func(c *config.Config) { c.NATS.Replicas = 2 },
		"nats.request_timeout: is -1s":                           func(c *config.Config) { c.NATS.RequestTimeout = -time.Second },
		"streams.backlog: is -1, want 1 to 10000000":             func(c *config.Config) { c.Streams.Backlog = -1 },
		"streams.session_age: is 1s":                             func(c *config.Config) { c.Streams.SessionAge = time.Second },
		"streams.usage_age: is 1s":                               func(c *config.Config) { c.Streams.UsageAge = time.Second },
		`gateway.address: is "8080", want host:port`:             func(c *config.Config) { c.Gateway.Address = "8080" },
		"gateway.session_idle: is 999ms":                         func(c *config.Config) { c.Gateway.SessionIdle = 999 * time.Millisecond },
		"gateway.wait: is 1h0m0.000000001s":                      func(c *config.Config) { c.Gateway.Wait = time.Hour + 1 },
		"gateway.max_body: is 1023, want 1024 to 1048576":        func(c *config.Config) { c.Gateway.MaxBody = 1023 },
		"gateway.client_time: is 99ms":                           func(c *config.Config) { c.Gateway.ClientTime = 99 * time.Millisecond },
		"gateway.api_rate: is -1, want 1 to 1000000":             func(c *config.Config) { c.Gateway.APIRate = -1 },
		"gateway.soft_stop: is 0s":                               func(c *config.Config) { c.Gateway.SoftStop = 0 },
		"scheduler.reconcile: is 0s":                             func(c *config.Config) { c.Scheduler.Reconcile = 0 },
		`worker.id: has other characters than letters`:           func(c *config.Config) { c.Worker.ID = "a.b" },
		"worker.id: is longer than 64 bytes":                     func(c *config.Config) { c.Worker.ID = strings.Repeat("a", 65) },
		"worker.slots: is 0, want 1 to 100000":                   func(c *config.Config) { c.Worker.Slots = 0 },
		"worker.soft_stop: is 0s":                                func(c *config.Config) { c.Worker.SoftStop = 0 },
		"model.base_url: has another scheme than https, http":    func(c *config.Config) { c.Model.BaseURL = "ftp://a" },
		"model.name: is missing":                                 func(c *config.Config) { c.Model.Name = "" },
		"model.max_output_tokens: is 0":                          func(c *config.Config) { c.Model.MaxOutputTokens = 0 },
		"model.timeout: is 0s":                                   func(c *config.Config) { c.Model.Timeout = 0 },
		"model.max_elapsed: is less than the timeout of one try": func(c *config.Config) { c.Model.MaxElapsed = 2 * time.Second },
		`model.deltas: is "maybe", want on or off`:               func(c *config.Config) { c.Model.Deltas = "maybe" },
		`provider.urls["stripe"]: is not a URL`:                  func(c *config.Config) { c.Provider.URLs = map[string]string{"stripe": "http://canary:x"} },
		"mcp.private_origins[0]: has another scheme":             func(c *config.Config) { c.MCP.PrivateOrigins = []string{"ftp://a"} },
		"mcp.private_origins[0]: holds a user or a password":     func(c *config.Config) { c.MCP.PrivateOrigins = []string{"http://me:canary@a"} },
		"mcp.private_origins[1]: has something after the host":   func(c *config.Config) { c.MCP.PrivateOrigins = []string{"http://a/", "http://a/mcp"} },
		"mcp.commands[1]: does not begin with the whole path":    func(c *config.Config) { c.MCP.Commands = []string{" /usr/bin/crm x", "npx"} },
		`provider.urls[""]: names no server`:                     func(c *config.Config) { c.Provider.URLs = map[string]string{"": "http://a"} },
		"exporter.settings[1]: is missing":                       func(c *config.Config) { c.Exporter.Settings = []string{"a", ""} },
		`exporter.keys["lago"]: wants a name and a key`:          func(c *config.Config) { c.Exporter.Keys = map[string]config.Redacted{"lago": ""} },
		"exporter.every: is 0s":                                  func(c *config.Config) { c.Exporter.Every = 0 },
		"exporter.soft_stop: is 0s":                              func(c *config.Config) { c.Exporter.SoftStop = 0 },
		"vault.kek: has another scheme than file, hcvault":       func(c *config.Config) { c.Vault.KEK = "vault://canary" },
		"vault.kek: holds a user or a password":                  func(c *config.Config) { c.Vault.KEK = "hcvault://me:canary@a/transit/keys/k" },
		"vault.other_keks[1]: has another scheme than file":      func(c *config.Config) { c.Vault.OtherKEKs = []string{"file:///a", "s3://canary"} },
		"vault.other_keks[0]: is missing":                        func(c *config.Config) { c.Vault.OtherKEKs = []string{""} },
		"vault.audit_age: is 23h59m59s":                          func(c *config.Config) { c.Vault.AuditAge = 24*time.Hour - time.Second },
		`telemetry.log_format: is "xml", want text or json`:      func(c *config.Config) { c.Telemetry.LogFormat = "xml" },
		"telemetry.otlp_endpoint: has another scheme than https": func(c *config.Config) { c.Telemetry.OTLPEndpoint = "a:4318" },
		`telemetry.metrics_address: is "9090", want host:port`:   func(c *config.Config) { c.Telemetry.MetricsAddress = "9090" },
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			faulty := config.Default()
			spoil(&faulty)
			err := faulty.Validate()
			require.ErrorIs(t, err, config.ErrInvalid)
			require.ErrorContains(t, err, fault)
			require.NotContains(t, err.Error(), "canary")
		})
	}
}

func TestValidateJoinsFaults(t *testing.T) {
	t.Parallel()
	faulty := config.Default()
	faulty.NATS.Replicas, faulty.Worker.Slots, faulty.Model.Name = 4, -1, ""
	require.EqualError(t, faulty.Validate(), `invalid configuration:
nats.replicas: is none of 1, 3 and 5
worker.slots: is -1, want 1 to 100000
model.name: is missing`)
}

func TestSeveralServersAreOneCluster(t *testing.T) {
	t.Parallel()
	fine := config.Default()
	fine.NATS.URL = "nats://a:4222, tls://b:4222,wss://c"
	fine.NATS.Credentials = "worker.creds"
	require.NoError(t, fine.Validate())
}

func TestParsingValidates(t *testing.T) {
	clearEnvironment(t)
	var grammar struct {
		Config config.Config `embed:""`
	}
	parser, err := kong.New(&grammar)
	require.NoError(t, err)
	_, err = parser.Parse([]string{"--nats-replicas=2"})
	require.ErrorContains(t, err, "nats.replicas: is none of 1, 3 and 5")
}

func TestCredentialsComeFromTheEnvironment(t *testing.T) {
	clearEnvironment(t)
	t.Setenv("FEIRA_NATS_CREDENTIALS", "worker.creds")
	require.Equal(t, "worker.creds", filepath.Base(parse(t).NATS.Credentials))
}

// clearEnvironment hides what the machine that runs the tests has set.
func clearEnvironment(t *testing.T) {
	t.Helper()
	settings(reflect.ValueOf(config.Config{}), func(field reflect.StructField, _ reflect.Value) {
		for variable := range strings.SplitSeq(field.Tag.Get("env"), ",") {
			t.Setenv(variable, "")
			require.NoError(t, os.Unsetenv(variable)) // Setenv above restores it
		}
	})
}
