package proxy

import (
	"bytes"
	"encoding/json"
)

// Answer is what a provider said to a raw call, whatever it said: an error of its
// own is an answer too.
type Answer struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Data    json.RawMessage   `json:"data"`
}

// ParseAnswer reads the outcome of a raw call. A mock's may be the data alone.
func ParseAnswer(output json.RawMessage) Answer {
	var read Answer
	decoder := json.NewDecoder(bytes.NewReader(output))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&read); err != nil || read.Status == 0 {
		read = Answer{Status: 200, Data: output}
	}
	if read.Headers == nil {
		read.Headers = map[string]string{}
	}
	if len(read.Data) == 0 {
		read.Data = json.RawMessage("null")
	}
	return read
}
