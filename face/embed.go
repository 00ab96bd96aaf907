package face

import (
	"fmt"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/internal/dnn"
	"github.com/proofline/proofline/models"
)

// embedder runs an embedding network on aligned faces.
type embedder struct {
	net     *dnn.Net
	prepare dnn.Prepare
	ref     models.Ref
}

func newEmbedder(net *dnn.Net, set *models.Set, role string) *embedder {
	m, _ := set.Model(role)
	return &embedder{net: net, prepare: dnn.PrepareFor(m.Input), ref: models.Ref{Role: m.Role, Name: m.Name, SHA256: m.SHA256}}
}

// embed returns the unit embedding of an aligned face and the length that it
// had before, nil when the network gives none (zeros or not-a-number).
func (e *embedder) embed(aligned gocv.Mat) (Embedding, float64, error) {
	in, err := e.prepare.NCHW(aligned)
	if err != nil {
		return nil, 0, err
	}
	outs, err := e.net.Run(in)
	if err != nil {
		return nil, 0, fmt.Errorf("embed face with %s: %w", e.ref.Name, err)
	}
	if len(outs) == 0 {
		return nil, 0, fmt.Errorf("embed face with %s: no output", e.ref.Name)
	}
	v := Embedding(outs[0].Data)
	length := v.length()
	return normalised(v), length, nil
}

// embedFlipped averages the embeddings of an aligned face and its mirror image.
// The length is that of the face as it is.
func (e *embedder) embedFlipped(aligned gocv.Mat) (Embedding, float64, error) {
	straight, length, err := e.embed(aligned)
	if err != nil || straight == nil {
		return straight, length, err
	}
	mirror := gocv.NewMat()
	defer mirror.Close()
	if err := gocv.Flip(aligned, &mirror, 1); err != nil {
		return nil, 0, fmt.Errorf("mirror face: %w", err)
	}
	mirrored, _, err := e.embed(mirror)
	if err != nil || mirrored == nil {
		return straight, length, err
	}
	return mean([]Embedding{straight, mirrored}), length, nil
}

// Embed describes a face that Detect found in m. It returns nil without an
// error when the face can not be described: an empty image, or points that
// coincide.
func (e *Engine) Embed(m gocv.Mat, f Face) (Embedding, error) {
	bgr, ok := dnn.BGR(m)
	if !ok {
		return nil, nil
	}
	defer bgr.Close()
	v, _, err := e.embedBGR(bgr, f)
	return v, err
}

func (e *Engine) embedBGR(bgr gocv.Mat, f Face) (Embedding, float64, error) {
	aligned, ok, err := arcFrame.align(bgr, f)
	if err != nil || !ok {
		return nil, 0, err
	}
	defer aligned.Close()
	v, length, err := e.embedAligned(aligned)
	if err != nil {
		return nil, 0, err
	}
	v, err = e.join(bgr, f, v)
	return v, length, err
}

// embedAligned describes an aligned face by the first network alone.
func (e *Engine) embedAligned(aligned gocv.Mat) (Embedding, float64, error) {
	if e.opts.Quick {
		return e.embedder.embed(aligned)
	}
	return e.embedder.embedFlipped(aligned)
}
