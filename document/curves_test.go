package document

import (
	"bytes"
	"flag"
	"fmt"
	"html"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/policy"
)

var update = flag.Bool("update", false, "write docs/img/quality-curves.svg")

// response is a measure over the strength of what it is meant to notice, from
// none to much.
type response struct {
	measure, unit string
	levels        []float64
	set           func(c *specimen.Camera, level float64)
	jpeg          bool // the level is the JPEG quality
}

func spot(r float64, strength float64) []specimen.Glare {
	return []specimen.Glare{{X: 0.6, Y: 0.85, Radius: r, Strength: strength}}
}

var responses = []response{
	{measure: "document.sharpness", unit: "defocus, σ in px", levels: []float64{0, 1, 2, 3, 4, 6}, set: func(c *specimen.Camera, v float64) { c.Defocus = v }},
	{measure: "document.contrast", unit: "defocus, σ in px", levels: []float64{0, 1, 2, 3, 4, 6}, set: func(c *specimen.Camera, v float64) { c.Defocus = v }},
	{measure: "document.motion", unit: "length of the streak, px", levels: []float64{0, 4, 8, 12, 18, 26}, set: func(c *specimen.Camera, v float64) { c.Motion, c.MotionAngle = v, 30 }},
	{measure: "document.glare_area", unit: "radius of a white spot, part of the width", levels: []float64{0, 0.04, 0.08, 0.12, 0.16, 0.2}, set: func(c *specimen.Camera, v float64) { c.Glare = spot(v, 1) }},
	{measure: "document.glare_mrz", unit: "strength of a spot on the zone", levels: []float64{0, 0.4, 0.7, 0.8, 0.9, 1}, set: func(c *specimen.Camera, v float64) { c.Glare = spot(0.13, v) }},
	{measure: "document.exposure_dark", unit: "stops under", levels: []float64{0, 1, 2, 3, 4, 5}, set: func(c *specimen.Camera, v float64) { c.Exposure = -v }},
	{measure: "document.exposure_bright", unit: "stops over", levels: []float64{0, 0.6, 1.2, 1.8, 2.4, 3}, set: func(c *specimen.Camera, v float64) { c.Exposure = v }},
	{measure: "document.shadow", unit: "darkness of the shadow", levels: []float64{0, 0.15, 0.3, 0.45, 0.6, 0.75}, set: func(c *specimen.Camera, v float64) { c.Shadow = v }},
	{measure: "document.resolution_dpi", unit: "width of the photo, px", levels: []float64{1632, 1200, 900, 640, 480, 320}, set: func(c *specimen.Camera, v float64) { c.Width, c.Height = int(v), int(v*3/4) }},
	{measure: "document.perspective_deg", unit: "tilt, degrees (lens of 47 mm; 26 is assumed)", levels: []float64{0, 10, 20, 30, 40, 50}, set: func(c *specimen.Camera, v float64) { c.Tilt = v }},
	{measure: "document.cut_off", unit: "beyond the right edge, % of the frame", levels: []float64{0, 3, 6, 9, 12, 15}, set: func(c *specimen.Camera, v float64) { c.Fill, c.OffsetX = 0.85, 0.8+v/7.5 }},
	{measure: "document.compression", unit: "JPEG quality", levels: []float64{95, 70, 50, 30, 15, 5}, set: func(*specimen.Camera, float64) {}, jpeg: true},
	{measure: "document.occlusion", unit: "how far a finger reaches over the edge, mm", levels: []float64{0, 3, 6, 9, 12, 15}, set: func(c *specimen.Camera, v float64) {
		if v > 0 {
			c.Fingers = []specimen.Finger{{Side: 3, At: 0.45, Depth: v / 125, Width: 16.0 / 125, Tone: specimen.Tones[int(c.Seed)%len(specimen.Tones)]}}
		}
	}},
	{measure: "document.screen_pattern", unit: "columns of a display across the photo; 0: none", levels: []float64{0, 450, 700, 950, 1200, 1450}, set: func(c *specimen.Camera, v float64) {
		if v > 0 {
			c.Panel = &specimen.Panel{Columns: int(v), Turn: 2, Tilt: 4, Axis: 70}
		}
	}},
}

// The plot (-update) takes photos of ten passports, the test one of a passport
// and only at the ends of each curve.
func TestMeasuresRespondToTheStrengthOfADegradation(t *testing.T) {
	seeds := 1
	if *update {
		seeds = 10
	} else if testing.Short() {
		t.Skip("takes 24 photos")
	}
	f := NewFinder()
	curves := make([][][]float64, len(responses)) // per curve and level: the values
	for i, r := range responses {
		curves[i] = make([][]float64, len(r.levels))
	}
	for seed := int64(1); seed <= int64(seeds); seed++ {
		doc, err := specimen.New(seed, specimen.Options{Format: specimen.TD3, State: "*"})
		if err != nil {
			t.Skipf("draw specimen: %v", err)
		}
		for i, r := range responses {
			for k, level := range r.levels {
				if !*update && k > 0 && k < len(r.levels)-1 {
					continue
				}
				c := specimen.GoodCamera(seed)
				r.set(&c, level)
				p, err := specimen.Photograph(doc.Front(), c)
				if err != nil {
					t.Fatal(err)
				}
				q := 90
				if r.jpeg {
					q = int(level)
				}
				b, err := p.JPEG(q)
				if err != nil {
					t.Fatal(err)
				}
				if v, ok := measure(t, f, fmt.Sprint(seed), "", b).values[r.measure]; ok {
					curves[i][k] = append(curves[i][k], v)
				}
			}
		}
	}
	cell := policy.Default().Cell(policy.Context{})
	var out bytes.Buffer
	rows := (len(responses) + 2) / 3
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 %d" width="900" height="%d" font-family="sans-serif" font-size="11">`+"\n", 34+200*rows, 34+200*rows)
	fmt.Fprintf(&out, `<title>Response of the quality measures</title><rect width="900" height="%d" fill="white"/>`+"\n", 34+200*rows)
	out.WriteString(`<text x="14" y="22" font-size="12">median and range of ten specimen passports; dashed: threshold of the default policy, its refused side shaded</text>` + "\n")
	for i, r := range responses {
		first, last := curves[i][0], curves[i][len(r.levels)-1]
		if len(first) > 0 && len(last) > 0 && mid(first) == mid(last) {
			t.Errorf("%s is %.3g without and with the degradation", r.measure, mid(first))
		}
		fmt.Fprintf(&out, `<g transform="translate(%d %d)">`+"\n", 300*(i%3), 34+200*(i/3))
		panel(&out, r, curves[i], bound(cell, r.measure))
		out.WriteString("</g>\n")
	}
	out.WriteString("</svg>\n")
	if *update {
		if err := os.WriteFile(filepath.Join("..", "docs", "img", "quality-curves.svg"), out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func mid(v []float64) float64 {
	sort.Float64s(v)
	return v[len(v)/2]
}

// bound is the threshold that the default policy has for a measure.
func bound(c policy.Cell, measure string) *policy.Threshold {
	for _, th := range c.Thresholds {
		if th.Measure == measure {
			return &th
		}
	}
	return nil
}

func panel(b *bytes.Buffer, r response, values [][]float64, limit *policy.Threshold) {
	const left, right, top, bottom, w, h = 44.0, 12.0, 26.0, 40.0, 300.0, 200.0
	lo, hi := 0.0, 0.0
	for _, v := range values {
		for _, x := range v {
			hi = math.Max(hi, x)
		}
	}
	at := math.NaN()
	if limit != nil {
		switch {
		case limit.Min != nil:
			at = *limit.Min
		case limit.Max != nil:
			at = *limit.Max
		}
		hi = math.Max(hi, at)
	}
	hi *= 1.08
	x := func(k int) float64 { return left + float64(k)/float64(len(r.levels)-1)*(w-left-right) }
	y := func(v float64) float64 { return h - bottom - (v-lo)/(hi-lo)*(h-top-bottom) }
	fmt.Fprintf(b, `<text x="%g" y="16" font-size="13" font-weight="bold">%s</text>`+"\n", left, html.EscapeString(r.measure))
	if !math.IsNaN(at) {
		from, to := y(hi), y(at)
		if limit.Min != nil {
			from, to = y(at), y(lo)
		}
		fmt.Fprintf(b, `<rect x="%g" y="%.1f" width="%g" height="%.1f" fill="#f7e3dc"/>`+"\n", left, from, w-left-right, to-from)
		fmt.Fprintf(b, `<line x1="%g" y1="%.1f" x2="%g" y2="%.1f" stroke="#c2571a" stroke-dasharray="5 3"/>`+"\n", left, y(at), w-right, y(at))
	}
	var line, low, high []string
	for k, v := range values {
		fmt.Fprintf(b, `<text x="%.1f" y="%g" text-anchor="middle" font-size="10">%g</text>`+"\n", x(k), h-bottom+14, r.levels[k])
		if len(v) == 0 {
			continue
		}
		m := mid(v)
		line = append(line, fmt.Sprintf("%.1f,%.1f", x(k), y(m)))
		low = append([]string{fmt.Sprintf("%.1f,%.1f", x(k), y(v[0]))}, low...)
		high = append(high, fmt.Sprintf("%.1f,%.1f", x(k), y(v[len(v)-1])))
		fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="2.6" fill="#1f5fbf"/>`+"\n", x(k), y(m))
	}
	fmt.Fprintf(b, `<polygon points="%s" fill="#1f5fbf" fill-opacity="0.18"/>`+"\n", strings.Join(append(high, low...), " "))
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="#1f5fbf" stroke-width="2"/>`+"\n", strings.Join(line, " "))
	for k := 0; k <= 4; k++ {
		v := hi * float64(k) / 4
		fmt.Fprintf(b, `<line x1="%g" y1="%.1f" x2="%g" y2="%.1f" stroke="#000" stroke-opacity="0.1"/><text x="%g" y="%.1f" text-anchor="end" font-size="10">%.3g</text>`+"\n", left, y(v), w-right, y(v), left-5, y(v)+3, v)
	}
	fmt.Fprintf(b, `<text x="%g" y="%g" text-anchor="middle">%s</text>`+"\n", (left+w-right)/2, h-8, html.EscapeString(r.unit))
}
