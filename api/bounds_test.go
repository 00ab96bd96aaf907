package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

func TestAnUploadInTinyPartsEndsAndLeavesNothing(t *testing.T) {
	s := newServer(t, nil)
	made, _ := s.begin(client.NewSession{})
	c := s.tus(made.ClientToken)
	photo := goodPhoto(t, 5)
	path := c.create(photo)
	for i := range session.MaxUploadParts {
		if resp, b := c.must("PATCH", path, patch(i), photo[i:i+1]); resp.StatusCode != 204 {
			t.Fatalf("part %d: %d %s", i, resp.StatusCode, b)
		}
	}
	resp, b := c.must("PATCH", path, patch(session.MaxUploadParts), photo[session.MaxUploadParts:])
	if resp.StatusCode != 410 || code(b) != client.CodeUploadGone {
		t.Errorf("one part more: %d %s", resp.StatusCode, b)
	}
	if n := s.objects(made.Session.ID, "upload_part"); n != 0 {
		t.Errorf("%d parts are left", n)
	}
	// Begun again, in larger parts, it goes through.
	path = c.create(photo)
	if resp, b := c.must("PATCH", path, patch(0), photo); resp.StatusCode != 204 {
		t.Errorf("begun again: %d %s", resp.StatusCode, b)
	}
}

func TestJudgingAnUploadEndsInTimeAndGoesOnWhenTheGateWorksAgain(t *testing.T) {
	var stuck atomic.Bool
	var reached atomic.Int64
	stuck.Store(true)
	s := newServer(t, func(d *api.Deps) {
		d.Limits.JudgeTime = time.Second
		gate := d.Gate
		d.Gate = func(ctx context.Context, c policy.Cell, kind string, b []byte) (policy.GateAnswer, error) {
			reached.Add(1)
			if stuck.Load() {
				<-ctx.Done() // without the bound it is this that hangs
				return policy.GateAnswer{}, ctx.Err()
			}
			return gate(ctx, c, kind, b)
		}
	})
	made, _ := s.begin(client.NewSession{})
	c := s.tus(made.ClientToken)
	photo := goodPhoto(t, 6)
	path := c.create(photo)
	if resp, b := c.must("PATCH", path, patch(0), photo); resp.StatusCode != 204 {
		t.Fatalf("%d %s", resp.StatusCode, b)
	}
	// The bound is small: on a busy machine it can end before the gate is reached or
	// after it has answered, so that one asks again, as a client does.
	ask := func(what string, done func(status int, code string, retry string) bool) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
			resp, b := c.must("GET", path, nil, nil)
			if done(resp.StatusCode, code(b), resp.Header.Get("Retry-After")) {
				return
			}
			if resp.StatusCode != 503 || time.Now().After(end) {
				t.Fatalf("%s: %d %s", what, resp.StatusCode, b)
			}
		}
	}
	ask("while the gate is stuck", func(status int, code, retry string) bool {
		return status == 503 && code == client.CodeBusy && retry != "" && reached.Load() > 0
	})
	stuck.Store(false)
	ask("when the gate works again", func(status int, _, _ string) bool { return status == 200 })
	var up client.Upload
	if _, b := c.must("GET", path, nil, nil); json.Unmarshal([]byte(b), &up) != nil || up.Photo == nil {
		t.Errorf("%s", b)
	}
}

func TestANewTokenIsNoNewAllowanceOfPhotos(t *testing.T) {
	s := newServer(t, func(d *api.Deps) { d.Limits.PhotosPerMinute = 3 })
	ctx := context.Background()
	made, _ := s.begin(client.NewSession{})
	send := func(token string) (int, string) {
		resp, body := s.send("POST", "/v1/capture/evidence/selfie", token, "image/jpeg", "no photo", nil)
		return resp.StatusCode, body
	}
	for range 3 {
		if status, body := send(made.ClientToken); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
	}
	_, renewed, err := s.store.IssueClientToken(ctx, session.Actor{Role: session.Service, ID: "test"}, made.Session.ID, "capture", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for what, token := range map[string]string{"the same token": made.ClientToken, "a new token": renewed} {
		if status, body := send(token); status != 429 || code(body) != client.CodeRateLimited {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
	other, _ := s.begin(client.NewSession{})
	if status, body := send(other.ClientToken); status != 200 {
		t.Errorf("another session pays for it: %d %s", status, body)
	}
}

// noGrants is a store that can not record a grant.
type noGrants struct{ *session.Store }

var errNoGrants = errors.New("disk on fire")

func (noGrants) AskGrant(context.Context, session.NewGrant) (session.Grant, error) {
	return session.Grant{}, errNoGrants
}

func TestTheWordsBehindARequestGoWhenItCanNotBeRecorded(t *testing.T) {
	s := newServer(t, staffed(nil))
	ctx := context.Background()
	_, vera, _ := s.person("vera", access.Reviewer)
	id := s.review(client.NewSession{})
	desk := review.New(review.Config{Store: noGrants{s.store}, Vault: s.vault, Policy: func(context.Context, string) (*policy.Policy, error) { return policy.Default(), nil }})
	if _, err := desk.Ask(ctx, vera.ID, id, "complaint", "the person wrote"); !errors.Is(err, errNoGrants) {
		t.Fatal(err)
	}
	left, err := s.store.ListObjects(ctx, id, storage.ReviewNote)
	if err != nil || len(left) != 0 {
		t.Errorf("%d objects are left, %v", len(left), err)
	}
}

func TestALinkDoesNotFillTheStorage(t *testing.T) {
	s := newServer(t, nil)
	made, c := s.begin(client.NewSession{})
	ctx := context.Background()
	for range session.MaxPhotos - 1 {
		if _, err := s.store.PutEvidence(ctx, session.Actor{Role: session.Client, ID: "tok_1"}, session.Evidence{Session: made.Session.ID, Kind: "selfie", Object: "obj_1", SHA256: "00", Size: 3}); err != nil {
			t.Fatal(err)
		}
	}
	if p, err := c.Upload(ctx, "document_front", "passport", goodPhoto(t, 6), "image/jpeg"); err != nil || !p.Kept {
		t.Fatalf("the last photo: %+v, %v", p, err)
	}
	before := s.objects(made.Session.ID, "document_front")
	_, err := c.Upload(ctx, "document_front", "passport", goodPhoto(t, 7), "image/jpeg")
	wantCode(t, err, 409, client.CodeConflict)
	if n := s.objects(made.Session.ID, "document_front"); n != before {
		t.Errorf("%d photos are stored, %d before", n, before)
	}
	// What was kept and is sent again, because the answer was lost, is answered.
	if p, err := c.Upload(ctx, "document_front", "passport", goodPhoto(t, 6), "image/jpeg"); err != nil || !p.Kept {
		t.Errorf("sent again: %+v, %v", p, err)
	}
}
