package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/feira-dev/feira/internal/bench"
)

// benchCommand is "feira bench".
type benchCommand struct {
	Requests   int           `help:"Requests that throughput and scale serve for one figure." default:"60000"`
	Turns      int           `help:"Empty turns to run." default:"20000"`
	Slots      int           `help:"Runs that may be going at one time." default:"128"`
	Flood      int           `help:"Jobs of the noisy tenant." default:"20000"`
	Window     time.Duration `help:"How long latency, fairness and the quiet tenant alone are measured; beside the flood it is twice as long." default:"6s"`
	Tenants    int           `help:"Tenants of the scale." default:"20000"`
	Queued     int           `help:"Requests of the scale that are queued." default:"200000"`
	Full       bool          `help:"The scale of the design: 1 000 000 requests of 100 000 tenants."`
	Rows       int           `help:"Usage rows that metering books for one figure." default:"100000"`
	Waiting    int           `help:"HTTP clients that wait at one time." default:"10000"`
	Patience   time.Duration `help:"Bound of each wait for something to be served." default:"2m"`
	Rounds     int           `help:"How often throughput and turns are measured for their medians." default:"3"`
	Report     string        `help:"Write report.md, report.json and plots into this folder." placeholder:"DIR" type:"path"`
	CPUProfile string        `name:"cpuprofile" help:"Write a CPU profile of the whole to this file." type:"path"`

	All        benchNamed `cmd:"" default:"1" help:"Measure everything."`
	Throughput benchNamed `cmd:"" help:"Grants and runs a second, beside raw consumption."`
	Latency    benchNamed `cmd:"" help:"Publication to start in an idle pool."`
	Fairness   benchNamed `cmd:"" help:"Shares of ten flooding tenants of weights 1 to 4."`
	FloodBench benchNamed `cmd:"" name:"flood" help:"A quiet tenant beside a flood."`
	Scale      benchNamed `cmd:"" help:"Many tenants and a long queue."`
	Failover   benchNamed `cmd:"" help:"The death of the leading scheduler."`
	TurnsBench benchNamed `cmd:"" name:"turns" help:"Empty turns end to end."`
	HTTP       benchNamed `cmd:"" name:"http" help:"HTTP sends to the first frame, and clients that wait."`
	Webhooks   benchNamed `cmd:"" name:"webhooks" help:"Receipt of signed webhooks over HTTP."`
	Metering   benchNamed `cmd:"" help:"Usage events to rows and sums on disk, in SQLite and Postgres."`
	Crowd      benchCrowd `cmd:"" hidden:"" help:"Be the clients that wait, for another process of this program."`
}

// benchCrowd is the process of the clients that "feira bench http" has wait.
type benchCrowd struct{}

// Run waits for whatever standard input says.
func (benchCrowd) Run(i *invocation) error { return bench.Crowd(i.ctx, os.Stdin, i.out) }

// benchNamed is a bench that is chosen by its command's name alone.
type benchNamed struct{}

// Run measures what the command is named for.
func (benchNamed) Run(i *invocation, words *kong.Context, command *benchCommand) error {
	name := words.Selected().Name
	var names []string
	if name != "all" {
		names = []string{name}
	}
	if command.Report != "" {
		if err := bench.Prepare(command.Report); err != nil {
			return err
		}
	}
	report, err := command.measure(i, names, asked(words, "nats-url"))
	if err != nil {
		return err
	}
	if command.Report != "" {
		if err := report.Write(command.Report, retold(words)); err != nil {
			return err
		}
		say(i.err, "the report is in %s", command.Report)
	}
	var fault error
	return errors.Join(i.show(report, func(w io.Writer) { fault = explain(w, report) }), fault)
}

// retold is the command line as a report may hold it: the sizes are told, and
// what could be a secret, or is of this machine alone, is not.
func retold(words *kong.Context) string {
	told := []string{"feira bench", words.Selected().Name}
	for _, p := range words.Path {
		if p.Flag == nil {
			continue
		}
		switch p.Flag.Name {
		case "requests", "turns", "rounds", "slots", "flood", "window", "tenants", "queued", "rows", "waiting", "patience":
			told = append(told, fmt.Sprintf("--%s=%v", p.Flag.Name, words.FlagValue(p.Flag)))
		case "full":
			told = append(told, "--full")
		case "report":
			told = append(told, "--report DIR")
		case "nats-url":
			told = append(told, "--nats-url URL")
		}
	}
	return strings.Join(told, " ")
}

// asked reports whether the flag stands on the command line itself: a broker
// that the environment names is a world to serve, not one to measure in.
func asked(words *kong.Context, flag string) bool {
	return slices.ContainsFunc(words.Path, func(p *kong.Path) bool { return p.Flag != nil && p.Flag.Name == flag })
}

func (c *benchCommand) measure(i *invocation, names []string, outer bool) (report bench.Report, err error) {
	if c.CPUProfile != "" {
		stop, err := profile(c.CPUProfile)
		if err != nil {
			return report, err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	return bench.Run(i.ctx, c.config(i, outer), names...)
}

func (c *benchCommand) config(i *invocation, outer bool) bench.Config {
	config := bench.Config{
		Requests: c.Requests, Turns: c.Turns, Rounds: c.Rounds, Slots: c.Slots, Flood: c.Flood, Window: c.Window,
		Tenants: c.Tenants, Queued: c.Queued, Rows: c.Rows, Waiting: c.Waiting, Patience: c.Patience, Logger: i.tel.Logger(),
		Progress: func(text string) { say(i.err, "%s", text) },
	}
	if program, err := os.Executable(); err == nil { // else they wait in this process
		config.Crowd = []string{program, "bench", "crowd"}
	}
	if c.Full {
		config.Tenants, config.Queued = 100_000, 1_000_000
	}
	if outer {
		nats := i.cfg.NATS
		config.URL, config.User, config.Password, config.CredsFile = nats.URL, nats.User, nats.Password.Reveal(), nats.Credentials
	}
	return config
}

// profile begins a CPU profile and returns how to end it.
func profile(path string) (stop func() error, err error) {
	file, err := os.Create(path) //nolint:gosec // the path is the caller's own
	if err != nil {
		return nil, fmt.Errorf("opening the profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the profile: %w", err), file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}

// explain prints the report as people read it, a figure in a line, by the
// names that it has in JSON.
func explain(w io.Writer, report bench.Report) error {
	syncs := "not known"
	if report.SyncAlways != nil {
		syncs = strconv.FormatBool(*report.SyncAlways)
	}
	say(w, "broker\t%s, nats-server %s, every write synced: %s", report.Broker, report.Machine.Server, syncs)
	figures, err := report.Figures()
	for _, figure := range figures {
		say(w, "%s\t%s\t%s", figure.Bench, figure.Name, figure.Text())
	}
	return err
}
