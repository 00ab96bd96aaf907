package api_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

func TestAnOpenSessionKeepsTheRulesThatItBeganUnder(t *testing.T) {
	ctx := context.Background()
	old, err := policy.Parse([]byte(`
name: earlier
version: "1"
defaults:
  evidence: [document_front]
  checks: [quality]
  resubmissions: 1
  expires: 24h
  retention: {capture_image: 3d, biometric_template: 1d, extracted_fields: 90d, outcome: 365d, consent: 1825d, review_note: 365d}
`))
	if err != nil {
		t.Fatal(err)
	}
	today := policy.Default()
	var judged policy.Cell
	s := newServer(t, func(d *api.Deps) {
		d.PolicyOf = func(_ context.Context, hash string) (*policy.Policy, error) {
			for _, p := range []*policy.Policy{old, today} {
				if p.Hash() == hash {
					return p, nil
				}
			}
			return nil, errors.New("policy is not archived")
		}
		d.Gate = func(_ context.Context, cell policy.Cell, kind string, _ []byte) (policy.GateAnswer, error) {
			judged = cell
			return policy.GateAnswer{Accepted: true, Subject: kind}, nil
		}
	})
	begin := func(hash string) (string, *client.Capture) {
		ses, err := s.store.Create(ctx, session.New{Tenant: "acme", PolicyName: "earlier", PolicyVersion: "1", PolicyHash: hash, Actor: session.Actor{Role: session.Service, ID: "key"}})
		if err != nil {
			t.Fatal(err)
		}
		_, token, err := s.store.IssueClientToken(ctx, session.Actor{Role: session.Service, ID: "key"}, ses.ID, "capture", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return ses.ID, client.NewCapture(s.url, token, nil)
	}
	id, capture := begin(old.Hash())
	st, err := capture.GiveConsent(ctx, "1", "en")
	if err != nil {
		t.Fatal(err)
	}
	passport := st.Documents[slices.IndexFunc(st.Documents, func(d client.DocumentChoice) bool { return d.Type == "passport" })]
	if !slices.Equal(passport.Needs, []string{"document_front"}) || st.RetainDays != 3 {
		t.Errorf("needs %v, kept for %d days", passport.Needs, st.RetainDays)
	}
	if p, err := capture.Upload(ctx, "document_front", "passport", bytes.Repeat([]byte("x"), 100), "image/jpeg"); err != nil || !p.Kept {
		t.Fatalf("%+v %v", p, err)
	}
	if !slices.Equal(judged.Checks, []string{"quality"}) {
		t.Errorf("judged by a cell that checks %v", judged.Checks)
	}
	objects, err := s.store.ListObjects(ctx, id, storage.CaptureImage)
	if err != nil || len(objects) != 1 || time.Until(objects[0].RetainUntil) > 3*24*time.Hour {
		t.Errorf("%+v %v", objects, err)
	}
	if st, err := capture.Submit(ctx); err != nil || st.State != "submitted" {
		t.Errorf("%+v %v", st, err)
	}

	_, capture = begin("a policy that nobody has")
	var p *client.Problem
	if _, err := capture.Status(ctx); !errors.As(err, &p) || p.Code != client.CodeInternal || strings.Contains(p.Error(), "earlier") {
		t.Errorf("%v", err)
	}
	if log := s.log.String(); !strings.Contains(log, "was created under policy earlier version 1: policy is not archived") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}
