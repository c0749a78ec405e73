package deployment

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Facts are what Feira is, for the files to agree with.
type Facts struct {
	// Roles are those of `feira run`.
	Roles []string
	// Variables are the environment variables that Feira reads.
	Variables []string
	// Brokers are the hosts of the three NATS nodes.
	Brokers []string
}

// Compose is what is checked of a compose file.
type Compose struct {
	Services map[string]Service `yaml:"services"`
	Volumes  map[string]any     `yaml:"volumes"`
}

// Service is one service of a compose file.
type Service struct {
	Image       string            `yaml:"image"`
	Build       any               `yaml:"build"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	EnvFile     []string          `yaml:"env_file"`
	Volumes     []string          `yaml:"volumes"`
	MemLimit    string            `yaml:"mem_limit"`
	Restart     string            `yaml:"restart"`
	ReadOnly    bool              `yaml:"read_only"`
	Healthcheck *struct {
		Test []string `yaml:"test"`
	} `yaml:"healthcheck"`
	DependsOn map[string]any `yaml:"depends_on"`
}

// ParseCompose reads a compose file.
func ParseCompose(text []byte) (Compose, error) {
	var compose Compose
	if err := yaml.Unmarshal(text, &compose); err != nil {
		return Compose{}, fmt.Errorf("reading the compose file: %w", err)
	}
	return compose, nil
}

// Check joins what is wrong with the file, each fault naming its service.
func (c Compose) Check(facts Facts) error {
	var faults []error
	replicas := make(map[string]int)
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		service := c.Services[name]
		for _, err := range c.checkService(service) {
			faults = append(faults, fmt.Errorf("service %s: %w", name, err))
		}
		if slices.Contains(facts.Brokers, name) {
			for _, err := range service.checkBroker(name) {
				faults = append(faults, fmt.Errorf("service %s: %w", name, err))
			}
			continue
		}
		for _, err := range service.checkFeira(facts) {
			faults = append(faults, fmt.Errorf("service %s: %w", name, err))
		}
		for _, role := range service.roles() {
			replicas[role]++
		}
	}
	for _, broker := range facts.Brokers {
		if _, ok := c.Services[broker]; !ok {
			faults = append(faults, fmt.Errorf("service %s is missing", broker))
		}
	}
	for _, role := range facts.Roles {
		if replicas[role] == 0 {
			faults = append(faults, fmt.Errorf("no service runs role %s", role))
		}
	}
	return errors.Join(faults...)
}

// checkService holds any service to what keeps one of them from taking the
// host down with it.
func (c Compose) checkService(service Service) []error {
	var faults []error
	if service.MemLimit == "" {
		faults = append(faults, errors.New("mem_limit is missing"))
	}
	if service.Restart == "" {
		faults = append(faults, errors.New("restart is missing"))
	}
	if service.Healthcheck == nil || len(service.Healthcheck.Test) == 0 {
		faults = append(faults, errors.New("healthcheck is missing"))
	}
	if image := service.Image; !strings.Contains(image, ":") || strings.HasSuffix(image, ":latest") {
		faults = append(faults, fmt.Errorf("image %q is not pinned", image))
	}
	secret := regexp.MustCompile(`PASSWORD|SECRET|TOKEN|KEY$|DSN$`)
	for _, variable := range slices.Sorted(maps.Keys(service.Environment)) {
		if secret.MatchString(variable) {
			faults = append(faults, fmt.Errorf("environment %s: secrets come from env_file", variable))
		}
	}
	for _, volume := range service.Volumes {
		source, _, _ := strings.Cut(volume, ":")
		if _, ok := c.Volumes[source]; !ok && !strings.HasPrefix(source, ".") {
			faults = append(faults, fmt.Errorf("volume %s is not declared", source))
		}
	}
	for other := range service.DependsOn {
		if _, ok := c.Services[other]; !ok {
			faults = append(faults, fmt.Errorf("depends on %s, which is no service", other))
		}
	}
	return faults
}

func (s Service) checkBroker(name string) []error {
	var faults []error
	if s.Environment["NATS_NAME"] != name {
		faults = append(faults, fmt.Errorf("environment NATS_NAME is %q, want %q", s.Environment["NATS_NAME"], name))
	}
	if !slices.Contains(s.Volumes, name+":/data") {
		faults = append(faults, fmt.Errorf("/data is not on volume %s of its own", name))
	}
	return faults
}

func (s Service) checkFeira(facts Facts) []error {
	var faults []error
	if s.Build == nil {
		faults = append(faults, errors.New("is neither a broker nor built from this repository"))
	}
	if len(s.Command) < 2 || s.Command[0] != "run" {
		faults = append(faults, fmt.Errorf("command is %q, want run ROLE", strings.Join(s.Command, " ")))
	}
	for _, role := range s.roles() {
		if !slices.Contains(facts.Roles, role) {
			faults = append(faults, fmt.Errorf("command runs %q, which is no role; roles are %s", role, strings.Join(facts.Roles, ", ")))
		}
	}
	for _, variable := range slices.Sorted(maps.Keys(s.Environment)) {
		if !runtimeVariable(variable) && !slices.Contains(facts.Variables, variable) {
			faults = append(faults, fmt.Errorf("environment %s is read by nobody", variable))
		}
	}
	for _, broker := range facts.Brokers {
		if !strings.Contains(s.Environment["FEIRA_NATS_URL"], "//"+broker+":") {
			faults = append(faults, fmt.Errorf("environment FEIRA_NATS_URL leaves out %s", broker))
		}
	}
	if !s.ReadOnly {
		faults = append(faults, errors.New("read_only is not set"))
	}
	return faults
}

// runtimeVariable reports whether the Go runtime reads a variable.
func runtimeVariable(name string) bool { return name == "GOMEMLIMIT" || name == "GOMAXPROCS" }

func (s Service) roles() []string {
	if len(s.Command) < 2 || s.Command[0] != "run" {
		return nil
	}
	var roles []string
	for _, word := range s.Command[1:] {
		if !strings.HasPrefix(word, "-") {
			roles = append(roles, word)
		}
	}
	return roles
}
