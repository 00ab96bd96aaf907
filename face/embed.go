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

// embed returns the unit embedding of an aligned face, nil when the network
// gives none (an output of zeros or not-a-number).
func (e *embedder) embed(aligned gocv.Mat) (Embedding, error) {
	in, err := e.prepare.NCHW(aligned)
	if err != nil {
		return nil, err
	}
	outs, err := e.net.Run(in)
	if err != nil {
		return nil, fmt.Errorf("embed face with %s: %w", e.ref.Name, err)
	}
	if len(outs) == 0 {
		return nil, fmt.Errorf("embed face with %s: no output", e.ref.Name)
	}
	return normalised(outs[0].Data), nil
}

// embedFlipped averages the embeddings of an aligned face and its mirror image.
func (e *embedder) embedFlipped(aligned gocv.Mat) (Embedding, error) {
	straight, err := e.embed(aligned)
	if err != nil || straight == nil {
		return straight, err
	}
	mirror := gocv.NewMat()
	defer mirror.Close()
	if err := gocv.Flip(aligned, &mirror, 1); err != nil {
		return nil, fmt.Errorf("mirror face: %w", err)
	}
	mirrored, err := e.embed(mirror)
	if err != nil || mirrored == nil {
		return straight, err
	}
	return mean([]Embedding{straight, mirrored}), nil
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
	return e.embedBGR(bgr, f)
}

func (e *Engine) embedBGR(bgr gocv.Mat, f Face) (Embedding, error) {
	aligned, ok, err := align(bgr, f)
	if err != nil || !ok {
		return nil, err
	}
	defer aligned.Close()
	return e.embedAligned(aligned)
}

func (e *Engine) embedAligned(aligned gocv.Mat) (Embedding, error) {
	if e.opts.Quick {
		return e.embedder.embed(aligned)
	}
	return e.embedder.embedFlipped(aligned)
}
