package api

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
)

// Whatever the body and its content type, receiving ends, keeps to its limit
// and gives back the bytes in flight that it took.
func FuzzReceive(f *testing.F) {
	f.Add("image/jpeg", []byte("\xff\xd8\xff"))
	f.Add("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\nphoto\r\n--x--\r\n"))
	f.Add("multipart/form-data; boundary=\"", []byte("--\r\n"))
	f.Add("text/html; =", []byte("x"))
	const limit, inFlight = 1000, 50_000
	metrics := newMetrics(prometheus.NewRegistry())
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		a := &api{limits: Limits{PhotoBytes: limit, BytesInFlight: inFlight}.withDefaults(), bytes: semaphore.NewWeighted(inFlight), metrics: metrics}
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		got, p := a.receive(httptest.NewRecorder(), r)
		if p == nil {
			if n := len(got.bytes); n == 0 || n > limit {
				t.Errorf("took %d bytes", n)
			}
			got.release()
		} else if kinds[p.Code].Status == 0 || p.Status >= 500 {
			t.Errorf("problem %v", p)
		}
		if !a.bytes.TryAcquire(inFlight) {
			t.Error("bytes in flight are not given back")
		}
	})
}

// Whatever a client writes into Upload-Checksum, it is a digest of the
// algorithm's length or refused.
func FuzzUploadChecksum(f *testing.F) {
	f.Add("sha1 Lve95gjOVATpfV8EL5X4nxwjKHE=")
	f.Add("sha256 AAAA")
	f.Add("md5 ")
	f.Fuzz(func(t *testing.T, header string) {
		c, err := parseChecksum(header)
		if (c == nil) != (err != nil || header == "") {
			t.Errorf("%v, %v", c, err)
		}
		if c != nil && len(c.want) != c.hash.Size() {
			t.Errorf("a digest of %d bytes", len(c.want))
		}
	})
}
