package console_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/casefile"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

func TestADeletionCertificateOpensAndIsVerified(t *testing.T) {
	o := newOffice(t, 0)
	o.account("paul", access.PrivacyOfficer)
	b := o.browser()
	b.enter("paul")
	id := o.decided(policy.Approved)
	if _, text := b.send("GET", "/console/retention/"+id, nil); !strings.Contains(text, "No certificate") {
		t.Errorf("before anything is erased: %.300s", text)
	}
	cert, err := o.vault.Erase(ctx, id, storage.CaptureImage)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(cert)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := o.vault.PutBytes(ctx, storage.Ref{Session: id, Class: storage.Outcome, Kind: "deletion_certificate"}, raw, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if err := o.store.EvidenceErased(ctx, "", id, session.Actor{Role: session.System, ID: "sweeper"}, map[string]string{"certificate_capture_image": kept.ID},
		map[string]string{"certificate_capture_image": fmt.Sprintf("%x", sha256.Sum256(raw))}); err != nil {
		t.Fatal(err)
	}
	if err := o.vault.Certified(ctx, cert); err != nil {
		t.Fatal(err)
	}
	_, list := b.send("GET", "/console/retention", nil)
	if !strings.Contains(list, "/console/retention/"+id) {
		t.Error("the list does not lead to the certificate")
	}
	_, text := b.send("GET", "/console/retention/"+id, nil)
	for _, want := range []string{"verified", "capture image", "<td>2</td>"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q: %s", want, text)
		}
	}
	resp, file := b.send("GET", "/console/retention/"+id+"?file=1", nil)
	d, err := casefile.ReadDeletion(strings.NewReader(file))
	if err != nil || d.Session != id || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v, %v", d, err)
	}
}
