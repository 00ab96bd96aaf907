package api_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// A log that somebody made long hides neither what happened last nor the
// certificates.
func TestALongLogIsReadToItsEnd(t *testing.T) {
	s := newServer(t, staffed(nil))
	ctx := context.Background()
	auditor, _, secret := s.person("ada", access.Auditor)
	made, _ := s.begin(client.NewSession{})
	id := made.Session.ID
	store := s.store
	fill := make(chan error)
	for range 16 { // writers share commits
		go func() {
			var err error
			for range 70 {
				err = store.Audit(ctx, audit.Entry{Actor: "system", Action: "test.filler", Session: id})
			}
			fill <- err
		}()
	}
	for range 16 {
		if err := <-fill; err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.vault.PutBytes(ctx, storage.Ref{Session: id, Class: storage.CaptureImage, Kind: "selfie"}, []byte("x"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.vault.Erase(ctx, id, storage.CaptureImage); err != nil {
		t.Fatal(err)
	}
	if err := store.EvidenceErased(ctx, "", id, session.Actor{Role: session.Worker, ID: "w"}, map[string]string{"certificate_capture_image": "obj_certificate"}, nil); err != nil {
		t.Fatal(err)
	}
	ses, err := s.service.Get(ctx, id)
	if err != nil || ses.Evidence == nil || ses.Evidence.ErasedAt == nil || ses.Evidence.Certificates["capture_image"] != "obj_certificate" {
		t.Errorf("%+v, %v", ses.Evidence, err)
	}
	first, err := auditor.TimelinePage(ctx, id, -1)
	if err != nil || len(first.Entries) != session.TimelineLimit || !first.Truncated || first.Next == nil {
		t.Fatalf("%d entries, %v", len(first.Entries), err)
	}
	all, err := auditor.Timeline(ctx, id)
	if err != nil || all.Truncated || len(all.Entries) < 1120 || all.Entries[len(all.Entries)-1].Action != "evidence.erased" {
		t.Fatalf("%d entries, %v", len(all.Entries), err)
	}
	if r, body := s.send(http.MethodGet, "/v1/cases/"+id+"/timeline?cursor=nonsense", secret, "", "", nil); r.StatusCode != http.StatusBadRequest {
		t.Errorf("%d %s", r.StatusCode, body)
	}
}
