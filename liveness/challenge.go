package liveness

import (
	"fmt"
	"math"
	"slices"
	"time"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/internal/dnn"
	"github.com/proofline/proofline/liveness/challenge"
	"github.com/proofline/proofline/photo"
)

// What the frames of a challenge may be found to be, beside what a burst may.
const (
	// ChallengeGaps: a step, or the look straight ahead before the first, has
	// fewer than two frames.
	ChallengeGaps = "gaps"
)

// Names of a challenge's signals.
const (
	// SignalResponse: how far the head went where it was asked to, in degrees
	// from the look straight ahead and more than any other way; of all steps
	// the least. Points of a face give degrees roughly.
	SignalResponse = "challenge.response"
	// SignalContrary: how far it stood another way when a step's time was
	// nearly over; of all steps the most.
	SignalContrary = "challenge.contrary"
	// SignalChallengeFace: the lowest similarity of the first frame's face with
	// that of the frame in which each step is answered best.
	SignalChallengeFace = "challenge.same_face"
	// SignalChallengeChange is SignalChange of a challenge's frames.
	SignalChallengeChange = "challenge.least_change"
)

// Answer is what the frames of a challenge say.
type Answer struct {
	// Inconclusive says why the turns can not be told.
	Inconclusive string   `json:"inconclusive,omitempty"`
	Findings     []string `json:"findings"`
	Signals      []Signal `json:"signals"`
	// Responses are SignalResponse step by step.
	Responses []float64 `json:"responses,omitempty"`
	// Faces is where the face is, frame by frame.
	Faces []face.Face `json:"-"`
}

// Signal returns a signal's value.
func (a Answer) Signal(name string) (float64, bool) { return Burst{Signals: a.Signals}.Signal(name) }

// AssessChallenge measures whether the head in the frames turns as the steps
// ask, in their order and time, whether it is one face throughout and whether
// frames repeat. A plane that is turned shows no turned head, and a film shows
// the turns that it was made with. Bad frames are findings; an error means that
// a network could not be run.
func AssessChallenge(faces *face.Engine, steps []challenge.Step, frames []Frame) (Answer, error) {
	b := Burst{Findings: []string{}, Signals: []Signal{}}
	var responses []float64
	done := func() Answer {
		return Answer{Inconclusive: b.Inconclusive, Findings: b.Findings, Signals: b.Signals, Responses: responses, Faces: b.Faces}
	}
	if len(frames) == 0 || len(steps) == 0 {
		return done(), ErrNoFrames
	}
	frames = frames[:min(len(frames), MaxBurstFrames)]
	if stop := b.checkFrames(frames); stop != "" {
		b.inconclusive(stop)
		return done(), nil
	}
	pictures := make([]gocv.Mat, len(frames))
	for i, f := range frames {
		m, ok := dnn.BGR(f.Image)
		if !ok {
			b.inconclusive(BurstTooFewFrames)
			return done(), nil
		}
		defer m.Close()
		pictures[i] = m
	}
	if stop, err := b.followFace(faces, pictures); err != nil || stop != "" {
		if stop != "" {
			b.inconclusive(stop)
		}
		return done(), err
	}
	v, err := newView(pictures, b.Faces)
	if err != nil {
		return done(), fmt.Errorf("prepare challenge: %w", err)
	}
	b.repeats(v)
	b.Signals[len(b.Signals)-1].Name = SignalChallengeChange
	heads := make([]head, len(frames))
	for i, f := range b.Faces {
		heads[i] = headOf(f)
	}
	at := make([]float64, len(frames))
	for i, f := range frames {
		at[i] = float64(f.At-frames[0].At) / float64(time.Millisecond)
	}
	best, contrary, ok := answered(steps, at, heads, &responses)
	if !ok {
		b.inconclusive(ChallengeGaps)
		return done(), nil
	}
	b.add(SignalResponse, slices.Min(responses), "degrees")
	b.add(SignalContrary, contrary, "degrees")
	if err := b.sameFaceAt(faces, pictures, best); err != nil {
		return done(), err
	}
	return done(), nil
}

// answered measures each step. best is the frame that answers it best.
func answered(steps []challenge.Step, at []float64, heads []head, responses *[]float64) (best []int, contrary float64, ok bool) {
	var straight []head
	for i, h := range heads {
		// Nobody reacts within a fifth of a second.
		if at[i] <= float64(steps[0].At)+200 {
			straight = append(straight, h)
		}
	}
	if len(straight) < 2 {
		return nil, 0, false
	}
	zero := middleHead(straight)
	contrary = math.Inf(-1)
	for _, s := range steps {
		from, to, seen := float64(s.At), float64(s.At+s.For), 0
		top, frame, wrong := math.Inf(-1), 0, math.Inf(-1)
		for i, h := range heads {
			way, other := h.minus(zero).along(s.Turn)
			// The turn may be reached a little late; what is still seen of the
			// step before does not count against this one.
			if at[i] >= from+0.3*(to-from) && at[i] <= to+challenge.TailMS {
				seen++
				if r := way - math.Max(other, 0); r > top {
					top, frame = r, i
				}
			}
			if at[i] >= from+0.6*(to-from) && at[i] <= to {
				wrong = math.Max(wrong, other-math.Max(way, 0))
			}
		}
		if seen < 2 || math.IsInf(wrong, -1) {
			return nil, 0, false
		}
		*responses, best, contrary = append(*responses, top), append(best, frame), math.Max(contrary, wrong)
	}
	return best, contrary, true
}

// sameFaceAt compares the first frame's face with those of other frames.
func (b *Burst) sameFaceAt(faces *face.Engine, pictures []gocv.Mat, at []int) error {
	first, err := faces.Embed(pictures[0], b.Faces[0])
	if err != nil {
		return fmt.Errorf("describe face in challenge: %w", err)
	}
	lowest := 1.0
	for _, i := range at {
		e, err := faces.Embed(pictures[i], b.Faces[i])
		if err != nil {
			return fmt.Errorf("describe face in challenge: %w", err)
		}
		lowest = math.Min(lowest, faces.Similarity(first, e))
	}
	b.add(SignalChallengeFace, lowest, "similarity")
	return nil
}

// head is a rough pose in degrees: yaw towards the person's left, pitch down.
type head struct{ yaw, pitch float64 }

func (h head) minus(o head) head { return head{h.yaw - o.yaw, h.pitch - o.pitch} }

// along is how far the head went one way, and how far any of the three others.
func (h head) along(t challenge.Turn) (way, other float64) {
	ways := map[challenge.Turn]float64{challenge.Left: h.yaw, challenge.Right: -h.yaw, challenge.Up: -h.pitch, challenge.Down: h.pitch}
	other = math.Inf(-1)
	for k, v := range ways {
		if k == t {
			way = v
		} else {
			other = math.Max(other, v)
		}
	}
	return way, other
}

func middleHead(hs []head) head {
	var yaw, pitch []float64
	for _, h := range hs {
		yaw, pitch = append(yaw, h.yaw), append(pitch, h.pitch)
	}
	return head{median(yaw), median(pitch)}
}

// How far the tip of the nose stands before the eyes, and the eyes before the
// ears, in units of the distance between the eyes (anthropometric means: 35 and
// 80 mm of 63; detectors place ears at the edge of what they see, so less).
const (
	noseBefore = 0.55
	eyesBefore = 0.9
	// pitchGain makes a degree of nodding count as much as one of turning: on
	// simulated heads the points show 0.52 of the one and 0.75 of the other.
	pitchGain = 1.45
)

// headOf reads the pose off a face's points.
func headOf(f face.Face) head {
	p := f.Points
	eye := p[face.LeftEye]
	apart := math.Max(1, p[face.RightEye].Distance(eye))
	x := photo.Point{X: (eye.X - p[face.RightEye].X) / apart, Y: (eye.Y - p[face.RightEye].Y) / apart}
	mid := photo.Point{X: (eye.X + p[face.RightEye].X) / 2, Y: (eye.Y + p[face.RightEye].Y) / 2}
	across := func(q photo.Point) float64 { return ((q.X-mid.X)*x.X + (q.Y-mid.Y)*x.Y) / apart }
	down := func(q photo.Point) float64 { return ((q.Y-mid.Y)*x.X - (q.X-mid.X)*x.Y) / apart }
	const deg = 180 / math.Pi
	nose, mouth := p[face.Nose], p[face.Mouth]
	h := head{yaw: math.Atan((across(nose)-across(mouth)/2)/noseBefore) * deg}
	// The nose between eyes and mouth, and the ears against the eyes.
	h.pitch = (down(nose) - 0.52*down(mouth)) / noseBefore * deg
	if len(p) > face.LeftEar {
		ears := (down(p[face.RightEar]) + down(p[face.LeftEar])) / 2
		h.pitch = (h.pitch - ears/eyesBefore*deg) / 2
	}
	h.pitch *= pitchGain
	return h
}
