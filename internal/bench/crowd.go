package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/feira-dev/feira/events"
)

// crowdRequest is what everybody of a crowd waits for, each in a session of
// their own.
const crowdRequest = events.RequestID("bench-waited-for")

// What a crowd says.
const (
	crowdWaits  = "waiting"
	crowdServed = "served"
)

// crowdOrder tells a crowd where to wait.
type crowdOrder struct {
	At       string             `json:"at"`
	Key      string             `json:"key"`
	Sessions []events.SessionID `json:"sessions"`
}

// Crowd is the clients that wait, a real connection each: it reads from in where
// to, says on out when all of them wait, and when all of them have been served.
// It is what [Config.Crowd] runs in a process of its own, so that the memory and
// the open files that are counted are the gateway's.
func Crowd(ctx context.Context, in io.Reader, out io.Writer) error {
	var order crowdOrder
	if err := json.NewDecoder(in).Decode(&order); err != nil {
		return fmt.Errorf("reading where to wait: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	waiting, ctx := errgroup.WithContext(ctx)
	var arriving errgroup.Group
	arriving.SetLimit(visitors)
	for _, session := range order.Sessions {
		arriving.Go(func() error {
			stream, err := order.enter(ctx, client, session)
			if err == nil {
				waiting.Go(func() error { return served(stream, session) })
			}
			return err
		})
	}
	err := arriving.Wait()
	if err == nil {
		_, err = fmt.Fprintln(out, crowdWaits)
	}
	if err != nil {
		cancel()
		return errors.Join(err, waiting.Wait())
	}
	if err := waiting.Wait(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, crowdServed)
	return err
}

// enter begins to wait, and returns once the gateway has said that it streams.
func (o crowdOrder) enter(ctx context.Context, client *http.Client, session events.SessionID) (io.ReadCloser, error) {
	address := o.At + "/v1/sessions/" + string(session) + "/requests/" + string(crowdRequest) + "/events"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+o.Key)
	answer, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("waiting in session %s: %w", session, err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("%w: waiting in session %s: %s", ErrUnserved, session, answer.Status), answer.Body.Close())
	}
	return answer.Body, nil
}

// served reads a stream to its end, which is to be an answer.
func served(stream io.ReadCloser, session events.SessionID) error {
	defer func() { _ = stream.Close() }()
	answered := false
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		answered = answered || lines.Text() == "event: done"
	}
	if err := lines.Err(); err != nil || !answered {
		return errors.Join(fmt.Errorf("%w: the stream of session %s is over without an answer", ErrUnserved, session), err)
	}
	return nil
}

// crowded measures what the waiting clients cost, and the first frames of
// others beside them; then their requests come, and each of them has to be
// answered.
func (w *world) crowded(ctx context.Context, d *door, result *HTTP) ([]time.Duration, error) {
	n := w.config.Waiting
	sessions, err := d.sessions(ctx, n)
	if err != nil {
		return nil, err
	}
	before := memory()
	ctx, crowd, err := w.gather(ctx, crowdOrder{At: d.at, Key: d.key, Sessions: sessions})
	if err != nil {
		return nil, err
	}
	defer crowd.dismiss()
	if err := w.await(ctx, crowd.waits, fmt.Sprintf("%d waiting clients", n)); err != nil {
		return nil, err
	}
	result.Waiting = n
	result.Bytes = round(max(memory()-before, 0) / float64(n))
	w.say("%d clients wait, %.0f bytes each", n, result.Bytes)
	beside, err := w.visits(ctx, "first frame beside them", d.visit(w))
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	err = each(ctx, n, func(ctx context.Context, i int) error {
		message, err := events.NewRequest(events.RequestParams{
			Tenant: tenantID(0), Session: sessions[i], ID: crowdRequest, Kind: events.KindTurn, Priority: events.PriorityNormal,
		}, events.Request{Message: "hello"})
		if err != nil {
			return err
		}
		_, err = w.bus.Requests().Publish(ctx, message)
		return err
	})
	if err == nil {
		err = w.await(ctx, crowd.served, fmt.Sprintf("the answers of %d waiting clients", n))
	}
	if err == nil {
		result.ServedSeconds = round(time.Since(begun).Seconds())
		w.say("all of them are answered within %.1f s", result.ServedSeconds)
	}
	return beside, err
}

// memory is what this process has in use of heap and stacks.
func memory() float64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc + stats.StackInuse)
}

// throng is a crowd that has been called together.
type throng struct {
	waits, served chan struct{} // have a signal each
	dismiss       func()        // ends it, and returns when it is gone
}

// gather calls a crowd together, in a process of its own where there is one. The
// context that it returns ends with a crowd that failed.
func (w *world) gather(ctx context.Context, order crowdOrder) (context.Context, *throng, error) {
	text, err := json.Marshal(order)
	if err != nil {
		return ctx, nil, fmt.Errorf("laying out where to wait: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	out, said := io.Pipe()
	made := &throng{waits: make(chan struct{}, 1), served: make(chan struct{}, 1)}
	ended := make(chan struct{})
	go func() { // it ends with the crowd, which ctx ends
		defer close(ended)
		if err := w.runCrowd(ctx, bytes.NewReader(text), said); err != nil {
			cancel(err)
		}
		_ = said.Close()
	}()
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			switch lines.Text() {
			case crowdWaits:
				made.waits <- struct{}{}
			case crowdServed:
				made.served <- struct{}{}
			}
		}
	}()
	made.dismiss = func() {
		cancel(nil)
		<-ended
	}
	return ctx, made, nil
}

func (w *world) runCrowd(ctx context.Context, in io.Reader, out io.Writer) error {
	if len(w.config.Crowd) == 0 {
		return Crowd(ctx, in, out)
	}
	command := exec.CommandContext(ctx, w.config.Crowd[0], w.config.Crowd[1:]...) //nolint:gosec // whoever measures names the program
	command.Stdin, command.Stdout, command.Stderr = in, out, os.Stderr
	if err := command.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("the process of the waiting clients: %w", err)
	}
	return nil
}
