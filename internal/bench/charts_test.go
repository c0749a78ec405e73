package bench

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func labels(a axis) []string {
	var found []string
	for _, tick := range a.ticks {
		found = append(found, tick.Label)
	}
	return found
}

func TestAxesSpanWhatIsDrawn(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"0", "2", "4", "6", "8", "10", "12", "14", "16", "18"}, labels(even("", 0, 17.4)))
	require.Equal(t, []string{"-0.5", "0", "0.5", "1", "1.5", "2", "2.5", "3"}, labels(even("", -0.4, 3)))
	require.Len(t, even("", 1, 1).ticks, 2, "one value is a span, too")
	require.Equal(t, []string{"0.2", "0.5", "1", "2", "5", "10", "20"}, labels(decades("", 0.3, 12)))
	for _, span := range [][2]float64{{0.001, 1000}, {1, 1}, {0.999, 5.001}, {0.2, 0.5}} {
		a := decades("", span[0], span[1])
		require.LessOrEqual(t, math.Pow(10, a.ticks[0].Value), span[0]*(1+1e-9), "%v", span)
		require.GreaterOrEqual(t, math.Pow(10, a.ticks[len(a.ticks)-1].Value), span[1]*(1-1e-9), "%v", span)
		require.Greater(t, len(a.ticks), 1, "%v", span)
	}
}

func TestPlotsAreWellFormedAndNameTheirLines(t *testing.T) {
	t.Parallel()
	some := []time.Duration{300 * time.Microsecond, time.Millisecond, 20 * time.Millisecond}
	var picture bytes.Buffer
	require.NoError(t, distributions(&picture, "Waits", []waits{{"alone", some}, {"beside", some}}))
	texts := wellFormed(t, picture.Bytes())
	for _, text := range []string{"Waits", "alone", "beside", "0.2", "20", "100", "requests started by then, %"} {
		require.Contains(t, texts, text)
	}
	require.ErrorIs(t, distributions(io.Discard, "Waits", []waits{{"alone", nil}}), errNothing)
	require.ErrorIs(t, overTime(io.Discard, "Shares", "share", nil), errNothing)
}

// wellFormed reads a whole document and returns its texts.
func wellFormed(t *testing.T, document []byte) []string {
	t.Helper()
	var texts []string
	for decoder := xml.NewDecoder(bytes.NewReader(document)); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return texts
		}
		require.NoError(t, err)
		if text, ok := token.(xml.CharData); ok {
			texts = append(texts, string(text))
		}
	}
}

func TestFiguresHaveNoMoreDigitsThanTheyAreGoodFor(t *testing.T) {
	t.Parallel()
	for want, x := range map[string]float64{
		"0": 0, "0.0141": 0.01412, "0.3529": 0.35291, "2.511": 2.5112, "196.7": 196.6588, "23375": 23375.4666, "-12.35": -12.3456, "1000000": 1e6,
	} {
		require.Equal(t, want, number(x))
	}
}

func TestTargetsAreReachedAtTheirBounds(t *testing.T) {
	t.Parallel()
	least, most := target{bound: 10}, target{most: true, bound: 10}
	require.Equal(t, []string{"no", "yes", "yes"}, []string{least.reached(9.99), least.reached(10), least.reached(10.01)})
	require.Equal(t, []string{"yes", "yes", "no"}, []string{most.reached(9.99), most.reached(10), most.reached(10.01)})
	require.Equal(t, "≥ 10", least.wanted())
	require.Equal(t, "≤ 10", most.wanted())
	scaled := target{bench: "scale"}
	require.Empty(t, scaled.at(&Scale{Tenants: 100_000, Queued: 1_000_000}))
	require.Contains(t, scaled.at(&Scale{Tenants: 99_999, Queued: 1_000_000}), "99999 tenants")
}

// Each target names a figure that the report has.
func TestTargetsAreFiguresOfTheReport(t *testing.T) {
	t.Parallel()
	report := Report{
		Throughput: &Throughput{}, Latency: &Latency{}, Fairness: &Fairness{}, Flood: &Flood{},
		Scale: &Scale{}, Failover: &Failover{}, Turns: &Turns{}, Metering: &Metering{}, HTTP: &HTTP{}, Webhooks: &Webhooks{},
	}
	figures, err := report.Figures()
	require.NoError(t, err)
	known := map[string]bool{}
	for _, figure := range figures {
		known[figure.Bench+"."+figure.Name] = true
	}
	for _, target := range targets() {
		require.Contains(t, known, target.bench+"."+target.figure)
	}
}
