package pipeline

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// engines opens the installed engines; the test needs all of them.
func engines(t testing.TB) *Engines {
	t.Helper()
	e, err := OpenEngines(EnginesConfig{Concurrency: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	for stage, err := range e.Missing {
		testserver.Missing(t, "models", "the engine of stage "+stage+" is not installed ("+err.Error()+"); run `make setup`")
	}
	return e
}

func staged(t *testing.T, kind specimen.CaseKind, f specimen.Format) *specimen.Case {
	t.Helper()
	ps, err := specimen.OpenPortraits("")
	if err != nil {
		testserver.Missing(t, "portraits", "run `make setup`")
	}
	c, err := specimen.Stage(kind, 3, ps, specimen.CaseOptions{Format: f})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var caseDay = time.Date(2025, 11, 22, 0, 0, 0, 0, time.UTC)

func TestSpecimenCasesLeadToTheirOutcomes(t *testing.T) {
	e := engines(t)
	for kind, want := range map[specimen.CaseKind][]policy.Outcome{
		specimen.CaseGood:        {policy.Approved},
		specimen.CaseBlurred:     {policy.NeedsResubmission},
		specimen.CaseOtherPerson: {policy.Rejected, policy.PendingReview},
		specimen.CaseReplay:      {policy.PendingReview, policy.Rejected, policy.NeedsResubmission},
	} {
		t.Run(string(kind), func(t *testing.T) {
			c := staged(t, kind, specimen.TD3)
			var seen []string
			rep, err := Verify(ctx, e, policy.Default(), Case{Documents: c.Files, Claims: c.Claims, AsOf: caseDay}, func(ev Event) {
				if ev.Done {
					seen = append(seen, ev.Stage)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(want, rep.Decision.Outcome) {
				t.Errorf("outcome %s, reasons %+v", rep.Decision.Outcome, rep.Decision.Reasons)
			}
			if s := strings.Join(seen, " "); s != "quality document mrz barcode ocr face liveness consistency duplicates screening" {
				t.Errorf("stages: %s", s)
			}
			b, err := json.Marshal([]any{rep.Findings, rep.Decision})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range rep.Fields {
				if len(f.Value) > 3 && strings.Contains(strings.ToUpper(string(b)), strings.ToUpper(f.Value)) {
					t.Errorf("the value of %s stands in a finding", f.Name)
				}
			}
		})
	}
}

func TestTheGateSaysWhatIsWrongWithAPhoto(t *testing.T) {
	e := engines(t)
	p := policy.Default()
	good := staged(t, specimen.CaseGood, specimen.TD3)
	for _, c := range []struct {
		name, kind string
		file       []byte
		want       policy.Code // "" is accepted
	}{
		{"good document", "document_front", good.Files["document_front"], ""},
		{"good selfie", "selfie", good.Files["selfie"], ""},
		{"text", "selfie", []byte("hello"), "capture.not_an_image"},
		{"cut file", "document_front", good.Files["document_front"][:20_000], "capture.image_truncated"},
		{"a selfie as document", "document_front", good.Files["selfie"], "capture.face_instead_of_document"},
	} {
		a, err := Gate(ctx, e, p, c.kind, c.file)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case c.want == "" && !a.Accepted:
			t.Errorf("%s: refused for %v", c.name, a.Codes)
		case c.want != "" && (a.Accepted || a.Hint == nil || a.Hint.Code != c.want || a.Hint.Text == ""):
			t.Errorf("%s: accepted %v, codes %v, hint %+v", c.name, a.Accepted, a.Codes, a.Hint)
		}
	}
	if _, err := Gate(ctx, e, p, "passport", nil); err == nil {
		t.Error("an unknown kind was no error")
	}
}

func TestWithoutEnginesNothingIsApproved(t *testing.T) {
	rep, err := Verify(ctx, &Engines{}, policy.Default(), Case{Documents: map[string][]byte{"document_front": []byte("x"), "selfie": nil}, AsOf: caseDay}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Decision.Outcome == policy.Approved {
		t.Fatalf("approved: %+v", rep)
	}
	for _, bad := range []Case{{}, {AsOf: caseDay, Documents: map[string][]byte{"x": nil}}, {AsOf: caseDay, Claims: map[string]string{"x": "y"}}} {
		if _, err := Verify(ctx, &Engines{}, policy.Default(), bad, nil); err == nil {
			t.Errorf("%+v was no error", bad)
		}
	}
}

// The decision of a case does not depend on where its run was interrupted.
func TestACaseInterruptedAfterEveryStageIsDecidedAsInOneGo(t *testing.T) {
	e := engines(t)
	c := staged(t, specimen.CaseGood, specimen.TD1)
	w := openWorld(t, filepath.Join(t.TempDir(), "w"), "")
	ses, err := w.store.Create(ctx, session.New{Tenant: "t1", PolicyName: "default", PolicyVersion: "1", PolicyHash: w.policy.Hash(), Actor: session.Actor{Role: session.Service}})
	if err != nil {
		t.Fatal(err)
	}
	client := session.Actor{Role: session.Client, ID: "tok_1"}
	w.apply(ses.ID, session.Event{Kind: session.ConsentGiven, Actor: client, Consent: &session.Consent{TextHash: "h", Scope: []string{"biometric"}}})
	for kind, b := range c.Files {
		w.photo(ses.ID, kind, string(b))
	}
	ses = w.apply(ses.ID, session.Event{Kind: session.Submit, Actor: client})
	claims, err := json.Marshal(c.Claims)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.vault.PutBytes(ctx, storage.Ref{Session: ses.ID, Class: storage.ExtractedFields, Kind: ClaimsKind}, claims, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}

	whole, err := Verify(ctx, e, w.policy, Case{Documents: c.Files, Claims: c.Claims, AsOf: ses.SubmittedAt}, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.config()
	cfg.Engines = e
	var interrupt context.CancelFunc
	cfg.Observe = func(ev Event) {
		if ev.Done && !ev.Resumed && ev.Stage != "consistency" {
			interrupt()
		}
	}
	k, err := NewWorker(cfg)
	if err != nil {
		t.Fatal(err)
	}
	row := w.row(ses.ID)
	runs := 0
	for ; runs < 20; runs++ {
		lease, err := w.store.Claim(ctx, ses.ID, 1, "test-worker", time.Minute)
		if err != nil {
			break // decided
		}
		lease.Fence = 1 // these are no crashes
		rctx, cancel := context.WithCancel(ctx)
		interrupt = cancel
		err = k.run(rctx, row, lease)
		cancel()
		if err == nil {
			runs++
			break
		}
	}
	if runs != len(stages) {
		t.Errorf("%d runs for %d stages", runs, len(stages))
	}
	done := w.decided(ses.ID, time.Second)
	got, _ := json.Marshal(done.Decision.Decision)
	want, _ := json.Marshal(whole.Decision)
	if string(got) != string(want) {
		t.Errorf("decision in pieces %s\nin one go %s", got, want)
	}
}
