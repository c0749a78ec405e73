package export_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/feira-dev/feira/internal/export"
	"github.com/feira-dev/feira/internal/ledger"
	"github.com/feira-dev/feira/internal/testenv"
	"github.com/feira-dev/feira/internal/usage"
)

// doomed* are set for the test binary when it is to be the exporter that gets
// killed.
const (
	doomedLedger = "FEIRA_EXPORT_DOOMED_LEDGER"
	doomedKind   = "FEIRA_EXPORT_DOOMED_KIND"
	doomedURL    = "FEIRA_EXPORT_DOOMED_URL"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(doomedLedger); path != "" {
		if err := exportOnce(context.Background(), path, settings(export.Kind(os.Getenv(doomedKind)), os.Getenv(doomedURL))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	testenv.Main(m)
}

// now is long after everything that the tests use has settled.
func now() time.Time { return time.Date(2026, time.November, 27, 15, 0, 0, 0, time.UTC) }

// secret is no credential of anybody.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// settings are those of an export with small batches.
func settings(kind export.Kind, place string) export.Settings {
	made := export.Settings{Kind: kind, URL: place, Batch: 5}
	switch kind {
	case export.KindCSV, export.KindParquet:
		made.URL, made.Dir = "", place
	case export.KindStripe:
		made.Tenants = customers()
		made.Meters = []export.Meter{
			{Meter: "tool_call", Unit: "call", Event: "feira_calls", ID: "mtr_calls"},
			{Meter: "model_reply", Unit: "input_token", Event: "feira_input", ID: "mtr_input"},
			{Meter: "model_reply", Unit: "output_token", Event: "feira_output", ID: "mtr_output"},
		}
	case export.KindOpenMeter:
		made.Meters = []export.Meter{
			{Meter: "tool_call", Unit: "call", Event: "call", ID: "calls"},
			{Meter: "model_reply", Unit: "input_token", Event: "input", ID: "input"},
			{Meter: "model_reply", Unit: "output_token", Event: "output", ID: "output"},
		}
	case export.KindLago, export.KindWebhook:
	}
	return made
}

func exportOnce(ctx context.Context, path string, settings export.Settings) error {
	book, err := ledger.Open(ctx, ledger.Config{Path: path, Now: now})
	if err != nil {
		return err
	}
	zone, err := usage.Zone("")
	if err != nil {
		return err
	}
	exporter, err := export.New(export.Config{Settings: settings, Books: book, Zone: zone, Key: secret, Pause: time.Millisecond, Now: now})
	if err != nil {
		return err
	}
	if _, err := exporter.Run(ctx); err != nil {
		return err
	}
	exporter.Close()
	return book.Close()
}
