package face

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/photo"
)

// Where the second network is installed, a face is described by both, and the
// cosine of two descriptions is the weighted mean of the networks' cosines. They
// fail on different faces (docs/biometrics.md has the gain).
const (
	// secondShare is the second network's weight. Strangers' cosines spread
	// 0.097 by the first network and 0.035 by the second, so this lets both
	// count alike; between 0.6 and 0.8 the error rates hardly differ.
	secondShare = 0.75
	// strangers is the mean cosine of joined descriptions of two people (LFW).
	// The second network's vectors all point much the same way. It decides
	// nothing: see Engine.Scaled.
	strangers = 0.63
)

// roleJoined is the role in which both networks together stand in a record.
const roleJoined = "face-embedding"

// chip is how dlib cuts a face out for its network (get_face_chip_details, 150
// pixels, padding 0.25): where the mean of its 68 landmarks has the middles of
// the eyes and of the mouth.
var chip = frame{150, func(f Face) (from, to []photo.Point) {
	return []photo.Point{f.Points[RightEye], f.Points[LeftEye], f.Points[Mouth]},
		[]photo.Point{{X: 47.73, Y: 47.14}, {X: 100.28, Y: 47.12}, {X: 75, Y: 104}}
}}

// join adds to the first network's description of a face what the second says,
// where there is a second. nil stands for a face that can not be described.
func (e *Engine) join(bgr gocv.Mat, f Face, first Embedding) (Embedding, error) {
	if e.second == nil || first == nil {
		return first, nil
	}
	cut, ok, err := chip.align(bgr, f)
	if err != nil || !ok {
		return nil, err
	}
	defer cut.Close()
	second, _, err := e.second.embed(cut)
	if err != nil || second == nil {
		return nil, err
	}
	return joined(first, second), nil
}

// joined is the unit vector whose cosine with another is the weighted mean of
// the cosines of the unit vectors that it is made of.
func joined(first, second Embedding) Embedding {
	out := make(Embedding, 0, len(first)+len(second))
	for _, part := range []struct {
		values Embedding
		share  float64
	}{{first, 1 - secondShare}, {second, secondShare}} {
		k := float32(math.Sqrt(part.share))
		for _, v := range part.values {
			out = append(out, k*v)
		}
	}
	return out
}

// EmbeddingModel names what similarities come from: a network, or two and how
// they are joined. Thresholds belong to it: a similarity of one says nothing
// about another's.
func (e *Engine) EmbeddingModel() models.Ref {
	if e.second == nil {
		return e.embedder.ref
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %g %g", e.embedder.ref.SHA256, e.second.ref.SHA256, secondShare, strangers))
	return models.Ref{Role: roleJoined, Name: e.embedder.ref.Name + " with " + e.second.ref.Name, SHA256: hex.EncodeToString(sum[:])}
}

// Similarity says how alike two faces are by their embeddings: 1 for the same
// picture, about 0 for two strangers. It is a score, not a probability: what a
// value means follows from measured error rates only.
func (e *Engine) Similarity(a, b Embedding) float64 { return e.Scaled(Cosine(a, b)) }

// Scaled is the similarity that belongs to the cosine of two embeddings. With
// one network they are the same; with two the cosine of strangers is moved to 0,
// so that bounds in policies mean much the same with and without the second.
func (e *Engine) Scaled(cosine float64) float64 {
	if e.second == nil {
		return cosine
	}
	return math.Max(-1, (cosine-strangers)/(1-strangers))
}
