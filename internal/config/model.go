package config

import (
	"errors"
	"fmt"
	"time"
)

// Model is the language model and who operates it.
type Model struct {
	// Key is the operator's API key. Without one, only the offline model of
	// "feira dev" answers.
	Key Redacted `name:"key" help:"API key of the model's operator; better set by the environment." env:"OPENAI_API_KEY"`
	// BaseURL is any server that speaks OpenAI's chat completions. Defaults to
	// OpenAI's own.
	BaseURL string `name:"base-url" help:"Server that speaks OpenAI's chat completions." env:"OPENAI_BASE_URL" default:"https://api.openai.com/v1"`
	// Name is the model. Defaults to gpt-4.1-mini.
	Name string `name:"name" help:"Name of the model." env:"FEIRA_MODEL" default:"gpt-4.1-mini"`
	// MaxOutputTokens caps each reply. Defaults to 4 096.
	MaxOutputTokens int64 `name:"max-output-tokens" help:"Cap of each reply, in tokens." env:"FEIRA_MODEL_MAX_OUTPUT_TOKENS" default:"4096"`
	// Timeout bounds one try. Defaults to 60 s.
	Timeout time.Duration `name:"timeout" help:"Bound of one try." env:"FEIRA_MODEL_TIMEOUT" default:"60s"`
	// MaxElapsed bounds all tries of one reply. Defaults to 90 s.
	MaxElapsed time.Duration `name:"max-elapsed" help:"Bound of all tries of one reply." env:"FEIRA_MODEL_MAX_ELAPSED" default:"90s"`
	// Deltas is whether replies are streamed and their text told as it arrives:
	// on or off. Defaults to on.
	Deltas string `name:"deltas" help:"Stream replies and tell their text as it arrives: on or off." env:"FEIRA_MODEL_DELTAS" default:"on"`
}

// Whether text is told as it arrives.
const (
	DeltasOn  = "on"
	DeltasOff = "off"
)

// WithDefaults fills what was left out.
func (m Model) WithDefaults() Model {
	fill(&m.BaseURL, "https://api.openai.com/v1")
	fill(&m.Name, "gpt-4.1-mini")
	fill(&m.MaxOutputTokens, 4096)
	fill(&m.Timeout, 60*time.Second)
	fill(&m.MaxElapsed, 90*time.Second)
	fill(&m.Deltas, DeltasOn)
	return m
}

func (m Model) faults() faults {
	var faults faults
	faults.add("base_url", checkURL(m.BaseURL, "https", "http"))
	if m.Name == "" {
		faults.add("name", errMissing)
	}
	faults.add("max_output_tokens", checkRange(m.MaxOutputTokens, 1, 10_000_000))
	faults.add("timeout", checkDuration(m.Timeout, time.Second, time.Hour))
	faults.add("max_elapsed", checkDuration(m.MaxElapsed, time.Second, time.Hour))
	if m.Deltas != DeltasOn && m.Deltas != DeltasOff {
		faults.add("deltas", fmt.Errorf("is %q, want on or off", m.Deltas))
	}
	if m.MaxElapsed < m.Timeout {
		faults.add("max_elapsed", errors.New("is less than the timeout of one try"))
	}
	return faults
}
