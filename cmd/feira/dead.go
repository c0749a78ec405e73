package main

import (
	"io"
	"time"

	"github.com/feira-dev/feira/events"
)

// deadCommand is "feira dead".
type deadCommand struct {
	List deadList `cmd:"" help:"List dead letters, the oldest first."`
}

type deadList struct {
	Tenant events.TenantID `arg:"" optional:"" help:"Only this tenant's."`
}

// letter is a dead letter as it is printed, without its body.
type letter struct {
	ID         string          `json:"id"`
	Tenant     events.TenantID `json:"tenant"`
	Time       time.Time       `json:"time"`
	Stream     string          `json:"stream"`
	Sequence   uint64          `json:"sequence"`
	Reason     string          `json:"reason"`
	Detail     string          `json:"detail"`
	Size       int             `json:"size"`
	Deliveries int             `json:"deliveries"`
}

func (c *deadList) Run(i *invocation) error {
	o := i.operator()
	defer o.Close()
	records, err := o.DeadLetters(i.ctx, c.Tenant)
	if err != nil {
		return err
	}
	letters := []letter{}
	for _, record := range records {
		died, ok := record.Event.(*events.LetterDied)
		if !ok {
			continue
		}
		letters = append(letters, letter{
			ID: record.ID, Tenant: record.Tenant, Time: record.Time, Stream: died.Stream, Sequence: died.Sequence,
			Reason: died.Reason, Detail: died.Detail, Size: died.Size, Deliveries: died.Deliveries,
		})
	}
	return i.show(map[string]any{"letters": letters}, func(w io.Writer) {
		say(w, "TENANT\tLETTER\tREASON\tDETAIL")
		for _, l := range letters {
			say(w, "%s\t%s\t%s\t%s", l.Tenant, l.ID, l.Reason, oneLine(l.Detail))
		}
	})
}
