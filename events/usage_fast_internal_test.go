package events

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// usageTexts draws what fields hold: plain words and whatever a stranger sends.
func usageTexts() *rapid.Generator[string] {
	return rapid.OneOf(rapid.StringMatching(`[a-zA-Z0-9_./-]{0,12}`), rapid.StringMatching("[ -~\x7f\"\\\\<&]{0,4}"), rapid.String())
}

func usageEvents(texts *rapid.Generator[string]) *rapid.Generator[UsageRecorded] {
	quantities := rapid.Custom(func(t *rapid.T) Quantity {
		return Quantity{Unit: texts.Draw(t, "unit"), Amount: texts.Draw(t, "amount")}
	})
	return rapid.Custom(func(t *rapid.T) UsageRecorded {
		return UsageRecorded{
			Meter: Meter(texts.Draw(t, "meter")), Session: SessionID(texts.Draw(t, "session")), Request: RequestID(texts.Draw(t, "request")),
			Server: texts.Draw(t, "server"), Tool: texts.Draw(t, "tool"), Model: texts.Draw(t, "model"), Outcome: texts.Draw(t, "outcome"),
			Billable: rapid.Bool().Draw(t, "billable"), Environment: Environment(texts.Draw(t, "environment")),
			Quantities: rapid.SliceOfN(quantities, 0, 3).Draw(t, "quantities"),
			Attempts:   rapid.IntRange(-2, 1<<33).Draw(t, "attempts"), DurationMS: rapid.Int64().Draw(t, "duration"),
			Metadata: rapid.MapOfN(texts, texts, 0, 3).Draw(t, "metadata"),
		}
	})
}

// requireSameAsJSON holds the fast reading of a body against the JSON package's:
// what it takes is valid and reads the same.
func requireSameAsJSON(t require.TestingT, data []byte) (fast bool) {
	var got, want UsageRecorded
	if !decodeUsage(data, &got) {
		return false
	}
	require.NoError(t, json.Unmarshal(data, &want), "%s", data)
	require.True(t, reflect.DeepEqual(want, got), "%s\n%#v\n%#v", data, want, got)
	return true
}

func TestFastUsageIsWhatJSONSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		event := usageEvents(usageTexts()).Draw(t, "event")
		data, err := marshal(event)
		require.NoError(t, err)
		requireSameAsJSON(t, data)
		// Somewhere a byte is another, is gone, or comes twice.
		at := rapid.IntRange(0, len(data)-1).Draw(t, "at")
		letter := rapid.SampledFrom([]byte(`{}[]":,\0123456789-eE.tfn `+"\n\x00\xff")).Draw(t, "letter")
		head, tail := string(data[:at]), string(data[at+1:])
		for _, other := range []string{head + string(letter) + tail, head + tail, head + string(data[at]) + string(letter) + tail, head} {
			requireSameAsJSON(t, []byte(other))
		}
	})
}

// What the meter writes is read the fast way: else nobody would see that it no
// longer is.
func TestUsageOfTheMeterIsReadFast(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		event := usageEvents(rapid.StringMatching(`[a-zA-Z0-9_./:-]{1,20}`)).Draw(t, "event")
		event.Attempts, event.DurationMS = rapid.IntRange(0, 99).Draw(t, "tries"), rapid.Int64Range(0, 999_999_999).Draw(t, "took")
		data, err := marshal(event)
		require.NoError(t, err)
		require.True(t, requireSameAsJSON(t, data), "%s", data)
	})
}

func FuzzFastUsage(f *testing.F) {
	for _, seed := range []string{
		`{"meter":"tool_call","session":"s","request":"r","server":"asaas","tool":"t","outcome":"ok","billable":true,"environment":"test",` +
			`"quantities":[{"unit":"call","amount":"1"}],"attempts":1,"duration_ms":120,"metadata":{"a":"b","a":"c"}}`,
		`{"meter":"","session":"","request":"","outcome":"","billable":false,"environment":"","quantities":[],"attempts":0,"duration_ms":0}`,
		`{"meter":"","session":"","request":"","outcome":"","billable":false,"environment":"","quantities":[],"attempts":01,"duration_ms":0,"metadata":{}}`,
		strings.Repeat("[", 100),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) { requireSameAsJSON(t, data) })
}
