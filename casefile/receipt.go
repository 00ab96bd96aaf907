package casefile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/receipt"
	"github.com/proofline/proofline/session"
)

// Prove shows entries of the audit log; session.Store.ProveAudit is one.
type Prove func(ctx context.Context, entries []audit.Entry, earlier ...int64) (audit.Proof, error)

// Texts finds the texts of rules by their hash; nil leaves them out of a receipt.
type Texts func(ctx context.Context, hash string) (session.Rules, error)

// Receipt makes the receipt of an attempt; 0 means the last that was decided.
func (f *File) Receipt(ctx context.Context, attempt int, prove Prove, texts Texts, now time.Time) (receipt.Receipt, error) {
	if attempt == 0 {
		for _, d := range f.Decisions {
			attempt = max(attempt, d.Attempt)
		}
	}
	r := receipt.Receipt{Session: f.Session.ID, Attempt: attempt, IssuedAt: now.UTC().Truncate(time.Second)}
	fail := func(err error) (receipt.Receipt, error) {
		return receipt.Receipt{}, fmt.Errorf("make receipt of session %s, attempt %d: %w", f.Session.ID, attempt, err)
	}
	var entries []audit.Entry
	for _, d := range f.Decisions {
		if d.Attempt != attempt {
			continue
		}
		if d.Entry == nil {
			return fail(fmt.Errorf("the audit log has no entry with the hash of the recorded decision"))
		}
		r.Decisions = append(r.Decisions, d.Body)
		entries = append(entries, *d.Entry)
	}
	d := f.Machine(attempt)
	if d == nil {
		return fail(ErrUndecided)
	}
	if d.Err != nil {
		return fail(d.Err)
	}
	var err error
	if r.Input, err = json.Marshal(d.Input); err != nil {
		return fail(err)
	}
	r.AsOf, r.Models = d.Basis.AsOf, receipt.Models(d.Input.Findings)
	r.Policy = receipt.Rules{Name: d.Decision.Policy, Version: d.PolicyVersion, SHA256: d.PolicyHash}
	r.Codes = receipt.Rules{SHA256: d.Basis.CodesHash}
	if texts != nil {
		for _, rules := range []*receipt.Rules{&r.Policy, &r.Codes} {
			t, err := texts(ctx, rules.SHA256)
			if err != nil {
				return fail(err)
			}
			rules.Text = string(t.Text)
		}
	}
	for _, e := range f.Timeline {
		if e.Action != "evidence.committed" || !slices.Contains(d.Basis.Evidence, e.Refs["evidence"]) {
			continue
		}
		r.Evidence = append(r.Evidence, receipt.Evidence{ID: e.Refs["evidence"], Kind: e.Refs["kind"], Attempt: e.Attempt, Commitment: e.Hashes["evidence"]})
		entries = append(entries, e)
	}
	if len(r.Evidence) != len(d.Basis.Evidence) {
		return fail(fmt.Errorf("the audit log has %d of the %d photos that were judged", len(r.Evidence), len(d.Basis.Evidence)))
	}
	slices.SortFunc(r.Evidence, func(a, b receipt.Evidence) int { return strings.Compare(a.Kind, b.Kind) })
	if r.Proof, err = prove(ctx, entries); err != nil {
		return fail(err)
	}
	return r, nil
}
