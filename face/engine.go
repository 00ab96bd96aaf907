package face

import (
	"errors"
	"fmt"
	"runtime"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/internal/dnn"
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/photo"
)

// The roles that an Engine looks for. Faces are described by SFace where it is
// installed, else by the default network, with dlib's beside it where that is
// installed. They are found by YuNet where it is installed, and by the BlazeFace
// cascade where that finds nothing, or nothing large.
const (
	roleNear  = "face-detect-near"
	roleFar   = "face-detect-far"
	roleYunet = "face-detect-yunet"
	roleEmbed = "face-embed"
	roleSface = "face-embed-sface"
	roleDlib  = "face-embed-dlib"
)

// Options size an Engine; the zero value is good.
type Options struct {
	// Workers is how many goroutines may run the same network at once, at
	// most; others wait. 0 means one per CPU. Each costs about 80 MiB, 20
	// without the second network.
	Workers int
	// Quick embeds each face once, instead of averaging it with its mirror
	// image: half the time for somewhat more errors.
	Quick bool
}

// Engine detects, embeds and compares faces. It is safe for concurrent use.
type Engine struct {
	detector    detector
	close       detector // for the second look at a face
	refinements []float64
	embedder    *embedder
	second      *embedder // joined with embedder; nil where there is none
	opts        Options
	nets        []*dnn.Net
	refs        []models.Ref
}

// detector finds faces in the square around a region of a BGR image.
type detector interface {
	detect(m gocv.Mat, region photo.Rect, minScore float64) ([]Face, error)
}

// Open loads the face networks of a model set with default options. A role
// that is not installed gives a *models.MissingError.
func Open(set *models.Set) (*Engine, error) { return OpenWith(set, Options{}) }

// OpenWith is Open with options.
func OpenWith(set *models.Set, o Options) (*Engine, error) {
	if o.Workers <= 0 {
		o.Workers = runtime.NumCPU()
	}
	e := &Engine{opts: o}
	if err := e.load(set); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *Engine) load(set *models.Set) error {
	if err := e.loadDetectors(set); err != nil {
		return err
	}
	role := roleSface
	net, err := e.optional(set, role)
	if err == nil && net == nil {
		role = roleEmbed
		net, err = e.net(set, role)
	}
	if err != nil {
		return err
	}
	e.embedder = newEmbedder(net, set, role)
	if role != roleEmbed {
		return nil
	}
	net, err = e.optional(set, roleDlib)
	if err == nil && net != nil {
		e.second = newEmbedder(net, set, roleDlib)
		e.refs = append(e.refs, e.EmbeddingModel())
	}
	return err
}

// loadDetectors sets up YuNet before BlazeFace where both are installed, since
// each finds faces that the other misses, or BlazeFace alone.
func (e *Engine) loadDetectors(set *models.Set) error {
	yn, err := e.optional(set, roleYunet)
	if err != nil {
		return err
	}
	near, err := e.net(set, roleNear)
	var missing *models.MissingError
	if yn != nil && errors.As(err, &missing) {
		m, _ := set.Model(roleYunet)
		e.detector = newYunet(yn, m)
		e.close, e.refinements = e.detector, refinements[1:2]
		return nil
	}
	if err != nil {
		return err
	}
	far, err := e.net(set, roleFar)
	if err != nil {
		return err
	}
	mn, _ := set.Model(roleNear)
	mf, _ := set.Model(roleFar)
	c := &cascade{near: newBlazeface(near, mn), far: newBlazeface(far, mf)}
	e.detector, e.close, e.refinements = c, c.near, refinements
	if yn != nil {
		m, _ := set.Model(roleYunet)
		e.detector = fallback{newYunet(yn, m), c}
		e.close, e.refinements = e.detector, refinements[1:2]
	}
	return nil
}

// net opens the network of a role that must be there.
func (e *Engine) net(set *models.Set, role string) (*dnn.Net, error) {
	path, err := set.Path(role)
	if err != nil {
		return nil, fmt.Errorf("open face engine: %w", err)
	}
	n, err := dnn.Open(path, e.opts.Workers)
	if err != nil {
		return nil, fmt.Errorf("open face engine: %s: %w", role, err)
	}
	e.nets = append(e.nets, n)
	e.refs = append(e.refs, set.Refs(role)...)
	return n, nil
}

// optional opens the network of a role, or gives nil when it is not installed.
func (e *Engine) optional(set *models.Set, role string) (*dnn.Net, error) {
	n, err := e.net(set, role)
	var missing *models.MissingError
	if errors.As(err, &missing) {
		return nil, nil
	}
	return n, err
}

// Models names the networks in use, and two that are joined also as one, for the
// record of a decision.
func (e *Engine) Models() []models.Ref { return append([]models.Ref(nil), e.refs...) }

// Close frees the networks after the calls under way have ended. It may be
// called twice.
func (e *Engine) Close() {
	for _, n := range e.nets {
		n.Close()
	}
}
