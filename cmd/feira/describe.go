package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/feira-dev/feira/events"
	"github.com/feira-dev/feira/internal/app"
)

// describe prints a session event as one line of a timeline.
func describe(w io.Writer, record events.Record) {
	step, detail, took := app.Narrate(record)
	duration := ""
	if took > 0 {
		duration = fmt.Sprintf("%d ms", took.Milliseconds())
	}
	text := fmt.Sprintf("%s  %-12s %-20s %-9s %-62s %s",
		record.Time.Local().Format("15:04:05.000"), record.Tenant, record.Session, step, oneLine(detail), duration)
	say(w, "%s", strings.TrimRight(text, " "))
}

// oneLine makes text from outside fit for a terminal's line.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	const width = 100
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return text
}
