package model

import (
	"encoding/json"
	"net/http"
)

// refusal is an error as OpenAI words it.
type refusal struct {
	status  int
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func refuse(status int, kind, code, text string) *refusal {
	r := &refusal{status: status, Message: text, Type: kind}
	if code != "" {
		r.Code = &code
	}
	return r
}

func invalid(text string) *refusal {
	return refuse(http.StatusBadRequest, "invalid_request_error", "", text)
}

func (r *refusal) write(w http.ResponseWriter) {
	writeJSON(w, r.status, map[string]any{"error": r})
}

// Refuse writes an error for which the model's operator has reasons of its own.
func (s *Server) Refuse(w http.ResponseWriter, _ *http.Request, status int) {
	switch status {
	case http.StatusTooManyRequests:
		refuse(status, "requests", "rate_limit_exceeded", "Rate limit reached for "+Name+". Please try again later.").write(w)
	case http.StatusUnauthorized:
		refuse(status, "invalid_request_error", "invalid_api_key", "Incorrect API key provided.").write(w)
	case http.StatusNotFound:
		refuse(status, "invalid_request_error", "unknown_url", "Unknown request URL.").write(w)
	default:
		refuse(status, "server_error", "", "The server had an error while processing your request.").write(w)
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}
