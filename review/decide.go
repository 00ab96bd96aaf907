package review

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// Verdict is what a reviewer says of a case.
type Verdict struct {
	Outcome policy.Outcome // approved, rejected or needs_resubmission
	// Codes are the reasons, from the catalogue: why it is rejected, or what
	// ails the photos. An approval needs none.
	Codes []policy.Code
	// Retake lists the photos to take again; empty: as the codes and the cell
	// say.
	Retake []string
	// Override: the reviewer knows that a failed check speaks against the
	// outcome, and why is in the note.
	Override bool
	// Note goes to the vault, encrypted, as a review_note.
	Note string
	// Version of the case that the reviewer saw.
	Version int64
}

// NoteKind is the kind of a note's vault object.
const NoteKind = "review_note"

const maxNote = 4000 // bytes

// FaultError says what is wrong with a verdict or a request for a grant: Field
// names where.
type FaultError struct{ Field, Why string }

func (e *FaultError) Error() string { return e.Field + ": " + e.Why }

// Is makes it an invalid argument.
func (e *FaultError) Is(target error) bool { return target == session.ErrInvalid }

// Against lists the reasons of the machine's decision that failed outright and
// so speak against an approval.
func Against(d *session.Decision) []policy.Reason {
	var out []policy.Reason
	if d == nil {
		return nil
	}
	for _, r := range d.Reasons {
		if i, ok := r.Code.Info(); ok && i.Verdict == policy.Fail && r.Action != policy.Note {
			out = append(out, r)
		}
	}
	return out
}

func (v Verdict) check(machine *session.Decision) error {
	switch v.Outcome {
	case policy.Approved, policy.Rejected, policy.NeedsResubmission:
	default:
		return &FaultError{"outcome", "expected approved, rejected or needs_resubmission"}
	}
	if len(v.Codes) > 16 {
		return &FaultError{"codes", "expected at most 16"}
	}
	for _, c := range v.Codes {
		i, ok := c.Info()
		switch {
		case !ok:
			return &FaultError{"codes", "expected codes of the catalogue"}
		case c.Category() == "system":
			return &FaultError{"codes", "a technical reason is no reason of a person"}
		case v.Outcome == policy.NeedsResubmission && i.Hint == "":
			return &FaultError{"codes", "another photo can not help against " + string(c)}
		}
	}
	if v.Outcome != policy.Approved && len(v.Codes) == 0 {
		return &FaultError{"codes", "at least one reason is needed"}
	}
	for _, k := range v.Retake {
		if !slices.Contains(policy.EvidenceKinds, k) {
			return &FaultError{"retake", "expected " + strings.Join(policy.EvidenceKinds, ", ")}
		}
	}
	if len(v.Retake) > 0 && v.Outcome != policy.NeedsResubmission {
		return &FaultError{"retake", "only with needs_resubmission"}
	}
	if len(v.Note) > maxNote || !utf8.ValidString(v.Note) {
		return &FaultError{"note", fmt.Sprintf("expected at most %d bytes of text", maxNote)}
	}
	if v.Outcome == policy.Approved && len(Against(machine)) > 0 {
		if !v.Override {
			return &FaultError{"override", "a check failed: approving all the same has to be said"}
		}
		if strings.TrimSpace(v.Note) == "" {
			return &FaultError{"note", "an override says why"}
		}
	} else if v.Override {
		return &FaultError{"override", "there is nothing to override"}
	}
	return nil
}

// decision is the verdict in the form of every decision.
func (v Verdict) decision(c *Case) policy.Decision {
	ses := &c.Session
	d := policy.Decision{
		Outcome: v.Outcome, Codes: slices.Clone(v.Codes), Reasons: []policy.Reason{},
		Policy: ses.PolicyName, PolicyVersion: ses.PolicyVersion, PolicyHash: ses.PolicyHash, Cell: c.Cell.Name, Attempt: ses.Attempt,
	}
	if d.Codes == nil {
		d.Codes = []policy.Code{}
	}
	action := policy.Reject
	if v.Outcome == policy.NeedsResubmission {
		action = policy.Resubmit
	}
	for _, code := range v.Codes {
		d.Reasons = append(d.Reasons, policy.Reason{Code: code, Subject: subjectOf(code), Stage: "review", Action: action})
	}
	if v.Outcome != policy.NeedsResubmission {
		return d
	}
	d.Retake = v.Retake
	if len(d.Retake) == 0 {
		for _, k := range c.Cell.Evidence {
			for _, code := range v.Codes {
				if s := subjectOf(code); (s == k || s == "document_front" && k == "document_back") && !slices.Contains(d.Retake, k) {
					d.Retake = append(d.Retake, k)
				}
			}
		}
	}
	if info, ok := v.Codes[0].Info(); ok && info.Hint != "" {
		d.Hint = &policy.Hint{Code: v.Codes[0], Text: info.Hint, Subject: subjectOf(v.Codes[0])}
	}
	return d
}

// subjectOf is the photo that a code speaks of.
func subjectOf(c policy.Code) string {
	name := string(c)
	if c.Category() == "biometric" || strings.Contains(name, "face_not_found") || strings.Contains(name, "several_faces") ||
		strings.Contains(name, "face_pose") || strings.Contains(name, "instead_of_face") {
		return "selfie"
	}
	return "document_front"
}

// Decide casts a reviewer's verdict. settled is false when more reviewers have
// to agree. *FaultError, session.ErrConflict, session.ErrNotClaimed,
// session.ErrVoted, session.ErrNotInReview, storage.ErrErased.
func (d *Desk) Decide(ctx context.Context, account, id string, v Verdict) (ses *session.Session, settled bool, err error) {
	c, err := d.Case(ctx, account, id)
	if err != nil {
		return nil, false, err
	}
	if c.Session.State != session.PendingReview {
		return nil, false, session.ErrNotInReview
	}
	if err := v.check(c.Decision); err != nil {
		return nil, false, err
	}
	b := session.Ballot{
		Vote:    session.Vote{Session: id, Account: account, Outcome: v.Outcome, Codes: v.Codes, Overrides: v.Override},
		Version: v.Version, Decision: v.decision(c), Quorum: d.c.Reviewers,
	}
	var note storage.Object
	if strings.TrimSpace(v.Note) != "" {
		if note, err = d.keepText(ctx, c.Cell, id, NoteKind, v.Note); err != nil {
			return nil, false, err
		}
		b.Note = note.ID
	}
	ses, settled, err = d.c.Store.CastVote(ctx, b)
	if err != nil && note.ID != "" {
		err = errors.Join(err, d.c.Vault.Remove(context.WithoutCancel(ctx), note))
	}
	return ses, settled, err
}

func (d *Desk) keepText(ctx context.Context, cell policy.Cell, id, kind, text string) (storage.Object, error) {
	until, err := cell.RetainUntil("review_note", d.c.Now())
	if err != nil {
		return storage.Object{}, err
	}
	o, err := d.c.Vault.Put(ctx, storage.Ref{Session: id, Class: storage.ReviewNote, Kind: kind, Region: cell.Residency}, strings.NewReader(text), until)
	if err != nil {
		return o, fmt.Errorf("keep note: %w", err)
	}
	return o, nil
}
