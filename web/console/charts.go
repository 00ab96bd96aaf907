package console

import (
	"math"
	"strconv"
	"strings"
)

// Charts are drawn here, as numbers for SVG elements in the templates: the pages
// load no library, and a policy without inline styles still lets bars have
// lengths.

// bar is a rectangle in a chart, in units of its viewBox.
type bar struct {
	X, Y, W, H float64
	Class      string
	Title      string
}

// plot maps values onto a viewBox of w by h units with room for axes.
type plot struct {
	W, H                     float64
	Left, Right, Top, Bottom float64
}

func (p plot) x(part float64) float64 { return p.Left + part*(p.W-p.Left-p.Right) }
func (p plot) y(part float64) float64 { return p.H - p.Bottom - part*(p.H-p.Top-p.Bottom) }

// tick is a mark on an axis.
type tick struct {
	At   float64
	Text string
}

// path joins points by lines.
func path(points [][2]float64) string {
	var b strings.Builder
	for i, p := range points {
		if i == 0 {
			b.WriteString("M")
		} else {
			b.WriteString("L")
		}
		b.WriteString(strconv.FormatFloat(p[0], 'f', 1, 64) + " " + strconv.FormatFloat(p[1], 'f', 1, 64))
	}
	return b.String()
}

// niceTop is a round number not below v.
func niceTop(v float64) float64 {
	if v <= 0 {
		return 1
	}
	e := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*e >= v {
			return m * e
		}
	}
	return 10 * e
}

// rateAxis is a logarithmic axis of error rates from 0.01 % to 100 %.
type rateAxis struct{ low float64 }

// part is where a rate lies, 0 to 1; rates below the axis lie on its edge.
func (a rateAxis) part(r float64) float64 {
	return math.Log(math.Min(1, math.Max(a.low, r))/a.low) / math.Log(1/a.low)
}

func (a rateAxis) ticks() []tick {
	var out []tick
	for _, r := range []float64{1e-4, 1e-3, 1e-2, 1e-1, 1} {
		if r >= a.low*0.999 {
			out = append(out, tick{a.part(r), strconv.FormatFloat(100*r, 'g', -1, 64) + " %"})
		}
	}
	return out
}
