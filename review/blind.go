package review

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// ErrBlind refuses to show what was decided of a case to who is judging it blindly.
var ErrBlind = errors.New("the account is judging the case without knowing the outcome")

// Blind is a sampled case as its judge sees it: the evidence that there is, and
// nothing that the machine made of it. Scores, marks, reasons and the outcome would
// lead the judge.
type Blind struct {
	Sample   session.Sample
	Session  session.Session
	Pictures []Picture
	Sources  []string
}

// TakeBlind gives the account the sampled case that is due first, or the one that
// it has. session.ErrNotFound: there is none.
func (d *Desk) TakeBlind(ctx context.Context, account string) (session.Sample, error) {
	return d.c.Store.TakeSample(ctx, account, "", d.c.ClaimLife)
}

// BlindCase returns the sampled case that the account has. session.ErrNotClaimed.
func (d *Desk) BlindCase(ctx context.Context, account, id string) (*Blind, error) {
	p, err := d.c.Store.Sample(ctx, id)
	if err != nil {
		return nil, err
	}
	if !p.HeldBy(account, d.c.Now()) {
		return nil, session.ErrNotClaimed
	}
	ses, err := d.c.Store.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	b := &Blind{Sample: p, Session: *ses}
	_, made, err := d.results(ctx, ses)
	if err == nil {
		b.Pictures, b.Sources, err = d.pictures(ctx, ses, made)
	}
	return b, err
}

// BlindWork counts the sampled cases that wait for a person.
func (d *Desk) BlindWork(ctx context.Context) (open, late int64, err error) {
	return d.c.Store.OpenSamples(ctx)
}

// BlindDue is when the first of them is due; zero: none waits.
func (d *Desk) BlindDue(ctx context.Context) (time.Time, error) {
	return d.c.Store.NextSampleDue(ctx)
}

// ReleaseBlind gives it back.
func (d *Desk) ReleaseBlind(ctx context.Context, account, id string) error {
	return d.c.Store.ReleaseSample(ctx, account, id)
}

// JudgeBlind records what the account says of the sampled case that it has. The
// session stays as it is, whatever is said. v.Version is that of the session which
// the account saw, or session.AnyVersion. *FaultError, session.ErrNotClaimed,
// session.ErrConflict.
func (d *Desk) JudgeBlind(ctx context.Context, account, id string, v Verdict) (session.Sample, error) {
	b, err := d.BlindCase(ctx, account, id)
	if err != nil {
		return session.Sample{}, err
	}
	v.Retake = nil
	if err := v.check(nil); err != nil {
		return session.Sample{}, err
	}
	vote := session.Vote{Session: id, Account: account, Outcome: v.Outcome, Codes: v.Codes}
	var note storage.Object
	if strings.TrimSpace(v.Note) != "" {
		_, cell, err := d.rules(ctx, &b.Session)
		if err != nil {
			return session.Sample{}, err
		}
		if note, err = d.keepText(ctx, cell, id, NoteKind, v.Note); err != nil {
			return session.Sample{}, err
		}
		vote.Note = note.ID
	}
	p, err := d.c.Store.JudgeSample(ctx, vote, v.Version)
	if err != nil && note.ID != "" {
		err = errors.Join(err, d.c.Vault.Remove(context.WithoutCancel(ctx), note))
	}
	return p, err
}

// JudgesBlindly reports whether the account is judging the case as a sampled one
// now: until it has, nothing that was decided is shown to it.
func (d *Desk) JudgesBlindly(ctx context.Context, account, id string) (bool, error) {
	p, err := d.c.Store.Sample(ctx, id)
	if errors.Is(err, session.ErrNotFound) {
		return false, nil
	}
	return p.HeldBy(account, d.c.Now()), err
}
