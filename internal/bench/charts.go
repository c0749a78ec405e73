package bench

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/wcharczuk/go-chart/v2"
	"github.com/wcharczuk/go-chart/v2/drawing"
)

const (
	chartWidth  = 960
	chartHeight = 480
	// cdfPoints bounds how many points a distribution is drawn with.
	cdfPoints = 400
)

type point struct{ x, y float64 }

// line is a curve; one without a name is not in the legend.
type line struct {
	name   string
	colour int
	dashed bool
	points []point
}

// axis has the range that its ticks span.
type axis struct {
	name  string
	ticks []chart.Tick
}

// palette is told apart by the colour-blind, too, and holds on white.
func palette() []drawing.Color {
	var colours []drawing.Color
	for _, hex := range []string{"0072b2", "d55e00", "009e73", "aa4499"} {
		colours = append(colours, drawing.ColorFromHex(hex))
	}
	return colours
}

// draw writes an SVG with a background of its own, so that it is read on a dark
// page, too. Names must need no escape in XML: the library knows none.
func draw(w io.Writer, title string, x, y axis, lines []line) error {
	grid := chart.Style{StrokeColor: drawing.ColorFromHex("e3e3e3"), StrokeWidth: 1}
	text := chart.Style{FontSize: 10, FontColor: drawing.ColorFromHex("222222"), StrokeColor: drawing.ColorFromHex("666666")}
	picture := chart.Chart{
		Width: chartWidth, Height: chartHeight,
		Background: chart.Style{Padding: chart.Box{Top: 70, Left: 20, Right: 20, Bottom: 15}, FillColor: drawing.ColorWhite},
		Canvas:     chart.Style{FillColor: drawing.ColorWhite},
		XAxis: chart.XAxis{
			Name: x.name, NameStyle: text, Style: text, Ticks: x.ticks, GridMajorStyle: grid, GridMinorStyle: grid, Range: x.spanned(),
		},
		YAxis: chart.YAxis{
			Name: y.name, NameStyle: text, Style: text, Ticks: y.ticks, GridMajorStyle: grid, GridMinorStyle: grid, Range: y.spanned(),
			AxisType: chart.YAxisSecondary, // on the left
		},
		YAxisSecondary: chart.YAxis{Style: chart.Hidden()},
	}
	for _, l := range lines {
		if len(l.points) < 2 {
			continue // the library draws no such line
		}
		picture.Series = append(picture.Series, l.series())
	}
	picture.Elements = []chart.Renderable{heading(title, lines, text)}
	if err := picture.Render(chart.SVG, w); err != nil {
		return fmt.Errorf("drawing %s: %w", title, err)
	}
	return nil
}

// heading writes the title and the legend above the canvas. The library's own
// title turns with the name of the axis before it, and its legend lets names run
// into the samples where the reader's font is wider than the one it measures by.
func heading(title string, lines []line, text chart.Style) chart.Renderable {
	const sample, gap, above = 26, 8, 18
	return func(r chart.Renderer, canvas chart.Box, _ chart.Style) {
		colours, x, y := palette(), canvas.Left, canvas.Top-above
		r.ClearTextRotation()
		r.SetFontColor(text.FontColor)
		r.SetFontSize(text.FontSize + 3)
		r.Text(title, x, y-3*gap)
		r.SetFontSize(text.FontSize)
		for _, l := range lines {
			if l.name == "" {
				continue
			}
			r.SetStrokeColor(colours[l.colour%len(colours)])
			r.SetStrokeWidth(3)
			r.MoveTo(x, y)
			r.LineTo(x+sample, y)
			r.Stroke()
			r.Text(l.name, x+sample+gap, y+gap/2)
			x += sample + 3*gap + r.MeasureText(l.name).Width()*4/3
		}
	}
}

func (l line) series() chart.ContinuousSeries {
	colours := palette()
	style := chart.Style{StrokeColor: colours[l.colour%len(colours)], StrokeWidth: 2}
	if l.dashed {
		style.StrokeDashArray = []float64{6, 4}
		style.StrokeWidth = 1
	}
	series := chart.ContinuousSeries{Name: l.name, Style: style}
	for _, p := range l.points {
		series.XValues, series.YValues = append(series.XValues, p.x), append(series.YValues, p.y)
	}
	return series
}

func (a axis) spanned() chart.Range {
	return &chart.ContinuousRange{Min: a.ticks[0].Value, Max: a.ticks[len(a.ticks)-1].Value}
}

// even is an axis with some ten ticks at round numbers, from the last that is
// not above from to the first that is not below to.
func even(name string, from, to float64) axis {
	step := math.Pow(10, math.Floor(math.Log10(max(to-from, 1e-6)/10)))
	for _, times := range []float64{1, 2, 5, 10} {
		if (to-from)/(step*times) <= 10 {
			step *= times
			break
		}
	}
	a := axis{name: name}
	for i := math.Floor(from / step); ; i++ {
		a.ticks = append(a.ticks, chart.Tick{Value: i * step, Label: strconv.FormatFloat(round(i*step), 'g', -1, 64)})
		if i*step >= to && len(a.ticks) > 1 {
			return a
		}
	}
}

// decades is an axis of the logarithms of milliseconds, with a label at 1, 2
// and 5 of each decade. The library's own has nothing below 1.
func decades(name string, from, to float64) axis {
	a := axis{name: name}
	for exponent := math.Floor(math.Log10(from)); exponent <= math.Ceil(math.Log10(to)); exponent++ {
		for _, times := range []float64{1, 2, 5} {
			value := times * math.Pow(10, exponent)
			if value*2.5 < from {
				continue
			}
			a.ticks = append(a.ticks, chart.Tick{Value: math.Log10(value), Label: number(value)})
			if value >= to && len(a.ticks) > 1 {
				return a
			}
		}
	}
	return a
}

// distributions draws which part of the requests had waited no longer.
func distributions(w io.Writer, title string, all []waits) error {
	var lines []line
	from, to := math.Inf(1), 0.0
	for i, one := range all {
		l := line{name: one.name, colour: i}
		sorted := slices.Sorted(slices.Values(one.waits))
		for at := range sorted {
			if at%max(len(sorted)/cdfPoints, 1) != 0 && at < len(sorted)-len(sorted)/50-2 {
				continue // the tail is drawn whole: it is what is looked at
			}
			ms := float64(sorted[at]) / float64(time.Millisecond)
			from, to = min(from, ms), max(to, ms)
			l.points = append(l.points, point{math.Log10(ms), 100 * float64(at+1) / float64(len(sorted))})
		}
		lines = append(lines, l)
	}
	if to == 0 {
		return fmt.Errorf("%w: %s", errNothing, title)
	}
	return draw(w, title, decades("wait for the start in ms (logarithmic)", from, to), even("requests started by then, %", 0, 100), lines)
}

// overTime draws lines over seconds.
func overTime(w io.Writer, title, what string, lines []line) error {
	from, to, top := math.Inf(1), math.Inf(-1), 0.0
	for _, l := range lines {
		for _, p := range l.points {
			from, to, top = min(from, p.x), max(to, p.x), max(top, p.y)
		}
	}
	if math.IsInf(from, 0) {
		return fmt.Errorf("%w: %s", errNothing, title)
	}
	return draw(w, title, even("seconds", from, to), even(what, 0, top), lines)
}
