package document

import (
	"math"

	"github.com/proofline/proofline/photo"
)

// angleBins divide the half turn; a bin is half a degree.
const angleBins = 360

// sheaf holds edges by the direction of their normal.
type sheaf struct {
	all   []edge
	start [angleBins + 1]int // of each bin in all
}

func angleBin(a float64) int { return max(0, min(angleBins-1, int(a*angleBins/math.Pi))) }

// byAngle sorts es into bins by counting, which takes a tenth of the time that
// comparing does.
func byAngle(es []edge) sheaf {
	s := sheaf{all: make([]edge, len(es))}
	var n [angleBins + 1]int
	for i := range es {
		n[angleBin(float64(es[i].angle))+1]++
	}
	for k := range angleBins {
		n[k+1] += n[k]
	}
	s.start = n
	for i := range es {
		k := angleBin(float64(es[i].angle))
		s.all[n[k]] = es[i]
		n[k]++
	}
	return s
}

// fit moves l to the least-squares line through the edge pixels within tol of
// it that point its way.
func (l *line) fit(s *sheaf, tol float64) {
	var sw, sx, sy, sxx, sxy, syy float64
	na := math.Atan2(l.ny, l.nx)
	if na < 0 {
		na += math.Pi
	}
	nx, ny, rho, near := float32(l.nx), float32(l.ny), float32(l.rho), float32(tol)
	add := func(lo, hi float64) {
		from, to := float32(lo), float32(hi)
		es := s.all[s.start[angleBin(lo)]:s.start[angleBin(hi)+1]]
		for i := range es {
			e := &es[i]
			if d := nx*e.x + ny*e.y - rho; d > near || d < -near || e.angle < from || e.angle > to {
				continue
			}
			x, y, w := float64(e.x), float64(e.y), float64(e.weight)
			sw, sx, sy = sw+w, sx+w*x, sy+w*y
			sxx, sxy, syy = sxx+w*x*x, sxy+w*x*y, syy+w*y*y
		}
	}
	add(na-alongLimit, na+alongLimit)
	if na < alongLimit {
		add(na-alongLimit+math.Pi, math.Pi)
	}
	if na > math.Pi-alongLimit {
		add(0, na+alongLimit-math.Pi)
	}
	if sw < 8 {
		return
	}
	mx, my := sx/sw, sy/sw
	cxx, cxy, cyy := sxx/sw-mx*mx, sxy/sw-mx*my, syy/sw-my*my
	along := 0.5 * math.Atan2(2*cxy, cxx-cyy)
	ax, ay := -math.Sin(along), math.Cos(along)
	if ax*l.nx+ay*l.ny < 0 {
		ax, ay = -ax, -ay
	}
	if ax*l.nx+ay*l.ny < 0.99 { // ran away to another structure
		return
	}
	l.nx, l.ny, l.rho = ax, ay, ax*mx+ay*my
}

// duplicate tells whether l stays within three pixels of a known line inside
// the frame.
func duplicate(known []line, l line, g *gradient) bool {
	for i := range known {
		k := &known[i]
		c := k.nx*l.nx + k.ny*l.ny
		if math.Abs(c) < 0.998 {
			continue
		}
		// Distance at both ends of the part of l inside the frame.
		a, b := l.inside(g.w, g.h)
		if math.Abs(k.distance(a)) < 3 && math.Abs(k.distance(b)) < 3 {
			return true
		}
	}
	return false
}

func (l *line) distance(p photo.Point) float64 { return l.nx*p.X + l.ny*p.Y - l.rho }
func (l *line) at(t float64) photo.Point {
	return photo.Point{X: l.nx*l.rho - l.ny*t, Y: l.ny*l.rho + l.nx*t}
}
func (l *line) t(p photo.Point) float64 { return l.nx*p.Y - l.ny*p.X }

// inside returns the ends of the part of l that lies inside the frame.
func (l *line) inside(w, h int) (photo.Point, photo.Point) {
	lo, hi := -math.MaxFloat64, math.MaxFloat64
	clip := func(p0, d, limit float64) {
		if math.Abs(d) < 1e-9 {
			return
		}
		a, b := -p0/d, (limit-p0)/d
		lo, hi = math.Max(lo, math.Min(a, b)), math.Min(hi, math.Max(a, b))
	}
	clip(l.nx*l.rho, -l.ny, float64(w-1))
	clip(l.ny*l.rho, l.nx, float64(h-1))
	if lo > hi {
		mid := (lo + hi) / 2
		lo, hi = mid, mid
	}
	return l.at(lo), l.at(hi)
}

// profile records how well edges support l, pixel by pixel, so that the support
// of any stretch is two look-ups.
func (l *line) profile(g *gradient) {
	a, b := l.inside(g.w, g.h)
	t0, t1 := l.t(a), l.t(b)
	if t0 > t1 {
		t0, t1 = t1, t0
	}
	n := int(t1-t0) + 1
	l.from, l.support, l.signed = t0, make([]float32, n+1), make([]float32, n+1)
	floor := min(max(2.2*g.noise, 2.5), 14)
	for i := 0; i < n; i++ {
		p := l.at(t0 + float64(i))
		var best, sign float32
		for d := -2.0; d <= 2; d++ {
			x, y := int(p.X+d*l.nx+0.5), int(p.Y+d*l.ny+0.5)
			if x < 0 || y < 0 || x >= g.w || y >= g.h {
				continue
			}
			j := y*g.w + x
			m := g.mag[j]
			if m < 0.6*floor {
				continue
			}
			// Component along the normal must dominate: cos 20°.
			c := (float64(g.dx[j])*l.nx + float64(g.dy[j])*l.ny) / (16 * float64(m))
			if math.Abs(c) < 0.94 {
				continue
			}
			v := min(1, m/(2*floor))
			if v > best {
				best = v
				sign = float32(math.Copysign(1, c))
			}
		}
		l.support[i+1] = l.support[i] + best
		l.signed[i+1] = l.signed[i] + best*sign
	}
}

// between returns the mean support, the consistency of the step's sign, and
// the length seen of the stretch from t0 to t1.
func (l *line) between(t0, t1 float64) (support, signed, seen float64) {
	if t0 > t1 {
		t0, t1 = t1, t0
	}
	n := len(l.support) - 1
	i, j := int(math.Max(0, t0-l.from)), int(math.Min(float64(n), t1-l.from))
	if j <= i {
		return 0, 0, 0
	}
	seen = float64(j - i)
	return float64(l.support[j]-l.support[i]) / seen, float64(l.signed[j]-l.signed[i]) / seen, seen
}
