package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/feira-dev/feira/events"
)

// Kind is the kind of system that is told.
type Kind string

// Kinds.
const (
	KindOpenMeter Kind = "openmeter"
	KindStripe    Kind = "stripe"
	KindLago      Kind = "lago"
	KindWebhook   Kind = "webhook"
	KindCSV       Kind = "csv"
	KindParquet   Kind = "parquet"
)

// Settings say where usage goes and what things are called there. They hold no
// secret.
type Settings struct {
	// Name is that of the export, under which the ledger keeps how far it has
	// come. Defaults to the kind.
	Name string `yaml:"name"`
	Kind Kind   `yaml:"sink"`
	// Environment is whose usage is told. Defaults to live.
	Environment events.Environment `yaml:"environment"`
	// URL is the other side's address, without the path of its API; for a
	// webhook, the whole address. Defaults to the service's own.
	URL string `yaml:"url"`
	// Dir is the folder of files.
	Dir string `yaml:"dir"`
	// Value is the property that holds the quantity. Defaults to quantity.
	Value string `yaml:"value"`
	// Dimensions are the other properties, each with the field that it is of:
	// one of [Fields], or metadata.KEY. Defaults to all fields under their names.
	Dimensions map[string]string `yaml:"dimensions"`
	// Meters are how meters and units are called there. One that is not listed
	// is called METER.UNIT; Stripe is told of those alone that are listed.
	Meters []Meter `yaml:"meters"`
	// Tenants are how tenants are called there: OpenMeter's subject, Lago's
	// external_subscription_id, Stripe's customer. One that is not listed keeps
	// its name; with Stripe it waits until it is listed.
	Tenants map[events.TenantID]string `yaml:"tenants"`
	// Settle is how long after its end an hour waits for late usage before
	// Stripe is told of it. Defaults to 10 minutes.
	Settle time.Duration `yaml:"settle"`
	// Closes is how long after its end a month can still be billed by Stripe, which
	// changes no invoice that is final: what comes later is a correction to be made
	// there by hand. Defaults to 72 h, the longest grace that Stripe has; make it
	// longer, up to 35 days, where Stripe's periods are no calendar months.
	Closes time.Duration `yaml:"closes"`
	// Batch is how many of the ledger's numbers go at a time. Defaults to what
	// the other side takes.
	Batch int64 `yaml:"batch"`
}

// Meter is how one unit of one meter is called on the other side.
type Meter struct {
	Meter events.Meter `yaml:"meter"`
	Unit  string       `yaml:"unit"`
	// Event is the name there: an event's type, a code, an event_name.
	Event string `yaml:"event"`
	// ID is that of the meter there, by which it is asked what it has: Stripe's
	// mtr_..., OpenMeter's slug.
	ID string `yaml:"id"`
}

// ParseSettings reads settings from YAML.
func ParseSettings(text []byte) (Settings, error) {
	var settings Settings
	if err := yaml.UnmarshalWithOptions(text, &settings, yaml.Strict()); err != nil {
		// The place and the rule, and not the text there: somebody may have put a key.
		return Settings{}, fmt.Errorf("%w: %s", ErrSettings, yaml.FormatError(err, false, false))
	}
	return settings, nil
}

// services are the addresses of those that run for everybody.
func services() map[Kind]string {
	return map[Kind]string{
		KindOpenMeter: "https://openmeter.cloud", KindStripe: "https://api.stripe.com", KindLago: "https://api.getlago.com",
	}
}

// batches are how many numbers go at a time. A number may make several items.
func batches() map[Kind]int64 {
	return map[Kind]int64{
		KindOpenMeter: 100, KindLago: 100, KindWebhook: 50, KindStripe: 5_000, KindCSV: 10_000, KindParquet: 50_000,
	}
}

func (s Settings) withDefaults() Settings {
	if s.Name == "" {
		s.Name = string(s.Kind)
	}
	if s.Environment == "" {
		s.Environment = events.EnvironmentLive
	}
	if s.URL == "" {
		s.URL = services()[s.Kind]
	}
	if s.Value == "" {
		s.Value = "quantity"
	}
	if s.Dimensions == nil {
		s.Dimensions = map[string]string{}
		for _, field := range Fields() {
			s.Dimensions[field] = field
		}
	}
	if s.Settle == 0 {
		s.Settle = 10 * time.Minute
	}
	if s.Closes == 0 {
		s.Closes = 72 * time.Hour
	}
	if s.Batch == 0 {
		s.Batch = batches()[s.Kind]
	}
	s.URL = strings.TrimRight(s.URL, "/")
	return s
}

// NeedsKey reports whether the other side takes nothing without a key.
func (s Settings) NeedsKey() bool {
	return s.Kind != KindCSV && s.Kind != KindParquet && s.Kind != KindOpenMeter
}

// Title is the export's name, whether it was given or not.
func (s Settings) Title() string { return s.withDefaults().Name }

var exportName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

// Validate joins every fault, each naming its field.
func (s Settings) Validate() error {
	s = s.withDefaults()
	var faults []error
	add := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("%w: %w", ErrSettings, fmt.Errorf(format, args...)))
	}
	if !exportName.MatchString(s.Name) {
		add("name: %q, want lower-case letters, digits, dots and dashes", s.Name)
	}
	if batches()[s.Kind] == 0 {
		add("sink: %q, want openmeter, stripe, lago, webhook, csv or parquet", s.Kind)
	}
	if s.Environment != events.EnvironmentLive && s.Environment != events.EnvironmentTest {
		add("environment: %q, want live or test", s.Environment)
	}
	if s.Batch < 1 || s.Batch > 100_000 {
		add("batch: %d, want 1 to 100000", s.Batch)
	}
	if s.Settle < 0 || s.Settle > 24*time.Hour {
		add("settle: %s, want 0 to 24h", s.Settle)
	}
	if s.Closes < time.Hour || s.Closes > stripeTakes+time.Hour {
		add("closes: %s, want 1h to 840h", s.Closes)
	}
	files := s.Kind == KindCSV || s.Kind == KindParquet
	if files == (s.Dir == "") {
		add("dir: belongs to csv and parquet, and to nothing else")
	}
	if err := checkURL(s.URL); !files && err != nil {
		add("url: %w", err)
	}
	for property, field := range s.Dimensions {
		if _, known := fieldOf(field); !known {
			add("dimensions[%q]: %q is no field", property, field)
		}
		if property == s.Value {
			add("dimensions[%q]: is the value's", property)
		}
	}
	for i, meter := range s.Meters {
		if meter.Meter == "" || meter.Unit == "" || meter.Event == "" || len(meter.Event) > 100 {
			add("meters[%d]: wants meter, unit and an event of at most 100 bytes", i)
		}
	}
	return errors.Join(faults...)
}

// checkURL never quotes the address: it may hold a password in any place.
func checkURL(text string) error {
	address, err := url.Parse(text)
	switch {
	case err != nil || address.Hostname() == "":
		return errors.New("is no address")
	case address.Scheme != "https" && address.Scheme != "http":
		return errors.New("has another scheme than https, http")
	case address.User != nil || address.RawQuery != "" || address.Fragment != "":
		return errors.New("holds a user, a password, a query or a fragment")
	}
	return nil
}

// pinned are the settings that an export keeps to for its life: with others,
// what the other side has already would mean something else.
func (s Settings) pinned() string {
	text, err := json.Marshal(map[string]string{"sink": string(s.Kind), "environment": string(s.Environment)})
	if err != nil {
		return "" // two strings always marshal
	}
	return string(text)
}

// event is how a unit of a meter is called there.
func (s Settings) event(meter events.Meter, unit string) (name string, listed bool) {
	if found, ok := s.meter(meter, unit); ok {
		return found.Event, true
	}
	return string(meter) + "." + unit, false
}

func (s Settings) meter(meter events.Meter, unit string) (Meter, bool) {
	for _, one := range s.Meters {
		if one.Meter == meter && one.Unit == unit {
			return one, true
		}
	}
	return Meter{}, false
}

// tenant is how a tenant is called there.
func (s Settings) tenant(id events.TenantID) (name string, listed bool) {
	if name, listed = s.Tenants[id]; listed {
		return name, true
	}
	return string(id), false
}
