package model

import (
	"strconv"
	"strings"
	"time"
)

// orders are the faults that a user message asks for.
type orders struct {
	garbage, empty, badArgs, hang, cut bool
	fail, long                         int
	wait                               time.Duration
}

// maxLong bounds the text that /long makes.
const maxLong = 4 << 20

func readOrders(text string) orders {
	var o orders
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest = strings.TrimSpace(rest)
		number, _ := strconv.Atoi(rest)
		switch word {
		case "/garbage":
			o.garbage = true
		case "/empty":
			o.empty = true
		case "/badargs":
			o.badArgs = true
		case "/hang":
			o.hang = true
		case "/cut":
			o.cut = true
		case "/fail":
			if number >= 400 && number <= 599 {
				o.fail = number
			}
		case "/long":
			o.long = min(max(number, 0), maxLong)
		case "/wait":
			if wait, err := time.ParseDuration(rest); err == nil {
				o.wait = wait
			}
		}
	}
	return o
}
