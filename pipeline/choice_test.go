package pipeline

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

func TestTheDocumentThatThePersonChoseIsTheOneDecidedOn(t *testing.T) {
	for _, c := range []struct{ fixed, chosen, want string }{
		{"", "driving_licence", "driving_licence"},
		{"passport", "driving_licence", "passport"}, // the service said which
		{"", "spaceship", ""},
		{"", "", ""},
	} {
		w := newWorld(t, "")
		var seen atomic.Value
		ss, _ := passing()
		inner := ss[0].Run
		ss[0].Run = func(ctx context.Context, r *run) ([]policy.Finding, error) {
			seen.Store(r.c.Context.DocumentType + "/" + r.cell.For.DocumentType)
			return inner(ctx, r)
		}
		w.start(w.config(), ss)
		ses, err := w.store.Create(ctx, session.New{Tenant: "t1", PolicyName: w.policy.Name, PolicyVersion: w.policy.Version, PolicyHash: w.policy.Hash(),
			DocumentType: c.fixed, Actor: session.Actor{Role: session.Service, ID: "key_1"}})
		if err != nil {
			t.Fatal(err)
		}
		person := session.Actor{Role: session.Client, ID: "tok_1"}
		w.apply(ses.ID, session.Event{Kind: session.ConsentGiven, Actor: person, Consent: &session.Consent{TextHash: "h", Scope: []string{"document", "biometric"}}})
		for _, kind := range []string{"document_front", "selfie"} {
			o, err := w.vault.PutBytes(ctx, storage.Ref{Session: ses.ID, Class: storage.CaptureImage, Kind: kind}, []byte("x"), time.Now().Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			findings, err := json.Marshal(map[string]any{"document_type": c.chosen, "gate": policy.GateAnswer{}})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.store.PutEvidence(ctx, person, session.Evidence{Session: ses.ID, Kind: kind, Object: o.ID, SHA256: strings.Repeat("ab", 32), Size: o.Size, Findings: findings}); err != nil {
				t.Fatal(err)
			}
		}
		w.apply(ses.ID, session.Event{Kind: session.Submit, Actor: person})
		w.decided(ses.ID, 20*time.Second)
		if got := seen.Load(); got != c.want+"/"+c.want {
			t.Errorf("fixed %q, chosen %q: decided as %v, want %q", c.fixed, c.chosen, got, c.want)
		}
	}
}
