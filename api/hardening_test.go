package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

func TestAnEmptyOrRepeatedIdempotencyKeyIsRefused(t *testing.T) {
	s := newServer(t, nil)
	for _, keys := range [][]string{{""}, {"a", "b"}, {"", ""}} {
		req, err := http.NewRequest("POST", s.url+"/v1/sessions", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Authorization": {"Bearer " + s.key}, "Content-Type": {"application/json"}, "Idempotency-Key": keys}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != 400 || !strings.Contains(string(b), client.CodeIdempotencyInvalid) {
			t.Errorf("keys %q: %d %s", keys, resp.StatusCode, b)
		}
	}
}

func TestIDsThatCanNotBeAreNotThere(t *testing.T) {
	s := newServer(t, nil)
	for _, id := range []string{"1", "-1", "0x10", "ses_", "ses_%27%20OR%201=1", "%00", "ses_%00", "%F0%9F%98%80", "%FF", strings.Repeat("9", 65), strings.Repeat("a", 4000), "..%2F..%2Fetc", "SES_01", "null"} {
		for _, path := range []string{"/v1/sessions/" + id, "/v1/sessions/" + id + "/links", "/v1/sessions/" + id + "/evidence"} {
			method := map[bool]string{true: "GET", false: "POST"}[!strings.HasSuffix(path, "/links")]
			if strings.HasSuffix(path, "/evidence") {
				method = "DELETE"
			}
			resp, body := s.send(method, path, s.key, "", "", nil)
			if resp.StatusCode != 404 || !strings.Contains(body, client.CodeNotFound) {
				t.Errorf("%s %.60s: %d %.200s", method, path, resp.StatusCode, body)
			}
		}
	}
}

func TestSubmittingBeforeConsentSaysThatConsentIsMissing(t *testing.T) {
	s := newServer(t, nil)
	made, err := s.service.CreateSession(context.Background(), client.NewSession{}, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.NewCapture(s.url, made.ClientToken, nil).Submit(context.Background())
	wantCode(t, err, 409, client.CodeConsentMissing)
}

// failing is a vault that fails as told.
type failing struct {
	api.Vault
	err error
}

func (f *failing) Put(ctx context.Context, ref storage.Ref, r io.Reader, retain time.Time) (storage.Object, error) {
	if f.err != nil {
		return storage.Object{}, f.err
	}
	return f.Vault.Put(ctx, ref, r, retain)
}

// down is a store that fails as told.
type down struct {
	api.Store
	err error
}

func (d *down) Get(ctx context.Context, id string) (*session.Session, error) {
	if d.err != nil {
		return nil, d.err
	}
	return d.Store.Get(ctx, id)
}

func TestOutagesAreAnsweredWithATimeToComeBack(t *testing.T) {
	v, st := &failing{}, &down{}
	s := newServer(t, func(d *api.Deps) {
		v.Vault, st.Store = d.Vault, d.Store
		d.Vault, d.Store = v, st
	})
	made, c := s.begin(client.NewSession{})
	for _, o := range []struct {
		vault, store error
		code         string
	}{
		{vault: fmt.Errorf("put: %w: CANARY", storage.ErrFull), code: client.CodeStorageFull},
		{vault: fmt.Errorf("put: %w: CANARY", storage.ErrUnavailable), code: client.CodeStorageUnavailable},
		{store: &net.OpError{Op: "dial", Err: errors.New("CANARY refused")}, code: client.CodeStorageUnavailable},
	} {
		v.err, st.err = o.vault, o.store
		// Not with the client: it would wait and come back.
		resp, b := s.send("POST", "/v1/capture/evidence/selfie", made.ClientToken, "image/jpeg", string(goodPhoto(t, 1)), nil)
		if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil || seconds < 1 || resp.StatusCode != 503 || code(b) != o.code || strings.Contains(b, "CANARY") {
			t.Errorf("%d, Retry-After %q, %s", resp.StatusCode, resp.Header.Get("Retry-After"), b)
		}
	}
	v.err, st.err = nil, nil
	upload(t, c, "selfie", "passport", 1)
}

// A client that asks for much and reads nothing is not waited for.
func TestAnAnswerThatIsNotReadEndsTheConnection(t *testing.T) {
	ended := make(chan error, 1)
	s := newServer(t, func(d *api.Deps) {
		d.Limits.AnswerTime = 200 * time.Millisecond
		d.CapturePage = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			block := bytes.Repeat([]byte("x"), 1<<20)
			for range 64 {
				if _, err := w.Write(block); err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		})
	})
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /capture HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case err := <-ended:
		if err == nil {
			t.Error("64 MiB were written to a client that reads nothing")
		}
	case <-time.After(30 * time.Second):
		t.Error("the answer still waits for its reader")
	}
	// A client that reads slowly but does read gets short answers as before, and
	// goes on with the same connection.
	resp, body := s.send("GET", "/healthz", "", "", "", nil)
	if resp.StatusCode != 200 || body == "" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}
