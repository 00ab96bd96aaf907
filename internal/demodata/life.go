package demodata

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// life is the script of one case. run yields the time at which it wants to go on.
type life struct {
	w      *world
	r      *rand.Rand
	begins time.Time

	p     person
	now   time.Time
	yield func(time.Time) bool
	ses   *session.Session
	cell  policy.Cell
	err   error
}

var (
	worker  = session.Actor{Role: session.Worker, ID: "simulated"}
	service = session.Actor{Role: session.Service, ID: "simulated"}
	subject = session.Actor{Role: session.Client, ID: "simulated"}
)

var textHash = digest("simulated consent")

func digest(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

func (l *life) run(yield func(time.Time) bool) {
	l.yield, l.now, l.p = yield, l.begins, newPerson(l.r)
	if !l.wait(0) || !l.create() {
		return
	}
	// At each step some people leave. What is left open expires.
	if !l.goesOn(0.93) || !l.wait(l.between(5*time.Second, 4*time.Minute)) {
		l.expire()
		return
	}
	if !l.apply(session.Event{Kind: session.ConsentGiven, Actor: subject, Device: l.p.device,
		Consent: &session.Consent{TextHash: textHash, Locale: l.p.locale, Scope: []string{"document", "biometric"}}}) {
		return
	}
	kinds := l.cell.Evidence
	for {
		for i, kind := range kinds {
			if !l.wait(l.between(8*time.Second, 70*time.Second)) {
				return
			}
			if !l.goesOn(0.975 - 0.01*float64(i)) {
				l.expire()
				return
			}
			if l.ses, l.err = l.w.store.PutEvidence(l.w.ctx, subject, session.Evidence{Session: l.ses.ID, Kind: kind, Object: "simulated_" + kind, SHA256: digest("simulated")}); l.err != nil {
				return
			}
		}
		if !l.wait(l.between(2*time.Second, 15*time.Second)) || !l.apply(session.Event{Kind: session.Submit, Actor: subject}) || !l.decide() {
			return
		}
		if l.ses.State == session.PendingReview && !l.review() {
			return
		}
		if (l.ses.State == session.Approved || l.ses.State == session.Rejected) && l.ses.Decision.By == session.Worker {
			l.check()
			return
		}
		if l.ses.State != session.NeedsResubmission {
			return
		}
		kinds = l.ses.Decision.Retake
		if len(kinds) == 0 {
			kinds = l.cell.Evidence
		}
		if !l.goesOn(0.84) || !l.wait(l.between(time.Minute, 90*time.Minute)) {
			l.expire()
			return
		}
		if !l.apply(session.Event{Kind: session.StartCapture, Actor: subject, Device: l.p.device}) {
			return
		}
		l.w.sum.Resubmits++
	}
}

func (l *life) goesOn(p float64) bool { return l.r.Float64() < p }

// between draws a duration; short ones are more likely than long ones.
func (l *life) between(low, high time.Duration) time.Duration {
	return low + time.Duration(math.Pow(l.r.Float64(), 2.2)*float64(high-low))
}

// wait lets the other cases go on until the time has come. False: there is no
// time left, or nobody wants more.
func (l *life) wait(d time.Duration) bool {
	l.now = l.now.Add(d)
	return l.yield(l.now) && l.now.Before(l.w.Until)
}

func (l *life) create() bool {
	w, p := l.w, l.p
	k := policy.Context{Segment: p.segment, Jurisdiction: p.jurisdiction, DocumentType: p.document, Signals: p.signals}
	l.cell = w.Policy.Cell(k)
	l.ses, l.err = w.store.Create(w.ctx, session.New{
		Tenant: w.Tenant, PolicyName: w.Policy.Name, PolicyVersion: w.Policy.Version, PolicyHash: w.Policy.Hash(),
		Segment: k.Segment, Jurisdiction: k.Jurisdiction, DocumentType: k.DocumentType, Signals: k.Signals,
		ExternalRef: fmt.Sprintf("simulated-%08x", l.r.Uint32()), Locale: p.locale,
		MaxAttempts: 1 + *l.cell.Resubmissions, TTL: time.Duration(l.cell.Expires), Actor: service,
	})
	return l.err == nil && l.deliver()
}

func (l *life) apply(ev session.Event) bool {
	l.ses, l.err = l.w.store.Apply(l.w.ctx, l.ses.ID, session.AnyVersion, ev, nil)
	return l.err == nil && l.deliver()
}

func (l *life) expire() {
	if l.err != nil || !l.wait(l.ses.ExpiresAt.Sub(l.now)+l.between(0, time.Minute)) {
		return
	}
	l.apply(session.Event{Kind: session.Expire, Actor: session.Actor{Role: session.System, ID: "sweeper"}})
}

// decide lets the policy judge what was measured.
func (l *life) decide() bool {
	w := l.w
	if !l.wait(l.between(1200*time.Millisecond, 9*time.Second)) {
		return false
	}
	c := newCapture(l.r, l.p, l.ses.Attempt)
	in := policy.Input{Context: l.ses.Context(), Attempt: l.ses.Attempt}
	basis := &session.Basis{AsOf: l.now, Evidence: []string{}, CodesHash: w.Policy.CodesHash()}
	found := c.findings(l.r, w.Policy, l.cell, l.p)
	for _, stage := range policy.Stages {
		fs := slices.DeleteFunc(slices.Clone(found), func(f policy.Finding) bool { return f.Stage != stage })
		if len(fs) == 0 {
			continue
		}
		var b []byte
		if b, l.err = json.Marshal(map[string]any{"findings": fs}); l.err != nil {
			return false
		}
		ref := session.StageRef{Stage: stage, InputHash: digest(fmt.Sprintf("simulated %s %d %s", l.ses.ID, l.ses.Attempt, stage))}
		if _, l.err = w.store.PutStage(w.ctx, session.StageResult{Session: l.ses.ID, Attempt: l.ses.Attempt, Stage: stage, InputHash: ref.InputHash, Body: b}); l.err != nil {
			return false
		}
		in.Findings, basis.Stages = append(in.Findings, fs...), append(basis.Stages, ref)
	}
	if basis.InputHash, l.err = in.Hash(); l.err != nil {
		return false
	}
	basis.Input = in
	basis.Input.Findings = nil
	ev := session.Decided(worker, l.ses.Attempt, w.Policy.Decide(in))
	ev.Basis, ev.Triage = basis, new(l.cell.Triage(*ev.Decision))
	return l.apply(ev)
}

// deliver plays the receiver of webhooks: most answer at once, a few late, and a
// very few never.
func (l *life) deliver() bool {
	ds, err := l.w.sim.Deliveries(l.ses.ID)
	if err != nil {
		l.err = err
		return false
	}
	for _, d := range ds {
		tries := draw(l.r, []share[int]{{1, 960}, {2, 30}, {3, 9}, {12, 0.3}})
		for try := 1; try <= tries; try++ {
			if try > 1 && !l.wait(l.between(5*time.Second, time.Duration(try*try)*time.Minute)) {
				return false
			}
			r := session.DeliveryResult{Delivered: true, Status: 204}
			switch {
			case try == tries && tries == 12:
				r = session.DeliveryResult{Status: 500, Reason: "status_500"}
				l.w.sum.GivenUp++
			case try < tries:
				r = session.DeliveryResult{Status: 503, Reason: "status_503", RetryAt: l.now.Add(time.Minute)}
			default:
				l.w.sum.Deliveries++
			}
			if l.err = l.w.store.RecordDelivery(l.w.ctx, d, r); l.err != nil {
				return false
			}
		}
	}
	return true
}
