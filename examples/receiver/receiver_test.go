package receiver

import (
	"bufio"
	"bytes"
	"fmt"
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
	for name, x := range map[string]struct {
		args        []string
		takes, says string
		refuses     string
	}{
		"live": {[]string{}, "", "", `,"test":true`},
		"test": {[]string{"--test"}, `,"test":true`, "test ", ""},
	} {
		t.Run(name, func(t *testing.T) { receives(t, x.args, x.takes, x.says, x.refuses) })
	}
}

// receives runs a receiver. takes and refuses end the data of events of its kind and
// of the other one.
func receives(t *testing.T, args []string, takes, says, refuses string) {
	secret := webhook.NewSecret()
	key, err := webhook.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", append([]string{"receiver.mjs", "0"}, args...)...)
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
	event := func(session string, sequence int, state, kind string) []byte {
		return fmt.Appendf(nil, `{"type":"session.decided","timestamp":"2026-01-01T00:00:00Z","data":{"event_id":"evt_1","session_id":%q,"sequence":%d,"state":%q,"attempt":1,"codes":[],"correlation_id":"c"%s}}`, session, sequence, state, kind)
	}
	body := event("ses_1", 5, "approved", takes)
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
	heard := func(want string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != says+"session.decided "+want+" " {
			t.Errorf("it says %q, want %q", lines.Text(), want)
		}
	}
	heard("ses_1 approved")
	if c := send(event("ses_9", 1, "approved", refuses), now, nil); c != 400 {
		t.Errorf("an event of the other kind is answered %d", c)
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
	if c := send(event("ses_1", 4, "submitted", takes), now, nil); c != 204 {
		t.Errorf("an event that was overtaken is answered %d", c)
	}
	// Each was done once, or not at all: the next that it says is the next new one.
	if c := send(event("ses_1", 6, "expired", takes), now, nil); c != 204 {
		t.Errorf("the next event is answered %d", c)
	}
	heard("ses_1 expired")
	if c := send(event("ses_2", 1, "rejected", takes), now, nil); c != 204 {
		t.Errorf("another session's event is answered %d", c)
	}
	heard("ses_2 rejected")
}
