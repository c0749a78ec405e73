package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feira-dev/feira/internal/config"
	"github.com/feira-dev/feira/internal/lifecycle"
	"github.com/feira-dev/feira/internal/outcome"
	"github.com/feira-dev/feira/internal/telemetry"
)

// othersStop is how long the other parts have to stop once the worker has
// used up its soft stop: the meter still has rows in hand then.
const othersStop = 10 * time.Second

// startTime bounds the start of a process's parts, the broker's included.
const startTime = time.Minute

// RunRoles runs roles against the broker of the configuration until ctx ends;
// running work then has the worker's soft stop to end. onReady, when not nil,
// is told where they are once all roles are up.
func RunRoles(ctx context.Context, cfg config.Config, tel *telemetry.Telemetry, roles []Role, onReady func(Addresses)) error {
	return newKit(cfg, tel).run(ctx, roles, onReady)
}

// run runs roles, and closes the kit behind them.
func (k *kit) run(ctx context.Context, roles []Role, onReady func(Addresses)) error {
	defer k.close()
	if err := k.patiently(ctx, func() error { return k.provision(ctx) }); err != nil {
		return err
	}
	group, err := buildRoles(ctx, k, roles)
	if err != nil {
		return err
	}
	return runPart(ctx, group, k.cfg.Worker.SoftStop, func() {
		if onReady != nil {
			onReady(k.addresses)
		}
	})
}

// Addresses say where the roles of a process are to be found.
type Addresses struct {
	// HTTP is host and port of the gateway; empty where it is not among the roles.
	HTTP string
}

func buildRoles(ctx context.Context, k *kit, roles []Role) (lifecycle.Part, error) {
	if len(roles) == 0 {
		return nil, errors.New("no role to run")
	}
	wanted := make(map[Role]bool, len(roles))
	for _, role := range roles {
		wanted[role] = true
	}
	var parts []lifecycle.Part
	if address := k.cfg.Telemetry.MetricsAddress; address != "" {
		parts = append(parts, newMetrics(address, k.telemetry))
	}
	for _, s := range specs() {
		if !wanted[s.role] {
			continue
		}
		var part lifecycle.Part
		err := k.patiently(ctx, func() (err error) {
			part, err = s.build(ctx, k)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("building role %s: %w", s.role, err)
		}
		parts = append(parts, part)
	}
	return lifecycle.NewGroup("feira", parts...), nil
}

// bounded is a part whose stop has a bound of its own within the group's.
type bounded struct {
	lifecycle.Part
	within time.Duration
}

// Stop implements [lifecycle.Part].
func (b bounded) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	return b.Part.Stop(ctx)
}

// runPart starts a part, waits until it ends or ctx does, and stops it. The
// part's work outlives ctx by the soft stop: ctx ending is a request to stop,
// not a reason to break off.
func runPart(ctx context.Context, part lifecycle.Part, softStop time.Duration, onReady func()) error {
	work, breakOff := context.WithCancelCause(context.WithoutCancel(ctx))
	defer breakOff(outcome.ErrStopping)
	starting, started := context.WithTimeout(ctx, startTime)
	unstarted := context.AfterFunc(starting, func() { breakOff(context.Cause(starting)) })
	err := part.Start(work)
	unstarted()
	started()
	if err != nil {
		return err
	}
	onReady()
	select {
	case <-part.Done():
		return part.Err()
	case <-ctx.Done():
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), softStop+othersStop)
	defer cancel()
	return part.Stop(stopping)
}
