package liveness

import (
	"errors"
	"fmt"
	"math"
	"runtime"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/internal/dnn"
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/photo"
)

// The roles that an Engine looks for; at least one must be installed.
var roles = []string{"liveness", "liveness-v2", "liveness-v1se"}

// minFaceShare is the least that a face must have of the pixels that its crop
// is scaled to, before its texture is judged: 0.6 means that a model's input
// may be enlarged at most 1/0.6 times. Upscaling smears the texture that these
// networks read.
const minFaceShare = 0.6

// Options size an Engine; the zero value is good.
type Options struct {
	// Workers is how many goroutines may run the same network at once, at
	// most. 0 means one per CPU.
	Workers int
}

// Engine runs the passive liveness networks of one model set.
type Engine struct {
	nets []*network
}

// Open loads the liveness networks that a model set has, with default options.
// With none it returns a *models.MissingError.
func Open(set *models.Set) (*Engine, error) { return OpenWith(set, Options{}) }

// OpenWith is Open with options.
func OpenWith(set *models.Set, o Options) (*Engine, error) {
	if o.Workers <= 0 {
		o.Workers = runtime.NumCPU()
	}
	e := &Engine{}
	var first error
	for _, role := range roles {
		n, err := openNetwork(set, role, o.Workers)
		var missing *models.MissingError
		switch {
		case errors.As(err, &missing):
			if first == nil {
				first = err
			}
		case err != nil:
			e.Close()
			return nil, err
		default:
			e.nets = append(e.nets, n)
		}
	}
	if len(e.nets) == 0 {
		return nil, first
	}
	return e, nil
}

// Close frees the networks after the calls under way have ended.
func (e *Engine) Close() {
	for _, n := range e.nets {
		n.net.Close()
	}
}

// Assess measures the liveness of the person whose face f Detect found in m.
// Bad input is a Result without a score; an error means that a network could
// not be run.
func (e *Engine) Assess(m gocv.Mat, f face.Face) (Result, error) {
	bgr, ok := dnn.BGR(m)
	if !ok {
		return Result{Inconclusive: InconclusiveUnreadable, Signals: []Signal{}, Models: []models.Ref{}}, nil
	}
	defer bgr.Close()
	out := Result{Signals: []Signal{}, Models: []models.Ref{}}
	if !usable(f.Box, bgr.Cols(), bgr.Rows()) {
		out.Inconclusive = InconclusiveUnreadable
		return out, nil
	}
	var looks, odds float64
	parts := map[string]float64{}
	for _, n := range e.nets {
		s, o, asked, err := n.assess(bgr, f)
		if err != nil {
			return out, err
		}
		out.Signals = append(out.Signals, s)
		if asked {
			// Every look counts the same, so a network weighs by its framings.
			w := float64(len(n.framings()))
			looks, odds = looks+w, odds+w*o
			parts[s.Name] = w * o
			out.Models = append(out.Models, n.ref)
		} else if out.Inconclusive == "" {
			out.Inconclusive = s.Skipped
		}
	}
	own, err := ownSignals(bgr, f.Box)
	if err != nil {
		return out, err
	}
	out.Signals = append(out.Signals, own...)
	if looks == 0 {
		return out, nil
	}
	for name := range parts {
		parts[name] /= looks
	}
	sum := odds / looks
	for _, s := range own {
		if s.Name == SignalFrame && s.Skipped == "" {
			parts[SignalFrame] = -frameWeight * math.Max(0, s.Value-frameFree)
			sum += parts[SignalFrame]
		}
	}
	score := 1 / (1 + math.Exp(-sum))
	out.Score, out.Inconclusive, out.Contributions = &score, "", parts
	return out, nil
}

// How much straight edges around the face speak against life, in log-odds per
// side beyond what rooms have anyway. The weight is a guess from simulated
// attacks (docs/biometrics.md): at most 2, so that it tips a doubtful answer
// and overrules no clear one.
const frameFree, frameWeight = 1.5, 0.8

// usable refuses boxes that are not finite or have nothing inside the picture.
func usable(b photo.Rect, width, height int) bool {
	for _, v := range []float64{b.X, b.Y, b.W, b.H} {
		if math.IsNaN(v) || math.Abs(v) > 1e6 {
			return false
		}
	}
	return b.W >= 1 && b.H >= 1 && !b.Bounds(width, height).Empty()
}

// network is one classifier with its input contract.
type network struct {
	net     *dnn.Net
	model   models.Model
	prepare dnn.Prepare
	live    int // index of the class "live"
	ref     models.Ref
}

func openNetwork(set *models.Set, role string, workers int) (*network, error) {
	path, err := set.Path(role)
	if err != nil {
		return nil, fmt.Errorf("open liveness engine: %w", err)
	}
	m, _ := set.Model(role)
	live := m.Class("live")
	if live < 0 {
		return nil, fmt.Errorf("open liveness engine: model %s names no class \"live\"", role)
	}
	net, err := dnn.Open(path, workers)
	if err != nil {
		return nil, fmt.Errorf("open liveness engine: %s: %w", role, err)
	}
	return &network{net: net, model: m, prepare: dnn.PrepareFor(m.Input), live: live,
		ref: models.Ref{Role: m.Role, Name: m.Name, SHA256: m.SHA256}}, nil
}

// assess returns the network's probability of "live" as a signal, the log-odds
// that it stands for, and whether it could be asked at all. The probability is
// that of the mean of the framings' log-odds.
func (n *network) assess(bgr gocv.Mat, f face.Face) (s Signal, odds float64, asked bool, err error) {
	s = Signal{Name: "model." + n.model.Role, Unit: "probability"}
	framings := n.framings()
	for _, look := range framings {
		crop, reached := n.crop(look, f.Box, bgr.Cols(), bgr.Rows())
		if s.Region == nil {
			s.Region = &crop
		}
		switch {
		case !reached:
			s.Skipped = InconclusiveFraming
		case crop.W < minFaceShare*float64(n.model.Input.Width):
			s.Skipped = InconclusiveFaceSmall
		}
		if s.Skipped != "" {
			return s, 0, false, nil
		}
		p, err := n.look(bgr, crop, look.flip)
		if err != nil {
			return s, 0, false, err
		}
		odds += logit(p) / float64(len(framings))
	}
	s.Value = 1 / (1 + math.Exp(-odds))
	return s, odds, true, nil
}

// look asks the network about one crop.
func (n *network) look(bgr gocv.Mat, crop photo.Rect, flip bool) (float64, error) {
	patch, err := dnn.Cut(bgr, crop, n.model.Input.Width, n.model.Input.Height)
	if err != nil {
		return 0, fmt.Errorf("cut face for liveness: %w", err)
	}
	defer patch.Close()
	if flip {
		if err := gocv.Flip(patch, &patch, 1); err != nil {
			return 0, fmt.Errorf("mirror face for liveness: %w", err)
		}
	}
	in, err := n.prepare.NCHW(patch)
	if err != nil {
		return 0, fmt.Errorf("prepare face for liveness: %w", err)
	}
	outs, err := n.net.Run(in)
	if err != nil {
		return 0, fmt.Errorf("assess liveness with %s: %w", n.ref.Name, err)
	}
	if len(outs) == 0 || len(outs[0].Data) <= n.live {
		return 0, fmt.Errorf("assess liveness with %s: output has no class %d", n.ref.Name, n.live)
	}
	return softmax(outs[0].Data)[n.live], nil
}

// mostOdds bounds the log-odds of one look: a softmax that says 0.99999 has not
// seen a hundred thousand faces.
const mostOdds = 6

func logit(p float64) float64 {
	return math.Max(-mostOdds, math.Min(mostOdds, math.Log(math.Max(p, 1e-12)/math.Max(1-p, 1e-12))))
}

func softmax(v []float32) []float64 {
	top := math.Inf(-1)
	for _, x := range v {
		top = math.Max(top, float64(x))
	}
	out := make([]float64, len(v))
	var sum float64
	for i, x := range v {
		out[i] = math.Exp(float64(x) - top)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}
