package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/webhook"
)

// The relying services of the tutorials are run against a server with a sandbox, to
// the decision that they fetch after a verified webhook.
func TestTheRelyingServicesComeToADecision(t *testing.T) {
	needVision(t)
	t.Run("Go", func(t *testing.T) {
		example := filepath.Join(t.TempDir(), "relying-go")
		if out, err := exec.Command("go", "build", "-o", example, "../../examples/relying-go").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		comesToADecision(t, exec.Command(example))
	})
	t.Run("Node", func(t *testing.T) {
		if _, err := exec.LookPath("node"); err != nil {
			testserver.Missing(t, "node", "scripts/install.sh build test installs it")
		}
		comesToADecision(t, exec.Command("node", "../../examples/relying-node/relying.mjs"))
	})
}

func comesToADecision(t *testing.T, relying *exec.Cmd) {
	t.Helper()
	dir, address, shop := t.TempDir(), testserver.FreeAddress(t), testserver.FreeAddress(t)
	secret := webhook.NewSecret()
	key, err := webhook.ParseKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	var serverLog, shopOut, shopLog bytes.Buffer // read after the processes have ended
	start := func(cmd *exec.Cmd) {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("server:\n%s\nrelying service:\n%s%s", tail(serverLog.String()), shopOut.String(), shopLog.String())
		}
	})
	up := program("up", "--data-dir", dir, "--listen", address, "--webhook.test-url", "http://"+shop+"/hooks/proofline", "--webhook.allow-private")
	up.Env = append(up.Env, "PROOFLINE_WEBHOOK_TEST_SECRET="+secret)
	up.Stderr = &serverLog
	start(up)
	plain := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, url string, body []byte, h http.Header) (int, http.Header, []byte) {
		req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range h {
			req.Header[k] = v
		}
		resp, err := plain.Do(req)
		if err != nil {
			return 0, nil, nil
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, resp.Header, b
	}
	within := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal(what)
			}
		}
	}
	within("the server does not get ready", func() bool { c, _, _ := ask("GET", "http://"+address+"/readyz", nil, nil); return c == 200 })
	testKey, err := program("api-key", "create", "--data-dir", dir, "--name", "shop", "--test").Output()
	if err != nil {
		t.Fatal(err)
	}
	relying.Env = append(os.Environ(), "PROOFLINE_URL=http://"+address, "PROOFLINE_API_KEY="+strings.TrimSpace(string(testKey)), "PROOFLINE_WEBHOOK_SECRET="+secret, "LISTEN="+shop)
	relying.Stdout, relying.Stderr = &shopOut, &shopLog
	start(relying)
	order := "http://" + shop + "/orders/" + url.PathEscape("test:biometric.face_mismatch")
	var link string
	within("the relying service hands no link over", func() bool { _, h, _ := ask("POST", order, nil, nil); link = h.Get("Location"); return link != "" })
	token := link[strings.LastIndex(link, "plc_"):]
	person := client.NewCapture("http://"+address, token, nil)
	if _, err := person.GiveConsent(t.Context(), "1", "en"); err != nil {
		t.Fatal(err)
	}
	if _, err := person.Submit(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Session, Outcome string
		Codes            []string
	}
	within("no decision came", func() bool {
		_, _, b := ask("GET", order, nil, nil)
		return json.Unmarshal(b, &got) == nil && got.Outcome != ""
	})
	if got.Outcome != "rejected" || strings.Join(got.Codes, ",") != "biometric.face_mismatch" {
		t.Errorf("the order came to %+v", got)
	}

	// What is forged, old or of a live system is refused; what came already changes nothing.
	event := func(kind string) []byte {
		return []byte(`{"type":"session.decided","timestamp":"2026-01-01T00:00:00Z","data":{"event_id":"evt_1","session_id":"` + got.Session + `","sequence":1,"state":"approved","attempt":1,"outcome":"approved","codes":[],"correlation_id":"c","external_ref":"test:biometric.face_mismatch"` + kind + `}}`)
	}
	other, err := webhook.ParseKey(webhook.NewSecret())
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		key  webhook.Key
		at   time.Time
		kind string
		want int
	}{
		"signed by another":     {other, time.Now(), `,"test":true`, 400},
		"sent again much later": {key, time.Now().Add(-time.Hour), `,"test":true`, 400},
		"of a live system":      {key, time.Now(), ``, 400},
		"overtaken":             {key, time.Now(), `,"test":true`, 204},
	} {
		h, err := webhook.Headers("evt_1", x.at, event(x.kind), x.key)
		if err != nil {
			t.Fatal(err)
		}
		if c, _, _ := ask("POST", "http://"+shop+"/hooks/proofline", event(x.kind), h); c != x.want {
			t.Errorf("an event %s is answered %d, want %d", name, c, x.want)
		}
	}
	_ = relying.Process.Kill()
	_ = relying.Wait()
	if want := got.Session + " rejected biometric.face_mismatch\n"; shopOut.String() != want {
		t.Errorf("it prints %q, want %q", shopOut.String(), want)
	}
	for _, s := range []string{token, secret, strings.TrimSpace(string(testKey))} {
		if strings.Contains(shopLog.String()+shopOut.String(), s) {
			t.Error("a secret is in the log")
		}
	}
}
