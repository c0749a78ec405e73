package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/export"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/natskv"
	"github.com/feira-dev/feira/workers/exporting"
)

// buildExporter makes a part for each system that is told of usage; none where
// no settings are given, so that "all" runs everywhere.
func buildExporter(ctx context.Context, k *kit) (lifecycle.Part, error) {
	files, err := exportFiles(k.cfg.Exporter.Settings)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		k.log.InfoContext(ctx, "nobody is told of usage: no settings of exports are given")
		return lifecycle.NewGroup("exporter"), nil
	}
	observer, err := k.watchExports()
	if err != nil {
		return nil, err
	}
	destinations, err := k.destinations(ctx, files)
	if err != nil {
		return nil, err
	}
	parts := make([]lifecycle.Part, 0, len(destinations))
	for _, one := range destinations {
		one.Observer = observer
		part, err := exporting.New(one)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return bounded{Part: lifecycle.NewGroup("exporter", parts...), within: k.cfg.Exporter.SoftStop}, nil
}

// exportFiles are the files that are named, and those of the folders that are.
func exportFiles(named []string) ([]string, error) {
	var files []string
	for _, path := range named {
		found, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("reading the settings of exports: %w", err)
		}
		if !found.IsDir() {
			files = append(files, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, fmt.Errorf("reading the settings of exports: %w", err)
		}
		for _, entry := range entries {
			if ext := filepath.Ext(entry.Name()); ext == ".yaml" || ext == ".yml" {
				files = append(files, filepath.Join(path, entry.Name()))
			}
		}
	}
	return files, nil
}

var errTwoExports = errors.New("two settings are of one export")

// destinations are the systems of these settings, each with a lease and a way
// out of its own.
func (k *kit) destinations(ctx context.Context, files []string) ([]exporting.Config, error) {
	kv, err := k.buckets(ctx)
	if err != nil {
		return nil, err
	}
	id := newID("exp")
	var made []exporting.Config
	var names []string
	for _, file := range files {
		settings, err := ExportParams{File: file}.settings()
		if err != nil {
			return nil, err
		}
		name := settings.Title()
		if slices.Contains(names, name) {
			return nil, fmt.Errorf("%w: %s, in %s", errTwoExports, name, file)
		}
		names = append(names, name)
		exporter, err := k.export(ctx, settings, k.cfg.Exporter.Keys[name].Reveal())
		if err != nil {
			return nil, fmt.Errorf("%s: %w; its key is FEIRA_EXPORTER_KEYS's %s=KEY", file, err, name)
		}
		k.closers = append(k.closers, exporter.Close)
		leases, err := kv.Lease(ctx, natskv.LeaseConfig{Key: events.KeyExporterLease(name)})
		if err != nil {
			return nil, err
		}
		made = append(made, exporting.Config{
			Destination: name, Teller: teller{exporter: exporter, heard: func(export.Report, error) {}}, ID: id,
			Lease: exporterLease(leases), Every: k.cfg.Exporter.Every, Logger: k.log,
		})
	}
	for name := range k.cfg.Exporter.Keys {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("there is a key of export %q (FEIRA_EXPORTER_KEYS) and no settings; there are %v", name, names)
		}
	}
	return made, nil
}

// export makes an export on the ledger.
func (k *kit) export(ctx context.Context, settings export.Settings, key string) (*export.Exporter, error) {
	books, err := k.books(ctx)
	if err != nil {
		return nil, err
	}
	return export.New(export.Config{Settings: settings, Books: books, Zone: books.Zone(), Key: key, Logger: k.log, Now: k.now})
}

// teller lets the role run an export.
type teller struct {
	exporter *export.Exporter
	heard    func(export.Report, error)
}

// Tell implements [exporting.Teller].
func (t teller) Tell(fetch, work context.Context) (exporting.Told, error) {
	report, err := t.exporter.RunUntil(fetch, work)
	if err == nil || fetch.Err() == nil { // else it was called off, which is no news
		t.heard(report, err)
	}
	return exporting.Told{Items: report.Items, Behind: report.Last - report.Cursor, Waiting: report.Waiting, Unlisted: report.Unlisted}, err
}
