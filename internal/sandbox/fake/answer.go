package fake

import (
	"encoding/json"
	"net/http"
)

// Answer is what goes back to the caller, as a value that can be kept.
type Answer struct {
	Status int
	// Body is written as JSON.
	Body any
	// Header is added to the answer's.
	Header http.Header
}

// OK answers 200.
func OK(body any) Answer { return Answer{Status: http.StatusOK, Body: body} }

// Created answers 201.
func Created(body any) Answer { return Answer{Status: http.StatusCreated, Body: body} }

// Map is a JSON object on its way out.
type Map = map[string]any

// Frozen is the answer with its body as bytes, so that it stays as it is
// whatever becomes of the objects in it.
func (a Answer) Frozen() Answer {
	if _, frozen := a.Body.(json.RawMessage); frozen {
		return a
	}
	data, err := json.Marshal(a.Body)
	if err != nil { // A fake put something into an answer that is no JSON: its own fault.
		a.Status, data = http.StatusInternalServerError, []byte(`{"message":"the sandbox cannot encode its answer"}`)
	}
	a.Body = json.RawMessage(data)
	return a
}

// Write sends the answer.
func (a Answer) Write(w http.ResponseWriter) {
	frozen := a.Frozen()
	for name, values := range frozen.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	if frozen.Status == http.StatusNoContent {
		w.WriteHeader(frozen.Status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(frozen.Status)
	data, _ := frozen.Body.(json.RawMessage)
	_, _ = w.Write(data)
}
