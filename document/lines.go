package document

import (
	"math"
	"sort"

	"github.com/proofline/proofline/photo"
)

// line is the set of points with nx·x + ny·y = rho. Along it runs t, with
// direction (−ny, nx).
type line struct {
	nx, ny, rho float64
	votes       float64
	border      bool // a side of the frame, not something seen

	from    float64   // t of the first sample
	support []float32 // running sum of edge weight per pixel of length
	signed  []float32 // running sum of the same, with the sign of the step
}

const (
	thetaBins  = 180
	rhoStep    = 2.0
	maxPeaks   = 160 // lines looked at
	maxLines   = 60  // lines kept
	perSector  = 16  // of 15°: one direction must not crowd out the others
	alongLimit = 15 * math.Pi / 180
)

// findLines lets every edge pixel vote, within a few degrees of its own
// direction, for the lines through it (Ballard 1981), takes the peaks, fits
// each to the pixels that voted, and keeps those along which two surfaces meet.
func findLines(g *gradient, es []edge, pic colours) []line {
	sorted := byAngle(es)
	es = sorted.all
	diag := math.Hypot(float64(g.w), float64(g.h))
	rhoBins := int(2*diag/rhoStep) + 3
	acc := make([]float32, thetaBins*rhoBins)
	var cos, sin [thetaBins]float64
	for i := range cos {
		sin[i], cos[i] = math.Sincos(float64(i) * math.Pi / thetaBins)
	}
	for _, e := range es {
		centre := int(math.Round(float64(e.angle) * thetaBins / math.Pi))
		for d := -3; d <= 3; d++ {
			k := ((centre+d)%thetaBins + thetaBins) % thetaBins
			r := (cos[k]*float64(e.x) + sin[k]*float64(e.y) + diag) / rhoStep
			b := int(r)
			f := float32(r - float64(b))
			w := e.weight * (1 - 0.2*float32(abs(d)))
			acc[k*rhoBins+b] += w * (1 - f)
			acc[k*rhoBins+b+1] += w * f
		}
	}
	type peak struct {
		k, b int
		v    float32
	}
	least := float32(0.06 * math.Min(float64(g.w), float64(g.h)))
	var peaks []peak
	for k := 0; k < thetaBins; k++ {
		for b := 2; b < rhoBins-2; b++ {
			v := acc[k*rhoBins+b]
			if v < least || v < acc[k*rhoBins+b-1] || v <= acc[k*rhoBins+b+1] || v < acc[k*rhoBins+b-2] || v <= acc[k*rhoBins+b+2] {
				continue
			}
			up, upB := k+1, b
			if up == thetaBins {
				up, upB = 0, rhoBins-1-b
			}
			dn, dnB := k-1, b
			if dn < 0 {
				dn, dnB = thetaBins-1, rhoBins-1-b
			}
			if v < acc[up*rhoBins+upB] || v <= acc[dn*rhoBins+dnB] {
				continue
			}
			peaks = append(peaks, peak{k, b, v})
		}
	}
	sort.Slice(peaks, func(i, j int) bool { return peaks[i].v > peaks[j].v })
	var found []line
	for _, p := range peaks {
		l := line{nx: cos[p.k], ny: sin[p.k], rho: float64(p.b)*rhoStep - diag}
		l.fit(&sorted, 4)
		l.fit(&sorted, 2.5)
		if duplicate(found, l, g) {
			continue
		}
		l.votes = l.surfaces(g, pic, nil)
		found = append(found, l)
		if len(found) == maxPeaks {
			break
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].votes > found[j].votes })
	// Every edge counts for one line only: many others graze it at an angle.
	taken := make([]bool, g.w*g.h)
	var sector [12]int
	var lines []line
	for _, l := range found {
		l.votes = l.surfaces(g, pic, taken)
		a := math.Atan2(l.ny, l.nx)
		s := int((a+2*math.Pi)/(math.Pi/12)) % 12
		if sector[s] >= perSector || l.votes < 0.3*float64(least) {
			continue
		}
		sector[s]++
		l.take(g, taken)
		lines = append(lines, l)
		if len(lines) == maxLines {
			break
		}
	}
	return lines
}

// surfaces is the length, in pixels, of the best stretch of l that lies on an
// edge and has different colours on its two sides, less what is missing in
// between. It is what tells the side of a document from a line of print or the
// grain of wood, of which there are far more. Edges that are taken, if given,
// do not count.
func (l *line) surfaces(g *gradient, pic colours, taken []bool) float64 {
	const step = 2.0
	floor := math.Max(9, 2*float64(g.noise))
	least := 0.6 * min(max(2.2*g.noise, 2.5), 14)
	a, b := l.inside(g.w, g.h)
	d := a.Distance(b)
	if d < step {
		return 0
	}
	ux, uy := (b.X-a.X)/d, (b.Y-a.Y)/d
	const dearth = 0.4 // so much of a stretch may be missing
	sum, best := 0.0, 0.0
	for t := 0.0; t < d; t += step {
		p := photo.Point{X: a.X + t*ux, Y: a.Y + t*uy}
		v := 0.0
		if at := g.edgeNear(p, l, least); at >= 0 && (taken == nil || !taken[at]) {
			v = pic.across(p, l.nx, l.ny, floor)
		}
		sum = math.Max(0, sum+step*(v-dearth))
		best = math.Max(best, sum)
	}
	return best
}

// take marks the edges of l as belonging to it.
func (l *line) take(g *gradient, taken []bool) {
	least := 0.6 * min(max(2.2*g.noise, 2.5), 14)
	a, b := l.inside(g.w, g.h)
	d := a.Distance(b)
	for t := 0.0; t < d; t++ {
		p := photo.Point{X: a.X + t*(b.X-a.X)/d, Y: a.Y + t*(b.Y-a.Y)/d}
		if g.edgeNear(p, l, least) < 0 {
			continue
		}
		for o := -3.0; o <= 3; o++ {
			x, y := int(p.X+o*l.nx+0.5), int(p.Y+o*l.ny+0.5)
			if x >= 0 && y >= 0 && x < g.w && y < g.h {
				taken[y*g.w+x] = true
			}
		}
	}
}

// edgeNear returns the pixel within two pixels of p, across l, that has a
// gradient along l's normal, or -1.
func (g *gradient) edgeNear(p photo.Point, l *line, least float32) int {
	for _, d := range [5]float64{0, -1, 1, -2, 2} {
		x, y := int(p.X+d*l.nx+0.5), int(p.Y+d*l.ny+0.5)
		if x < 0 || y < 0 || x >= g.w || y >= g.h {
			continue
		}
		j := y*g.w + x
		if m := g.mag[j]; m >= least && math.Abs(float64(g.dx[j])*l.nx+float64(g.dy[j])*l.ny) > 0.94*16*float64(m) {
			return j
		}
	}
	return -1
}

func abs(d int) int {
	if d < 0 {
		return -d
	}
	return d
}
