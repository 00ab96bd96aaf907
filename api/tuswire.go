package api

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // tus 1.0 requires it; it guards against accidents only
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/proofline/proofline/client"
)

// checksums are the algorithms of Upload-Checksum. tus 1.0 requires sha1.
var checksums = map[string]func() hash.Hash{"sha1": sha1.New, "sha256": sha256.New}

func checksumNames() []string { return []string{"sha1", "sha256"} }

var errChecksum = errors.New("checksum does not fit")

// checksum is what a PATCH promised of its body.
type checksum struct {
	hash hash.Hash
	want []byte
}

// parseChecksum reads "sha256 " and the digest in base64; nil for no header.
func parseChecksum(header string) (*checksum, error) {
	if header == "" {
		return nil, nil
	}
	name, value, _ := strings.Cut(header, " ")
	algorithm, ok := checksums[name]
	if !ok {
		return nil, errChecksum
	}
	want, err := base64.StdEncoding.DecodeString(value)
	h := algorithm()
	if err != nil || len(want) != h.Size() {
		return nil, errChecksum
	}
	return &checksum{h, want}, nil
}

func (c *checksum) fits() bool { return subtle.ConstantTimeCompare(c.hash.Sum(nil), c.want) == 1 }

// check returns r with errChecksum instead of an end that does not fit.
func (c *checksum) check(r io.Reader) io.Reader { return &checkedReader{r, c} }

type checkedReader struct {
	r io.Reader
	c *checksum
}

func (r *checkedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.c.hash.Write(p[:n])
	if errors.Is(err, io.EOF) && !r.c.fits() {
		err = errChecksum
	}
	return n, err
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// boundedBody ends a body that trickles in.
type boundedBody struct {
	io.ReadCloser
	until time.Time
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if time.Now().After(b.until) {
		return 0, os.ErrDeadlineExceeded
	}
	return b.ReadCloser.Read(p)
}

// tusWriter adds what tusd does not say, and holds its errors back so that the
// caller gets a problem document instead of a line of text.
type tusWriter struct {
	http.ResponseWriter
	request *tusRequest
	status  int
	text    bytes.Buffer

	mu       sync.Mutex
	cut      bool // another request took the upload over
	answered bool
}

// Unwrap lets http.ResponseController reach the connection.
func (w *tusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// SetReadDeadline is how tusd stops a request that reads its body, from another
// goroutine and perhaps late: the connection may serve the next request by then.
// net/http takes a deadline that passes for a client that left, also in requests
// to come, so a connection that was stopped is not used again.
func (w *tusWriter) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.answered {
		return nil
	}
	w.cut = w.cut || !t.After(time.Now())
	return http.NewResponseController(w.ResponseWriter).SetReadDeadline(t)
}

// WriteHeader is part of http.ResponseWriter.
func (w *tusWriter) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.mu.Lock()
	w.answered = true
	w.mu.Unlock()
	if w.cut {
		w.Header().Set("Connection", "close")
	}
	w.status = status
	if status >= 400 {
		return
	}
	if !w.request.expires.IsZero() {
		w.Header().Set("Upload-Expires", w.request.expires.UTC().Format(http.TimeFormat))
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write is part of http.ResponseWriter.
func (w *tusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.status < 400 {
		return w.ResponseWriter.Write(p)
	}
	if w.text.Len() < 256 {
		w.text.Write(p[:min(len(p), 256)])
	}
	return len(p), nil
}

// tusProblems are tusd's own errors as ours.
var tusProblems = map[string]string{
	"ERR_UPLOAD_NOT_FOUND": client.CodeNotFound, "ERR_MISMATCHED_OFFSET": client.CodeUploadOffset,
	"ERR_UNSUPPORTED_VERSION": client.CodeTusVersion, "ERR_MAX_SIZE_EXCEEDED": client.CodeBodyTooLarge,
	"ERR_UPLOAD_SIZE_EXCEEDED": client.CodeBodyTooLarge, "ERR_READ_TIMEOUT": client.CodeRequestTimeout,
	"ERR_UPLOAD_INTERRUPTED": client.CodeUploadOffset, "ERR_LOCK_TIMEOUT": client.CodeBusy, "ERR_UPLOAD_LOCKED": client.CodeBusy,
	"ERR_INVALID_CONTENT_TYPE": client.CodeUnsupportedMediaType, "ERR_SERVER_SHUTDOWN": client.CodeBusy,
	"ERR_UNEXPECTED_EOF": client.CodeRequestTimeout, "ERR_CONNECTION_RESET": client.CodeRequestTimeout,
}

// finish writes the problem that was held back.
func (w *tusWriter) finish(r *http.Request) {
	if w.status < 400 {
		return
	}
	p := w.request.problem
	if p == nil {
		name, detail, _ := strings.Cut(strings.TrimSpace(w.text.String()), ": ")
		code, ok := tusProblems[name]
		switch {
		case ok:
			p = newProblem(code, "")
		case w.status < 500, w.status == http.StatusNotImplemented: // a deferred length
			p = newProblem(client.CodeInvalidRequest, detail)
		default:
			p = newProblem(client.CodeInternal, "")
		}
		if p.Code == client.CodeBusy {
			p = p.after(2 * time.Second)
		}
	}
	w.Header().Del("Content-Length")
	if r.Body != nil && r.Method == http.MethodPatch {
		w.Header().Set("Connection", "close") // the rest of the body is not read
	}
	writeProblem(w.ResponseWriter, r, p)
}

// describeUploads puts the protocol's own endpoints into the OpenAPI document.
func describeUploads(h huma.API) {
	text := func(s string) *huma.Schema { return &huma.Schema{Type: "string", Description: s} }
	header := func(name, doc string, required bool) *huma.Param {
		return &huma.Param{Name: name, In: "header", Required: required, Schema: text(doc)}
	}
	version := header("Tus-Resumable", "1.0.0", true)
	id := &huma.Param{Name: "upload", In: "path", Required: true, Schema: text("")}
	security := []map[string][]string{{"clientToken": {}}}
	problem := func(doc string) *huma.Response {
		return &huma.Response{Description: doc, Content: map[string]*huma.MediaType{
			"application/problem+json": {Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}},
		}}
	}
	add := func(method, path, operation, summary, status string, params ...*huma.Param) *huma.Operation {
		op := &huma.Operation{Method: method, Path: path, OperationID: operation, Summary: summary, Tags: []string{"capture"}, Security: security, Parameters: params,
			Responses: map[string]*huma.Response{status: {Description: "As tus 1.0 says."}}}
		for code, doc := range map[string]string{"400": "Bad Request", "401": "Unauthorized", "404": "Not Found", "409": "Conflict", "410": "Gone", "412": "Precondition Failed", "429": "Too Many Requests", "500": "Internal Server Error", "503": "Service Unavailable"} {
			op.Responses[code] = problem(doc)
		}
		h.OpenAPI().AddOperation(op)
		return op
	}
	add(http.MethodPost, uploadsPath, "create-upload", "Begin an upload in parts (tus 1.0 creation)", "201", version,
		header("Upload-Length", "Bytes of the file.", true),
		header("Upload-Metadata", "kind, and optionally document_type, insist (true) and sha256 (hexadecimal, of the file): names with their values in base64.", true))
	add(http.MethodHead, uploadsPath+"/{upload}", "upload-offset", "How much of an upload is there (tus 1.0)", "200", id, version)
	patch := add(http.MethodPatch, uploadsPath+"/{upload}", "append-upload", "Append to an upload (tus 1.0)", "204", id, version,
		header("Upload-Offset", "Where the body begins.", true), header("Upload-Checksum", "sha1 or sha256, a space, and the body's digest in base64.", false))
	patch.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/offset+octet-stream": {Schema: &huma.Schema{Type: "string", Format: "binary"}},
	}}
	patch.Responses["460"] = problem("Checksum Mismatch")
	add(http.MethodDelete, uploadsPath+"/{upload}", "terminate-upload", "Drop an upload (tus 1.0 termination)", "204", id, version)
	for _, path := range []string{uploadsPath, uploadsPath + "/{upload}"} {
		op := &huma.Operation{Method: http.MethodOptions, Path: path, OperationID: "upload-options", Summary: "What the server can do (tus 1.0)", Tags: []string{"capture"},
			Responses: map[string]*huma.Response{"204": {Description: "As tus 1.0 says."}}}
		if path != uploadsPath {
			op.OperationID, op.Parameters = "upload-options-of", []*huma.Param{id}
		}
		h.OpenAPI().AddOperation(op)
	}
}
