package quality

import (
	"image"
	"math"

	"gocv.io/x/gocv"
)

// spot is a specular reflection: an area burnt to white that fades out softly
// into a surface darker than white.
type spot struct {
	box  image.Rectangle
	area int
}

// clipped is the level from which all channels count as burnt out. Phones clip
// below 255 because JPEG rounds.
const clipped = 249

// findGlare returns the reflections, a mask (255 inside them), to be closed, and
// the share of all burnt pixels, or false, and no mask, when they could not be
// looked for. What is not glare: white paper, which is as bright where nothing
// reflects, ends at a sharp printed edge or has black ink on it; and holograms,
// whose colours leave a channel unclipped.
func findGlare(r *raster) ([]spot, gocv.Mat, float64, bool) {
	w, h := r.w, r.h
	var op ops
	burnt, bright := r.burnt(&op)
	defer burnt.Close()
	out := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(0, 0, 0, 0), h, w, gocv.MatTypeCV8UC1)
	o := op.bytes(out)
	if op.failed {
		out.Close()
		return nil, gocv.Mat{}, 0, false
	}
	if bright*float64(w*h) < 25 { // less than the opening below leaves
		return nil, out, bright, true
	}
	// Specks of ink or noise inside a reflection belong to it; single burnt
	// pixels (embossing, dust) do not make one.
	k := gocv.GetStructuringElement(gocv.MorphEllipse, image.Pt(5, 5))
	defer k.Close()
	op.do(gocv.MorphologyEx(burnt, &burnt, gocv.MorphOpen, k))
	op.do(gocv.MorphologyEx(burnt, &burnt, gocv.MorphClose, k))
	labels, stats, centroids := gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
	defer labels.Close()
	defer stats.Close()
	defer centroids.Close()
	n := gocv.ConnectedComponentsWithStats(burnt, &labels, &stats, &centroids)
	least := max(60, w*h/2000)
	var spots []spot
	op.do(labels.ConvertTo(&labels, gocv.MatTypeCV32F)) // gocv has no view of 32-bit integers
	lab, err := labels.DataPtrFloat32()
	if op.do(err); op.failed {
		out.Close()
		return nil, gocv.Mat{}, 0, false
	}
	for c := 1; c < n; c++ {
		area := int(stats.GetIntAt(c, 4))
		if area < least {
			continue
		}
		box := image.Rectangle{Min: image.Pt(int(stats.GetIntAt(c, 0)), int(stats.GetIntAt(c, 1)))}
		box.Max = box.Min.Add(image.Pt(int(stats.GetIntAt(c, 2)), int(stats.GetIntAt(c, 3))))
		if r.inked(lab, float32(c), box) > mostInk || !r.fades(lab, float32(c), box) {
			continue
		}
		spots = append(spots, spot{box, area})
		for y := box.Min.Y; y < box.Max.Y; y++ {
			for x := box.Min.X; x < box.Max.X; x++ {
				if lab[y*w+x] == float32(c) {
					o[y*w+x] = 255
				}
			}
		}
	}
	return spots, out, bright, true
}

// mostInk is the part of a reflection's outline that may lie against ink.
const mostInk = 0.08

// inked is the part of a burnt area's outline that meets something dark within
// three pixels. A reflection adds its light to the ink too, which therefore
// shows no darker than a mid grey until the light has faded; on white paper the
// ink is as dark as everywhere.
func (r *raster) inked(lab []float32, c float32, box image.Rectangle) float64 {
	const reach, ink = 3, 70
	outline, dark := 0, 0
	for y := max(box.Min.Y, reach); y < min(box.Max.Y, r.h-reach); y++ {
		for x := max(box.Min.X, reach); x < min(box.Max.X, r.w-reach); x++ {
			i := y*r.w + x
			if lab[i] != c {
				continue
			}
			for _, step := range [4]int{-1, 1, -r.w, r.w} {
				if lab[i+step] == c {
					continue
				}
				outline++
				if r.luma[i+reach*step] < ink {
					dark++
				}
			}
		}
	}
	return float64(dark) / math.Max(1, float64(outline))
}

// mostPrint is the part of the surroundings of a reflection on almost white
// paper that may be print.
const mostPrint = 0.03

// fades looks outward from a burnt area in 32 directions. A reflection's
// brightness falls gradually, over more than the width of a printed edge, to a
// surface that is clearly darker. A direction in which the surface itself is
// almost white says nothing either way; where most are such, a reflection is told
// from paper that is exposed too long by the print around it, which it washes out.
func (r *raster) fades(lab []float32, c float32, box image.Rectangle) bool {
	w, h := r.w, r.h
	reach := max(24, w/9)
	cx, cy := 0.0, 0.0
	cnt := 0.0
	for y := box.Min.Y; y < box.Max.Y; y += 2 {
		for x := box.Min.X; x < box.Max.X; x += 2 {
			if lab[y*w+x] == c {
				cx, cy, cnt = cx+float64(x), cy+float64(y), cnt+1
			}
		}
	}
	if cnt == 0 {
		return false
	}
	cx, cy = cx/cnt, cy/cnt
	soft, hard, white, rays := 0, 0, 0, 0
	ink, around := 0, 0
	for k := 0; k < 32; k++ {
		sin, cos := math.Sincos(2 * math.Pi * float64(k) / 32)
		// Last burnt pixel of this area along the ray.
		last := -1.0
		limit := float64(box.Dx() + box.Dy())
		for t := 0.0; t < limit; t++ {
			x, y := int(cx+t*cos), int(cy+t*sin)
			if x < 0 || y < 0 || x >= w || y >= h {
				break
			}
			if lab[y*w+x] == c {
				last = t
			}
		}
		if last < 0 {
			continue
		}
		// The brighter part of what lies along the ray: the surface, not the
		// print on it.
		var near, far []float64
		for t := 1.0; t <= float64(reach); t++ {
			x, y := int(cx+(last+t)*cos), int(cy+(last+t)*sin)
			if x < 0 || y < 0 || x >= w || y >= h {
				break
			}
			v := float64(r.luma[y*w+x])
			if t <= float64(reach)/4 {
				around++
				if v < 120 {
					ink++
				}
			}
			if t <= float64(reach)/8 {
				near = append(near, v)
			} else if t > float64(reach)/2 {
				far = append(far, v)
			}
		}
		if len(near) < 3 || len(far) < 6 {
			continue
		}
		rays++
		n, f := quantile(near, 0.7), quantile(far, 0.7)
		switch {
		case n > 222 && n-f > 8:
			soft++
		case n <= 222:
			hard++
		case f > 242:
			white++
		}
	}
	told := rays - white
	if white >= told && float64(ink) > mostPrint*float64(around) {
		return false
	}
	return rays >= 6 && told >= 4 && soft*2 > told && soft > hard
}
