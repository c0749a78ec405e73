package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Figure is a number with the name that it has in the report, or the numbers
// of all rounds.
type Figure struct {
	Bench, Name string
	Value       float64
	All         []float64
}

// Text is the figure as people read it.
func (f Figure) Text() string {
	if f.All == nil {
		return number(f.Value)
	}
	texts := make([]string, len(f.All))
	for i, value := range f.All {
		texts[i] = number(value)
	}
	return strings.Join(texts, ", ")
}

// number leaves out what is not to be trusted: more than four digits of a
// fraction.
func number(x float64) string {
	decimals := 4
	for size := math.Abs(x); size >= 1 && decimals > 0; size /= 10 {
		decimals--
	}
	scale := math.Pow(10, float64(decimals))
	return strconv.FormatFloat(math.Round(x*scale)/scale, 'f', -1, 64)
}

// Figures lists what was measured, in the order of the report.
func (r Report) Figures() ([]Figure, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("laying out the figures: %w", err)
	}
	var groups map[string]json.RawMessage
	if err := json.Unmarshal(data, &groups); err != nil {
		return nil, fmt.Errorf("laying out the figures: %w", err)
	}
	var figures []Figure
	for _, name := range Names() {
		if groups[name] == nil {
			continue
		}
		found, err := inOrder(name, groups[name])
		if err != nil {
			return nil, fmt.Errorf("laying out the figures of %s: %w", name, err)
		}
		figures = append(figures, found...)
	}
	return figures, nil
}

// inOrder reads the object of a bench, whose names stand in the order of its
// fields.
func inOrder(bench string, object json.RawMessage) ([]Figure, error) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if _, err := decoder.Token(); err != nil { // the brace
		return nil, err
	}
	var figures []Figure
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		figure := Figure{Bench: bench, Name: fmt.Sprint(name)}
		if bytes.Equal(value, []byte("true")) {
			value = json.RawMessage("1") // what is so is 1, what is not is 0
		} else if bytes.Equal(value, []byte("false")) {
			value = json.RawMessage("0")
		}
		into := any(&figure.Value)
		if bytes.HasPrefix(value, []byte("[")) {
			into = &figure.All
		}
		if err := json.Unmarshal(value, into); err != nil {
			return nil, err
		}
		figures = append(figures, figure)
	}
	return figures, nil
}
