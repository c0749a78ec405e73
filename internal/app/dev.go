package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/natsd"
	"github.com/feira-dev/feira/internal/telemetry"
	"github.com/feira-dev/feira/internal/tenant"
)

// DevParams is what "feira dev" may be told beside the configuration.
type DevParams struct {
	// Port is where the embedded broker listens on loopback; 0 takes a free one.
	Port int
	// StandIns runs the six providers' fakes, and the offline model unless
	// there is a key for a real one.
	StandIns bool
	// Webhooks has the stand-ins tell the gateway what happens at them.
	Webhooks bool
	// Seed registers the cookbook's two tenants where they are missing.
	Seed bool
	// Ready is told, once, where things are.
	Ready func(Dev)
}

// Dev says where an all-in-one Feira is to be found.
type Dev struct {
	NATS  string `json:"nats"`
	HTTP  string `json:"http"`
	Key   string `json:"key"` // of the platform, for test tenants
	Model string `json:"model"`
	// StandIns is where the stand-ins are; empty without them.
	StandIns string      `json:"stand_ins,omitempty"`
	DataDir  string      `json:"data_dir"`
	Tenants  []tenant.ID `json:"tenants"`
}

var errWorldEnded = errors.New("the embedded broker or the stand-ins have stopped")

// RunDev runs every role in one process, with an embedded broker whose store
// is in the data folder: what was unfinished when it stopped goes on when it
// starts again.
func RunDev(ctx context.Context, cfg config.Config, tel *telemetry.Telemetry, params DevParams) error {
	if len(cfg.Gateway.ConnectRedirects) == 0 {
		cfg.Gateway.ConnectRedirects = []string{"http://localhost/", "http://127.0.0.1/"} // nobody else's
	}
	w, err := newWorld(cfg, tel, worldParams{ //nolint:contextcheck // taking a free port waits for nothing
		// One node has nobody to fetch its last seconds from after a power
		// cut, so what it acknowledges is on the disk.
		broker:   natsd.Config{Dir: filepath.Join(cfg.DataDir, "nats"), Port: params.Port, SyncAlways: true},
		standIns: params.StandIns,
	})
	if err != nil {
		return err
	}
	if err := w.start(ctx); err != nil {
		return errors.Join(err, w.stop(ctx))
	}
	err = w.runDev(ctx, tel, params)
	return errors.Join(err, w.stop(ctx))
}

func (w *world) runDev(ctx context.Context, tel *telemetry.Telemetry, params DevParams) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-w.part.Done():
			cancel(errWorldEnded)
		case <-ctx.Done():
		}
	}()
	tenants, err := w.prepare(ctx, tel, params.Seed)
	if err != nil {
		return err
	}
	key, err := w.key(ctx, tel)
	if err != nil {
		return err
	}
	k := newKit(w.cfg, tel)
	k.welcome = w.welcome(k)
	if params.Webhooks && w.sandbox == nil {
		return errors.New("webhooks: want the stand-ins that send them")
	}
	untold := make(chan error, 1)
	err = k.run(ctx, AllRoles(), func(at Addresses) {
		if params.Webhooks {
			if err := w.tellAll(ctx, k, "http://"+at.HTTP); err != nil {
				untold <- err
				cancel(err)
				return
			}
		}
		if params.Ready != nil {
			params.Ready(Dev{
				NATS: w.cfg.NATS.URL, HTTP: "http://" + at.HTTP, Key: key, Model: w.modelName(), DataDir: w.cfg.DataDir, Tenants: tenants,
				StandIns: w.standIns(),
			})
		}
	})
	select {
	case untold := <-untold:
		err = errors.Join(err, untold)
	default:
	}
	if errors.Is(context.Cause(ctx), errWorldEnded) {
		return errors.Join(err, errWorldEnded, w.part.Err())
	}
	return err
}

// prepare provisions the broker, seeds tenants and opens their accounts, and
// returns who is registered.
func (w *world) prepare(ctx context.Context, tel *telemetry.Telemetry, seed bool) ([]tenant.ID, error) {
	o := NewOperator(w.cfg, tel)
	defer o.Close()
	if err := o.kit.provision(ctx); err != nil {
		return nil, err
	}
	if seed {
		if err := w.seed(ctx, o, cookbookTenants()); err != nil {
			return nil, fmt.Errorf("seeding tenants: %w", err)
		}
	}
	tenants, err := o.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	if w.sandbox != nil {
		if err := w.openAccounts(ctx, o, tenants); err != nil {
			return nil, err
		}
	}
	ids := make([]tenant.ID, len(tenants))
	for i, customer := range tenants {
		ids[i] = customer.ID
	}
	return ids, nil
}
