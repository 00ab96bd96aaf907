package liveness

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/internal/dnn"
)

// Bounds of a burst.
const (
	MinBurstFrames = 6
	MaxBurstFrames = 24
)

// What a burst may be found to be, as stable words. They are facts about the
// frames; a policy says what they lead to.
const (
	BurstTooFewFrames   = "too_few_frames"  // fewer than MinBurstFrames readable ones
	BurstTimeOrder      = "time_order"      // times do not rise
	BurstTooShort       = "too_short"       // less than half a second from first to last
	BurstSizes          = "sizes"           // frames differ in size
	BurstNoFace         = "no_face"         // none in the first frame
	BurstFaceLost       = "face_lost"       // gone in a later one
	BurstSeveralFaces   = "several_faces"   // another of comparable size
	BurstRepeatedFrames = "repeated_frames" // two frames are the same, pixel by pixel: no camera's noise repeats
	BurstStill          = "still"           // the face hardly moves, so depth can not be told
	BurstFewPoints      = "few_points"      // too little texture to follow
)

// Names of a burst's signals.
const (
	// SignalParallax: how far the face's points move from where one plane would
	// take them, root mean square in thousandths of the face's width, without
	// what changes at random from frame to frame. A print or a screen that is
	// moved is a plane; a head that turns is none. Higher is more alive.
	SignalParallax = "burst.parallax"
	// SignalSurround: the same for points beside the face under the face's own
	// motion. Behind a person is a room; around a printed face is more print.
	// Higher is more alive.
	SignalSurround = "burst.surround"
	// SignalMotion: how far the face's points move at all, in thousandths of
	// its width.
	SignalMotion = "burst.motion"
	// SignalEyes and SignalMouth: the largest change of the eyes' and of the
	// mouth's look over that of the rest of the face (ratio). Blinking and
	// speaking raise them, and so does a film on a screen.
	SignalEyes  = "burst.eyes"
	SignalMouth = "burst.mouth"
	// SignalSameFace: the lowest similarity of the first frame's face with that
	// in the middle and the last frame.
	SignalSameFace = "burst.same_face"
	// SignalChange: the smallest change between any two frames, mean difference
	// in grey levels. Sensors always make some.
	SignalChange = "burst.least_change"
)

// Frame is one picture of a burst and when it was taken, from any origin.
type Frame struct {
	Image gocv.Mat
	At    time.Duration
	// Light is how bright the face was lit from the camera's side, 0 to 1; nil
	// where that is not known.
	Light *float64
}

// Burst is what the frames say together.
type Burst struct {
	// Score is 0 (a plane that is moved) to 1 (a head before a background); nil
	// when Inconclusive says why it can not be told. A film of a person on a
	// screen moves like the person does: the score does not speak of it.
	Score        *float64 `json:"score"`
	Inconclusive string   `json:"inconclusive,omitempty"`
	// Findings lists what is not as it should be.
	Findings []string `json:"findings"`
	Signals  []Signal `json:"signals"`
	// Contributions to the score's log-odds, by signal.
	Contributions map[string]float64 `json:"contributions,omitempty"`
	Frames        int                `json:"frames"`
	// Faces is where the face is in each frame that was looked at.
	Faces []face.Face `json:"-"`

	relief *relief // what was measured of the light, also where it is too faint to be told
}

func (b *Burst) find(what string) {
	if !slices.Contains(b.Findings, what) {
		b.Findings = append(b.Findings, what)
	}
}

func (b *Burst) inconclusive(why string) Burst {
	b.find(why)
	b.Inconclusive = why
	return *b
}

func (b *Burst) add(name string, v float64, unit string) {
	b.Signals = append(b.Signals, Signal{Name: name, Value: v, Unit: unit})
}

// Signal returns a signal's value.
func (b Burst) Signal(name string) (float64, bool) {
	for _, s := range b.Signals {
		if s.Name == name && s.Skipped == "" {
			return s.Value, true
		}
	}
	return 0, false
}

// ErrNoFrames means that AssessBurst was called without a frame.
var ErrNoFrames = errors.New("burst without frames")

// AssessBurst measures what the motion over a burst says: whether face and
// surroundings move as one plane, whether eyes and mouth change, whether it is
// the same face throughout and whether frames repeat. Bad frames are findings;
// an error means that a network could not be run.
func AssessBurst(faces *face.Engine, frames []Frame) (Burst, error) {
	b := Burst{Findings: []string{}, Signals: []Signal{}, Frames: len(frames)}
	if len(frames) == 0 {
		return b, ErrNoFrames
	}
	frames = frames[:min(len(frames), MaxBurstFrames)]
	if stop := b.checkFrames(frames); stop != "" {
		return b.inconclusive(stop), nil
	}
	pictures := make([]gocv.Mat, len(frames))
	for i, f := range frames {
		m, ok := dnn.BGR(f.Image)
		if !ok {
			return b.inconclusive(BurstTooFewFrames), nil
		}
		defer m.Close()
		pictures[i] = m
	}
	if stop, err := b.followFace(faces, pictures); err != nil || stop != "" {
		if err != nil {
			return b, err
		}
		return b.inconclusive(stop), nil
	}
	if err := b.sameFace(faces, pictures); err != nil {
		return b, err
	}
	v, err := newView(pictures, b.Faces)
	if err != nil {
		return b, fmt.Errorf("prepare burst: %w", err)
	}
	b.repeats(v)
	for i, f := range frames {
		if f.Light != nil && *f.Light >= 0 && *f.Light <= 1 {
			v.light = append(v.light, lit{i, f.At.Seconds(), *f.Light})
		}
	}
	return b.motion(v), nil
}

// checkFrames looks at times and sizes.
func (b *Burst) checkFrames(frames []Frame) (stop string) {
	if len(frames) < MinBurstFrames {
		return BurstTooFewFrames
	}
	first := frames[0].Image
	for i, f := range frames {
		if f.Image.Ptr() == nil || f.Image.Empty() {
			return BurstTooFewFrames
		}
		if i > 0 && f.At <= frames[i-1].At {
			b.find(BurstTimeOrder)
		}
		if f.Image.Cols() != first.Cols() || f.Image.Rows() != first.Rows() {
			return BurstSizes
		}
	}
	if !slices.Contains(b.Findings, BurstTimeOrder) && frames[len(frames)-1].At-frames[0].At < 500*time.Millisecond {
		b.find(BurstTooShort)
	}
	return ""
}

// followFace finds the main face in the first frame and again in the others.
func (b *Burst) followFace(faces *face.Engine, pictures []gocv.Mat) (stop string, err error) {
	found, err := faces.Detect(pictures[0])
	if err != nil {
		return "", fmt.Errorf("find face in burst: %w", err)
	}
	at, others := face.Main(found, pictures[0].Cols(), pictures[0].Rows())
	if at < 0 {
		return BurstNoFace, nil
	}
	if others > 0 {
		b.find(BurstSeveralFaces)
	}
	b.Faces = []face.Face{found[at]}
	for _, m := range pictures[1:] {
		f, ok, err := faces.Track(m, b.Faces[len(b.Faces)-1])
		if err != nil {
			return "", fmt.Errorf("follow face in burst: %w", err)
		}
		if !ok {
			return BurstFaceLost, nil
		}
		b.Faces = append(b.Faces, f)
	}
	return "", nil
}

// sameFace compares the face of the first frame with two later ones.
func (b *Burst) sameFace(faces *face.Engine, pictures []gocv.Mat) error {
	first, err := faces.Embed(pictures[0], b.Faces[0])
	if err != nil {
		return fmt.Errorf("describe face in burst: %w", err)
	}
	lowest := 1.0
	for _, i := range []int{len(pictures) / 2, len(pictures) - 1} {
		e, err := faces.Embed(pictures[i], b.Faces[i])
		if err != nil {
			return fmt.Errorf("describe face in burst: %w", err)
		}
		lowest = math.Min(lowest, faces.Similarity(first, e))
	}
	b.add(SignalSameFace, lowest, "similarity")
	return nil
}
