package api_test

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
)

func chunk(kind string, data []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(b, kind...)
	b = append(b, data...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// hugePNG is a small file that claims w × h pixels; with data, they are there,
// all zero, compressed a thousandfold.
func hugePNG(w, h uint32, data bool) []byte {
	head := binary.BigEndian.AppendUint32(nil, w)
	head = binary.BigEndian.AppendUint32(head, h)
	head = append(head, 8, 2, 0, 0, 0)
	b := append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", head)...)
	var z bytes.Buffer
	if data {
		w2, _ := zlib.NewWriterLevel(&z, zlib.BestSpeed)
		row := make([]byte, 1+3*int(w))
		for range h {
			_, _ = w2.Write(row)
		}
		_ = w2.Close()
	}
	b = append(b, chunk("IDAT", z.Bytes())...)
	return append(b, chunk("IEND", nil)...)
}

func hugeJPEG() []byte {
	b := []byte{0xff, 0xd8, 0xff, 0xc0, 0, 17, 8}
	b = binary.BigEndian.AppendUint16(b, 50_000)
	b = binary.BigEndian.AppendUint16(b, 50_000)
	return append(b, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1, 0xff, 0xda, 0, 12, 3, 1, 0, 2, 0x11, 3, 0x11, 0, 63, 0, 0xff, 0xd9)
}

func TestBadFilesAreAnsweredWithWhatToDo(t *testing.T) {
	s := newServer(t, nil)
	_, c := s.begin(client.NewSession{})
	photo := goodPhoto(t, 1)
	for _, f := range []struct {
		name string
		file []byte
		want []string
	}{
		{"text", []byte("hello"), []string{"capture.not_an_image"}},
		{"a truncated JPEG", photo[:len(photo)/2], []string{"capture.image_truncated"}},
		{"a JPEG header of 50 000 × 50 000", hugeJPEG(), []string{"capture.too_large"}},
		{"a PNG header of 50 000 × 50 000", hugePNG(50_000, 50_000, false), []string{"capture.too_large"}},
		{"a PNG bomb", hugePNG(9_000, 9_000, true), []string{"capture.too_large"}},
		{"a drawing", []byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`), []string{"capture.not_an_image"}},
	} {
		t.Run(f.name, func(t *testing.T) {
			p, err := c.Upload(context.Background(), "document_front", "passport", f.file, "image/jpeg")
			if err != nil {
				t.Fatal(err)
			}
			if p.Accepted || p.Hint == nil || !strings.Contains(strings.Join(f.want, " "), p.Hint.Code) {
				t.Errorf("answer %+v", p)
			}
		})
	}
}

func TestBombsInParallelStayWithinMemory(t *testing.T) {
	s := newServer(t, nil)
	_, c := s.begin(client.NewSession{})
	bomb := hugePNG(5_000, 5_000, true) // 75 MB when decoded
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	done := make(chan error, 4)
	for range 4 {
		go func() {
			_, err := c.Upload(context.Background(), "document_front", "passport", bomb, "image/png")
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := int64(after.Sys) - int64(before.Sys); grown > 400<<20 {
		t.Errorf("memory grew by %d MB", grown>>20)
	}
}

func TestUploadsAreRefusedUnread(t *testing.T) {
	busy := false
	s := newServer(t, func(d *api.Deps) {
		d.Limits.PhotoBytes = 100_000
		d.Congested = func() (time.Duration, bool) { return 7 * time.Second, busy }
	})
	made, _ := s.begin(client.NewSession{})
	// ask announces a body and sends none of it: an answer proves that the
	// server did not wait for it.
	ask := func(header string) (*http.Response, string) {
		t.Helper()
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		fmt.Fprintf(conn, "POST /v1/capture/evidence/selfie HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n", made.ClientToken, header)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(b)
	}
	resp, body := ask("Content-Type: image/jpeg\r\nContent-Length: 100001")
	if resp.StatusCode != 413 || !strings.Contains(body, client.CodeBodyTooLarge) {
		t.Errorf("too large: %d %s", resp.StatusCode, body)
	}
	resp, body = ask("Content-Type: text/html\r\nContent-Length: 100")
	if resp.StatusCode != 415 || !strings.Contains(body, client.CodeUnsupportedMediaType) {
		t.Errorf("wrong type: %d %s", resp.StatusCode, body)
	}
	busy = true
	resp, body = ask("Content-Type: image/jpeg\r\nContent-Length: 1000")
	if resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "7" || !strings.Contains(body, client.CodeBusy) {
		t.Errorf("congested: %d %q %s", resp.StatusCode, resp.Header.Get("Retry-After"), body)
	}
}

func TestABodyWithoutALengthIsStillBounded(t *testing.T) {
	s := newServer(t, func(d *api.Deps) { d.Limits.PhotoBytes = 100_000 })
	made, _ := s.begin(client.NewSession{})
	req, err := http.NewRequest("POST", s.url+"/v1/capture/evidence/selfie", io.MultiReader(bytes.NewReader(make([]byte, 60_000)), bytes.NewReader(make([]byte, 60_000))))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+made.ClientToken)
	req.Header.Set("Content-Type", "image/jpeg")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 413 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

// drip gives one byte at a time.
type drip struct {
	b     []byte
	every time.Duration
}

func (d *drip) Read(p []byte) (int, error) {
	if len(d.b) == 0 {
		return 0, io.EOF
	}
	time.Sleep(d.every)
	p[0] = d.b[0]
	d.b = d.b[1:]
	return 1, nil
}

func TestOneByteAtATimeIsEndedInTimeAndHoldsUpNobody(t *testing.T) {
	s := newServer(t, func(d *api.Deps) {
		// Long for a whole photo over the loopback, which takes milliseconds, and
		// short for the drip, which would take the better part of an hour.
		d.Limits.BodyTime, d.Limits.UploadTime = 2*time.Second, 2*time.Second
		d.Limits.UploadRate = 1 << 30
	})
	made, c := s.begin(client.NewSession{})
	req, err := http.NewRequest("POST", s.url+"/v1/capture/evidence/selfie", &drip{goodPhoto(t, 1), 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(len(goodPhoto(t, 1)))
	req.Header.Set("Authorization", "Bearer "+made.ClientToken)
	req.Header.Set("Content-Type", "image/jpeg")
	began := time.Now()
	slow := make(chan string, 1)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			slow <- "ended: " + err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		slow <- string(b)
	}()
	upload(t, c, "document_front", "passport", 2)
	got := <-slow
	if took := time.Since(began); took > 2*time.Minute {
		t.Errorf("ended after %v", took)
	}
	// The answer reaches clients that read while they write; others find the
	// connection closed.
	if !strings.Contains(got, client.CodeRequestTimeout) && !strings.HasPrefix(got, "ended") {
		t.Errorf("answer %s", got)
	}
	if !strings.Contains(s.log.String(), client.CodeRequestTimeout) {
		t.Error("the log does not say that the upload was too slow")
	}
}

func TestASlowButSteadyUploadArrives(t *testing.T) {
	s := newServer(t, nil)
	made, _ := s.begin(client.NewSession{})
	photo := goodPhoto(t, 1)
	req, err := http.NewRequest("POST", s.url+"/v1/capture/evidence/selfie", &drip{photo[:0], 0})
	if err != nil {
		t.Fatal(err)
	}
	req.Body = io.NopCloser(&drip{photo, 0})
	req.Header.Set("Authorization", "Bearer "+made.ClientToken)
	req.Header.Set("Content-Type", "image/jpeg")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 200 || !strings.Contains(string(b), `"accepted":true`) {
		t.Errorf("%d %s", resp.StatusCode, b)
	}
}

func TestAnInterruptedUploadLeavesNothingAndCanBeRepeated(t *testing.T) {
	s := newServer(t, nil)
	made, c := s.begin(client.NewSession{})
	photo := goodPhoto(t, 1)
	for _, cut := range []int{0, 1, len(photo) / 2, len(photo) - 1} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST /v1/capture/evidence/selfie HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n", made.ClientToken, len(photo))
		_, _ = conn.Write(photo[:cut])
		conn.Close()
	}
	upload(t, c, "selfie", "passport", 1)
	objects, err := s.store.ListObjects(context.Background(), made.Session.ID, "")
	if err != nil || len(objects) != 1 {
		t.Errorf("%d objects, %v", len(objects), err)
	}
}

func TestAMultipartFileIsTakenAsWell(t *testing.T) {
	s := newServer(t, nil)
	made, _ := s.begin(client.NewSession{})
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	_ = m.WriteField("note", "ignored")
	f, _ := m.CreateFormFile("photo", "CANARY-name.jpg")
	_, _ = f.Write(goodPhoto(t, 1))
	m.Close()
	resp, body := s.send("POST", "/v1/capture/evidence/selfie", made.ClientToken, m.FormDataContentType(), b.String(), nil)
	if resp.StatusCode != 200 || !strings.Contains(body, `"accepted":true`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	resp, body = s.send("POST", "/v1/capture/evidence/selfie", made.ClientToken, "multipart/form-data; boundary=x", "--x--\r\n", nil)
	if resp.StatusCode != 400 {
		t.Errorf("no file: %d %s", resp.StatusCode, body)
	}
	if strings.Contains(s.log.String(), "CANARY") {
		t.Error("the log holds a file name")
	}
}

func TestAnUnknownKindOfEvidenceIsRefused(t *testing.T) {
	s := newServer(t, nil)
	made, _ := s.begin(client.NewSession{})
	resp, body := s.send("POST", "/v1/capture/evidence/passport_scan", made.ClientToken, "image/jpeg", "x", nil)
	if resp.StatusCode != 400 || !strings.Contains(body, client.CodeInvalidRequest) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestSubmittingNeedsNoBody(t *testing.T) {
	s := newServer(t, nil)
	made, _ := s.begin(client.NewSession{})
	for _, body := range []string{"", "{}"} {
		resp, answer := s.send(http.MethodPost, "/v1/capture/submit", made.ClientToken, "", body, nil)
		if resp.StatusCode != http.StatusConflict || !strings.Contains(answer, client.CodeEvidenceMissing) {
			t.Errorf("body %q: %d %s", body, resp.StatusCode, answer)
		}
	}
}

func TestHeadIsAnsweredWhereGetIs(t *testing.T) {
	s := newServer(t, nil)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/": 200, "/openapi.json": 200, "/v1/sessions": 401, "/nowhere": 404} {
		if resp, body := s.send(http.MethodHead, path, "", "", "", nil); resp.StatusCode != want || body != "" {
			t.Errorf("HEAD %s: %d %q, want %d", path, resp.StatusCode, body, want)
		}
	}
}
