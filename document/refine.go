package document

import (
	"math"
	"sort"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/photo"
)

// refine moves each side of q onto the edge near it in a larger picture: across
// the side, at many places, it looks for the steepest change within reach, fits
// a line to those places that agree, and intersects the sides anew. Sides for
// which fixed is set stay where they are. q is in pixels of bgr.
func refine(bgr gocv.Mat, q photo.Quad, fixed [4]bool, reach float64) photo.Quad {
	p, err := bgr.DataPtrUint8()
	if err != nil {
		return q
	}
	w, h := bgr.Cols(), bgr.Rows()
	var sides [4]line
	for i := range q {
		a, b := q[i], q[(i+1)%4]
		d := a.Distance(b)
		if d < 1 {
			return q
		}
		nx, ny := -(b.Y-a.Y)/d, (b.X-a.X)/d
		sides[i] = line{nx: nx, ny: ny, rho: nx*a.X + ny*a.Y}
		if fixed[i] {
			continue
		}
		pts := crossings(p, w, h, a, b, nx, ny, reach)
		if l, ok := agree(pts, sides[i], d, 0.23*reach); ok {
			sides[i] = l
		}
	}
	out := q
	for i := range q {
		a, b := &sides[(i+3)%4], &sides[i]
		det := a.nx*b.ny - a.ny*b.nx
		if math.Abs(det) < 0.3 {
			return q
		}
		out[i] = photo.Point{X: (a.rho*b.ny - b.rho*a.ny) / det, Y: (a.nx*b.rho - b.nx*a.rho) / det}
		if out[i].Distance(q[i]) > 3*reach {
			return q
		}
	}
	return out
}

// crossing is a place where the colour changes across a side.
type crossing struct {
	photo.Point
	strength float64
}

func crossings(p []byte, w, h int, a, b photo.Point, nx, ny, reach float64) []crossing {
	d := a.Distance(b)
	n := int(math.Min(96, d/4))
	tx, ty := (b.X-a.X)/d, (b.Y-a.Y)/d
	r := int(math.Ceil(reach))
	prof := make([][3]float64, 2*r+1)
	var out []crossing
	for k := 0; k < n; k++ {
		t := d * (0.05 + 0.9*(float64(k)+0.5)/float64(n))
		cx, cy := a.X+t*tx, a.Y+t*ty
		inside := true
		for j := -r; j <= r && inside; j++ {
			var s [3]float64
			for e := -1.0; e <= 1; e++ {
				c, ok := sample(p, w, h, cx+float64(j)*nx+1.5*e*tx, cy+float64(j)*ny+1.5*e*ty)
				if !ok {
					inside = false
					break
				}
				for i := range s {
					s[i] += c[i] / 3
				}
			}
			prof[j+r] = s
		}
		if !inside {
			continue
		}
		// Up to two crests per place; which one belongs to the side is decided
		// by what agrees along it.
		mag := make([]float64, len(prof))
		for j := 2; j < len(prof)-2; j++ {
			for i := 0; i < 3; i++ {
				mag[j] += sq(prof[j+1][i] + prof[j+2][i] - prof[j-1][i] - prof[j-2][i])
			}
			mag[j] = math.Sqrt(mag[j]) / 2
		}
		var crests []int
		for j := 3; j < len(prof)-3; j++ {
			if mag[j] > 5 && mag[j] >= mag[j-1] && mag[j] > mag[j+1] {
				crests = append(crests, j)
			}
		}
		sort.Slice(crests, func(x, y int) bool { return mag[crests[x]] > mag[crests[y]] })
		for i, j := range crests {
			if i == 2 {
				break
			}
			off := float64(j-r) + 0.5*(mag[j-1]-mag[j+1])/(mag[j-1]-2*mag[j]+mag[j+1])
			out = append(out, crossing{photo.Point{X: cx + off*nx, Y: cy + off*ny}, math.Min(mag[j], 40)})
		}
	}
	return out
}

// sample interpolates a pixel.
func sample(p []byte, w, h int, x, y float64) ([3]float64, bool) {
	x0, y0 := int(math.Floor(x)), int(math.Floor(y))
	if x0 < 0 || y0 < 0 || x0 >= w-1 || y0 >= h-1 {
		return [3]float64{}, false
	}
	fx, fy := x-float64(x0), y-float64(y0)
	i := 3 * (y0*w + x0)
	var out [3]float64
	for c := range out {
		top := float64(p[i+c])*(1-fx) + float64(p[i+3+c])*fx
		bottom := float64(p[i+3*w+c])*(1-fx) + float64(p[i+3*w+3+c])*fx
		out[c] = top*(1-fy) + bottom*fy
	}
	return out, true
}

// agree finds the line that most crossings lie on, within tol, near the given
// one, and fits it to them.
func agree(pts []crossing, near line, length, tol float64) (line, bool) {
	if len(pts) < 8 {
		return near, false
	}
	best, bestScore := near, 0.0
	step := max(1, len(pts)/24)
	for i := 0; i < len(pts); i += step {
		for j := i + len(pts)/4; j < len(pts); j += step {
			a, b := pts[i], pts[j]
			d := a.Distance(b.Point)
			if d < 0.2*length {
				continue
			}
			nx, ny := -(b.Y-a.Y)/d, (b.X-a.X)/d
			if nx*near.nx+ny*near.ny < 0 {
				nx, ny = -nx, -ny
			}
			if nx*near.nx+ny*near.ny < 0.998 {
				continue
			}
			l := line{nx: nx, ny: ny, rho: nx*a.X + ny*a.Y}
			score := 0.0
			for k := range pts {
				if math.Abs(l.distance(pts[k].Point)) < tol {
					score += pts[k].strength
				}
			}
			if score > bestScore {
				best, bestScore = l, score
			}
		}
	}
	if bestScore == 0 {
		return near, false
	}
	for range 2 {
		var sw, sx, sy, sxx, sxy, syy float64
		for k := range pts {
			if math.Abs(best.distance(pts[k].Point)) >= tol {
				continue
			}
			x, y, wt := pts[k].X, pts[k].Y, pts[k].strength
			sw, sx, sy = sw+wt, sx+wt*x, sy+wt*y
			sxx, sxy, syy = sxx+wt*x*x, sxy+wt*x*y, syy+wt*y*y
		}
		if sw == 0 {
			return near, false
		}
		mx, my := sx/sw, sy/sw
		along := 0.5 * math.Atan2(2*(sxy/sw-mx*my), (sxx/sw-mx*mx)-(syy/sw-my*my))
		nx, ny := -math.Sin(along), math.Cos(along)
		if nx*near.nx+ny*near.ny < 0 {
			nx, ny = -nx, -ny
		}
		if nx*near.nx+ny*near.ny < 0.995 {
			return near, false
		}
		best = line{nx: nx, ny: ny, rho: nx*mx + ny*my}
	}
	return best, true
}
