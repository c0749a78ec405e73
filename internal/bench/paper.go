package bench

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// errNothing occurs when there is nothing to draw.
var errNothing = errors.New("bench: nothing was measured to draw")

// Prepare makes the folder of a report and sees that it can be written in, so
// that nobody measures for minutes for a report that has no place.
func Prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("%w: report: making the folder: %w", ErrConfig, err)
	}
	probe, err := os.CreateTemp(dir, ".feira-bench-*")
	if err != nil {
		return fmt.Errorf("%w: report: writing in the folder: %w", ErrConfig, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// plot is a picture of the report.
type plot struct {
	file string
	text string // what it shows
	draw func(w io.Writer) error
}

func (r Report) plots() []plot {
	var plots []plot
	if r.Fairness != nil {
		plots = append(plots, plot{
			"fairness.svg", "Share over time: ten tenants of weights 1 to 4 that want every slot; dashed is what the weight gives",
			func(w io.Writer) error {
				return overTime(w, "Share of all slot-seconds, every 250 ms", "share, %", r.traces.shares)
			},
		})
	}
	if r.Latency != nil {
		plots = append(plots, plot{
			"latency.svg", "Wait from publication to start in an idle pool, 200 requests a second",
			func(w io.Writer) error { return distributions(w, "Wait in an idle pool", r.traces.latency) },
		})
	}
	if r.Flood != nil {
		plots = append(plots, plot{
			"flood.svg", "Wait of a quiet tenant, alone and beside floods, and beside the same floods in a plain work queue",
			func(w io.Writer) error { return distributions(w, "Wait of a quiet tenant", r.traces.flood) },
		})
	}
	if r.Failover != nil {
		plots = append(plots, plot{
			"failover.svg", "Starts around the death of the leading scheduler, which is at 0",
			func(w io.Writer) error {
				return overTime(w, "Starts around the leader's death", "starts a second", []line{{name: "starts", points: r.traces.starts}})
			},
		})
	}
	if r.HTTP != nil {
		plots = append(plots, plot{
			"http.svg", "From an HTTP send to the agent's first frame, 100 a second, alone and beside waiting clients, and the same without HTTP",
			func(w io.Writer) error { return distributions(w, "Wait for the first frame", r.traces.http) },
		})
	}
	if r.Webhooks != nil {
		plots = append(plots, plot{
			"webhooks.svg", "From a signed webhook's sending to its 200, 100 a second, and the same published without HTTP",
			func(w io.Writer) error { return distributions(w, "Wait for a webhook's receipt", r.traces.webhooks) },
		})
	}
	return plots
}

// Write writes the report into a folder: report.md, report.json and its plots.
// command is how it was made, without secrets, since it is in the report.
func (r Report) Write(dir, command string) error {
	if err := Prepare(dir); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("writing report.json: %w", err)
	}
	text, err := r.markdown(command)
	if err != nil {
		return err
	}
	files := map[string][]byte{"report.json": append(data, '\n'), "report.md": []byte(text)}
	for _, p := range r.plots() {
		var picture bytes.Buffer
		if err := p.draw(&picture); err != nil {
			return err
		}
		files[p.file] = picture.Bytes()
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

func (r Report) markdown(command string) (string, error) {
	figures, err := r.Figures()
	if err != nil {
		return "", err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "# What `%s` measured\n\n", command)
	syncs := "not known whether every write is synced"
	if r.SyncAlways != nil && *r.SyncAlways {
		syncs = "every write synced"
	} else if r.SyncAlways != nil {
		syncs = "writes not synced one by one"
	}
	fmt.Fprintf(&text, "%d cores, %s, %s; nats-server %s, %s, %s; %s s in all.\n",
		r.Machine.Cores, r.Machine.System, r.Machine.Go, r.Machine.Server, r.Broker, syncs, number(r.Seconds))
	text.WriteString("Publishers, broker and workers share these cores, but for an outer broker. Ratios are of one run.\n\n")
	r.judge(&text, figures)
	for _, p := range r.plots() {
		fmt.Fprintf(&text, "%s:\n\n![%s](%s)\n\n", p.text, p.text, p.file)
	}
	text.WriteString("## Every figure\n\n| bench | figure | value |\n|---|---|---|\n")
	for _, figure := range figures {
		fmt.Fprintf(&text, "| %s | `%s` | %s |\n", figure.Bench, figure.Name, figure.Text())
	}
	return text.String(), nil
}

// judge holds the figures that were measured against the design.
func (r Report) judge(text *strings.Builder, figures []Figure) {
	values := map[string]float64{}
	for _, figure := range figures {
		values[figure.Bench+"."+figure.Name] = figure.Value
	}
	text.WriteString("## Against the design\n\n| what | bench | measured | wanted | reached |\n|---|---|---|---|---|\n")
	for _, t := range targets() {
		value, ok := values[t.bench+"."+t.figure]
		if !ok {
			continue
		}
		fmt.Fprintf(text, "| %s%s | %s | %s | %s | %s |\n", t.what, t.at(r.Scale), t.bench, number(value), t.wanted(), t.reached(value))
	}
	text.WriteString("\n")
}
