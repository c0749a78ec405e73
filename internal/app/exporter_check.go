package app

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/feira-dev/feira/internal/config"
)

// CheckFiles reads the files that a configuration names as the roles do, and joins
// what is wrong with all of them, each with its file and its line or field. It
// needs neither a broker nor a ledger.
func CheckFiles(cfg config.Config) error {
	files, err := exportFiles(cfg.Exporter.Settings)
	if err != nil {
		return err
	}
	var faults []error
	names := map[string]string{} // of exports -> their files
	for _, file := range files {
		settings, err := ExportParams{File: file}.settings()
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if err := settings.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", file, err))
		}
		name := settings.Title()
		if first, taken := names[name]; taken {
			faults = append(faults, fmt.Errorf("%s: name: %w: %s, as in %s", file, errTwoExports, name, first))
		}
		names[name] = file
		if settings.NeedsKey() && cfg.Exporter.Keys[name] == "" {
			faults = append(faults, fmt.Errorf("%s: key is missing; set FEIRA_EXPORTER_KEYS's %s=KEY", file, name))
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...) // a key may be of what could not be read
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Exporter.Keys)) {
		if _, there := names[name]; !there {
			faults = append(faults, fmt.Errorf("there is a key of export %q (FEIRA_EXPORTER_KEYS) and no settings", name))
		}
	}
	return errors.Join(faults...)
}
