package casefile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/receipt"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

var update = flag.Bool("update", false, "write the golden files")

var (
	ctx     = context.Background()
	client  = session.Actor{Role: session.Client, ID: "tok_1"}
	service = session.Actor{Role: session.Service, ID: "key_1"}
	worker  = session.Actor{Role: session.Worker, ID: "w1"}
	person  = session.Actor{Role: session.Reviewer, ID: "usr_1"}
)

const rulesText = `
name: test
version: "7"
defaults:
  evidence: [document_front, selfie]
  checks: [quality, face]
  resubmissions: 1
  expires: 24h
  retention: {capture_image: 30d, biometric_template: 1d, extracted_fields: 90d, outcome: 365d, consent: 1825d, review_note: 365d}
  thresholds:
    blurred: {measure: document.sharpness, min: 0.25, code: capture.blurred, basis: "guess"}
    match: {measure: face.similarity, subjects: [case], min: 0.34, code: biometric.face_match_uncertain, basis: "measured: FNMR 0.3 % at FMR 0.01 %"}
cells:
  - name: Spain, passports
    match: {jurisdiction: ES, document: passport}
    actions: {biometric.face_match_uncertain: reject}
`

// world is a store with a clock that the test moves.
type world struct {
	t        *testing.T
	store    *session.Store
	rules    *policy.Policy
	now      time.Time
	signer   note.Signer
	verifier string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	var err error
	w.store, err = session.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "store.db"), session.WithClock(func() time.Time { return w.now }))
	w.ok(err)
	t.Cleanup(func() { w.store.Close() })
	w.rules, err = policy.Parse([]byte(rulesText))
	w.ok(err)
	w.ok(w.store.PutRules(ctx, service, session.Rules{Hash: w.rules.Hash(), Kind: session.PolicyRules, Name: "test", Version: "7", Text: []byte(rulesText)}))
	w.ok(w.store.PutRules(ctx, service, session.Rules{Hash: policy.CodesHash(), Kind: session.CodeRules, Text: policy.CodesYAML()}))
	skey, vkey, err := audit.GenerateKey("test")
	w.ok(err)
	w.verifier = vkey
	w.signer, err = note.NewSigner(skey)
	w.ok(err)
	return w
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) find(ctx context.Context, hash, codes string) (*policy.Policy, error) {
	p, err := w.store.Rules(ctx, hash)
	if err != nil {
		return nil, err
	}
	c, err := w.store.Rules(ctx, codes)
	if err != nil {
		return nil, err
	}
	return policy.ParseUnder(p.Text, c.Text)
}

func (w *world) apply(id string, ev session.Event) {
	w.t.Helper()
	w.now = w.now.Add(10 * time.Second)
	_, err := w.store.Apply(ctx, id, session.AnyVersion, ev, nil)
	w.ok(err)
}

// begin creates a session in Spain and gives consent.
func (w *world) begin() string {
	w.t.Helper()
	ses, err := w.store.Create(ctx, session.New{Tenant: "acme", PolicyName: w.rules.Name, PolicyVersion: w.rules.Version, PolicyHash: w.rules.Hash(),
		Jurisdiction: "ES", DocumentType: "passport", ExternalRef: "customer-4711-marked", MaxAttempts: 2, Actor: service})
	w.ok(err)
	w.apply(ses.ID, session.Event{Kind: session.ConsentGiven, Actor: client, Consent: &session.Consent{TextHash: "c0ffee", Scope: []string{"document", "biometric"}}})
	return ses.ID
}

// capture adds both photos, with their objects, and submits.
func (w *world) capture(id string) {
	w.t.Helper()
	for _, kind := range []string{"document_front", "selfie"} {
		w.now = w.now.Add(10 * time.Second)
		o := storage.Object{ID: "obj_" + kind + id[len(id)-6:] + w.now.Format("150405"), Session: id, Class: storage.CaptureImage, Kind: kind, CreatedAt: w.now, RetainUntil: w.now.Add(30 * 24 * time.Hour)}
		o.Key = "capture_image/" + o.ID
		w.ok(w.store.PutObject(ctx, o))
		o.CommittedAt, o.SHA256, o.Size = w.now, strings.Repeat("ab", 32), 3
		w.ok(w.store.CommitObject(ctx, o))
		_, err := w.store.PutEvidence(ctx, client, session.Evidence{Session: id, Kind: kind, Object: o.ID, SHA256: strings.Repeat("cd", 32), Size: 3})
		w.ok(err)
	}
	w.apply(id, session.Event{Kind: session.Submit, Actor: client})
}

// decide stores findings as the pipeline does and decides on them.
func (w *world) decide(id string, sharpness, similarity float64) policy.Decision {
	w.t.Helper()
	ses, err := w.store.Get(ctx, id)
	w.ok(err)
	found := []policy.Finding{
		{Stage: "quality", Subject: "document_front", Measures: []policy.Measure{{Name: "document.sharpness", Value: sharpness}}, DurationMS: 12.5},
		{Stage: "face", Subject: "case", Measures: []policy.Measure{{Name: "face.similarity", Value: similarity, Unit: "cosine"}},
			Models: []policy.ModelRef{{Role: "face.embedding", Name: "sface", SHA256: strings.Repeat("ef", 32)}}, DurationMS: 80},
	}
	b := &session.Basis{AsOf: ses.SubmittedAt, CodesHash: w.rules.CodesHash()}
	for _, f := range found {
		body, err := json.Marshal(map[string]any{"findings": []policy.Finding{f}})
		w.ok(err)
		ref := session.StageRef{Stage: f.Stage, InputHash: "in_" + f.Stage}
		_, err = w.store.PutStage(ctx, session.StageResult{Session: id, Attempt: ses.Attempt, Stage: ref.Stage, InputHash: ref.InputHash, Body: body})
		w.ok(err)
		b.Stages = append(b.Stages, ref)
	}
	b.Input = policy.Input{Context: policy.Context{Jurisdiction: ses.Jurisdiction, DocumentType: ses.DocumentType}, Attempt: ses.Attempt}
	in := b.Input
	in.Findings = found
	b.InputHash, err = in.Hash()
	w.ok(err)
	es, err := w.store.Evidence(ctx, id, ses.Attempt)
	w.ok(err)
	for _, e := range es {
		b.Evidence = append(b.Evidence, e.ID)
	}
	d := w.rules.Decide(in)
	ev := session.Decided(worker, ses.Attempt, d)
	ev.Basis = b
	w.apply(id, ev)
	return d
}

func (w *world) file(id string) *File {
	w.t.Helper()
	f, err := Load(ctx, w.store, w.find, id, w.now)
	w.ok(err)
	return f
}

var volatile = regexp.MustCompile(`\b(ses|evd|evt|obj|hld)_[0-9a-z_]{10,}|"?[0-9a-f]{64}"?`)

// golden compares with a file, ids and hashes named by their order.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	names := map[string]string{}
	got = volatile.ReplaceAllFunc(got, func(b []byte) []byte {
		k := strings.Trim(string(b), `"`)
		if names[k] == "" {
			kind, _, ok := strings.Cut(k, "_")
			if !ok {
				kind = "hash"
			}
			names[k] = kind + "·" + string(rune('a'+len(names)%26)) + strings.Repeat("'", len(names)/26)
		}
		return []byte(strings.Replace(string(b), k, names[k], 1))
	})
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is another; see it with go test ./casefile -update and git diff\n%s", name, got)
	}
}

func TestEachViewTellsWhatItsReaderNeedsAndNoMore(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.capture(id)
	if d := w.decide(id, 0.1, 0.9); d.Outcome != policy.NeedsResubmission {
		t.Fatal(d.Outcome)
	}
	again, err := w.store.Get(ctx, id)
	w.ok(err)
	support := func(name string) {
		a, err := w.file(id).Explain(Support)
		w.ok(err)
		var out bytes.Buffer
		w.ok(a.Print(&out))
		golden(t, name, out.Bytes())
	}
	support("support_resubmission.txt")
	w.apply(id, session.Event{Kind: session.StartCapture, Actor: client, Attempt: again.Attempt})
	w.capture(id)
	w.decide(id, 0.5, 0.2)
	support("support_rejected.txt")
	w.now = w.now.Add(40 * 24 * time.Hour)
	w.ok(w.store.BeginErasure(ctx, id, storage.CaptureImage, w.now))
	os, err := w.store.ListObjects(ctx, id, storage.CaptureImage)
	w.ok(err)
	for _, o := range os {
		w.ok(w.store.DeleteObject(ctx, o.ID, w.now))
	}
	w.ok(w.store.Audit(ctx, audit.Entry{Actor: "system:sweeper", Action: "evidence.expired", Session: id, Refs: map[string]string{"class": "capture_image",
		"reason": "retention", "certificate_capture_image": "obj_certificate01"}, Hashes: map[string]string{"certificate_capture_image": strings.Repeat("12", 32)}}))
	w.ok(w.store.EndErasure(ctx, id, storage.CaptureImage, w.now))

	for _, v := range []View{Support, Auditor, Compliance} {
		a, err := w.file(id).Explain(v)
		w.ok(err)
		var text, js bytes.Buffer
		w.ok(a.Print(&text))
		e := json.NewEncoder(&js)
		e.SetIndent("", " ")
		w.ok(e.Encode(a))
		golden(t, string(v)+".txt", text.Bytes())
		golden(t, string(v)+".json", js.Bytes())
		if has := bytes.Contains(append(text.Bytes(), js.Bytes()...), []byte("customer-4711-marked")); has != (v == Compliance) {
			t.Errorf("%s shows the relying service's reference: %v", v, has)
		}
		if v == Support && regexp.MustCompile(`0\.34|0\.25|similarity|w1|tok_1|[0-9a-f]{64}`).Match(append(text.Bytes(), js.Bytes()...)) {
			t.Errorf("support sees measures, thresholds, ids or hashes:\n%s", &text)
		}
	}
	if _, err := w.file(id).Explain("press"); err == nil {
		t.Error("an unknown view was made")
	}
	if _, err := Load(ctx, w.store, w.find, "ses_00000000000000000000000000", w.now); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("a session that is not there: %v", err)
	}
}

func TestReplayIsIdenticalUntilSomethingWasAltered(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.capture(id)
	w.decide(id, 0.1, 0.9)
	w.apply(id, session.Event{Kind: session.StartCapture, Actor: client})
	w.capture(id)
	w.decide(id, 0.5, 0.9)
	// Today's policy is another; a replay must not look at it.
	w.rules, _ = policy.Parse([]byte(strings.Replace(rulesText, "min: 0.34", "min: 0.99", 1)))
	for _, r := range w.file(id).Replay() {
		if r.Verdict != Identical || r.Session != id {
			t.Errorf("%+v", r)
		}
	}
	verdicts := func() (out []string) {
		for _, r := range w.file(id).Replay() {
			out = append(out, r.Verdict)
		}
		return out
	}
	f := w.file(id)
	altered := func(what string, d Decision, want string) {
		t.Helper()
		if r := d.replay(); r.Verdict != want {
			t.Errorf("%s: %+v", what, r)
		}
	}
	d := f.Decisions[1]
	d.Input.Findings = append([]policy.Finding{}, d.Input.Findings...)
	d.Input.Findings[1].Measures = []policy.Measure{{Name: "face.similarity", Value: 0.1, Unit: "cosine"}}
	altered("a finding", d, Altered)
	d = f.Decisions[1]
	d.Body = bytes.Replace(d.Body, []byte("approved"), []byte("rejected"), 1)
	other := *w.file(id)
	other.Decisions = nil
	d = other.decision(ctx, w.store, w.find, session.Recorded{Decision: f.Decisions[1].Recorded.Decision, Body: d.Body, Basis: f.Decisions[1].Basis})
	altered("the stored decision", d, Altered)
	d = f.Decisions[1]
	d.Policy = w.rules // a release that computes differently
	if r := d.replay(); r.Verdict != Different || !bytes.Contains(r.Now, []byte(`"rejected"`)) || !bytes.Contains(r.Recorded, []byte(`"approved"`)) {
		t.Errorf("%+v", r)
	}
	d = f.Decisions[1]
	d.Err = session.ErrIncomplete
	altered("no findings", d, CanNotReplay)
	if v := verdicts(); strings.Join(v, " ") != "identical identical" {
		t.Errorf("%v", v)
	}

	// A case that a person settles: the referral is computed again, the person's
	// verdict is not.
	w.rules, _ = policy.Parse([]byte(strings.Replace(rulesText, "{biometric.face_match_uncertain: reject}", "{biometric.face_match_uncertain: review}", 1)))
	w.ok(w.store.PutRules(ctx, service, session.Rules{Hash: w.rules.Hash(), Kind: session.PolicyRules, Name: "test", Version: "7", Text: []byte(strings.Replace(rulesText, "{biometric.face_match_uncertain: reject}", "{biometric.face_match_uncertain: review}", 1))}))
	id = w.begin()
	w.capture(id)
	d2 := w.decide(id, 0.5, 0.2)
	d2.Outcome, d2.Codes = policy.Approved, []policy.Code{}
	w.apply(id, session.Decided(person, 1, d2))
	if v := verdicts(); strings.Join(v, " ") != "identical by_person" {
		t.Errorf("%v", v)
	}
	_, _, err := w.store.Checkpoint(ctx, w.signer)
	w.ok(err)
	r, err := w.file(id).Receipt(ctx, 0, w.store.ProveAudit, w.store.Rules, w.now)
	w.ok(err)
	b, err := r.Sign(w.signer)
	w.ok(err)
	if _, shown, err := receipt.Open(b, w.verifier); err != nil || len(shown.Decided) != 2 || shown.Decided[1].By != "reviewer" || !shown.Replayed {
		t.Errorf("%+v %v", shown, err)
	}
}

func TestRepeatedRequestsDoNotHideADecision(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.capture(id)
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			for range 30 {
				if _, err := w.store.Apply(ctx, id, session.AnyVersion, session.Event{Kind: session.Submit, Actor: service}, nil); !errors.Is(err, session.ErrNoTransition) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	w.decide(id, 0.5, 0.9)
	f := w.file(id)
	if r := f.Replay(); len(r) != 1 || r[0].Verdict != Identical || f.Dropped != 1100 {
		t.Errorf("%+v, %d dropped", r, f.Dropped)
	}
}

func TestAReceiptHoldsByItselfAndNothingOfItCanBeChanged(t *testing.T) {
	w := newWorld(t)
	id := w.begin()
	w.capture(id)
	w.decide(id, 0.5, 0.2)
	f := w.file(id)
	if _, err := f.Receipt(ctx, 0, w.store.ProveAudit, nil, w.now); !errors.Is(err, session.ErrNotFound) {
		t.Errorf("a receipt without a checkpoint: %v", err)
	}
	_, _, err := w.store.Checkpoint(ctx, w.signer)
	w.ok(err)
	for _, texts := range []Texts{nil, w.store.Rules} {
		r, err := f.Receipt(ctx, 0, w.store.ProveAudit, texts, w.now)
		w.ok(err)
		b, err := r.Sign(w.signer)
		w.ok(err)
		got, shown, err := receipt.Open(b, w.verifier)
		w.ok(err)
		if got.Session != id || len(shown.Decided) != 1 || shown.Decided[0].Outcome != "rejected" || shown.Findings != 2 || shown.Evidence != 2 ||
			len(got.Models) != 1 || shown.Replayed != (texts != nil) {
			t.Errorf("%+v", shown)
		}
		for _, secret := range []string{"customer-4711-marked", strings.Repeat("cd", 32)} {
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("the receipt holds %s", secret)
			}
		}
		for i := 0; i < len(b); i++ {
			if i > 500 && i < len(b)-200 {
				i += len(b) / 400 // every byte at the ends, and some between
			}
			b[i] ^= 1
			if _, _, err := receipt.Open(b, w.verifier); err == nil {
				t.Fatalf("byte %d can be changed", i)
			}
			b[i] ^= 1
		}
		// Signed again by the key's holder, it still has to agree with the log.
		for what, lie := range map[string]func(*receipt.Receipt){
			"decision": func(r *receipt.Receipt) {
				r.Decisions[0] = bytes.ReplaceAll(r.Decisions[0], []byte("rejected"), []byte("approved"))
			},
			"findings": func(r *receipt.Receipt) { r.Input = bytes.Replace(r.Input, []byte("0.2"), []byte("0.9"), 1) },
			"model":    func(r *receipt.Receipt) { r.Models[0].SHA256 = "other" },
			"evidence": func(r *receipt.Receipt) { r.Evidence[0].Commitment = strings.Repeat("00", 32) },
			"kind":     func(r *receipt.Receipt) { r.Evidence[0].Kind = "document_back" },
			"session":  func(r *receipt.Receipt) { r.Session = "ses_other" },
			"policy":   func(r *receipt.Receipt) { r.Policy.SHA256 = strings.Repeat("00", 32) },
			"codes":    func(r *receipt.Receipt) { r.Codes.SHA256 = strings.Repeat("00", 32) },
			"proof":    func(r *receipt.Receipt) { r.Proof.Entries[0].Hashes = nil },
			"nothing":  func(r *receipt.Receipt) { r.Decisions = nil },
		} {
			r, err := f.Receipt(ctx, 0, w.store.ProveAudit, texts, w.now)
			w.ok(err)
			r.Decisions[0] = bytes.Clone(r.Decisions[0])
			lie(&r)
			b, err := r.Sign(w.signer)
			w.ok(err)
			if _, _, err := receipt.Open(b, w.verifier); err == nil {
				t.Errorf("a lie about the %s holds", what)
			}
		}
	}
	if _, err := f.Receipt(ctx, 7, w.store.ProveAudit, nil, w.now); !errors.Is(err, ErrUndecided) {
		t.Errorf("an attempt that was not: %v", err)
	}
	// What else the key signs is no receipt.
	_, msg, err := w.store.Checkpoint(ctx, w.signer)
	w.ok(err)
	if _, _, err := receipt.Open(msg, w.verifier); err == nil {
		t.Error("a checkpoint was taken for a receipt")
	}
}

func FuzzReadDeletion(f *testing.F) {
	_, vkey, err := audit.GenerateKey("test")
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"proofline_deletion":1,"session":"ses_1","certificates":[{"version":1}],"proof":{"proofline_audit_proof":1,"checkpoint":"x","entries":[]}}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ReadDeletion(bytes.NewReader(b))
		if err != nil {
			return
		}
		if _, err := d.Check(vkey); err == nil {
			t.Fatalf("%q holds without a signature", b)
		}
	})
}
