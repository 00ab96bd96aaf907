package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strings"

	"github.com/proofline/proofline/calibrate"
)

// detColours tell the curves of a plot apart, also in greys.
var detColours = []string{"#1f5fbf", "#c2571a", "#2b8a3e", "#7b2d8b", "#8a6d00", "#b3003c", "#00808a", "#444444"}

// plotDET draws FNMR over FMR on normal-deviate axes (ISO/IEC 19795-1, DET), a
// line for each set, with a mark at the threshold in use. A curve ends where
// its set has no more errors to count.
func plotDET(bySet map[string][]calibrate.Trial, threshold float64) []byte {
	const w, h, left, top, right, bottom = 760.0, 620.0, 74.0, 24.0, 20.0, 56.0
	ticks := []float64{1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.5}
	low, high := probit(4e-6), probit(0.5)
	x := func(p float64) float64 { return left + (probit(p)-low)/(high-low)*(w-left-right) }
	y := func(p float64) float64 { return h - bottom - (probit(p)-low)/(high-low)*(h-top-bottom) }
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" font-family="sans-serif" font-size="12">`+"\n", w, h, w, h)
	fmt.Fprintf(&b, `<title>DET curves of face comparison</title><rect width="%g" height="%g" fill="white"/>`+"\n", w, h)
	for _, p := range ticks {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%g" x2="%.1f" y2="%g" stroke="#ddd"/><text x="%.1f" y="%g" text-anchor="middle">%g</text>`+"\n", x(p), top, x(p), h-bottom, x(p), h-bottom+17, p)
		fmt.Fprintf(&b, `<line x1="%g" y1="%.1f" x2="%g" y2="%.1f" stroke="#ddd"/><text x="%g" y="%.1f" text-anchor="end">%g</text>`+"\n", left, y(p), w-right, y(p), left-7, y(p)+4, p)
	}
	fmt.Fprintf(&b, `<text x="%g" y="%g" text-anchor="middle">false match rate</text>`+"\n", (left+w-right)/2, h-16)
	fmt.Fprintf(&b, `<text transform="translate(18 %g) rotate(-90)" text-anchor="middle">false non-match rate</text>`+"\n", (top+h-bottom)/2)
	for i, name := range setNames(bySet) {
		colour := detColours[i%len(detColours)]
		s := calibrate.Of(bySet[name])
		var line strings.Builder
		lastX, lastY := math.Inf(1), math.Inf(1)
		for _, p := range s.DETAt(400) {
			if p.FMR <= 0 || p.FNMR <= 0 || p.FMR > 0.5 || p.FNMR > 0.5 {
				continue
			}
			px, py := x(p.FMR), y(p.FNMR)
			if math.Hypot(px-lastX, py-lastY) < 1 {
				continue
			}
			if line.Len() > 0 { // a DET curve is a staircase
				fmt.Fprintf(&line, "%.1f,%.1f ", px, lastY)
			}
			fmt.Fprintf(&line, "%.1f,%.1f ", px, py)
			lastX, lastY = px, py
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.8"/>`+"\n", line.String(), colour)
		if fmr, fnmr := s.FMR(threshold).Value(), s.FNMR(threshold).Value(); fmr > 0 && fnmr > 0 && fmr < 0.5 && fnmr < 0.5 {
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>`+"\n", x(fmr), y(fnmr), colour)
		}
		note := ""
		if line.Len() == 0 {
			note = " (no overlap: nothing to draw)"
		}
		fmt.Fprintf(&b, `<line x1="%g" y1="%g" x2="%g" y2="%g" stroke="%s" stroke-width="3"/><text x="%g" y="%g">%s</text>`+"\n",
			w-right-300, top+14+float64(i)*17, w-right-276, top+14+float64(i)*17, colour, w-right-270, top+18+float64(i)*17, html.EscapeString(name+note))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// probit is the quantile function of the normal distribution.
func probit(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }
