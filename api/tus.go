package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
	"golang.org/x/exp/slog"
	"golang.org/x/sync/singleflight"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// Uploads in parts follow tus 1.0 with creation, expiration, checksum and
// termination. The protocol is tusd's handler; below it the parts are objects of
// the vault, each encrypted as it arrives, and the order of them is in the
// session store. Two requests that append at the same offset race for one row,
// on whatever machines they run, so a byte is never taken twice.
//
// The finished file goes the way of every photo. tus has no place for an answer,
// so the gate's is fetched with GET from the upload's own address.
const uploadsPath = "/v1/capture/uploads"

// stall is how long a body may rest before its bytes so far are kept and the
// connection is given up.
const stall = 15 * time.Second

type uploads struct {
	api     *api
	judging singleflight.Group
	mu      sync.Mutex
	swept   time.Time
}

// tusRequest is what one request to the protocol's handler needs and leaves.
type tusRequest struct {
	session *session.Session
	sum     *checksum
	expires time.Time     // of the upload, for Upload-Expires
	problem *problem      // what the store found wrong
	reading chan struct{} // closed when the body is about to be read
	started sync.Once
	done    chan struct{} // closed when the request was answered
}

type tusKey struct{}

func tusOf(ctx context.Context) *tusRequest {
	t, _ := ctx.Value(tusKey{}).(*tusRequest)
	return t
}

func (a *api) registerUploads(r chi.Router, h huma.API) {
	u := &uploads{api: a}
	a.uploads = u
	composer := handler.NewStoreComposer()
	composer.UseCore(u)
	composer.UseTerminater(u)
	composer.UseLocker(gentleLocker{memorylocker.New()})
	tus, err := handler.NewUnroutedHandler(handler.Config{
		StoreComposer: composer, BasePath: strings.TrimRight(a.deps.PublicURL, "/") + uploadsPath + "/",
		MaxSize: a.limits.PhotoBytes, DisableDownload: true, DisableConcatenation: true,
		Cors:           &handler.CorsConfig{Disable: true},
		Logger:         slog.New(slog.NewTextHandler(io.Discard, nil)), // its lines would hold addresses; observe logs the request
		NetworkTimeout: stall, AcquireLockTimeout: 20 * time.Second,
		PreUploadCreateCallback: u.mayCreate,
	})
	if err != nil {
		panic("api: upload handler: " + err.Error()) // the configuration above is constant
	}
	serve := func(f http.HandlerFunc) http.Handler {
		return u.around(http.StripPrefix(uploadsPath, tus.Middleware(f)))
	}
	upload := uploadsPath + "/{upload}"
	r.Method(http.MethodPost, uploadsPath, serve(tus.PostFile))
	r.Method(http.MethodHead, upload, serve(tus.HeadFile))
	r.Method(http.MethodPatch, upload, serve(tus.PatchFile))
	r.Method(http.MethodDelete, upload, serve(tus.DelFile))
	for _, path := range []string{uploadsPath, upload} {
		r.Method(http.MethodOptions, path, u.options(tus))
	}
	answer := a.captureOperation(h, http.MethodGet, upload, "upload-answer", "What became of an upload: how much is there, and the gate's answer once it is whole")
	answer.Errors = append(answer.Errors, 460)
	huma.Register(h, answer, u.answer)
	describeUploads(h)
}

// options tells what the server can do; it needs no token.
func (u *uploads) options(tus *handler.UnroutedHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Tus-Resumable", "1.0.0")
		h.Set("Tus-Version", "1.0.0")
		h.Set("Tus-Extension", tus.SupportedExtensions()+",expiration,checksum")
		h.Set("Tus-Checksum-Algorithm", strings.Join(checksumNames(), ","))
		h.Set("Tus-Max-Size", strconv.FormatInt(u.api.limits.PhotoBytes, 10))
		w.WriteHeader(http.StatusNoContent)
	})
}

// around lets requests with a session's token pass, bounds their bodies, and
// turns the handler's errors into problem documents.
func (u *uploads) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ctx := u.api, r.Context()
		token, err := a.deps.Store.ClientToken(ctx, bearer(r.Header.Get("Authorization")), tokenPurpose)
		if err != nil {
			writeProblem(w, r, unread(w, fromError(err)))
			return
		}
		rec := recordOf(ctx)
		rec.actor, rec.session = token.ID, token.Session
		ctx = context.WithValue(ctx, tokenOf{}, token)
		t := &tusRequest{reading: make(chan struct{}), done: make(chan struct{})}
		if t.session, err = a.mine(ctx); err != nil {
			writeProblem(w, r, unread(w, fromError(err)))
			return
		}
		if t.sum, err = parseChecksum(r.Header.Get("Upload-Checksum")); err != nil {
			writeProblem(w, r, unread(w, newProblem(client.CodeInvalidRequest, "Upload-Checksum names no known algorithm or no digest of its length.")))
			return
		}
		if r.Body != nil {
			limit := a.limits.uploadDeadline(r.ContentLength)
			r.Body = &boundedBody{ReadCloser: r.Body, until: time.Now().Add(limit)}
		}
		tw := &tusWriter{ResponseWriter: w, request: t}
		// A connection that breaks shows itself in the body. Were it to end the
		// context too, tusd would look at fields that the request still writes.
		ctx, end := context.WithCancel(context.WithoutCancel(context.WithValue(ctx, tusKey{}, t)))
		next.ServeHTTP(tw, r.WithContext(ctx))
		close(t.done)
		end()
		tw.finish(r)
	})
}

// gentleLocker lets a request take an upload from another, for a phone that came
// back before the server saw its old connection break. The other is asked to stop
// only once it reads its body: tusd sets that without a lock.
type gentleLocker struct{ handler.Locker }

func (l gentleLocker) NewLock(id string) (handler.Lock, error) {
	lock, err := l.Locker.NewLock(id)
	return gentleLock{lock}, err
}

type gentleLock struct{ inner handler.Lock }

func (l gentleLock) Lock(ctx context.Context, stop func()) error {
	t := tusOf(ctx)
	return l.inner.Lock(ctx, func() {
		go func() {
			select {
			case <-t.reading:
				stop()
			case <-t.done:
			}
		}()
	})
}

func (l gentleLock) Unlock() error { return l.inner.Unlock() }

// mayCreate is asked before an upload is created, and says what it is.
func (u *uploads) mayCreate(hook handler.HookEvent) (handler.HTTPResponse, handler.FileInfoChanges, error) {
	a, t := u.api, tusOf(hook.Context)
	meta := hook.Upload.MetaData
	refuse := func(p *problem) (handler.HTTPResponse, handler.FileInfoChanges, error) {
		t.problem = p
		return handler.HTTPResponse{}, handler.FileInfoChanges{}, p
	}
	kind, documentType := meta["kind"], meta["document_type"]
	if !slices.Contains(policy.EvidenceKinds, kind) || documentType != "" && !slices.Contains(policy.DocumentTypes, documentType) {
		return refuse(newProblem(client.CodeInvalidRequest, "Upload-Metadata needs kind ("+strings.Join(policy.EvidenceKinds, ", ")+") and may have document_type, insist and sha256."))
	}
	if hook.Upload.Size < 1 {
		return refuse(newProblem(client.CodeInvalidRequest, "Upload-Length must be at least 1."))
	}
	if p := a.mayUpload(t.session, documentType); p != nil {
		return refuse(p)
	}
	if a.deps.Congested != nil {
		if wait, yes := a.deps.Congested(); yes {
			return refuse(newProblem(client.CodeBusy, "Many cases are waiting. Send the photo again later.").after(wait))
		}
	}
	return handler.HTTPResponse{}, handler.FileInfoChanges{}, nil
}

// NewUpload is part of tusd's data store.
func (u *uploads) NewUpload(ctx context.Context, info handler.FileInfo) (handler.Upload, error) {
	t := tusOf(ctx)
	u.sweep(ctx)
	up, over, err := u.api.deps.Store.BeginUpload(ctx, session.Upload{
		Session: t.session.ID, Kind: info.MetaData["kind"], DocumentType: info.MetaData["document_type"],
		Insist: info.MetaData["insist"] == "true", SHA256: strings.ToLower(info.MetaData["sha256"]), Size: info.Size,
	}, u.api.limits.UploadLife)
	if err != nil {
		return nil, t.fail(err)
	}
	for _, o := range over {
		u.discard(ctx, o)
	}
	t.expires = up.ExpiresAt
	return &tusUpload{u, up}, nil
}

// GetUpload is part of tusd's data store. Another session's upload is not there.
func (u *uploads) GetUpload(ctx context.Context, id string) (handler.Upload, error) {
	t := tusOf(ctx)
	up, err := u.find(ctx, t.session.ID, id)
	if err != nil {
		return nil, t.fail(err)
	}
	t.expires = up.ExpiresAt
	return &tusUpload{u, up}, nil
}

// AsTerminatableUpload is part of tusd's data store.
func (u *uploads) AsTerminatableUpload(up handler.Upload) handler.TerminatableUpload {
	return up.(*tusUpload)
}

// find reads an upload that is open or answered.
func (u *uploads) find(ctx context.Context, ses, id string) (session.Upload, error) {
	if _, err := session.ParseID(session.UploadPrefix, id); err != nil {
		return session.Upload{}, session.ErrNotFound
	}
	up, err := u.api.deps.Store.Upload(ctx, id)
	switch {
	case err != nil:
		return up, err
	case up.Session != ses:
		return up, session.ErrNotFound
	case up.Answer == nil && (!up.EndedAt.IsZero() || !u.api.now().Before(up.ExpiresAt)):
		return up, newProblem(client.CodeUploadGone, "Begin the upload again.")
	}
	return up, nil
}

// fail keeps an error for the answer.
func (t *tusRequest) fail(err error) error {
	t.problem = fromError(err)
	return err
}

// tusUpload is one upload as tusd sees it.
type tusUpload struct {
	u  *uploads
	up session.Upload
}

// GetInfo is part of tusd's upload.
func (x *tusUpload) GetInfo(context.Context) (handler.FileInfo, error) {
	return handler.FileInfo{ID: x.up.ID, Size: x.up.Size, Offset: x.up.Received, MetaData: handler.MetaData{"kind": x.up.Kind}}, nil
}

// GetReader is part of tusd's upload; downloads are switched off.
func (x *tusUpload) GetReader(context.Context) (io.ReadCloser, error) {
	return nil, handler.ErrNotImplemented
}

// WriteChunk encrypts what arrives into an object of its own. A body that broke
// off is kept as far as it came, unless a checksum was promised for the whole.
func (x *tusUpload) WriteChunk(ctx context.Context, offset int64, src io.Reader) (int64, error) {
	a, t := x.u.api, tusOf(ctx)
	t.started.Do(func() { close(t.reading) })
	// Consent may be withdrawn, or the session sent, between two parts.
	if p := a.mayUpload(t.session, x.up.DocumentType); p != nil {
		return 0, t.fail(p)
	}
	if x.up.Parts >= session.MaxUploadParts {
		x.u.discard(ctx, x.up)
		return 0, t.fail(newProblem(client.CodeUploadGone, fmt.Sprintf("It came in %d parts and is not whole. Begin the upload again, in larger parts.", session.MaxUploadParts)))
	}
	first := make([]byte, 1)
	if n, err := io.ReadFull(src, first); n == 0 {
		if errors.Is(err, io.EOF) && t.sum != nil && !t.sum.fits() {
			return 0, t.fail(newProblem(client.CodeChecksumMismatch, ""))
		}
		return 0, nil
	}
	counted := &countingReader{r: io.MultiReader(strings.NewReader(string(first)), src)}
	var body io.Reader = counted
	if t.sum != nil {
		body = t.sum.check(counted)
	}
	// A piece lives as long as the session may still take photos: were it gone
	// before, its expiry as the session's only evidence would destroy the key.
	until := t.session.ExpiresAt.Add(time.Hour)
	rules, err := a.rules(ctx, t.session)
	if err != nil {
		return 0, t.fail(err)
	}
	ref := storage.Ref{Session: x.up.Session, Class: "capture_image", Kind: "upload_part", Region: rules.Cell(t.session.Context()).Residency}
	object, err := a.deps.Vault.Put(ctx, ref, body, until)
	a.metrics.bytes.Add(float64(counted.n))
	if errors.Is(err, errChecksum) {
		return 0, t.fail(newProblem(client.CodeChecksumMismatch, ""))
	}
	if err != nil {
		return 0, t.fail(err)
	}
	late := context.WithoutCancel(ctx)
	part := session.UploadPart{At: offset, Size: counted.n, Object: object.ID}
	if err := a.deps.Store.AddUploadPart(late, x.up.ID, part, a.limits.UploadLife); err != nil {
		if e := a.deps.Vault.Remove(late, object); e != nil {
			a.log.WarnContext(ctx, "remove piece of an upload", "request_id", requestID(ctx), "cause", e.Error())
		}
		if errors.Is(err, session.ErrConflict) {
			return 0, t.fail(newProblem(client.CodeUploadOffset, "Another request appended here. Ask for the offset again."))
		}
		return 0, t.fail(err)
	}
	x.up.Received = offset + counted.n
	t.expires = a.now().Add(a.limits.UploadLife)
	return counted.n, nil
}

// FinishUpload judges the whole file. That the bytes arrived is true whatever
// the gate says or fails at: the answer is asked for with GET, which tries again.
func (x *tusUpload) FinishUpload(ctx context.Context) error {
	if _, err := x.u.finish(ctx, x.up.ID); err != nil {
		x.u.api.log.InfoContext(ctx, "upload is not judged yet", "request_id", requestID(ctx), "session", x.up.Session, "cause", err.Error())
	}
	return nil
}

// Terminate is part of tusd's upload.
func (x *tusUpload) Terminate(ctx context.Context) error {
	if x.up.Answer != nil { // too late: it has become a photo, or was refused
		return tusOf(ctx).fail(newProblem(client.CodeConflict, "The upload was judged already."))
	}
	x.u.discard(ctx, x.up)
	return nil
}
