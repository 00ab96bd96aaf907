package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// multipartOverhead is what the parts' headers of a multipart body may add.
const multipartOverhead = 16 << 10

func (a *api) registerUpload(h huma.API) {
	op := a.captureOperation(h, http.MethodPost, evidencePath+"{kind}", "upload-evidence",
		"Send a photo; it is judged at once and kept only when it passes")
	op.Errors = append(op.Errors, 408, 413, 415)
	huma.Register(h, op, a.upload)

	// Described after the registration, in a copy: huma would read and buffer a
	// body that it knows of.
	path := h.OpenAPI().Paths[op.Path]
	described := *path.Post
	photo := &huma.MediaType{Schema: &huma.Schema{Type: "string", Format: "binary"}}
	described.RequestBody = &huma.RequestBody{
		Required: true,
		Description: "The image file itself, or multipart/form-data with one file. " +
			"selfie_burst and selfie_challenge are several frames in one file as docs/api.md describes it (PLBURST1, or PLBURST2 with the light of the screen on each frame, 0 to 100 per cent or 255 for unknown), sent as application/octet-stream.",
		Content: map[string]*huma.MediaType{
			"image/*": photo, "application/octet-stream": photo,
			"multipart/form-data": {Schema: &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{
				"photo": {Type: "string", Format: "binary"},
			}}},
		},
	}
	path.Post = &described
}

type uploadInput struct {
	Kind         string `path:"kind" enum:"document_front,document_back,selfie,selfie_burst,selfie_challenge"`
	DocumentType string `query:"document_type" enum:"passport,id_card,residence_permit,driving_licence" doc:"What the person uses, when the session does not fix it."`
	Insist       bool   `query:"insist" doc:"Keep the photo although the gate would refuse it, so that nobody is stuck on a photo that can not be better: the case then decides. Files that are no usable image are refused all the same."`
	ctx          huma.Context
}

// Resolve keeps the request: its body is read here, not by huma, after
// everything that can refuse it unread.
func (in *uploadInput) Resolve(ctx huma.Context) []error {
	in.ctx = ctx
	return nil
}

type uploadOutput struct{ Body client.Photo }

func (a *api) upload(ctx context.Context, in *uploadInput) (*uploadOutput, error) {
	r, w := humachi.Unwrap(in.ctx)
	ses, err := a.mine(ctx)
	if err != nil {
		return nil, fromError(err)
	}
	if p := a.mayUpload(ses, in.DocumentType); p != nil {
		return nil, unread(w, p)
	}
	if a.deps.Congested != nil {
		if wait, yes := a.deps.Congested(); yes {
			return nil, unread(w, newProblem(client.CodeBusy, "Many cases are waiting. Send the photo again later.").after(wait))
		}
	}
	photo, p := a.receive(w, r)
	if p != nil {
		return nil, p
	}
	defer photo.release()

	out, err := a.accept(ctx, ses, in, photo.bytes)
	if err != nil {
		return nil, fromError(err)
	}
	return &uploadOutput{Body: *out}, nil
}

// accept is the way of every photo, however it came: known already, judged, and
// kept when it passes or the person insists.
func (a *api) accept(ctx context.Context, ses *session.Session, in *uploadInput, photo []byte) (*client.Photo, error) {
	sum := digest(photo)
	if known, err := a.known(ctx, ses, in.Kind, sum); err != nil || known != nil {
		return known, err
	}
	// Before it is judged and stored; whoever races past is refused at the record.
	if n, err := a.deps.Store.Photos(ctx, ses.ID, ses.Attempt); err != nil {
		return nil, err
	} else if n >= session.MaxPhotos && ses.State == session.CaptureInProgress {
		return nil, session.ErrPhotosFull
	}
	if err := a.answer(ctx, ses, in.Kind, photo, sum); err != nil {
		return nil, err
	}
	j, p := a.judge(ctx, ses, in, photo)
	if p != nil {
		return nil, p
	}
	kept := j.Accepted || in.Insist && usable(j)
	if kept {
		if err := a.keep(ctx, ses, in, j, photo, sum); err != nil {
			return nil, err
		}
	}
	out := shownPhoto(in.Kind, j)
	out.Kept = kept
	return &out, nil
}

// usable tells whether the file could be decoded: whatever else the gate says
// is a judgement that the whole case can repeat.
func usable(j policy.GateAnswer) bool {
	return !slices.ContainsFunc(j.Codes, func(c policy.Code) bool {
		switch c {
		case "capture.not_an_image", "capture.unsupported_format", "capture.image_truncated", "capture.image_corrupt", "capture.too_large":
			return true
		}
		return false
	})
}

// unread refuses an upload whose body was not read; the connection is not
// worth keeping for the price of reading it.
func unread(w http.ResponseWriter, p *problem) *problem {
	w.Header().Set("Connection", "close")
	return p
}

// mayUpload says what speaks against a photo before it is read.
func (a *api) mayUpload(ses *session.Session, documentType string) *problem {
	switch {
	case ses.Consent == nil:
		return newProblem(client.CodeConsentMissing, "")
	case ses.State != session.CaptureInProgress && ses.State != session.NeedsResubmission:
		return newProblem(client.CodeConflict, "The session is "+string(ses.State)+".")
	case !a.now().Before(ses.ExpiresAt):
		return newProblem(client.CodeConflict, "The session has expired.")
	case ses.DocumentType != "" && documentType != "" && ses.DocumentType != documentType:
		return newProblem(client.CodeConflict, "The session is for another kind of document.")
	}
	return nil
}

// received is a photo in memory, with the bytes in flight that it holds.
type received struct {
	bytes   []byte
	release func()
}

// receive reads the photo within its limits of size, time and memory.
func (a *api) receive(w http.ResponseWriter, r *http.Request) (received, *problem) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	multi := kind == "multipart/form-data" && params["boundary"] != ""
	if err != nil || !multi && !strings.HasPrefix(kind, "image/") && kind != "application/octet-stream" {
		return received{}, unread(w, newProblem(client.CodeUnsupportedMediaType, "Send an image file, or multipart/form-data with one."))
	}
	limit := a.limits.PhotoBytes
	if multi {
		limit += multipartOverhead
	}
	if r.ContentLength > limit {
		return received{}, unread(w, tooLarge(a.limits.PhotoBytes))
	}
	weight := limit
	if r.ContentLength >= 0 {
		weight = r.ContentLength
	}
	weight = min(max(weight, 1), a.limits.BytesInFlight)
	if !a.bytes.TryAcquire(weight) {
		return received{}, unread(w, newProblem(client.CodeBusy, "Many photos are arriving. Send this one again.").after(2*time.Second))
	}
	free := func() { a.bytes.Release(weight) }
	// Not supported by every ResponseWriter (tests); the server's is. net/http
	// clears it at the end of the body.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(a.limits.uploadDeadline(r.ContentLength)))
	var body io.Reader = http.MaxBytesReader(w, r.Body, limit+1)
	if multi {
		r.Body = io.NopCloser(body)
		body, err = firstFile(r)
		if err != nil {
			free()
			return received{}, readProblem(w, err)
		}
	}
	b, p := a.readPhoto(w, body)
	if p == nil && len(b) == 0 {
		p = newProblem(client.CodeInvalidRequest, "The body is empty.")
	}
	if p != nil {
		free()
		return received{}, p
	}
	return received{bytes: b, release: free}, nil
}

// firstFile finds the first file of a multipart body. It streams; nothing is
// put on disk.
func firstFile(r *http.Request) (io.Reader, error) {
	m, err := r.MultipartReader()
	if err != nil {
		return nil, err
	}
	for range 8 {
		part, err := m.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if part.FileName() != "" || strings.HasPrefix(part.Header.Get("Content-Type"), "image/") {
			return part, nil
		}
	}
	return bytes.NewReader(nil), nil
}

// judge asks the gate, a bounded number of photos at a time.
func (a *api) judge(ctx context.Context, ses *session.Session, in *uploadInput, photo []byte) (policy.GateAnswer, *problem) {
	wait, cancel := context.WithTimeout(ctx, a.limits.GateWait)
	defer cancel()
	if err := a.gates.Acquire(wait, 1); err != nil {
		return policy.GateAnswer{}, newProblem(client.CodeBusy, "Many photos are being judged. Send this one again.").after(3 * time.Second)
	}
	defer a.gates.Release(1)
	began := time.Now()
	c := ses.Context()
	if c.DocumentType == "" {
		c = ses.ContextFor(in.DocumentType)
	}
	rules, err := a.rules(ctx, ses)
	if err != nil {
		return policy.GateAnswer{}, fromError(err)
	}
	j, err := a.deps.Gate(ctx, rules.Cell(c), in.Kind, photo)
	if err != nil {
		return policy.GateAnswer{}, fromError(fmt.Errorf("judge photo: %w", err))
	}
	if !ses.Test() {
		a.metrics.judged(in.Kind, j, time.Since(began))
	}
	return j, nil
}

// stored is what is kept beside an accepted photo: the gate's findings and what
// a repeated upload is answered with.
type stored struct {
	DocumentType string            `json:"document_type,omitempty"`
	Gate         policy.GateAnswer `json:"gate"`
}

// known answers a photo that is already there: the client did not get the
// answer and sent it again.
func (a *api) known(ctx context.Context, ses *session.Session, kind, sum string) (*client.Photo, error) {
	if ses.State != session.CaptureInProgress {
		return nil, nil
	}
	evidence, err := a.deps.Store.Evidence(ctx, ses.ID, ses.Attempt)
	if err != nil {
		return nil, err
	}
	for _, e := range evidence {
		var s stored
		if e.Kind == kind && e.SHA256 == sum && e.Attempt == ses.Attempt && json.Unmarshal(e.Findings, &s) == nil {
			p := shownPhoto(kind, s.Gate)
			p.Kept = true
			return &p, nil
		}
	}
	return nil, nil
}

// keep encrypts the photo into the vault, then records it. Should recording
// fail, the object is an unreferenced one of this session, which erasure and
// retention remove.
func (a *api) keep(ctx context.Context, ses *session.Session, in *uploadInput, j policy.GateAnswer, photo []byte, sum string) error {
	rules, err := a.rules(ctx, ses)
	if err != nil {
		return fmt.Errorf("keep photo: %w", err)
	}
	cell := rules.Cell(ses.Context())
	retain, err := cell.RetainUntil("capture_image", a.now())
	if err != nil {
		return fmt.Errorf("keep photo: %w", err)
	}
	by := a.by(ctx)
	if ses.State == session.NeedsResubmission {
		next, err := a.deps.Store.Apply(ctx, ses.ID, session.AnyVersion, session.Event{Kind: session.StartCapture, Actor: by, Attempt: ses.Attempt}, nil)
		// Two tabs may begin the next attempt at once: both go on with it.
		if err != nil && !(next != nil && next.State == session.CaptureInProgress && errors.Is(err, session.ErrNoTransition)) {
			return err
		}
		ses = next
	}
	findings, err := json.Marshal(stored{DocumentType: in.DocumentType, Gate: finite(j)})
	if err != nil {
		return fmt.Errorf("encode gate findings: %w", err)
	}
	ref := storage.Ref{Session: ses.ID, Class: "capture_image", Kind: in.Kind, Region: cell.Residency}
	object, err := a.deps.Vault.Put(ctx, ref, bytes.NewReader(photo), retain)
	if err != nil {
		return err
	}
	e := session.Evidence{Session: ses.ID, Attempt: ses.Attempt, Kind: in.Kind, Object: object.ID, SHA256: sum, Size: int64(len(photo)), Findings: findings}
	ev := session.Event{Kind: session.EvidenceAdded, Actor: by, Attempt: ses.Attempt, Refs: map[string]string{"kind": in.Kind, "object": object.ID}}
	_, err = a.deps.Store.Apply(context.WithoutCancel(ctx), ses.ID, session.AnyVersion, ev, func(tx *session.Tx) error { return tx.PutEvidence(e) })
	return err
}

// finite leaves out measures that are no numbers, which JSON can not say.
func finite(g policy.GateAnswer) policy.GateAnswer {
	g.Findings = slices.Clone(g.Findings)
	for i := range g.Findings {
		g.Findings[i].Measures = slices.DeleteFunc(slices.Clone(g.Findings[i].Measures), func(m policy.Measure) bool {
			return math.IsNaN(m.Value) || math.IsInf(m.Value, 0)
		})
	}
	return g
}

// shownPhoto is the answer to an upload: codes and measures that the person
// may see.
func shownPhoto(kind string, j policy.GateAnswer) client.Photo {
	out := client.Photo{Kind: kind, Accepted: j.Accepted, Codes: []string{}, Measures: []client.Measure{}}
	for _, c := range j.Codes {
		if i, ok := c.Info(); ok && i.For("client") {
			out.Codes = append(out.Codes, string(c))
		}
	}
	if j.Hint != nil {
		out.Hint = shownHint(j.Hint)
	}
	for _, f := range j.Findings {
		for _, m := range f.Measures {
			// Biometric scores would teach how to pass them.
			if f.Stage != "quality" && f.Stage != "document" {
				continue
			}
			out.Measures = append(out.Measures, shownMeasure(m))
		}
	}
	return out
}
