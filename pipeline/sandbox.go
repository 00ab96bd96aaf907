package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// sandboxWait is how long a case stays submitted that is to.
const sandboxWait = time.Minute

// sandboxStages are the pipeline's, each with a finding that says what was asked for:
// every check was made and found nothing but the codes.
func sandboxStages(s session.Sandbox, attempt int) []stage {
	codes := s.Codes
	switch {
	case s.Review != "" && attempt == 1:
		codes = []policy.Code{"system.not_evaluated"}
	case attempt > 1 && !s.Always:
		codes = nil
	}
	out := make([]stage, len(stages))
	for i, real := range stages {
		out[i] = stage{Name: real.Name, Timeout: time.Minute, Run: func(_ context.Context, r *run) ([]policy.Finding, error) {
			fs := []policy.Finding{{Subject: "case", Verdict: policy.Pass}}
			if real.Name == policy.ScreeningStage {
				fs = nil // one for each list, as the stage itself has them
				for _, l := range r.cell.Screening {
					fs = append(fs, policy.Finding{Subject: l, Verdict: policy.Pass})
				}
			}
			for _, c := range codes {
				if sandboxStage(c) == real.Name {
					f := policy.Finding{Subject: sandboxSubject(c, r.cell.Evidence)}
					f.Assert(c, "")
					fs = append(fs, f)
				}
			}
			return fs, nil
		}}
	}
	return out
}

// sandboxStage is the stage that speaks of a code.
func sandboxStage(c policy.Code) string {
	switch c.Category() {
	case "capture":
		return "quality"
	case "document":
		return "document"
	case "biometric":
		return "face"
	}
	return "consistency"
}

// sandboxSubject is the photo that a code speaks of.
func sandboxSubject(c policy.Code, evidence []string) string {
	face := c.Category() == "biometric" || strings.Contains(string(c), "face") || strings.Contains(string(c), "burst")
	switch {
	case c == "capture.face_instead_of_document":
		return "document_front"
	case c == "capture.document_instead_of_face", face && slices.Contains(evidence, "selfie"):
		return "selfie"
	case c.Category() == "capture" || c.Category() == "document":
		return "document_front"
	}
	return "case"
}

// runTest decides a case of a sandbox. No photo is opened, no engine asked and
// no figure counted.
func (w *Worker) runTest(ctx context.Context, row session.Outbox, lease session.Lease, ses *session.Session) error {
	s, err := session.ParseSandbox(ses.ExternalRef)
	if err != nil {
		s = session.Sandbox{Codes: []policy.Code{"system.stage_failed"}, Always: true} // an older release knew it
	}
	if due := ses.SubmittedAt.Add(sandboxWait); s.Slow && time.Now().Before(due) {
		return errors.Join(w.c.Store.Requeue(ctx, row.ID, due, "sandbox"), w.c.Store.Release(ctx, lease))
	}
	p, err := w.c.Policy(ctx, ses.PolicyHash)
	if err != nil {
		return fmt.Errorf("find policy %s version %s: %w", ses.PolicyName, ses.PolicyVersion, err)
	}
	c := w.c
	c.Observe = func(Event) {} // what stages took here is no measurement
	j := &job{w: &Worker{c: c, stages: sandboxStages(s, row.Attempt), actor: w.actor, log: w.log}, ses: ses, attempt: row.Attempt,
		r: newRun(&Engines{}, p, Case{Documents: map[string][]byte{}, Attempt: row.Attempt, AsOf: ses.SubmittedAt, Context: ses.Context()})}
	defer j.r.close()
	d, err := j.decide(ctx)
	if err != nil {
		return err
	}
	ev := session.Decided(w.actor, row.Attempt, d)
	if ev.Basis, err = j.basis(); err != nil {
		return err
	}
	// Both decisions are one commit. The first one ends the run: a worker that was
	// killed between them would leave a case that nobody looks at.
	_, err = w.c.Store.Apply(ctx, ses.ID, session.AnyVersion, ev, func(tx *session.Tx) error {
		if s.Review == "" || tx.Session.State != session.PendingReview || row.Attempt > 1 {
			return nil
		}
		said := d
		said.Outcome, said.Codes, said.Reasons = s.Review, []policy.Code{}, []policy.Reason{}
		if s.Review == policy.NeedsResubmission {
			said.Retake = p.Cell(ses.Context()).Evidence
		}
		err := tx.Then(session.Decided(session.Actor{Role: session.Reviewer, ID: "sandbox"}, row.Attempt, said))
		if errors.Is(err, session.ErrNoTransition) { // no attempt is left: it stays in review
			return nil
		}
		return err
	})
	if errors.Is(err, session.ErrNoTransition) {
		return nil
	}
	return err
}
