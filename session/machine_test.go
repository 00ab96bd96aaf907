package session

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write docs/states.md")

func TestTheStatesPageIsCurrent(t *testing.T) {
	path := filepath.Join("..", "docs", "states.md")
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(StatesPage()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != StatesPage() {
		t.Error("docs/states.md differs from the transition table; run go generate ./session")
	}
}

func TestNoTransitionLeavesATerminalState(t *testing.T) {
	for _, tr := range Transitions() {
		if tr.From.Terminal() {
			t.Errorf("%s leaves terminal %s", tr.Event, tr.From)
		}
	}
}

func TestEachStateCanBeReachedAndEnds(t *testing.T) {
	reach := map[State]bool{Initiated: true}
	ends := map[State]bool{}
	for range len(transitions) {
		for _, tr := range transitions {
			if reach[tr.From] {
				reach[tr.To] = true
			}
			if tr.To.Terminal() || ends[tr.To] {
				ends[tr.From] = true
			}
		}
	}
	for _, s := range States() {
		if !reach[s] {
			t.Errorf("%s can not be reached", s)
		}
		if !s.Terminal() && !ends[s] {
			t.Errorf("%s never ends", s)
		}
	}
}

func TestAtMostOneTransitionFitsAnySituation(t *testing.T) {
	guards := []Guard{AttemptsLeft, AttemptsExhausted}
	for i, a := range transitions {
		for _, b := range transitions[i+1:] {
			both := slices.ContainsFunc(a.By, func(r Role) bool { return slices.Contains(b.By, r) })
			if a.From != b.From || a.Event != b.Event || !both {
				continue
			}
			if a.Guard == b.Guard || !slices.Contains(guards, a.Guard) || !slices.Contains(guards, b.Guard) {
				t.Errorf("%s on %s is ambiguous", a.Event, a.From)
			}
		}
	}
}

// Whatever events arrive in whatever order, the attempt never exceeds its limit,
// a terminal state stays, and a refused event says why.
func TestAnySequenceOfEventsKeepsTheRules(t *testing.T) {
	events := []EventKind{StartCapture, ConsentGiven, ConsentWithdrawn, EvidenceAdded, Submit, Approve, Reject, Refer, RequestResubmission, Expire, Cancel}
	roles := []Role{Client, Service, Worker, Reviewer, Operator, System}
	rapid.Check(t, func(t *rapid.T) {
		s := &Session{ID: "ses_x", State: Initiated, Attempt: 1, MaxAttempts: rapid.IntRange(1, 4).Draw(t, "max")}
		for range rapid.IntRange(1, 60).Draw(t, "n") {
			ev := Event{Kind: rapid.SampledFrom(events).Draw(t, "event"), Actor: Actor{Role: rapid.SampledFrom(roles).Draw(t, "role")},
				Attempt: rapid.IntRange(0, 3).Draw(t, "attempt")}
			before := *s
			tr, none := next(s, ev)
			if none != nil {
				if none.Reason == "" {
					t.Fatalf("%s on %s refused without a reason", ev.Kind, s.State)
				}
				continue
			}
			if before.State.Terminal() {
				t.Fatalf("%s moved a session out of %s", ev.Kind, before.State)
			}
			if ev.Attempt != 0 && ev.Attempt != before.Attempt {
				t.Fatalf("%s for attempt %d moved attempt %d", ev.Kind, ev.Attempt, before.Attempt)
			}
			s.State = tr.To
			if tr.NextAttempt {
				s.Attempt++
			}
			if ev.Kind == ConsentGiven {
				s.Consent = &Consent{}
			}
			if s.Attempt > s.MaxAttempts {
				t.Fatalf("attempt %d of %d", s.Attempt, s.MaxAttempts)
			}
			if s.State == Submitted && s.Consent == nil {
				t.Fatal("submitted without consent")
			}
		}
	})
}

func FuzzParseID(f *testing.F) {
	var g idSource
	f.Add(g.next(SessionPrefix, testStart))
	f.Add("ses_")
	f.Add("ses_00000000000000000000000001")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(SessionPrefix, s)
		if err == nil && (id != s || len(id) != len(SessionPrefix)+idLen) {
			t.Fatalf("%q parsed as %q", s, id)
		}
	})
}

func FuzzHashSecret(f *testing.F) {
	f.Add(newSecret(APIKeySecret))
	f.Add("plk_")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := HashSecret(APIKeySecret, s)
		if (err == nil) != (len(h) == 32) {
			t.Fatal("a hash without its token's form")
		}
	})
}

func FuzzParseCursor(f *testing.F) {
	f.Add("MXNlc18")
	f.Fuzz(func(t *testing.T, s string) {
		if id, err := parseCursor(s); err == nil {
			if _, err := ParseID(SessionPrefix, id); err != nil {
				t.Fatalf("cursor %q gave %q", s, id)
			}
		}
	})
}

func TestIdsSortByTimeAndNeverRepeat(t *testing.T) {
	var g idSource
	last := ""
	seen := map[string]bool{}
	for i := range 20000 {
		now := testStart.Add(0)
		if i%3 == 0 {
			now = now.Add(-1e9) // a clock that steps back
		}
		id := g.next(SessionPrefix, now)
		if id <= last || seen[id] {
			t.Fatalf("%s after %s", id, last)
		}
		if _, err := ParseID(SessionPrefix, id); err != nil {
			t.Fatal(err)
		}
		last, seen[id] = id, true
	}
	if idBound(SessionPrefix, testStart.Add(1e9)) <= last || idBound(SessionPrefix, testStart.Add(-1e9)) >= last {
		t.Error("bounds do not bound")
	}
}

func TestAMistypedSecretIsRefusedWithoutALookUp(t *testing.T) {
	s := newSecret(ClientTokenSecret)
	if _, err := HashSecret(ClientTokenSecret, s); err != nil {
		t.Fatal(err)
	}
	if _, err := HashSecret(APIKeySecret, s); err == nil {
		t.Error("a client token passed for an API key")
	}
	b := []byte(s)
	for i := range b {
		c := b[i]
		b[i] = 'z' + '0' - c&0x3f
		if b[i] == c {
			b[i]++
		}
		if _, err := HashSecret(ClientTokenSecret, string(b)); err == nil {
			t.Errorf("change at %d not noticed", i)
		}
		b[i] = c
	}
}
