package pipeline

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/screening"
	"github.com/proofline/proofline/session"
)

// askedLists is a matcher that notes whom it was asked about.
type askedLists struct {
	mu     sync.Mutex
	asked  []string
	answer func(s screening.Subject, lists []string) []screening.Answer
}

func (m *askedLists) Screen(_ context.Context, _ string, s screening.Subject, lists []string) ([]screening.Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, s.Surname)
	return m.answer(s, lists), nil
}

func (m *askedLists) who() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.asked)
}

// byName says "match" of one surname and "clear" of all others.
func byName(wanted string) func(screening.Subject, []string) []screening.Answer {
	return func(s screening.Subject, lists []string) (as []screening.Answer) {
		for _, l := range lists {
			a := screening.Answer{List: l, Result: screening.Clear}
			if s.Surname == wanted {
				a.Result = screening.Match
			}
			as = append(as, a)
		}
		return as
	}
}

// requireSanctions makes the world's policy ask for the sanctions list.
func (w *world) requireSanctions() {
	w.t.Helper()
	p, err := policy.Parse([]byte(strings.Replace(string(policy.DefaultYAML()), "  expires: 24h\n", "  expires: 24h\n  screening: [sanctions]\n", 1)))
	if err != nil {
		w.t.Fatal(err)
	}
	w.policy = p
}

// readNames are stages that pass and read the surname that the attempt brings; in
// attempts that are in blurred they ask for another selfie. before runs ahead of
// the screening stage, and after behind it.
func readNames(names map[int]string, blurred ...int) []stage {
	ss, _ := passing()
	for i := range ss {
		switch pass := ss[i].Run; ss[i].Name {
		case "mrz":
			ss[i].Run = func(ctx context.Context, r *run) ([]policy.Finding, error) {
				if n := names[r.c.Attempt]; n != "" {
					r.fields = append(r.fields, Field{Name: "surname", Value: n, Source: "mrz"}, Field{Name: "birth_date", Value: "1974-08-12", Source: "mrz"})
				}
				return pass(ctx, r)
			}
			ss[i].Save, ss[i].Load = saveFields("mrz"), loadFields
		case "face":
			ss[i].Run = func(ctx context.Context, r *run) ([]policy.Finding, error) {
				fs, err := pass(ctx, r)
				if slices.Contains(blurred, r.c.Attempt) {
					fs[0].Subject = "selfie"
					fs[0].Assert("capture.blurred", "")
				}
				return fs, err
			}
		}
	}
	at := slices.IndexFunc(stages, func(s stage) bool { return s.Name == policy.ScreeningStage })
	return append(ss, stages[at])
}

// again brings the photos of a second attempt.
func (w *world) again(id string) {
	w.t.Helper()
	w.apply(id, session.Event{Kind: session.StartCapture, Actor: person})
	for _, kind := range []string{"document_front", "selfie"} {
		w.photo(id, kind, "another try")
	}
	w.apply(id, session.Event{Kind: session.Submit, Actor: person})
}

func TestAClearAnswerOnOnePersonClearsNobodyElseInTheNextAttempt(t *testing.T) {
	w := newWorld(t, "")
	w.requireSanctions()
	m := &askedLists{answer: byName("SANCTIONED")}
	c := w.config()
	c.Matcher = m
	w.start(c, readNames(map[int]string{1: "CLEAN", 2: "SANCTIONED"}, 1))
	id := w.submit()
	w.settled(id, session.NeedsResubmission)
	w.again(id)
	ses := w.settled(id, decided[:3]...)
	if ses.State != session.PendingReview || !slices.Contains(ses.Decision.Codes, "compliance.sanctions_match") || !slices.Equal(m.who(), []string{"CLEAN", "SANCTIONED"}) {
		t.Errorf("%s %v, the matcher was asked about %v", ses.State, ses.Decision.Codes, m.who())
	}
}

func TestAClearAnswerHoldsForTheSamePersonInTheNextAttempt(t *testing.T) {
	w := newWorld(t, "")
	w.requireSanctions()
	m := &askedLists{answer: byName("NOBODY")}
	c := w.config()
	c.Matcher = m
	w.start(c, readNames(map[int]string{1: "CLEAN", 2: "CLEAN"}, 1))
	id := w.submit()
	w.settled(id, session.NeedsResubmission)
	w.again(id)
	if ses := w.settled(id, decided[:3]...); ses.State != session.Approved || len(m.who()) != 1 {
		t.Errorf("%s %v, the matcher was asked about %v", ses.State, ses.Decision.Codes, m.who())
	}
}

func TestAMatchOfAnEarlierAttemptIsNotForgotten(t *testing.T) {
	w := newWorld(t, "")
	w.requireSanctions()
	m := &askedLists{answer: byName("SANCTIONED")}
	c := w.config()
	c.Matcher = m
	w.start(c, readNames(map[int]string{1: "SANCTIONED", 2: "CLEAN"}, 1))
	id := w.submit()
	w.settled(id, session.NeedsResubmission, session.PendingReview)
	if ses, err := w.store.Get(ctx, id); err != nil || ses.State != session.NeedsResubmission {
		// The shipped actions let a match outrank another photo: a reviewer asks for it.
		d := policy.Decision{Outcome: policy.NeedsResubmission, Codes: []policy.Code{"capture.blurred"}, Reasons: []policy.Reason{}}
		w.apply(id, session.Decided(session.Actor{Role: session.Reviewer, ID: "r"}, 1, d))
	}
	w.again(id)
	ses := w.settled(id, decided[:3]...)
	if ses.State != session.PendingReview || !slices.Contains(ses.Decision.Codes, "compliance.sanctions_match") || !slices.Equal(m.who(), []string{"SANCTIONED", "CLEAN"}) {
		t.Errorf("%s %v, the matcher was asked about %v", ses.State, ses.Decision.Codes, m.who())
	}
}

func TestAPostedClearHoldsForItsAttemptOrTheSamePerson(t *testing.T) {
	for name, c := range map[string]struct {
		second string
		want   session.State
	}{"the same person": {"CLEAN", session.Approved}, "somebody else": {"OTHER", session.PendingReview}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "")
			w.requireSanctions()
			w.start(w.config(), readNames(map[int]string{1: "CLEAN", 2: c.second}, 1))
			id := w.ready()
			w.post(id, "q-1", screening.Clear)
			w.apply(id, session.Event{Kind: session.Submit, Actor: person})
			w.settled(id, session.NeedsResubmission)
			w.again(id)
			if ses := w.settled(id, decided[:3]...); ses.State != c.want {
				t.Errorf("%s %v", ses.State, ses.Decision.Codes)
			}
		})
	}
}

// ready makes a session with its photos, to be submitted.
func (w *world) ready() string {
	w.t.Helper()
	ses, err := w.store.Create(ctx, session.New{Tenant: "t1", PolicyName: w.policy.Name, PolicyVersion: w.policy.Version, PolicyHash: w.policy.Hash(),
		Actor: session.Actor{Role: session.Service, ID: "key_1"}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.apply(ses.ID, session.Event{Kind: session.ConsentGiven, Actor: person, Consent: &session.Consent{TextHash: "h", Scope: []string{"document", "biometric"}}})
	for _, kind := range []string{"document_front", "selfie"} {
		w.photo(ses.ID, kind, "a photo")
	}
	return ses.ID
}

func (w *world) post(id, reference string, result screening.Result) {
	w.t.Helper()
	if _, _, err := w.store.PutScreening(ctx, session.Actor{Role: session.Service, ID: "key_1"}, session.Screening{
		Session: id, List: "sanctions", Result: string(result), Provider: "own", Reference: reference, CheckedAt: time.Now()}); err != nil {
		w.t.Fatal(err)
	}
}

func TestSeveralHitsWithoutAReferenceAreAllCounted(t *testing.T) {
	w := newWorld(t, "")
	w.requireSanctions()
	c := w.config()
	c.Matcher = &askedLists{answer: func(screening.Subject, []string) []screening.Answer {
		return []screening.Answer{{List: "sanctions", Result: screening.Possible}, {List: "sanctions", Result: screening.Match},
			{List: "sanctions", Result: screening.Possible, Reference: "q"}, {List: "sanctions", Result: screening.Match, Reference: "q"}}
	}}
	w.start(c, readNames(map[int]string{1: "SANCTIONED"}))
	id := w.submit()
	if ses := w.settled(id, decided...); !slices.Contains(ses.Decision.Codes, "compliance.sanctions_match") {
		t.Errorf("%s %v", ses.State, ses.Decision.Codes)
	}
	if xs, err := w.store.Screenings(ctx, id); err != nil || len(xs) != 4 {
		t.Errorf("%d results are recorded, %v", len(xs), err)
	}
}

func TestAnAnswerThatCanNotBeRecordedAsItIsCountsAllTheSame(t *testing.T) {
	w := newWorld(t, "")
	w.requireSanctions()
	c := w.config()
	c.Matcher = &askedLists{answer: func(screening.Subject, []string) []screening.Answer {
		return []screening.Answer{{List: "sanctions", Result: screening.Match, Reference: "line\nbreak", Lists: "\x01"}}
	}}
	w.start(c, readNames(map[int]string{1: "SANCTIONED"}))
	id := w.submit()
	if ses := w.settled(id, decided...); !slices.Contains(ses.Decision.Codes, "compliance.sanctions_match") {
		t.Errorf("%s %v", ses.State, ses.Decision.Codes)
	}
	if xs, err := w.store.Screenings(ctx, id); err != nil || len(xs) != 1 || xs[0].Result != "match" {
		t.Errorf("%+v, %v", xs, err)
	}
}

func TestAResultPostedWhileTheStagesRunIsDecidedOn(t *testing.T) {
	w := newWorld(t, "")
	w.requireSanctions()
	ss := readNames(map[int]string{1: "CLEAN"})
	counts, runs := ss[0].Run, 0
	ss[0].Run = func(ctx context.Context, r *run) ([]policy.Finding, error) { runs++; return counts(ctx, r) }
	screened, posted := make(chan struct{}), make(chan struct{})
	ss = append(ss, stage{Name: "late", Timeout: time.Minute, Run: func(context.Context, *run) ([]policy.Finding, error) {
		close(screened)
		<-posted
		return []policy.Finding{{Subject: "case"}}, nil
	}})
	w.start(w.config(), ss)
	id := w.ready()
	w.post(id, "q-1", screening.Clear)
	w.apply(id, session.Event{Kind: session.Submit, Actor: person})
	<-screened
	w.post(id, "q-2", screening.Match)
	close(posted)
	if ses := w.settled(id, decided...); !slices.Contains(ses.Decision.Codes, "compliance.sanctions_match") {
		t.Errorf("%s %v", ses.State, ses.Decision.Codes)
	}
	if runs != 1 {
		t.Errorf("the first stage ran %d times", runs)
	}
}

func TestATestCaseIsApprovedWhereListsAreRequired(t *testing.T) {
	w := newWorld(t, "")
	w.requireSanctions()
	w.start(w.config(), stages)
	if ses := w.settled(w.testCase("test:approved"), decided...); ses.State != session.Approved {
		t.Errorf("%s %v", ses.State, ses.Decision.Codes)
	}
	if ses := w.settled(w.testCase("test:compliance.sanctions_match"), decided...); !slices.Equal(ses.Decision.Codes, []policy.Code{"compliance.sanctions_match"}) {
		t.Errorf("%s %v", ses.State, ses.Decision.Codes)
	}
}
