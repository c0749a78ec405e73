package config

import (
	"errors"
	"fmt"
	"time"
)

// Export is what exports of usage need and settings must not hold.
type Export struct {
	// Key is the API key of the system that is told, or the whsec_ secret that
	// signs a webhook.
	Key Redacted `name:"key" help:"API key of the system that usage is exported to, or the secret that signs a webhook; better set by the environment." env:"FEIRA_EXPORT_KEY"`
}

// Exporter is the role that tells other systems of usage as it comes.
type Exporter struct {
	// Settings are YAML files, of one system each, or folders whose .yaml files
	// are read. Defaults to none: nobody is told.
	Settings []string `name:"settings" help:"YAML files, or folders of them, of the systems that the role exporter tells of usage, one each." env:"FEIRA_EXPORTER_SETTINGS"`
	// Keys are the systems' API keys, or the whsec_ secrets that sign a webhook,
	// by the name of the export.
	Keys map[string]Redacted `name:"keys" help:"API keys of those systems as NAME=KEY;NAME=KEY, by the name of the export; better set by the environment." env:"FEIRA_EXPORTER_KEYS"`
	// Every is the pause between two looks for usage. Defaults to a minute.
	Every time.Duration `name:"every" help:"Pause between two looks for usage to tell of." env:"FEIRA_EXPORTER_EVERY" default:"1m"`
	// SoftStop is how long a batch under way may go on after a stop. Defaults to 10 s.
	SoftStop time.Duration `name:"soft-stop" help:"How long a batch under way may go on after a stop." env:"FEIRA_EXPORTER_SOFT_STOP" default:"10s"`
}

// WithDefaults fills what was left out.
func (e Exporter) WithDefaults() Exporter {
	fill(&e.Every, time.Minute)
	fill(&e.SoftStop, 10*time.Second)
	return e
}

func (e Exporter) faults() faults {
	var faults faults
	for i, path := range e.Settings {
		if path == "" {
			faults.add(fmt.Sprintf("settings[%d]", i), errMissing)
		}
	}
	for name, key := range e.Keys {
		if name == "" || key == "" {
			faults.add(fmt.Sprintf("keys[%q]", name), errors.New("wants a name and a key"))
		}
	}
	faults.add("every", checkDuration(e.Every, time.Second, 24*time.Hour))
	faults.add("soft_stop", checkDuration(e.SoftStop, time.Millisecond, time.Minute))
	return faults
}
