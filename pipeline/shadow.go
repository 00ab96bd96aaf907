package pipeline

import (
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// shadows decides a case by the policies that only watch, on the findings that the
// case's own policy was given. Their decisions are stored in the transaction of
// the real one; nothing else follows from them.
func (w *Worker) shadows(in policy.Input, own *policy.Policy) func(*session.Tx) error {
	var ds []policy.Decision
	for _, p := range w.c.Shadows {
		if p.Hash() != own.Hash() {
			ds = append(ds, p.Decide(in))
		}
	}
	if len(ds) == 0 {
		return nil
	}
	return func(tx *session.Tx) error {
		for _, d := range ds {
			if err := tx.PutShadow(d); err != nil {
				return err
			}
		}
		return nil
	}
}
