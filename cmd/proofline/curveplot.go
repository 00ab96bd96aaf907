package main

import (
	"bytes"
	"fmt"
	"html"
	"strings"
)

// Sizes of the plot in its own units.
const (
	plotColumns = 3
	panelW      = 300.0
	panelH      = 220.0
	panelLeft   = 46.0
	panelTop    = 34.0
	panelRight  = 12.0
	panelBottom = 48.0
	plotHead    = 34.0
)

const (
	exactColour = "#1f5fbf"
	bandColour  = "#dbe6f5"
	validColour = "#c2571a"
)

// plotCurves draws one panel per curve as SVG: the rate of exact reads with
// its interval, and that of reads that are exact and called valid.
func plotCurves(curves []curve, rates [][]levelRates) []byte {
	rows := (len(curves) + plotColumns - 1) / plotColumns
	w, h := panelW*plotColumns, plotHead+panelH*float64(rows)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" font-family="sans-serif" font-size="11">`+"\n", w, h, w, h)
	fmt.Fprintf(&b, `<title>MRZ reading under degradation</title><rect width="%g" height="%g" fill="white"/>`+"\n", w, h)
	legend := []struct{ colour, dash, text string }{
		{exactColour, "none", "read exactly, with 95 % interval"}, {validColour, "5 3", "read exactly and called valid"},
	}
	for i, l := range legend {
		x := panelLeft + float64(i)*240
		fmt.Fprintf(&b, `<line x1="%g" y1="20" x2="%g" y2="20" stroke="%s" stroke-width="2" stroke-dasharray="%s"/><text x="%g" y="24" font-size="12">%s</text>`+"\n",
			x, x+28, l.colour, l.dash, x+34, l.text)
	}
	for i, c := range curves {
		fmt.Fprintf(&b, `<g transform="translate(%g %g)">`+"\n", panelW*float64(i%plotColumns), plotHead+panelH*float64(i/plotColumns))
		plotPanel(&b, c, rates[i])
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func plotPanel(b *bytes.Buffer, c curve, rates []levelRates) {
	first, last := c.levels[0], c.levels[len(c.levels)-1]
	x := func(v float64) float64 {
		return panelLeft + (v-first)/(last-first)*(panelW-panelLeft-panelRight)
	}
	y := func(p float64) float64 { return panelH - panelBottom - p*(panelH-panelTop-panelBottom) }
	fmt.Fprintf(b, `<text x="%g" y="%g" font-size="13" font-weight="bold">%s</text>`+"\n", panelLeft, panelTop-12, html.EscapeString(c.name))
	var low, high []string
	var exact, valid strings.Builder
	for i, v := range c.levels {
		r := rates[i]
		iv := r.exact.Wilson()
		low = append([]string{fmt.Sprintf("%.1f,%.1f", x(v), y(iv.Low))}, low...)
		high = append(high, fmt.Sprintf("%.1f,%.1f", x(v), y(iv.High)))
		fmt.Fprintf(&exact, "%.1f,%.1f ", x(v), y(r.exact.Value()))
		fmt.Fprintf(&valid, "%.1f,%.1f ", x(v), y(r.valid.Value()))
		fmt.Fprintf(b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#555"/><text x="%.1f" y="%.1f" text-anchor="middle" font-size="10">%g</text>`+"\n",
			x(v), y(0), x(v), y(0)+4, x(v), y(0)+15, v)
	}
	fmt.Fprintf(b, `<polygon points="%s" fill="%s" stroke="none"/>`+"\n", strings.Join(append(high, low...), " "), bandColour)
	for _, p := range []float64{0, 0.25, 0.5, 0.75, 1} {
		fmt.Fprintf(b, `<line x1="%g" y1="%.1f" x2="%g" y2="%.1f" stroke="#ddd"/><text x="%g" y="%.1f" text-anchor="end">%g %%</text>`+"\n",
			panelLeft, y(p), panelW-panelRight, y(p), panelLeft-6, y(p)+4, 100*p)
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="5 3"/>`+"\n", valid.String(), validColour)
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", exact.String(), exactColour)
	for i, v := range c.levels {
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="2.6" fill="%s"/>`+"\n", x(v), y(rates[i].exact.Value()), exactColour)
	}
	fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="middle">%s</text>`+"\n", (panelLeft+panelW-panelRight)/2, panelH-14, html.EscapeString(c.unit))
}
