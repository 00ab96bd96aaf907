package pipeline

import (
	"context"
	"encoding/json"
	"fmt"

	"gocv.io/x/gocv"

	"github.com/proofline/proofline/document"
	"github.com/proofline/proofline/photo"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/quality"
	"github.com/proofline/proofline/storage"
)

// straightened is the document that was found in a photo.
type straightened struct {
	document.Found
}

func (s *straightened) close() { s.Found.Close() }

// runDocument finds, straightens and measures the document in each photo of one.
func runDocument(ctx context.Context, r *run) ([]policy.Finding, error) {
	var fs []policy.Finding
	for _, kind := range documentKinds {
		p, err := r.photo(ctx, kind)
		if err != nil {
			return nil, err
		}
		if p == nil {
			continue // absent or unreadable: the quality stage says which
		}
		if r.engines.Documents == nil {
			fs = append(fs, missing("document", kind)...)
			continue
		}
		f, found, err := findDocument(r.engines, kind, p, 0)
		if err != nil {
			return nil, &stageError{"document", err}
		}
		if found != nil {
			r.documents[kind] = found
		}
		fs = append(fs, f)
	}
	return fs, nil
}

// findDocument returns what the document in a photo is like, and the document
// itself, nil where none was found, at most at so many pixels per millimetre.
func findDocument(e *Engines, kind string, p *photo.Image, most float64) (policy.Finding, *straightened, error) {
	f := policy.Finding{Stage: "document", Subject: kind}
	if e.Faces != nil {
		f.Models = e.role("face-detect-near", "face-detect-far", "face-detect-yunet")
	}
	found, err := e.findDocuments(p, most)
	if err != nil {
		return f, nil, err
	}
	if len(found) == 0 {
		f.Assert("capture.document_not_found", "")
		return f, nil, nil
	}
	var others []photo.Rect
	for i := range found[1:] {
		others = append(others, found[1+i].Quad.Scaled(1/p.Scale).Bounds())
		found[1+i].Close()
	}
	f.Measures = append(f.Measures, policy.Measure{Name: "document.count", Value: float64(len(found)), Unit: "documents", Regions: regions(others)})
	d := &straightened{found[0]}
	if d.Class == document.Unknown {
		f.Assert("document.class_unknown", "")
	}
	b := d.Quad.Scaled(1 / p.Scale).Bounds()
	f.Measures = append(f.Measures, policy.Measure{Name: "document.confidence", Value: d.Confidence, Unit: "ratio", Regions: regions([]photo.Rect{b})})
	if share, ok := faceShare(e, p, d); ok {
		f.Measures = append(f.Measures, policy.Measure{Name: "document.face_share", Value: share, Unit: "ratio"})
	}
	f.Measures = append(f.Measures, d.inPhoto(p, quality.Document(d.Rectified, d.info(p, d.MRZ)))...)
	return f, d, nil
}

// faceShare is the height of the largest face per shorter side of the photo,
// where a face is all the evidence that the whole photo is a document: that is
// what a scan looks like, and a selfie. On a passport page the box from brow to
// chin takes about 0.3 (9303-3 section 3.9: a portrait of 45 mm on 88 mm, 70 to
// 80 % of it head, crown to chin).
func faceShare(e *Engines, p *photo.Image, d *straightened) (float64, bool) {
	if !d.WholeFrame || d.MRZ != nil || e.Faces == nil {
		return 0, false
	}
	faces, err := e.Faces.Detect(p.Mat)
	if err != nil || len(faces) == 0 {
		return 0, false
	}
	return faces[0].Box.H / float64(min(p.Mat.Cols(), p.Mat.Rows())), true
}

// certainFace is the detector score from which a face may tell that something is
// a document. On development photos of houses, statues and cars faces were seen
// with scores up to 0.59, on portraits of documents with 0.9 and more.
const certainFace = 0.75

// FindDocuments finds the documents in a photo, best first; the faces on them
// tell which way up they are. The caller closes what it gets.
func (e *Engines) FindDocuments(p *photo.Image) ([]document.Found, error) {
	return e.findDocuments(p, 0)
}

func (e *Engines) findDocuments(p *photo.Image, most float64) ([]document.Found, error) {
	hints := document.Hints{MostPxPerMM: most}
	if e.Faces != nil {
		hints.Faces = func(m gocv.Mat) []document.Face {
			faces, err := e.Faces.OnSheet(m)
			if err != nil {
				return nil // a hint less; the face stage reports the failure
			}
			var out []document.Face
			for _, x := range faces {
				out = append(out, document.Face{Box: x.Box, Score: x.Score, Doubtful: x.Score < certainFace})
			}
			return out
		}
	}
	found, err := e.Documents.Find(p.Mat, hints)
	if err != nil {
		return nil, fmt.Errorf("find document: %w", err)
	}
	return found, nil
}

func (s *straightened) info(p *photo.Image, mrz *photo.Rect) quality.DocumentInfo {
	return quality.DocumentInfo{
		Quad: s.Quad, PxPerMM: s.PxPerMM, SourcePxPerMM: s.SourcePxPerMM, CutOff: s.CutOff, Class: string(s.Class),
		MRZ: mrz, Portrait: s.Portrait, FrameWidth: p.Mat.Cols(), FrameHeight: p.Mat.Rows(), Photo: &p.Mat, WholeFrame: s.WholeFrame, Scale: p.Scale,
	}
}

// inPhoto converts measures of the straightened document; their regions become
// those of the upright photo as sent, which is what a client can draw on.
func (s *straightened) inPhoto(p *photo.Image, ms []quality.Measure) []policy.Measure {
	h := unitSquareTo(s.Quad.Scaled(1 / p.Scale))
	w, t := float64(s.Rectified.Cols()), float64(s.Rectified.Rows())
	for i := range ms {
		moved := make([]photo.Rect, len(ms[i].Regions))
		for k, g := range ms[i].Regions {
			moved[k] = h.bounds(photo.Rect{X: g.X / w, Y: g.Y / t, W: g.W / w, H: g.H / t})
		}
		ms[i].Regions = moved
	}
	return measures(ms, 1)
}

// homography maps the unit square to a quadrilateral.
type homography [8]float64

// unitSquareTo is the closed form of Heckbert, "Fundamentals of Texture Mapping
// and Image Warping" (1989), section 2.2.3.
func unitSquareTo(q photo.Quad) homography {
	dx1, dx2, dx3 := q[1].X-q[2].X, q[3].X-q[2].X, q[0].X-q[1].X+q[2].X-q[3].X
	dy1, dy2, dy3 := q[1].Y-q[2].Y, q[3].Y-q[2].Y, q[0].Y-q[1].Y+q[2].Y-q[3].Y
	var g, h float64
	if den := dx1*dy2 - dx2*dy1; den != 0 {
		g, h = (dx3*dy2-dx2*dy3)/den, (dx1*dy3-dx3*dy1)/den
	}
	return homography{
		q[1].X - q[0].X + g*q[1].X, q[3].X - q[0].X + h*q[3].X, q[0].X,
		q[1].Y - q[0].Y + g*q[1].Y, q[3].Y - q[0].Y + h*q[3].Y, q[0].Y, g, h,
	}
}

func (m homography) at(u, v float64) photo.Point {
	w := m[6]*u + m[7]*v + 1
	return photo.Point{X: (m[0]*u + m[1]*v + m[2]) / w, Y: (m[3]*u + m[4]*v + m[5]) / w}
}

// bounds is the upright rectangle around the image of r.
func (m homography) bounds(r photo.Rect) photo.Rect {
	return photo.Quad{m.at(r.X, r.Y), m.at(r.X+r.W, r.Y), m.at(r.X+r.W, r.Y+r.H), m.at(r.X, r.Y+r.H)}.Bounds()
}

// saveDocument keeps the straightened documents, without loss, so that a
// resumed run reads the very pixels that the first one read.
func saveDocument(r *run) ([]artefact, error) {
	var out []artefact
	for _, kind := range documentKinds {
		d := r.documents[kind]
		if d == nil {
			continue
		}
		buf, err := gocv.IMEncodeWithParams(gocv.PNGFileExt, d.Rectified, []int{gocv.IMWritePngCompression, 1})
		if err != nil {
			return nil, fmt.Errorf("encode straightened %s: %w", kind, err)
		}
		png := append([]byte(nil), buf.GetBytes()...)
		buf.Close()
		meta, err := json.Marshal(d.Found)
		if err != nil {
			return nil, fmt.Errorf("encode layout of %s: %w", kind, err)
		}
		out = append(out, artefact{Class: storage.CaptureImage, Kind: "straightened_" + kind, Subject: kind, Meta: meta, data: png})
	}
	return out, nil
}

func loadDocument(r *run, a artefact) error {
	d := &straightened{}
	if err := json.Unmarshal(a.Meta, &d.Found); err != nil {
		return fmt.Errorf("decode layout of %s: %w", a.Subject, err)
	}
	m, err := gocv.IMDecode(a.data, gocv.IMReadColor)
	if err != nil {
		return fmt.Errorf("decode straightened %s: %w", a.Subject, err)
	}
	if m.Empty() {
		m.Close()
		return fmt.Errorf("decode straightened %s: no picture", a.Subject)
	}
	d.Rectified = m
	r.documents[a.Subject] = d
	return nil
}
