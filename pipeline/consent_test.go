package pipeline

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

func TestWithoutBiometricConsentNoBiometricStageRuns(t *testing.T) {
	w := newWorld(t, "")
	var mu sync.Mutex
	ran := map[string]int{}
	ss := slices.Clone(stages) // with their own marks of what is biometric
	var biometric []string
	for i, s := range ss {
		ss[i].Save, ss[i].Load = nil, nil
		ss[i].Run = func(context.Context, *run) ([]policy.Finding, error) {
			mu.Lock()
			ran[s.Name]++
			mu.Unlock()
			return []policy.Finding{{Stage: s.Name, Subject: "case", Verdict: policy.Pass}}, nil
		}
		if s.Biometric {
			biometric = append(biometric, s.Name)
		}
	}
	if !slices.Equal(biometric, []string{"face", "liveness"}) {
		t.Fatalf("biometric stages are %v", biometric)
	}
	ses, err := w.store.Create(ctx, session.New{Tenant: "t1", PolicyName: w.policy.Name, PolicyVersion: w.policy.Version, PolicyHash: w.policy.Hash(),
		Actor: session.Actor{Role: session.Service, ID: "key_1"}})
	if err != nil {
		t.Fatal(err)
	}
	client := session.Actor{Role: session.Client, ID: "tok_1"}
	w.apply(ses.ID, session.Event{Kind: session.ConsentGiven, Actor: client, Consent: &session.Consent{TextHash: "h", Scope: []string{"document"}}})
	for _, kind := range []string{"document_front", "selfie"} {
		w.photo(ses.ID, kind, "no picture")
	}
	w.apply(ses.ID, session.Event{Kind: session.Submit, Actor: client})
	w.start(w.config(), ss)
	got := w.decided(ses.ID, 20*time.Second)
	if got.State != session.PendingReview || !slices.Contains(got.Decision.Codes, "biometric.consent_missing") {
		t.Errorf("%s, %+v", got.State, got.Decision)
	}
	mu.Lock()
	defer mu.Unlock()
	if ran["face"] != 0 || ran["liveness"] != 0 || ran["mrz"] != 1 {
		t.Errorf("stages ran: %v", ran)
	}
	rows, err := w.store.Stages(ctx, ses.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if !slices.Contains(biometric, r.Stage) {
			continue
		}
		var b stored
		if err := json.Unmarshal(r.Body, &b); err != nil || len(b.Findings) != 1 || len(b.Findings[0].Measures) != 0 || len(b.Artefacts) != 0 {
			t.Errorf("%s left %s, %v", r.Stage, r.Body, err)
		}
	}
	if os, err := w.store.ListObjects(ctx, ses.ID, storage.BiometricTemplate); err != nil || len(os) != 0 {
		t.Errorf("%d templates, %v", len(os), err)
	}
}
