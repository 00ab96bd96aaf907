package main

import (
	"bytes"
	"fmt"
)

// The histogram of corner errors: its last bin holds everything larger.
const (
	errorBins = 50
	errorStep = 0.0005
)

// plotErrors draws how many photos have which corner error, and the share that
// has at most that much.
func plotErrors(all []located) []byte {
	const w, h, left, right, top, bottom = 760.0, 300.0, 48.0, 48.0, 34.0, 46.0
	var count [errorBins + 1]int
	most := 1
	for _, l := range all {
		k := min(errorBins, int(l.Error/errorStep))
		count[k]++
		most = max(most, count[k])
	}
	bin := (w - left - right) / float64(len(count))
	y := func(v float64) float64 { return h - bottom - v*(h-top-bottom) }
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" font-family="sans-serif" font-size="11">`+"\n", w, h, w, h)
	fmt.Fprintf(&b, `<title>Corner errors of %d photos</title><rect width="%g" height="%g" fill="white"/>`+"\n", len(all), w, h)
	fmt.Fprintf(&b, `<text x="%g" y="20" font-size="12">mean corner error of %d photos, %% of the diagonal (bars); share with at most that much (line)</text>`+"\n", left, len(all))
	for k := 0; k <= 4; k++ {
		v := float64(k) / 4
		fmt.Fprintf(&b, `<line x1="%g" y1="%.1f" x2="%g" y2="%.1f" stroke="#000" stroke-opacity="0.12"/>`, left, y(v), w-right, y(v))
		fmt.Fprintf(&b, `<text x="%g" y="%.1f" text-anchor="end">%d</text><text x="%g" y="%.1f">%d %%</text>`+"\n", left-5, y(v)+4, int(v*float64(most)+0.5), w-right+5, y(v)+4, 25*k)
	}
	sum := 0
	var line bytes.Buffer
	for k, n := range count {
		x := left + float64(k)*bin
		colour := "#7ea6dd"
		if float64(k)*errorStep >= closeEnough {
			colour = "#c2571a"
		}
		fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x+0.5, y(float64(n)/float64(most)), bin-1, float64(n)/float64(most)*(h-top-bottom), colour)
		sum += n
		fmt.Fprintf(&line, "%.1f,%.1f ", x+bin, y(float64(sum)/float64(max(1, len(all)))))
		if k%10 == 0 {
			label := fmt.Sprintf("%.1f", 100*float64(k)*errorStep)
			if k == errorBins {
				label = "more"
			}
			fmt.Fprintf(&b, `<text x="%.1f" y="%g" text-anchor="middle">%s</text>`+"\n", x, h-bottom+16, label)
		}
	}
	fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="#14306b" stroke-width="2"/>`+"\n</svg>\n", line.String())
	return b.Bytes()
}
