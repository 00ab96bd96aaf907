package api_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/internal/testserver/cutter"
	"github.com/proofline/proofline/session"
)

// tusClient speaks tus 1.0 with plain requests.
type tusClient struct {
	t     *testing.T
	base  string
	token string
	http  *http.Client
}

func (s *server) tus(token string) *tusClient {
	return &tusClient{s.t, s.url, token, &http.Client{Timeout: time.Minute}}
}

func (c *tusClient) do(method, path string, header map[string]string, body io.Reader) (*http.Response, string, error) {
	req, err := http.NewRequest(method, c.base+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Tus-Resumable", "1.0.0")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// must is do where the network is whole.
func (c *tusClient) must(method, path string, header map[string]string, body []byte) (*http.Response, string) {
	c.t.Helper()
	resp, b, err := c.do(method, path, header, bytes.NewReader(body))
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp, b
}

func metadata(pairs ...string) string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, pairs[i]+" "+base64.StdEncoding.EncodeToString([]byte(pairs[i+1])))
	}
	return strings.Join(out, ",")
}

func creation(photo []byte, pairs ...string) map[string]string {
	return map[string]string{"Upload-Length": strconv.Itoa(len(photo)), "Upload-Metadata": metadata(append([]string{"kind", "document_front", "document_type", "passport"}, pairs...)...)}
}

func patch(offset int, more ...string) map[string]string {
	h := map[string]string{"Content-Type": "application/offset+octet-stream", "Upload-Offset": strconv.Itoa(offset)}
	for i := 0; i+1 < len(more); i += 2 {
		h[more[i]] = more[i+1]
	}
	return h
}

func (c *tusClient) create(photo []byte, pairs ...string) string {
	c.t.Helper()
	resp, b := c.must("POST", "/v1/capture/uploads", creation(photo, pairs...), nil)
	if resp.StatusCode != 201 {
		c.t.Fatalf("create: %d %s", resp.StatusCode, b)
	}
	return pathOf(c.t, resp.Header.Get("Location"))
}

func pathOf(t *testing.T, location string) string {
	t.Helper()
	u, err := url.Parse(location)
	if err != nil || u.Path == "" {
		t.Fatalf("location %q, %v", location, err)
	}
	return u.Path
}

func code(body string) string {
	var p client.Problem
	_ = json.Unmarshal([]byte(body), &p)
	return p.Code
}

// answer asks what became of an upload.
func (c *tusClient) answer(path string) client.Upload {
	c.t.Helper()
	resp, b := c.must("GET", path, nil, nil)
	var u client.Upload
	if err := json.Unmarshal([]byte(b), &u); resp.StatusCode != 200 || err != nil {
		c.t.Fatalf("answer: %d %s", resp.StatusCode, b)
	}
	return u
}

// kept reads a session's photo back from the vault.
func (s *server) kept(id, kind string) ([]byte, []session.Evidence) {
	s.t.Helper()
	ctx := context.Background()
	all, err := s.store.Evidence(ctx, id, 1)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range all {
		if e.Kind == kind {
			o, err := s.store.GetObject(ctx, e.Object)
			if err != nil {
				s.t.Fatal(err)
			}
			b, err := s.vault.Read(ctx, o, 32<<20)
			if err != nil {
				s.t.Fatal(err)
			}
			return b, all
		}
	}
	return nil, all
}

// objects counts what the vault holds of a session.
func (s *server) objects(id, kind string) int {
	s.t.Helper()
	all, err := s.store.ListObjects(context.Background(), id, "")
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for _, o := range all {
		if o.Kind == kind {
			n++
		}
	}
	return n
}

func TestAnUploadInPartsIsJudgedLikeAPlainOne(t *testing.T) {
	s := newServer(t, nil)
	made, plain := s.begin(client.NewSession{})
	c := s.tus(made.ClientToken)
	photo := goodPhoto(t, 1)
	sum := sha256.Sum256(photo)
	path := c.create(photo, "sha256", hex.EncodeToString(sum[:]))
	half := len(photo) / 2
	one := sha256.Sum256(photo[:half])
	resp, b := c.must("PATCH", path, patch(0, "Upload-Checksum", "sha256 "+base64.StdEncoding.EncodeToString(one[:])), photo[:half])
	if resp.StatusCode != 204 || resp.Header.Get("Upload-Offset") != strconv.Itoa(half) {
		t.Fatalf("first part: %d %s at %s", resp.StatusCode, b, resp.Header.Get("Upload-Offset"))
	}
	if at, err := http.ParseTime(resp.Header.Get("Upload-Expires")); err != nil || time.Until(at) < 50*time.Minute {
		t.Errorf("Upload-Expires %q", resp.Header.Get("Upload-Expires"))
	}
	if s.objects(made.Session.ID, "upload_part") != 1 {
		t.Error("the first part is not in the vault")
	}
	if stored := s.objectBytes(made.Session.ID, "upload_part"); bytes.Contains(stored, photo[100:164]) {
		t.Error("the part lies there unencrypted")
	}
	// The same file again is the same upload: a creation may be repeated.
	if again := c.create(photo, "sha256", hex.EncodeToString(sum[:])); again != path {
		t.Errorf("created %s and %s", path, again)
	}
	resp, _ = c.must("HEAD", path, nil, nil)
	if resp.StatusCode != 200 || resp.Header.Get("Upload-Offset") != strconv.Itoa(half) || resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Upload-Expires") == "" {
		t.Errorf("offset: %d %v", resp.StatusCode, resp.Header)
	}
	two := sha1.Sum(photo[half:])
	resp, b = c.must("PATCH", path, patch(half, "Upload-Checksum", "sha1 "+base64.StdEncoding.EncodeToString(two[:])), photo[half:])
	if resp.StatusCode != 204 || resp.Header.Get("Upload-Offset") != strconv.Itoa(len(photo)) {
		t.Fatalf("last part: %d %s", resp.StatusCode, b)
	}
	got := c.answer(path)
	if got.Photo == nil || !got.Photo.Accepted || !got.Photo.Kept || got.Received != int64(len(photo)) {
		t.Fatalf("answer %+v", got)
	}
	kept, all := s.kept(made.Session.ID, "document_front")
	if !bytes.Equal(kept, photo) || len(all) != 1 {
		t.Errorf("kept %d of %d bytes in %d photos", len(kept), len(photo), len(all))
	}
	if n := s.objects(made.Session.ID, "upload_part"); n != 0 {
		t.Errorf("%d parts are left", n)
	}
	// Over: the answer stays, and a plain upload of the same file is known.
	if again := c.answer(path); again.Photo == nil || !again.Photo.Kept {
		t.Errorf("asked again: %+v", again)
	}
	p, err := plain.Upload(context.Background(), "document_front", "passport", photo, "image/jpeg")
	if err != nil || !p.Kept || s.objects(made.Session.ID, "document_front") != 1 {
		t.Errorf("plain upload of the same photo: %+v %v", p, err)
	}
	// A bad photo is answered, not kept.
	bad := photo[:len(photo)/3]
	path = c.create(bad)
	if resp, b := c.must("PATCH", path, patch(0), bad); resp.StatusCode != 204 {
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	if got := c.answer(path); got.Photo == nil || got.Photo.Accepted || got.Photo.Hint.Code != "capture.image_truncated" || s.objects(made.Session.ID, "upload_part") != 0 {
		t.Errorf("a truncated photo: %+v", got.Photo)
	}
}

// objectBytes are the stored bytes of a session's first object of a kind.
func (s *server) objectBytes(id, kind string) []byte {
	s.t.Helper()
	all, err := s.store.ListObjects(context.Background(), id, "")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, o := range all {
		if o.Kind == kind {
			r, err := s.blobs.Get(context.Background(), o.Key)
			if err != nil {
				s.t.Fatal(err)
			}
			defer r.Close()
			b, err := io.ReadAll(r)
			if err != nil {
				s.t.Fatal(err)
			}
			return b
		}
	}
	s.t.Fatalf("there is no %s", kind)
	return nil
}

func TestAPartWithTheWrongChecksumIsNotTaken(t *testing.T) {
	s := newServer(t, nil)
	made, _ := s.begin(client.NewSession{})
	c := s.tus(made.ClientToken)
	photo := goodPhoto(t, 2)
	path := c.create(photo)
	wrong := sha256.Sum256([]byte("other"))
	resp, b := c.must("PATCH", path, patch(0, "Upload-Checksum", "sha256 "+base64.StdEncoding.EncodeToString(wrong[:])), photo[:1000])
	if resp.StatusCode != 460 || code(b) != client.CodeChecksumMismatch {
		t.Errorf("%d %s", resp.StatusCode, b)
	}
	if resp, _ := c.must("HEAD", path, nil, nil); resp.Header.Get("Upload-Offset") != "0" {
		t.Errorf("offset %s after a refused part", resp.Header.Get("Upload-Offset"))
	}
	for _, header := range []string{"md5 AAAA", "sha256 AAAA", "sha256", "sha256 !!"} {
		if resp, b := c.must("PATCH", path, patch(0, "Upload-Checksum", header), photo[:10]); resp.StatusCode != 400 {
			t.Errorf("%q: %d %s", header, resp.StatusCode, b)
		}
	}
	// A file that is not the announced one is not judged.
	path = c.create(photo, "sha256", hex.EncodeToString(wrong[:]))
	c.must("PATCH", path, patch(0), photo)
	if resp, b := c.must("GET", path, nil, nil); resp.StatusCode != 410 && resp.StatusCode != 460 {
		t.Errorf("another file than announced: %d %s", resp.StatusCode, b)
	}
	if _, all := s.kept(made.Session.ID, "document_front"); len(all) != 0 || s.objects(made.Session.ID, "upload_part") != 0 {
		t.Errorf("kept %v", all)
	}
}

func TestUploadsInPartsAreRefusedAsTheProtocolSays(t *testing.T) {
	busy := false
	s := newServer(t, func(d *api.Deps) {
		d.Limits.PhotoBytes = 100_000
		d.Congested = func() (time.Duration, bool) { return 7 * time.Second, busy }
	})
	made, _ := s.begin(client.NewSession{})
	other, _ := s.begin(client.NewSession{})
	bare, err := s.service.CreateSession(context.Background(), client.NewSession{}, "")
	if err != nil {
		t.Fatal(err)
	}
	c, stranger, early := s.tus(made.ClientToken), s.tus(other.ClientToken), s.tus(bare.ClientToken)
	path := c.create(make([]byte, 1000))
	small := creation(make([]byte, 10))
	for _, f := range []struct {
		name   string
		by     *tusClient
		method string
		path   string
		header map[string]string
		body   int
		status int
		code   string
	}{
		{"no token", s.tus(""), "POST", "/v1/capture/uploads", small, 0, 401, client.CodeUnauthorized},
		{"a wrong token", s.tus("plc_wrong"), "HEAD", path, nil, 0, 401, ""},
		{"before consent", early, "POST", "/v1/capture/uploads", small, 0, 409, client.CodeConsentMissing},
		{"too large", c, "POST", "/v1/capture/uploads", map[string]string{"Upload-Length": "100001", "Upload-Metadata": metadata("kind", "selfie")}, 0, 413, client.CodeBodyTooLarge},
		{"empty", c, "POST", "/v1/capture/uploads", map[string]string{"Upload-Length": "0", "Upload-Metadata": metadata("kind", "selfie")}, 0, 400, client.CodeInvalidRequest},
		{"no length", c, "POST", "/v1/capture/uploads", map[string]string{"Upload-Metadata": metadata("kind", "selfie")}, 0, 400, client.CodeInvalidRequest},
		{"deferred length", c, "POST", "/v1/capture/uploads", map[string]string{"Upload-Defer-Length": "1", "Upload-Metadata": metadata("kind", "selfie")}, 0, 400, ""},
		{"unknown kind", c, "POST", "/v1/capture/uploads", map[string]string{"Upload-Length": "1", "Upload-Metadata": metadata("kind", "shoe")}, 0, 400, client.CodeInvalidRequest},
		{"malformed digest", c, "POST", "/v1/capture/uploads", map[string]string{"Upload-Length": "1", "Upload-Metadata": metadata("kind", "selfie", "sha256", "zz")}, 0, 400, client.CodeInvalidRequest},
		{"another version", c, "POST", "/v1/capture/uploads", map[string]string{"Tus-Resumable": "0.2.2", "Upload-Length": "1", "Upload-Metadata": metadata("kind", "selfie")}, 0, 412, client.CodeTusVersion},
		{"another session's upload", stranger, "HEAD", path, nil, 0, 404, ""},
		{"appending to another's", stranger, "PATCH", path, patch(0), 10, 404, client.CodeNotFound},
		{"ending another's", stranger, "DELETE", path, nil, 0, 404, client.CodeNotFound},
		{"reading another's answer", stranger, "GET", path, nil, 0, 404, client.CodeNotFound},
		{"no such upload", c, "PATCH", "/v1/capture/uploads/upl_x", patch(0), 10, 404, client.CodeNotFound},
		{"at another offset", c, "PATCH", path, patch(5), 10, 409, client.CodeUploadOffset},
		{"beyond the end", c, "PATCH", path, patch(0), 1001, 413, client.CodeBodyTooLarge},
		{"of another type", c, "PATCH", path, map[string]string{"Content-Type": "image/jpeg", "Upload-Offset": "0"}, 10, 415, client.CodeUnsupportedMediaType},
		{"without an offset", c, "PATCH", path, map[string]string{"Content-Type": "application/offset+octet-stream"}, 10, 400, client.CodeInvalidRequest},
	} {
		resp, b := f.by.must(f.method, f.path, f.header, make([]byte, f.body))
		if resp.StatusCode != f.status || f.code != "" && code(b) != f.code {
			t.Errorf("%s: %d %s, want %d %s", f.name, resp.StatusCode, b, f.status, f.code)
		}
		if f.method != "HEAD" && !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") {
			t.Errorf("%s: answered as %s", f.name, resp.Header.Get("Content-Type"))
		}
	}
	busy = true
	if resp, b := c.must("POST", "/v1/capture/uploads", small, nil); resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "7" || code(b) != client.CodeBusy {
		t.Errorf("busy: %d %s", resp.StatusCode, b)
	}
	// What was begun may go on: its bytes would be sent again otherwise.
	if resp, b := c.must("PATCH", path, patch(0), make([]byte, 10)); resp.StatusCode != 204 {
		t.Errorf("appending while busy: %d %s", resp.StatusCode, b)
	}
	resp, _ := s.send("OPTIONS", "/v1/capture/uploads", "", "", "", nil)
	for _, want := range []string{"creation", "termination", "expiration", "checksum"} {
		if !slices.Contains(strings.Split(resp.Header.Get("Tus-Extension"), ","), want) {
			t.Errorf("extensions %q lack %s", resp.Header.Get("Tus-Extension"), want)
		}
	}
	if resp.Header.Get("Tus-Checksum-Algorithm") != "sha1,sha256" || resp.Header.Get("Tus-Max-Size") != "100000" || resp.Header.Get("Tus-Version") != "1.0.0" {
		t.Errorf("options: %v", resp.Header)
	}
	if strings.Contains(s.log.String(), other.ClientToken) || strings.Contains(s.log.String(), "127.0.0.1") {
		t.Error("the log holds a token or an address")
	}
}

func TestAnUploadEndsByTerminationByTimeAndByNumber(t *testing.T) {
	var late atomic.Int64
	s := newServer(t, func(d *api.Deps) {
		d.Now = func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
	})
	made, _ := s.begin(client.NewSession{})
	c := s.tus(made.ClientToken)
	photo := goodPhoto(t, 3)
	path := c.create(photo)
	c.must("PATCH", path, patch(0), photo[:5000])
	if resp, b := c.must("DELETE", path, nil, nil); resp.StatusCode != 204 {
		t.Errorf("terminate: %d %s", resp.StatusCode, b)
	}
	if resp, _ := c.must("HEAD", path, nil, nil); resp.StatusCode != 410 || s.objects(made.Session.ID, "upload_part") != 0 {
		t.Errorf("after termination: %d, %d parts", resp.StatusCode, s.objects(made.Session.ID, "upload_part"))
	}
	// The oldest of too many ends.
	path = c.create(photo)
	c.must("PATCH", path, patch(0), photo[:5000])
	for range session.MaxUploads {
		c.create(photo)
	}
	if resp, b := c.must("PATCH", path, patch(5000), photo[5000:]); resp.StatusCode != 410 || code(b) != client.CodeUploadGone || s.objects(made.Session.ID, "upload_part") != 0 {
		t.Errorf("the oldest of too many: %d %s", resp.StatusCode, b)
	}
	path = c.create(photo)
	late.Store(int64(61 * time.Minute))
	if resp, b := c.must("PATCH", path, patch(0), photo); resp.StatusCode != 410 || code(b) != client.CodeUploadGone {
		t.Errorf("an expired one: %d %s", resp.StatusCode, b)
	}
}

func TestUploadsThatNobodyGoesOnWithLeaveNothing(t *testing.T) {
	s := newServer(t, func(d *api.Deps) { d.Limits.UploadLife = time.Millisecond })
	made, _ := s.begin(client.NewSession{})
	other, _ := s.begin(client.NewSession{})
	c := s.tus(made.ClientToken)
	// Its time is over before a byte could come: a longer life for this one.
	u, _, err := s.store.BeginUpload(context.Background(), session.Upload{Session: made.Session.ID, Kind: "selfie", Size: 9000}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if resp, b := c.must("PATCH", "/v1/capture/uploads/"+u.ID, patch(0), make([]byte, 5000)); resp.StatusCode != 204 {
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	time.Sleep(5 * time.Millisecond)
	s.tus(other.ClientToken).create(make([]byte, 10)) // anybody's next creation sweeps
	if n := s.objects(made.Session.ID, "upload_part"); n != 0 {
		t.Errorf("%d parts of an abandoned upload are left", n)
	}
}

func TestTwoTabsThatSendTheSamePhotoKeepItOnce(t *testing.T) {
	s := newServer(t, nil)
	made, _ := s.begin(client.NewSession{})
	photo := goodPhoto(t, 4)
	sum := sha256.Sum256(photo)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			c := s.tus(made.ClientToken)
			path := c.create(photo, "sha256", hex.EncodeToString(sum[:]))
			for began := time.Now(); ; time.Sleep(rand.N(20 * time.Millisecond)) {
				if u := c.answer(path); u.Photo != nil {
					if !u.Photo.Kept {
						t.Errorf("%+v", u.Photo)
					}
					return
				} else if time.Since(began) > time.Minute {
					t.Error("no answer")
					return
				} else if _, _, err := c.do("PATCH", path, patch(int(u.Received)), bytes.NewReader(photo[u.Received:min(u.Received+20_000, int64(len(photo)))])); err != nil {
					t.Log(err)
				}
			}
		})
	}
	wg.Wait()
	kept, all := s.kept(made.Session.ID, "document_front")
	if !bytes.Equal(kept, photo) || len(all) != 1 || s.objects(made.Session.ID, "document_front") != 1 || s.objects(made.Session.ID, "upload_part") != 0 {
		t.Errorf("kept %d bytes, %d photos, %d objects, %d parts", len(kept), len(all), s.objects(made.Session.ID, "document_front"), s.objects(made.Session.ID, "upload_part"))
	}
}

func TestANetworkCutAtFiftyRandomBytesLosesAndDoublesNothing(t *testing.T) {
	s := newServer(t, nil)
	made, _ := s.begin(client.NewSession{})
	photo := goodPhoto(t, 5)
	r := rand.New(rand.NewPCG(7, 7))
	line := cutter.New(t, strings.TrimPrefix(s.url, "http://"))
	c := s.tus(made.ClientToken)
	c.base = line.URL()
	c.http = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	sum := sha256.Sum256(photo)
	cuts, path, began := 0, "", time.Now()
	// Done at the answer, but not before the line broke fifty times: what was
	// answered is asked for again, as by a page that lost the answer.
	for done := false; !done || cuts < 50; {
		// Up to the fiftieth cut the line breaks after a random number of
		// bytes in either direction: in headers, in bodies, in answers.
		line.CutAfter(-1)
		if cuts < 50 {
			line.CutAfter(r.Int64N(12_000))
		}
		before := line.Cuts()
		done = c.step(&path, photo, sum, r.IntN(2) == 0)
		if line.Cuts() > before {
			cuts++
		}
		if time.Since(began) > 5*time.Minute {
			t.Fatalf("not done after %d cuts", cuts)
		}
	}
	kept, all := s.kept(made.Session.ID, "document_front")
	if !bytes.Equal(kept, photo) || len(all) != 1 || s.objects(made.Session.ID, "document_front") != 1 {
		t.Errorf("kept %d of %d bytes, %d photos, %d objects", len(kept), len(photo), len(all), s.objects(made.Session.ID, "document_front"))
	}
	ses, err := s.store.Get(context.Background(), made.Session.ID)
	if err != nil || ses.Attempt != 1 {
		t.Errorf("attempt %d, %v", ses.Attempt, err)
	}
	t.Logf("%d bytes through %d cuts in %v", len(photo), cuts, time.Since(began).Round(time.Millisecond))
}

// step does the next thing of an upload, as a client does after any failure.
func (c *tusClient) step(path *string, photo []byte, sum [32]byte, withSum bool) bool {
	if *path == "" {
		resp, _, err := c.do("POST", "/v1/capture/uploads", creation(photo, "sha256", hex.EncodeToString(sum[:])), nil)
		if err == nil && resp.StatusCode == 201 {
			*path = pathOf(c.t, resp.Header.Get("Location"))
		}
		return false
	}
	resp, _, err := c.do("HEAD", *path, nil, nil)
	if err != nil || resp.StatusCode != 200 {
		return false
	}
	at, err := strconv.Atoi(resp.Header.Get("Upload-Offset"))
	if err != nil {
		c.t.Fatal(err)
	}
	if at < len(photo) {
		part := photo[at:min(len(photo), at+8<<10)]
		h := patch(at)
		if withSum {
			d := sha256.Sum256(part)
			h["Upload-Checksum"] = "sha256 " + base64.StdEncoding.EncodeToString(d[:])
		}
		_, _, _ = c.do("PATCH", *path, h, bytes.NewReader(part))
		return false
	}
	resp, b, err := c.do("GET", *path, nil, nil)
	if err != nil || resp.StatusCode != 200 {
		return false
	}
	var u client.Upload
	return json.Unmarshal([]byte(b), &u) == nil && u.Photo != nil && u.Photo.Kept
}

// taken waits until the other side of a connection within this machine has read
// all that was written: proc_pid_net(5) has the bytes that wait in /proc/net/tcp.
func taken(t *testing.T, conn net.Conn) {
	t.Helper()
	hex := func(a net.Addr) string { return fmt.Sprintf("0100007F:%04X", a.(*net.TCPAddr).Port) }
	here, there := hex(conn.LocalAddr()), hex(conn.RemoteAddr())
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		table, err := os.ReadFile("/proc/net/tcp")
		if err != nil {
			time.Sleep(500 * time.Millisecond)
			return
		}
		empty := 0
		for l := range strings.Lines(string(table)) {
			f := strings.Fields(l)
			if len(f) < 5 {
				continue
			}
			sent, waiting, _ := strings.Cut(f[4], ":")
			if f[1] == here && f[2] == there && sent == "00000000" || f[1] == there && f[2] == here && waiting == "00000000" {
				empty++
			}
		}
		if empty == 2 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the server does not read")
		}
	}
}

func TestABodyThatBreaksOffIsKeptAsFarAsItCame(t *testing.T) {
	s := newServer(t, nil)
	made, _ := s.begin(client.NewSession{})
	c := s.tus(made.ClientToken)
	photo := goodPhoto(t, 6)
	path := c.create(photo)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: %d\r\n\r\n", path, made.ClientToken, len(photo))
	_, _ = conn.Write(photo[:7777])
	taken(t, conn)
	// The connection hangs open: asking for the offset must not wait for its
	// time-out, and takes what arrived.
	began := time.Now()
	resp, _ := c.must("HEAD", path, nil, nil)
	if resp.Header.Get("Upload-Offset") != "7777" || time.Since(began) > time.Minute {
		t.Errorf("offset %s after %v", resp.Header.Get("Upload-Offset"), time.Since(began))
	}
	conn.Close()
	if resp, b := c.must("PATCH", path, patch(7777), photo[7777:]); resp.StatusCode != 204 {
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	if kept, _ := s.kept(made.Session.ID, "document_front"); !bytes.Equal(kept, photo) {
		t.Errorf("kept %d of %d bytes", len(kept), len(photo))
	}
}
