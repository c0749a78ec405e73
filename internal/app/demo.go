package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/natsd"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/tenant"
)

const (
	// demoTime bounds the whole demo.
	demoTime = 2 * time.Minute
	// demoLatency is how long the offline model thinks, so that turns overlap.
	demoLatency = 40 * time.Millisecond
	demoSlots   = 8
	operator    = "feira"
)

// DemoParams says who watches a demo.
type DemoParams struct {
	// Note hears what the demo does, in sentences.
	Note func(text string)
	// Event hears every session event as it is stored.
	Event func(record events.Record)
	// Keep is a folder in which everything stays that the demo wrote; a
	// temporary one, which goes, when empty.
	Keep string
}

// RunDemo plays the cookbook: it starts everything in this process on free
// ports and a temporary folder, publishes as outside clients would, tries the
// walls between the tenants, and reports what was served, refused and billed.
func RunDemo(ctx context.Context, cfg config.Config, tel *telemetry.Telemetry, params DemoParams) (report DemoReport, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, demoTime, fmt.Errorf("the demo took longer than %s", demoTime))
	defer cancel()
	cfg.TestMode = false // it plays the providers, not mocks
	folder, remove, err := demoFolder(params.Keep)
	if err != nil {
		return report, fmt.Errorf("making a folder for the demo: %w", err)
	}
	cfg.DataDir = folder
	defer func() { err = errors.Join(err, remove()) }()
	d, err := newDemo(cfg, tel, params) //nolint:contextcheck // taking a free port waits for nothing
	if err != nil {
		return report, err
	}
	if err := d.world.start(ctx); err != nil {
		return report, errors.Join(err, d.world.stop(ctx))
	}
	defer func() { err = errors.Join(err, d.world.stop(ctx)) }()
	return d.play(ctx)
}

// demoFolder is where a demo writes, and how that goes.
func demoFolder(keep string) (folder string, remove func() error, err error) {
	if keep != "" {
		return keep, func() error { return nil }, os.MkdirAll(keep, 0o700)
	}
	folder, err = os.MkdirTemp("", "feira-demo-")
	return folder, func() error { return os.RemoveAll(folder) }, err
}

// demo is one performance.
type demo struct {
	DemoParams
	world     *world
	tel       *telemetry.Telemetry
	tenants   []tenant.Tenant
	passwords map[tenant.ID]string
	operator  *Operator
	http      string // where the gateway is

	mu       sync.Mutex // guards what follows
	accepted []Sent
	asked    map[events.RequestID]time.Time // of the first request of each session
	slowest  map[tenant.ID]time.Duration    // longest wait for a start
	endings  map[ending]int
	changed  chan struct{} // holds one signal that an ending came
}

// oneByOne has whoever watches told one thing after the other: events come while
// the demo speaks.
func (p DemoParams) oneByOne() DemoParams {
	var telling sync.Mutex
	one := p
	one.Note = func(text string) {
		telling.Lock()
		defer telling.Unlock()
		p.Note(text)
	}
	one.Event = func(record events.Record) {
		telling.Lock()
		defer telling.Unlock()
		p.Event(record)
	}
	return one
}

func newDemo(cfg config.Config, tel *telemetry.Telemetry, params DemoParams) (*demo, error) {
	d := &demo{
		DemoParams: params.oneByOne(), tel: tel, tenants: cookbookTenants(), passwords: make(map[tenant.ID]string),
		asked: make(map[events.RequestID]time.Time), slowest: make(map[tenant.ID]time.Duration),
		endings: make(map[ending]int), changed: make(chan struct{}, 1),
	}
	password := rand.Text()
	users := []natsd.User{natsd.OperatorUser(operator, password)}
	for _, customer := range d.tenants {
		d.passwords[customer.ID] = rand.Text()
		users = append(users, natsd.TenantUser(customer.ID, d.passwords[customer.ID]))
	}
	cfg.NATS.User, cfg.NATS.Password, cfg.NATS.Credentials, cfg.NATS.Replicas = operator, config.Redacted(password), "", 1
	cfg.Ledger.DSN, cfg.Vault.KEK = "", ""
	cfg.Worker.Slots = demoSlots
	cfg.Gateway.Address = "127.0.0.1:0"
	cfg.Triggers.Loopback = true // the shop's own endpoint is here, too
	made, err := newWorld(cfg, tel, worldParams{broker: natsd.Config{Users: users}, standIns: true, modelLatency: demoLatency})
	if err != nil {
		return nil, err
	}
	d.world = made
	return d, nil
}

// play runs the roles beside the scenes, and stops them after.
func (d *demo) play(ctx context.Context) (DemoReport, error) {
	if _, err := d.world.prepare(ctx, d.tel, true); err != nil {
		return DemoReport{}, err
	}
	d.operator = NewOperator(d.world.cfg, d.tel)
	defer d.operator.Close()
	running, stop := context.WithCancel(ctx)
	ready, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		stopped <- RunRoles(running, d.world.cfg, d.tel, AllRoles(), func(at Addresses) {
			d.http = "http://" + at.HTTP
			close(ready)
		})
	}()
	var report DemoReport
	var err error
	select {
	case <-ready:
		report, err = d.scenes(ctx)
	case early := <-stopped:
		stop()
		return report, errors.Join(errors.New("the roles ended before the demo began"), early)
	}
	stop()
	return report, errors.Join(err, <-stopped)
}

func (d *demo) scenes(ctx context.Context) (DemoReport, error) {
	d.introduce()
	if err := d.listen(ctx); err != nil {
		return DemoReport{}, err
	}
	if err := d.shop(ctx); err != nil {
		return DemoReport{}, err
	}
	paid, err := d.pay(ctx)
	if err != nil {
		return DemoReport{}, err
	}
	isolation, err := d.tryWalls(ctx)
	if err != nil {
		return DemoReport{}, err
	}
	return d.report(ctx, DemoReport{Payment: paid, Isolation: isolation, Model: d.world.modelName()})
}

func (d *demo) introduce() {
	if d.world.offline {
		d.Note("No OPENAI_API_KEY is set: the agents use Feira's offline model, which is a planner by rules and no language model.")
	} else {
		d.Note("The agents use the model " + d.world.modelName() + " against the providers' stand-ins.")
	}
	for _, customer := range d.tenants {
		d.Note(fmt.Sprintf("%s sells with %v, at most %d turns at a time.", customer.ID, customer.Servers, customer.Concurrency))
	}
}
