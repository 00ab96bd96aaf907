package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
)

func (s *server) ask(method, path, secret string, out any) *http.Response {
	s.t.Helper()
	resp, b := s.send(method, path, secret, "", "", nil)
	if out != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal([]byte(b), out); err != nil {
			s.t.Fatalf("%s: %v", b, err)
		}
	}
	return resp
}

func TestACaptureMovesToAnotherDeviceOnce(t *testing.T) {
	s := newServer(t, nil)
	made, _ := s.begin(client.NewSession{})
	var h client.Handover
	s.ask("POST", "/v1/capture/handover", made.ClientToken, &h)
	_, secret, ok := strings.Cut(h.URL, "/capture#h=")
	if !ok || h.ExpiresIn < 590 || h.ExpiresIn > 600 {
		t.Fatalf("handover %+v", h)
	}
	// The link's token does nothing but be exchanged.
	if resp := s.ask("GET", "/v1/capture", secret, nil); resp.StatusCode != 401 {
		t.Errorf("a handover token reads the session: %d", resp.StatusCode)
	}
	var fresh client.Ticket
	if resp := s.ask("POST", "/v1/capture/handover/claim", secret, &fresh); resp.StatusCode != 200 || fresh.ClientToken == made.ClientToken {
		t.Fatalf("claim: %d %+v", resp.StatusCode, fresh)
	}
	var status client.Status
	s.ask("GET", "/v1/capture", fresh.ClientToken, &status)
	if status.Session != made.Session.ID || !status.Consent {
		t.Errorf("on the other device: %+v", status)
	}
	for _, bad := range []string{secret, made.ClientToken, "plc_x", ""} {
		if resp := s.ask("POST", "/v1/capture/handover/claim", bad, nil); resp.StatusCode != 401 {
			t.Errorf("claimed again: %d", resp.StatusCode)
		}
	}
	if resp := s.ask("GET", "/v1/capture", made.ClientToken, nil); resp.StatusCode != 200 {
		t.Errorf("the first device is shut out: %d", resp.StatusCode)
	}
	if strings.Contains(s.log.String(), secret) {
		t.Error("the log holds the token")
	}
}

func TestATokenIsRenewedWhileTheSessionIsOpen(t *testing.T) {
	s := newServer(t, func(d *api.Deps) { d.Limits.TokenLife = 2 * time.Hour })
	made, c := s.begin(client.NewSession{ExpiresIn: 600})
	var status client.Status
	s.ask("GET", "/v1/capture", made.ClientToken, &status)
	if status.TokenExpiresIn < 7190 || status.TokenExpiresIn > 7200 || status.ExpiresIn < 590 || status.ExpiresIn > 600 {
		t.Errorf("times left %d, %d", status.TokenExpiresIn, status.ExpiresIn)
	}
	var fresh client.Ticket
	s.ask("POST", "/v1/capture/token", made.ClientToken, &fresh)
	// Not long beyond the session's own end.
	if fresh.ClientToken == "" || fresh.ExpiresIn > 600+3600 || fresh.ExpiresIn < 4000 {
		t.Errorf("renewed %+v", fresh)
	}
	if resp := s.ask("GET", "/v1/capture", fresh.ClientToken, nil); resp.StatusCode != 200 {
		t.Errorf("the new token: %d", resp.StatusCode)
	}
	if _, err := c.Upload(context.Background(), "document_front", "passport", goodPhoto(t, 1), "image/jpeg"); err != nil {
		t.Error(err)
	}
}

func TestLiveChecksAreTheGatesOwnThresholds(t *testing.T) {
	s := newServer(t, nil)
	made, _ := s.begin(client.NewSession{})
	var status client.Status
	s.ask("GET", "/v1/capture", made.ClientToken, &status)
	cell := policy.Default().Cell(policy.Context{})
	seen := map[string]bool{}
	for _, l := range status.Live {
		found := false
		for _, th := range cell.Thresholds {
			found = found || th.Measure == l.Measure && string(th.Code) == l.Code && (l.Min == nil) == (th.Min == nil) && (l.Min == nil || *l.Min == *th.Min) && (l.Max == nil || *l.Max == *th.Max)
		}
		if !found {
			t.Errorf("%+v is no threshold of the policy", l)
		}
		if strings.HasPrefix(l.Measure, "liveness") || l.Measure == "face.similarity" || l.Code == "capture.shadow" {
			t.Errorf("%+v is not the person's business", l)
		}
		seen[l.Kind+" "+l.Measure] = true
	}
	for _, want := range []string{"document_front document.sharpness", "document_back document.glare_area", "selfie face.inter_eye_px", "selfie photo.blank"} {
		if !seen[want] {
			t.Errorf("no live check for %s", want)
		}
	}
}
