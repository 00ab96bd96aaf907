package policy

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// asShipped is read once: a property asks for it thousands of times.
var asShipped = sync.OnceValue(Default)

func reviewed(r *ReviewRules, signals Signals) Cell {
	c := asShipped().Cell(Context{Signals: signals})
	c.Review = r
	return c
}

func TestRiskAndValueMoveACaseForwardWithinItsSLA(t *testing.T) {
	h := Duration(time.Hour)
	r := &ReviewRules{SLA: 24 * h, RiskFirst: 12 * h, ValueFirst: 6 * h, ValueFull: 1000, Overload: &Overload{Above: 50, SLA: 72 * h, RiskFirst: 48 * h}}
	d := Decision{}
	calm := reviewed(r, nil).Triage(d)
	if calm.Sooner != 0 || calm.SLA != 24*time.Hour || calm.Queue != DefaultQueue {
		t.Errorf("%+v", calm)
	}
	if x := reviewed(r, Signals{"amount": 500}).Triage(d); x.Sooner != 3*time.Hour || x.Value != 500 {
		t.Errorf("half the value: %+v", x)
	}
	if x := reviewed(r, Signals{"device_risk": 1, "amount": 9000}).Triage(d); x.Sooner != 18*time.Hour || x.BusySooner != 54*time.Hour {
		t.Errorf("all risk and value: %+v", x)
	}
	failed := Decision{Reasons: []Reason{{Code: "biometric.face_mismatch", Action: Review}}}
	if x := reviewed(r, nil).Triage(failed); x.Risk < 0.3 || x.Sooner == 0 {
		t.Errorf("a failed check: %+v", x)
	}
	if x := (Cell{}).Triage(d); x.SLA != 0 || x.Queue != DefaultQueue {
		t.Errorf("without rules the settings say: %+v", x)
	}
}

// waiting is a case in a simulated queue.
type waiting struct {
	n            int
	entered      time.Duration
	calm, busy   time.Duration
	longest      time.Duration // the longer of its two SLAs
	overtakenBy  int
	enteredLater int // of those, how many came after its SLA ran out
}

// Whatever arrives, in whichever mix, and however the queue goes in and out of
// overload: a case is never overtaken by one that entered after its SLA ran out.
// So it is looked at after finitely many others even if reviewers never catch up.
func TestNoCaseStarvesInTheOrderOfWork(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		hours := func(low, high int, name string) Duration {
			return Duration(time.Duration(rapid.IntRange(low, high).Draw(t, name)) * time.Hour)
		}
		var rules []*ReviewRules
		for range rapid.IntRange(1, 3).Draw(t, "cells") {
			r := &ReviewRules{SLA: hours(1, 72, "sla"), ValueFull: 100}
			r.RiskFirst = Duration(rapid.Int64Range(0, int64(r.SLA)).Draw(t, "risk"))
			r.ValueFirst = Duration(rapid.Int64Range(0, int64(r.SLA-r.RiskFirst)).Draw(t, "value"))
			if r.ValueFirst == 0 {
				r.ValueFull = 0
			}
			sla := r.SLA + hours(0, 100, "longer")
			r.Overload = &Overload{Above: rapid.IntRange(1, 10).Draw(t, "above"), SLA: sla,
				RiskFirst: Duration(rapid.Int64Range(int64(r.RiskFirst), int64(sla-r.ValueFirst)).Draw(t, "busy risk"))}
			if err := reviewed(r, nil).validateReview("x"); err != nil {
				t.Fatalf("a valid rule is refused: %v", err)
			}
			rules = append(rules, r)
		}
		var queue []*waiting
		now := time.Duration(0)
		for n := range rapid.IntRange(1, 60).Draw(t, "steps") {
			now += time.Duration(rapid.IntRange(0, 30).Draw(t, "pass")) * time.Hour
			r := rapid.SampledFrom(rules).Draw(t, "cell")
			x := reviewed(r, Signals{"device_risk": rapid.Float64Range(0, 1).Draw(t, "device"), "amount": rapid.Float64Range(0, 1000).Draw(t, "amount")}).Triage(Decision{})
			queue = append(queue, &waiting{n: n, entered: now, calm: now + x.SLA - x.Sooner, busy: now + x.BusySLA - x.BusySooner, longest: max(x.SLA, x.BusySLA)})
			if rapid.Bool().Draw(t, "a reviewer is free") {
				busy := len(queue) > r.Overload.Above
				slices.SortStableFunc(queue, func(a, b *waiting) int {
					if busy {
						return int(a.busy - b.busy)
					}
					return int(a.calm - b.calm)
				})
				taken := queue[0]
				queue = queue[1:]
				for _, w := range queue {
					if w.entered < taken.entered {
						w.overtakenBy++
						if taken.entered > w.entered+w.longest {
							w.enteredLater++
						}
					}
				}
			}
		}
		for _, w := range queue {
			if w.enteredLater > 0 {
				t.Fatalf("case %d was overtaken by %d cases that entered after its SLA", w.n, w.enteredLater)
			}
		}
	})
}

func TestRulesThatWouldStarveCasesOrHideRiskAreRefused(t *testing.T) {
	// The shipped policy's own block makes room.
	text := regexp.MustCompile(`(?m)^  review:\n(    .*\n)+`).ReplaceAllString(string(DefaultYAML()), "")
	for rules, says := range map[string]string{
		"{queue: fast}":                                                              "sla is required",
		"{sla: 24h, queue: 'a b'}":                                                   "queue",
		"{sla: 24h, risk_first: 25h}":                                                "starve",
		"{sla: 24h, value_first: 5h}":                                                "value_full",
		"{sla: 24h, second: 1.5}":                                                    "second",
		"{sla: 24h, sample: {approved: 1.5}}":                                        "shares of 0 to 1",
		"{sla: 24h, sample: {rejected: -1}}":                                         "shares of 0 to 1",
		"{sla: 24h, sample: {approved: 0.1, within: 31d}}":                           "nothing left to look at",
		"{sla: 24h, sample: {approved: 0.1, within: 1m}}":                            "at least 1h",
		"{sla: 24h, overload: {above: 0, sla: 48h}}":                                 "above",
		"{sla: 24h, overload: {above: 10, sla: 12h}}":                                "at least the usual",
		"{sla: 24h, risk_first: 4h, overload: {above: 9, sla: 48h, risk_first: 1h}}": "count for less",
		"{sla: 24h, overload: {above: 9, sla: 48h, approve: true}}":                  "approve",
	} {
		_, err := Parse([]byte(strings.Replace(text, "  expires: 24h\n", "  expires: 24h\n  review: "+rules+"\n", 1)))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", rules, err)
		}
	}
	ok := "{queue: fast, sla: 24h, risk_first: 6h, second: 0.05, overload: {above: 200, sla: 72h, risk_first: 24h}}"
	p, err := Parse([]byte(strings.Replace(text, "  expires: 24h\n", "  expires: 24h\n  review: "+ok+"\n", 1)))
	if err != nil || p.Hash() == Default().Hash() {
		t.Errorf("%v", err)
	}
}

func TestOnlyWhatTheMachineDecidesItselfIsSampled(t *testing.T) {
	c := reviewed(&ReviewRules{SLA: Duration(24 * time.Hour), Sample: &Sample{Approved: 0.01, Rejected: 0.2}}, nil)
	for outcome, share := range map[Outcome]float64{Approved: 0.01, Rejected: 0.2, PendingReview: 0, NeedsResubmission: 0} {
		if x := c.Triage(Decision{Outcome: outcome}); x.Sample != share || share > 0 && x.Within != 72*time.Hour {
			t.Errorf("%s: %v within %s", outcome, x.Sample, x.Within)
		}
	}
}
