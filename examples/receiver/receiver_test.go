package receiver

import (
	"bufio"
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/webhook"
)

func TestTheReceiverTakesGenuineEventsOnceAndNothingElse(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		testserver.Missing(t, "node", "install nodejs")
	}
	secret := webhook.NewSecret()
	key, err := webhook.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "receiver.mjs", "0")
	cmd.Env = append(os.Environ(), "PROOFLINE_WEBHOOK_SECRET="+secret)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	lines := bufio.NewScanner(pipe)
	if !lines.Scan() {
		t.Fatal("it says nothing")
	}
	address := "http://127.0.0.1:" + strings.TrimPrefix(lines.Text(), "listening on ")
	body := []byte(`{"type":"session.decided","timestamp":"2026-01-01T00:00:00Z","data":{"event_id":"evt_1","session_id":"ses_1","sequence":5,"state":"approved","attempt":1,"codes":[],"correlation_id":"c","test":true}}`)
	send := func(body []byte, at time.Time, change func(http.Header)) int {
		t.Helper()
		h, err := webhook.Headers("evt_1", at, body, key)
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(h)
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range h {
			req.Header[k] = v
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	now := time.Now()
	if c := send(body, now, nil); c != 204 {
		t.Errorf("a genuine event is answered %d", c)
	}
	if !lines.Scan() || lines.Text() != "test session.decided ses_1 approved " {
		t.Errorf("it says %q", lines.Text())
	}
	if c := send(body, now, nil); c != 204 {
		t.Errorf("the same event again is answered %d", c)
	}
	if c := send(body, now.Add(-time.Hour), nil); c != 400 {
		t.Errorf("an old event is answered %d", c)
	}
	if c := send(body, now, func(h http.Header) { h.Set("webhook-id", "evt_2") }); c != 400 {
		t.Errorf("an event under another id is answered %d", c)
	}
	if c := send(bytes.Replace(body, []byte("approved"), []byte("rejected"), 1), now, nil); c != 204 {
		t.Errorf("another event is answered %d", c) // overtaken: not told, but accepted
	}
}
