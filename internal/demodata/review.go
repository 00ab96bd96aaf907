package demodata

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
)

// review plays the people who look at a case, until it is decided. False: the
// script is over.
func (l *life) review() bool {
	for _, i := range l.r.Perm(len(l.w.reviewers)) {
		rev := l.w.reviewers[i]
		if l.w.Until.Sub(l.now) < 3*24*time.Hour && l.goesOn(0.7) {
			return false // the queue of the last days is there to be worked on
		}
		if !l.wait(l.between(2*time.Minute, 30*time.Hour)) {
			return false
		}
		machine := l.ses.Decision
		if _, l.ses, l.err = l.w.store.ClaimReview(l.w.ctx, rev.id, l.ses.ID, 15*time.Minute); l.err != nil {
			return false
		}
		if l.r.Float64() < 0.04 { // taken, and given back
			if l.err = l.w.store.ReleaseReview(l.w.ctx, rev.id, l.ses.ID); l.err != nil {
				return false
			}
			continue
		}
		if !l.wait(l.between(30*time.Second, 9*time.Minute)) {
			return false
		}
		d, overrides := l.verdict(rev, machine)
		var settled bool
		l.ses, settled, l.err = l.w.store.CastVote(l.w.ctx, session.Ballot{
			Vote:    session.Vote{Session: l.ses.ID, Account: rev.id, Outcome: d.Outcome, Codes: d.Codes, Overrides: overrides},
			Version: session.AnyVersion, Decision: d, Quorum: 1,
		})
		if l.err != nil {
			return false
		}
		l.w.sum.Votes++
		if overrides {
			l.w.sum.Overrides++
		}
		if settled {
			return l.deliver()
		}
	}
	return false // nobody is left: it waits
}

// check plays the person who judges a case that was drawn for the blind sample.
func (l *life) check() {
	if !l.wait(l.between(30*time.Minute, 60*time.Hour)) {
		return // the drawn cases of the last days wait to be judged
	}
	rev := l.w.reviewers[l.r.IntN(len(l.w.reviewers))]
	_, err := l.w.store.TakeSample(l.w.ctx, rev.id, l.ses.ID, 15*time.Minute)
	if errors.Is(err, session.ErrNotFound) {
		return // not drawn
	}
	if l.err = err; err != nil || !l.wait(l.between(30*time.Second, 9*time.Minute)) {
		return
	}
	v := session.Vote{Session: l.ses.ID, Account: rev.id}
	d, _ := l.verdict(rev, nil)
	v.Outcome, v.Codes = d.Outcome, d.Codes
	if l.p.expired {
		v.Outcome, v.Codes = policy.Rejected, []policy.Code{"document.expired"}
	}
	if _, l.err = l.w.store.JudgeSample(l.w.ctx, v, session.AnyVersion); l.err == nil {
		l.w.sum.Checks++
	}
}

// verdict is what a reviewer says: mostly the truth.
func (l *life) verdict(rev reviewer, machine *session.Decision) (policy.Decision, bool) {
	outcome, codes := policy.Approved, []policy.Code{}
	switch {
	case l.p.impostor:
		outcome, codes = policy.Rejected, []policy.Code{"biometric.face_mismatch"}
	case l.p.fake != "":
		outcome, codes = policy.Rejected, []policy.Code{"biometric.presentation_attack"}
	case l.r.Float64() < 0.03+rev.strict && l.ses.Attempt < l.ses.MaxAttempts:
		outcome, codes = policy.NeedsResubmission, []policy.Code{"capture.blurred"}
	}
	if wrong(l.r, rev) {
		if outcome == policy.Approved {
			outcome, codes = policy.Rejected, []policy.Code{"biometric.face_mismatch"}
		} else {
			outcome, codes = policy.Approved, []policy.Code{}
		}
	}
	action := policy.Reject
	if outcome == policy.NeedsResubmission {
		action = policy.Resubmit
	}
	d := policy.Decision{Outcome: outcome, Codes: codes, Reasons: []policy.Reason{}, Policy: l.ses.PolicyName, PolicyVersion: l.ses.PolicyVersion,
		PolicyHash: l.ses.PolicyHash, Cell: l.cell.Name, Attempt: l.ses.Attempt}
	for _, c := range codes {
		d.Reasons = append(d.Reasons, policy.Reason{Code: c, Subject: "case", Stage: "review", Action: action})
	}
	if outcome == policy.NeedsResubmission {
		d.Retake = []string{"document_front"}
	}
	return d, outcome == policy.Approved && len(review.Against(machine)) > 0
}

func wrong(r *rand.Rand, rev reviewer) bool { return r.Float64() < 0.03+max(rev.strict, 0)/2 }
