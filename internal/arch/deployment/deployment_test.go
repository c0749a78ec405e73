package deployment_test

import (
	"bufio"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/feira-dev/feira/internal/app"
	"github.com/feira-dev/feira/internal/arch/deployment"
	"github.com/feira-dev/feira/internal/config"
)

const root = "../../../deployments"

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	require.NoError(t, err)
	return string(text)
}

func facts() deployment.Facts {
	facts := deployment.Facts{
		Variables: variables(reflect.TypeFor[config.Config]()),
		Brokers:   []string{"nats-1", "nats-2", "nats-3"},
	}
	for _, role := range app.AllRoles() {
		facts.Roles = append(facts.Roles, string(role))
	}
	return facts
}

// variables are those that the configuration reads, by its own tags.
func variables(typ reflect.Type) []string {
	var names []string
	for field := range typ.Fields() {
		if name := field.Tag.Get("env"); name != "" {
			names = append(names, name)
		}
		if field.Type.Kind() == reflect.Struct {
			names = append(names, variables(field.Type)...)
		}
	}
	return names
}

func TestCompose(t *testing.T) {
	t.Parallel()
	compose, err := deployment.ParseCompose([]byte(read(t, "compose.yaml")))
	require.NoError(t, err)
	require.NoError(t, compose.Check(facts()))
	roles := map[string]int{}
	for _, service := range compose.Services {
		if service.Command[0] == "run" {
			roles[service.Command[1]]++
		}
	}
	require.GreaterOrEqual(t, roles["scheduler"], 2, "a leader without a standby")
	require.GreaterOrEqual(t, roles["worker"], 2)
}

// TestComposeFaults plants one fault at a time in the real file.
func TestComposeFaults(t *testing.T) {
	t.Parallel()
	good := read(t, "compose.yaml")
	for name, test := range map[string]struct{ from, to, want string }{
		"a role that is none":       {"[run, meter]", "[run, metre]", `service meter: command runs "metre", which is no role`},
		"no service for a role":     {"[run, meter]", "[run, worker]", "no service runs role meter"},
		"no role":                   {"[run, meter]", "[run]", `service meter: command is "run", want run ROLE`},
		"a setting nobody reads":    {"FEIRA_NATS_USER:", "FEIRA_NATS_USERNAME:", "environment FEIRA_NATS_USERNAME is read by nobody"},
		"a secret in the file":      {"FEIRA_NATS_USER: feira", "FEIRA_NATS_PASSWORD: hunter2", "environment FEIRA_NATS_PASSWORD: secrets come from env_file"},
		"a broker left out":         {",nats://nats-3:4222", "", "environment FEIRA_NATS_URL leaves out nats-3"},
		"a broker missing":          {"\n  nats-3:\n    <<", "\n  nats-9:\n    <<", "service nats-3 is missing"},
		"a broker under two names":  {"NATS_NAME: nats-2", "NATS_NAME: nats-1", `service nats-2: environment NATS_NAME is "nats-1", want "nats-2"`},
		"brokers on one disk":       {"[nats-2:/data,", "[nats-1:/data,", "service nats-2: /data is not on volume nats-2 of its own"},
		"no limit of memory":        {"  mem_limit: 512m\n", "", "service meter: mem_limit is missing"},
		"no health":                 {"  healthcheck:\n    test: [CMD, /feira, config, check]\n    interval: 30s\n    timeout: 5s\n", "", "service meter: healthcheck is missing"},
		"no restart":                {"restart: unless-stopped\n  # Longer", "# Longer", "service meter: restart is missing"},
		"a moving image":            {"nats:2.15.2-alpine", "nats:latest", `service nats-1: image "nats:latest" is not pinned`},
		"a volume nobody declared":  {"[ledger:", "[ledgers:", "service meter: volume ledgers is not declared"},
		"a dependency that is none": {"nats-3: { condition", "nats-4: { condition", "service meter: depends on nats-4, which is no service"},
		"a writable root":           {"read_only: true", "read_only: false", "service meter: read_only is not set"},
		"a stranger":                {"\nvolumes:", "\n  redis:\n    image: redis:7\n    command: [redis-server]\nvolumes:", "service redis: is neither a broker nor built from this repository"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, good, test.from)
			compose, err := deployment.ParseCompose([]byte(strings.Replace(good, test.from, test.to, 1)))
			require.NoError(t, err)
			require.ErrorContains(t, compose.Check(facts()), test.want)
		})
	}
	_, err := deployment.ParseCompose([]byte("services: ["))
	require.Error(t, err)
}

// TestEnvironmentExamples: every variable of an example is read by somebody, no
// real secret is in one, and every file that compose asks for has an example.
func TestEnvironmentExamples(t *testing.T) {
	t.Parallel()
	compose, err := deployment.ParseCompose([]byte(read(t, "compose.yaml")))
	require.NoError(t, err)
	for name, service := range compose.Services {
		for _, file := range service.EnvFile {
			require.FileExists(t, filepath.Join(root, file+".example"), name)
		}
	}
	for name := range environment(t, "feira.env.example") {
		require.Contains(t, facts().Variables, name)
	}
	broker := read(t, "nats/nats.conf") + read(t, "nats/accounts.conf")
	for name := range environment(t, "nats.env.example") {
		require.True(t, name == "NATS_ROUTE_PASSWORD" || strings.Contains(broker, "$"+name), name)
	}
	require.Contains(t, broker, "$NATS_ROUTE_PASSWORD")
	for _, file := range []string{"feira.env.example", "nats.env.example"} {
		for name, value := range environment(t, file) {
			require.Contains(t, value, "change-me", name)
		}
	}
}

// environment reads a file of NAME=value lines.
func environment(t *testing.T, name string) map[string]string {
	t.Helper()
	values := make(map[string]string)
	scanner := bufio.NewScanner(strings.NewReader(read(t, name)))
	for scanner.Scan() {
		if line := scanner.Text(); line != "" && !strings.HasPrefix(line, "#") {
			key, value, ok := strings.Cut(line, "=")
			require.True(t, ok, line)
			require.Regexp(t, regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`).String(), key)
			values[key] = value
		}
	}
	require.NoError(t, scanner.Err())
	require.NotEmpty(t, values)
	return values
}

func TestDockerfile(t *testing.T) {
	t.Parallel()
	stages, err := deployment.ParseDockerfile(read(t, "Dockerfile"))
	require.NoError(t, err)
	require.NoError(t, deployment.CheckDockerfile(stages))
	require.Len(t, stages, 2)
}

func TestDockerfileFaults(t *testing.T) {
	t.Parallel()
	good := read(t, "Dockerfile")
	for name, test := range map[string]struct{ from, to, want string }{
		"root":                    {"USER 65532:65532", "USER 0", `USER is "0"`},
		"root by silence":         {"USER 65532:65532\n", "", `USER is ""`},
		"a user without a number": {"USER 65532:65532", "USER feira", `USER is "feira"`},
		"a distribution":          {"FROM scratch", "FROM debian:12", "built on debian:12"},
		"a moving base":           {"golang:1.26-bookworm", "golang", "FROM golang is not pinned"},
		"a shell":                 {`ENTRYPOINT ["/feira"]`, "ENTRYPOINT /feira", "ENTRYPOINT is"},
		"no certificates":         {"COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt\n", "", "no ca-certificates.crt"},
		"no time zones":           {"COPY --from=build /usr/local/go/lib/time/zoneinfo.zip /usr/share/zoneinfo.zip\n", "", "no zoneinfo"},
		"a secret":                {"ARG VERSION=dev", "ARG STRIPE_API_KEY=sk_live_1", "ARG STRIPE_API_KEY: a secret"},
		"a secret to come":        {"ARG VERSION=dev", "ARG NPM_TOKEN", "ARG NPM_TOKEN: a secret"},
		"a stage that is none":    {"--from=build /out/feira", "--from=builder /out/feira", "COPY --from=builder: there is no such stage"},
		"a fetch":                 {"COPY LICENSE", "ADD LICENSE", "ADD fetches"},
		"libc":                    {"CGO_ENABLED=0", "CGO_ENABLED=1", "built without CGO_ENABLED=0"},
		"paths of the builder":    {"-trimpath ", "", "built without -trimpath"},
		"no version":              {"-X main.release=${VERSION}", "", "built without -X main.release="},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, good, test.from)
			stages, err := deployment.ParseDockerfile(strings.Replace(good, test.from, test.to, 1))
			require.NoError(t, err)
			require.ErrorContains(t, deployment.CheckDockerfile(stages), test.want)
		})
	}
	for _, text := range []string{"", "# nothing\n", "RUN true\n"} {
		_, err := deployment.ParseDockerfile(text)
		require.Error(t, err)
	}
	stages, err := deployment.ParseDockerfile("FROM golang:1.26\nRUN go build ./...\n")
	require.NoError(t, err)
	require.ErrorContains(t, deployment.CheckDockerfile(stages), "one stage alone")
}
