package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/feira-dev/feira/internal/export"
	"github.com/feira-dev/feira/internal/usage"
	"github.com/feira-dev/feira/workers/exporting"
)

// ExportParams say which export is meant.
type ExportParams struct {
	Kind export.Kind
	// File holds the settings as YAML; none when empty.
	File string
	// These count before what the file says, where they are not empty.
	Name, URL, Dir string
	Environment    string
}

// settings are those of the file with what the command line adds.
func (p ExportParams) settings() (export.Settings, error) {
	settings := export.Settings{Kind: p.Kind}
	if p.File != "" {
		text, err := os.ReadFile(p.File)
		if err != nil {
			return settings, fmt.Errorf("reading the settings: %w", err)
		}
		if settings, err = export.ParseSettings(text); err != nil {
			return settings, fmt.Errorf("reading the settings %s: %w", p.File, err)
		}
	}
	if settings.Kind == "" {
		settings.Kind = p.Kind
	}
	if p.Kind != "" && settings.Kind != p.Kind {
		return settings, fmt.Errorf("%w: sink: the file is for %s, not %s", export.ErrSettings, settings.Kind, p.Kind)
	}
	for into, text := range map[*string]string{&settings.Name: p.Name, &settings.URL: p.URL, &settings.Dir: p.Dir, (*string)(&settings.Environment): p.Environment} {
		if text != "" {
			*into = text
		}
	}
	return settings, nil
}

// exporter makes an export on the ledger.
func (o *Operator) exporter(ctx context.Context, params ExportParams) (*export.Exporter, error) {
	settings, err := params.settings()
	if err != nil {
		return nil, err
	}
	return o.kit.export(ctx, settings, o.kit.cfg.Export.Key.Reveal())
}

// Export tells the other side of all that is new, and again every so often until
// ctx ends where every is more than nothing. heard gets the report of each run;
// a run that fails is heard too, and ends what is not repeated. It contends for no
// lease, for it needs no broker: beside the role exporter of the same name it may
// tell some things twice, under the same identifiers.
func (o *Operator) Export(ctx context.Context, params ExportParams, every time.Duration, heard func(export.Report, error)) error {
	exporter, err := o.exporter(ctx, params)
	if err != nil {
		return err
	}
	defer exporter.Close()
	if every <= 0 {
		report, err := exporter.Run(ctx)
		heard(report, err)
		return err
	}
	part, err := exporting.New(exporting.Config{
		Destination: string(params.Kind), Teller: teller{exporter: exporter, heard: heard}, Every: every, Logger: o.kit.log,
	})
	if err != nil {
		return err
	}
	return runPart(ctx, part, o.kit.cfg.Exporter.SoftStop, func() {})
}

// ReconcileExport asks the other side what it has.
func (o *Operator) ReconcileExport(ctx context.Context, params ExportParams) (export.Reconciliation, error) {
	exporter, err := o.exporter(ctx, params)
	if err != nil {
		return export.Reconciliation{}, err
	}
	defer exporter.Close()
	return exporter.Reconcile(ctx)
}

// RecordExportErrors reads a report of the other side about what it had accepted
// and then could not use.
func (o *Operator) RecordExportErrors(ctx context.Context, params ExportParams, file string) ([]string, error) {
	report, err := os.ReadFile(file) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("reading the report: %w", err)
	}
	exporter, err := o.exporter(ctx, params)
	if err != nil {
		return nil, err
	}
	defer exporter.Close()
	return exporter.RecordErrors(ctx, report)
}

// ExportState is how far an export has come.
type ExportState struct {
	usage.Export

	// Last is the ledger's last number.
	Last int64 `json:"last"`
	// Sends count the sums that left, by what became of them.
	Sends map[usage.SendState]int `json:"sends,omitempty"`
}

// Exports lists how far each export has come.
func (o *Operator) Exports(ctx context.Context) ([]ExportState, error) {
	books, err := o.kit.books(ctx)
	if err != nil {
		return nil, err
	}
	exports, err := books.Exports(ctx)
	if err != nil {
		return nil, err
	}
	last, err := books.LastNumber(ctx)
	states := []ExportState{}
	for _, one := range exports {
		sends, fault := books.Sends(ctx, one.Name)
		err = errors.Join(err, fault)
		state := ExportState{Export: one, Last: last}
		for _, send := range sends {
			if state.Sends == nil {
				state.Sends = map[usage.SendState]int{}
			}
			state.Sends[send.State]++
		}
		states = append(states, state)
	}
	return states, err
}
