package liveness

import (
	"math"

	"github.com/proofline/proofline/photo"
)

// Names of the signals of a face that is lit by the screen before it while the
// burst is taken. Where the light does not reach the face, which is so in
// daylight and with a dark screen, they are skipped: that speaks for nobody and
// against nobody.
const (
	// SignalLight: by how many per cent the face gets brighter from no light to
	// full light, in linear light. What shines by itself (a screen) hardly
	// follows; skin and paper do.
	SignalLight = "burst.light"
	// SignalLightShape: how much more the middle of the face follows than its
	// rim, over what the whole face does. The nose is nearer to the light than
	// the ears and the cheeks turn away from it; a flat thing answers evenly.
	// Higher is more alive.
	SignalLightShape = "burst.light_shape"
	// SignalLightNear: by how many per cent more the face follows than what is
	// beside it. A room is farther from the light than a face. The only one of
	// the three that has a part in the score.
	SignalLightNear = "burst.light_near"
	// SignalLightAnswered: 1 where the face follows the light, 0 where it does not
	// or no light is told. The other three say nothing then; a policy that wants
	// the answer itself asks for this one.
	SignalLightAnswered = "burst.light_answered"
)

// InconclusiveFaint is why a signal of light is skipped: the face does not
// follow the light by more than chance.
const InconclusiveFaint = "faint"

const (
	// minLit is the least number of frames with a known light; three numbers are
	// fitted to them.
	minLit = 8
	// leastResponse is the least change that is taken for one, a per cent; and
	// certain is by how many standard errors it must stand out. With eight frames
	// (five degrees of freedom) independent noise passes 5 about once in 500
	// bursts, with twelve once in 2500.
	leastResponse = 0.01
	certain       = 5.0
	// mostShapeError is the standard error of the shape beyond which it is not
	// told.
	mostShapeError = 0.15
	// Grey levels between which a camera's answer is taken for a power of 2.2.
	darkest, brightest = 14.0, 246.0
	// lightCell is the side of a square that is followed, in face widths.
	lightCell = 0.09
)

// lit is a frame of which the light is known.
type lit struct {
	frame     int
	at, light float64 // seconds; 0 to 1
}

// response is by how much the logarithm of a part's light follows the light.
type response struct{ slope, err float64 }

// seen tells a response from chance.
func (r response) seen() bool { return r.slope >= leastResponse && r.slope >= certain*r.err }

// relief is what the parts of the scene do under the light.
type relief struct {
	face, surround, shape response
	hasSurround, hasShape bool
}

// depth is how much of the face's response its surroundings lack: 1 for a far
// room, 0 for more of the same paper. ok is false where the face's is too faint.
func (r *relief) depth() (ratio float64, ok bool) {
	if r == nil || !r.hasSurround || !r.face.seen() {
		return 0, false
	}
	return 1 - r.surround.slope/r.face.slope, true
}

// illumination measures how the scene follows the light, and whether it does.
func (b *Burst) illumination(v *view, planes []homography) {
	r, ok := v.relief(planes)
	answered := 0.0
	if ok && r.face.seen() {
		answered = 1
	}
	b.add(SignalLightAnswered, answered, "0 or 1")
	if !ok {
		return
	}
	b.relief = &r
	add := func(name string, value float64, unit string, ok bool) {
		s := Signal{Name: name, Value: value, Unit: unit}
		if !ok {
			s.Value, s.Skipped = 0, InconclusiveFaint
		}
		b.Signals = append(b.Signals, s)
	}
	seen := r.face.seen()
	percent := func(slope float64) float64 { return 100 * math.Expm1(slope) }
	add(SignalLight, percent(r.face.slope), "%", seen)
	add(SignalLightShape, r.shape.slope/r.face.slope, "ratio", seen && r.hasShape && r.shape.err <= mostShapeError*r.face.slope)
	add(SignalLightNear, percent(r.face.slope-r.surround.slope), "%", seen && r.hasSurround)
}

// relief follows small squares of the face and of its surroundings through the
// frames. All is in logarithms of linear light: what a surface reflects and what
// a camera's automatic exposure does to the whole picture then drop out of
// differences between parts. Each part is the median of its squares, so that the
// mirror image of a lamp or of the screen itself does not speak for the rest.
func (v *view) relief(planes []homography) (relief, bool) {
	var r relief
	if len(v.light) < minLit {
		return r, false
	}
	var face, middle, rim, around [][]float64
	for y := -1.2; y <= 1.2; y += lightCell {
		for x := -1.2; x <= 1.2; x += lightCell {
			d := math.Hypot(x/0.5, y*v.face.W/(0.5*v.face.H))
			if d > 1 && d < 1.6 {
				continue // hair, ears, neck
			}
			logs, ok := v.followLight(planes, photo.Point{X: x, Y: y})
			if !ok {
				continue
			}
			if d >= 1.6 {
				around = append(around, logs)
				continue
			}
			face = append(face, logs)
			if d < 0.5 {
				middle = append(middle, logs)
			} else if d > 0.75 {
				rim = append(rim, logs)
			}
		}
	}
	const least = 10
	if len(face) < least {
		return r, false
	}
	var ok bool
	if r.face, ok = v.regress(medians(face)); !ok {
		return r, false
	}
	if len(around) >= least {
		r.surround, r.hasSurround = v.regress(medians(around))
	}
	if len(middle) >= least && len(rim) >= least {
		a, b := medians(middle), medians(rim)
		for i := range a {
			a[i] -= b[i]
		}
		r.shape, r.hasShape = v.regress(a)
	}
	return r, true
}

// followLight is the logarithm of a square's linear light in every lit frame,
// less its mean. p counts in face widths from the middle of the face.
func (v *view) followLight(planes []homography, p photo.Point) ([]float64, bool) {
	const n = 2 // samples to either side
	c := v.face.Centre()
	out := make([]float64, len(v.light))
	var mean float64
	for i, l := range v.light {
		var sum float64
		for dy := -n; dy <= n; dy++ {
			for dx := -n; dx <= n; dx++ {
				q := planes[l.frame].at(photo.Point{X: p.X + float64(dx)*lightCell/(2*n), Y: p.Y + float64(dy)*lightCell/(2*n)})
				grey, ok := v.frames[l.frame][0].at(photo.Point{X: q.X*v.face.W + c.X, Y: q.Y*v.face.W + c.Y})
				if !ok || grey < darkest || grey > brightest {
					return nil, false
				}
				sum += math.Pow(grey/255, 2.2)
			}
		}
		out[i] = math.Log(sum)
		mean += out[i] / float64(len(v.light))
	}
	for i := range out {
		out[i] -= mean
	}
	return out, true
}

// medians is the median over the rows for each column.
func medians(rows [][]float64) []float64 {
	out := make([]float64, len(rows[0]))
	for i := range out {
		var column []float64
		for _, r := range rows {
			column = append(column, r[i])
		}
		out[i] = median(column)
	}
	return out
}

// regress fits a constant, a drift and the light to a part's brightness over the
// frames. ok is false where the light does not change enough, or changes as the
// drift does.
func (v *view) regress(y []float64) (response, bool) {
	n := float64(len(v.light))
	t, x := make([]float64, len(y)), make([]float64, len(y))
	for i, l := range v.light {
		t[i], x[i] = l.at, l.light
	}
	y = centred(y)
	t, x = centred(t), centred(x)
	if spread := dot(x, x) / n; spread < 0.04 {
		return response{}, false
	}
	whole := dot(x, x)
	if tt := dot(t, t); tt > 0 {
		less(x, t, dot(x, t)/tt)
		less(y, t, dot(y, t)/tt)
	}
	xx := dot(x, x)
	if xx < 0.3*whole {
		return response{}, false
	}
	slope := dot(x, y) / xx
	less(y, x, slope)
	return response{slope, math.Sqrt(dot(y, y) / (n - 3) / xx)}, true
}

func centred(v []float64) []float64 {
	var mean float64
	for _, x := range v {
		mean += x / float64(len(v))
	}
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = x - mean
	}
	return out
}

func dot(a, b []float64) float64 {
	var sum float64
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// less takes k times b from a.
func less(a, b []float64, k float64) {
	for i := range a {
		a[i] -= k * b[i]
	}
}
