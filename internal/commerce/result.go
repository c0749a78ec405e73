package commerce

import (
	"errors"

	"github.com/feira-dev/feira/events"
)

// maxOutput bounds a meta-tool's answer, in bytes. It is half of what a
// provider's own answer may have: there are several in one.
const maxOutput = 32 << 10

var errTooLarge = errors.New("the answer is too large")

// bounded writes the first of several forms of a result that is not too large:
// the whole one, and then ever less of it.
func bounded(forms ...any) (string, error) {
	for _, form := range forms {
		text, err := encode(form)
		if err != nil {
			return "", err
		}
		if len(text) <= maxOutput {
			return string(text), nil
		}
	}
	return "", errTooLarge
}

// Statuses of money on its way, the words of CodeSpar's status streams.
const (
	statusPending   = "pending"
	statusSucceeded = "succeeded"
	statusFailed    = "failed"
	statusRefunded  = "refunded"
	statusUnknown   = "unknown"
)

// normal is a provider's own word for a status in our words; one that is not
// known is left as it is, which is more than to guess.
func normal(word string, words map[string]string) string {
	if found, ok := words[word]; ok {
		return found
	}
	if word == "" {
		return statusUnknown
	}
	return word
}

// reported passes a finished result on, in its bounds. That an answer cannot be
// written down is no reason to say that nothing happened.
func (r *run) reported(forms ...any) (string, error) {
	text, err := bounded(forms...)
	if err == nil {
		return text, nil
	}
	result := unknown("it had its effect, and its answer cannot be told: " + err.Error() + r.before())
	if len(r.deeds) == 0 && !r.call.InDoubt {
		result.Status, result.Fault.Code = events.ToolError, events.FaultResultTooLarge
	}
	return "", &haltError{result: result}
}
