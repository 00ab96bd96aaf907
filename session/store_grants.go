package session

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/audit"
)

// Grant lets one account open the evidence of one session for a purpose and for
// a time.
type Grant struct {
	ID      string `json:"id"`
	Session string `json:"session"`
	Account string `json:"account"`
	Purpose string `json:"purpose"`
	// Words is the vault object with the text that goes with the purpose.
	Words    string        `json:"-"`
	Life     time.Duration `json:"-"`
	AskedAt  time.Time     `json:"asked_at"`
	Approver string        `json:"approver,omitempty"`
	BeginsAt time.Time     `json:"begins_at,omitzero"` // zero: a second person has still to approve
	Expires  time.Time     `json:"expires_at,omitzero"`
	EndedAt  time.Time     `json:"ended_at,omitzero"`
	EndedBy  string        `json:"ended_by,omitempty"`
	Openings int           `json:"openings"`
}

// State of a grant at a time: pending, active, expired or ended.
func (g Grant) State(now time.Time) string {
	switch {
	case !g.EndedAt.IsZero() && g.EndedBy == "clock":
		return "expired"
	case !g.EndedAt.IsZero():
		return "ended"
	case !g.Expires.IsZero() && !now.Before(g.Expires):
		return "expired"
	case g.BeginsAt.IsZero():
		return "pending"
	}
	return "active"
}

// ReviewPurpose is the purpose of a grant that lasts as long as the review.
const ReviewPurpose = "review"

// pendingLife is how long a request for a grant waits for its second person.
const pendingLife = 24 * time.Hour

// NewGrant is what AskGrant needs.
type NewGrant struct {
	Session string
	Account string
	Purpose string
	// Text behind the purpose goes to the vault as object Words; here it makes
	// the commitment that the log holds, and is forgotten.
	Text  string
	Words string
	Life  time.Duration
	// Second: somebody else has to approve.
	Second bool
}

const grantColumns = "id, session, account, purpose, words, life, asked_at, approver, begins_at, expires_at, ended_at, ended_by, openings"

func scanGrant(r scanner) (Grant, error) {
	var g Grant
	var life, asked, begins, expires, ended int64
	err := r.Scan(&g.ID, &g.Session, &g.Account, &g.Purpose, &g.Words, &life, &asked, &g.Approver, &begins, &expires, &ended, &g.EndedBy, &g.Openings)
	if errors.Is(err, sql.ErrNoRows) {
		return g, ErrNotFound
	}
	g.Life = time.Duration(life) * time.Microsecond
	g.AskedAt, g.BeginsAt, g.Expires, g.EndedAt = fromMicros(asked), fromMicros(begins), fromMicros(expires), fromMicros(ended)
	return g, err
}

// AskGrant records the wish to open a session's evidence. Without Second it is
// granted at once. Either is in the audit log, with the purpose's code and a
// commitment to its text.
func (s *Store) AskGrant(ctx context.Context, n NewGrant) (Grant, error) {
	if _, ok := access.FindPurpose(n.Purpose); !ok || n.Account == "" || n.Life < time.Second || n.Life > 24*time.Hour {
		return Grant{}, fmt.Errorf("ask for evidence: %w: purpose, account or time", ErrInvalid)
	}
	var out Grant
	err := s.write(ctx, "ask for evidence", func(tx *Tx) error {
		ses, err := tx.lockSession(n.Session)
		if err != nil {
			return err
		}
		salt := make([]byte, 16)
		rand.Read(salt)
		g := Grant{ID: s.ids.next(GrantPrefix, tx.Now), Session: n.Session, Account: n.Account, Purpose: n.Purpose, Words: n.Words, Life: n.Life, AskedAt: tx.Now}
		outcome := "pending"
		if g.Expires = tx.Now.Add(pendingLife); !n.Second {
			g.BeginsAt, g.Expires, outcome = tx.Now, tx.Now.Add(n.Life), "granted"
		}
		e := audit.Entry{Actor: staff(n.Account).String(), Action: "evidence.ask", Session: ses.ID, Tenant: ses.Tenant, Attempt: ses.Attempt, Outcome: outcome,
			Refs: map[string]string{"grant": g.ID, "purpose": n.Purpose}, Correlation: ses.CorrelationID}
		if n.Text != "" {
			e.Hashes = map[string]string{"purpose_text": access.Commit(salt, n.Text)}
		}
		tx.Audit(e)
		out = g
		return tx.later("keep grant", "INSERT INTO evidence_grants (salt, "+grantColumns+") VALUES ("+marks(14)+")", hex.EncodeToString(salt),
			g.ID, g.Session, g.Account, g.Purpose, g.Words, g.Life.Microseconds(), micros(g.AskedAt), "", micros(g.BeginsAt), micros(g.Expires), 0, "", 0)
	})
	return out, err
}

// changeGrant locks a grant that is not over, lets fn change it, and keeps it.
func (s *Store) changeGrant(ctx context.Context, doing, id string, fn func(tx *Tx, g *Grant, e *audit.Entry) error) (Grant, error) {
	var out Grant
	if !idShaped(id) {
		return out, fmt.Errorf("%s: %w", doing, ErrNotFound)
	}
	err := s.write(ctx, doing, func(tx *Tx) error {
		g, err := scanGrant(tx.row("SELECT "+grantColumns+" FROM evidence_grants WHERE id = ?"+s.forUpdate(), id))
		if err != nil {
			return err
		}
		if state := g.State(tx.Now); state != "pending" && state != "active" {
			return ErrNoGrant
		}
		e := audit.Entry{Session: g.Session, Refs: map[string]string{"grant": g.ID, "purpose": g.Purpose}}
		if err := fn(tx, &g, &e); err != nil {
			return err
		}
		tx.Audit(e)
		out = g
		return tx.laterRows("keep grant", 1, "UPDATE evidence_grants SET approver = ?, begins_at = ?, expires_at = ?, ended_at = ?, ended_by = ?, openings = ? WHERE id = ?",
			g.Approver, micros(g.BeginsAt), micros(g.Expires), micros(g.EndedAt), g.EndedBy, g.Openings, g.ID)
	})
	return out, err
}

// ApproveGrant begins a grant's time. ErrSamePerson: who asked can not approve.
func (s *Store) ApproveGrant(ctx context.Context, account, id string) (Grant, error) {
	return s.changeGrant(ctx, "approve access to evidence", id, func(tx *Tx, g *Grant, e *audit.Entry) error {
		switch {
		case g.Account == account:
			return ErrSamePerson
		case !g.BeginsAt.IsZero():
			return ErrNoGrant
		}
		if err := tx.serves(g); err != nil {
			return err
		}
		g.Approver, g.BeginsAt, g.Expires = account, tx.Now, tx.Now.Add(g.Life)
		e.Actor, e.Action, e.Outcome = staff(account).String(), "evidence.approve", "granted"
		return nil
	})
}

// serves: a grant to review is worth nothing when the case is not in review, also
// one that was left open by a version of this program that did not end it.
func (tx *Tx) serves(g *Grant) error {
	if g.Purpose != ReviewPurpose {
		return nil
	}
	var state State
	if err := tx.row("SELECT state FROM sessions WHERE id = ?", g.Session).Scan(&state); err != nil {
		return err
	}
	if state != PendingReview {
		return ErrNoGrant
	}
	return nil
}

// EndGrant ends a grant before its time, or declines one that is pending.
func (s *Store) EndGrant(ctx context.Context, account, id string) (Grant, error) {
	return s.changeGrant(ctx, "end access to evidence", id, func(tx *Tx, g *Grant, e *audit.Entry) error {
		g.EndedAt, g.EndedBy = tx.Now, account
		e.Actor, e.Action = staff(account).String(), "evidence.end_grant"
		return nil
	})
}

// UseGrant allows and logs one opening: of an object of the grant's session, by
// the grant's account, within its time. Otherwise ErrNoGrant, and the refusal is
// logged. The entry is committed when UseGrant returns, before anything is
// decrypted.
func (s *Store) UseGrant(ctx context.Context, account, id, session, object, kind string) (Grant, error) {
	g, err := s.changeGrant(ctx, "open evidence", id, func(tx *Tx, g *Grant, e *audit.Entry) error {
		if g.Account != account || g.Session != session || g.BeginsAt.IsZero() {
			return ErrNoGrant
		}
		if err := tx.serves(g); err != nil {
			return err
		}
		g.Openings++
		e.Actor, e.Action = staff(account).String(), "evidence.open"
		e.Refs["object"], e.Refs["kind"] = object, kind
		return nil
	})
	if errors.Is(err, ErrNoGrant) || errors.Is(err, ErrNotFound) {
		e := audit.Entry{Actor: staff(account).String(), Action: "evidence.open", Outcome: "refused", Refs: map[string]string{"kind": clip(kind)}}
		if _, perr := ParseID(SessionPrefix, session); perr == nil {
			e.Session = session
		}
		return Grant{}, errors.Join(ErrNoGrant, s.Audit(ctx, e))
	}
	return g, err
}

// GrantFilter selects grants; empty fields select all.
type GrantFilter struct {
	Session, Account string
	Open             bool // neither ended nor expired
}

// Grants lists grants, newest first, at most 200.
func (s *Store) Grants(ctx context.Context, f GrantFilter) ([]Grant, error) {
	q, args := "SELECT "+grantColumns+" FROM evidence_grants WHERE 1 = 1", []any{}
	if f.Session != "" {
		q, args = q+" AND session = ?", append(args, f.Session)
	}
	if f.Account != "" {
		q, args = q+" AND account = ?", append(args, f.Account)
	}
	if f.Open {
		q, args = q+" AND ended_at = 0 AND expires_at > ?", append(args, micros(s.clock()))
	}
	return list(ctx, s, "list grants", scanGrant, q+" ORDER BY id DESC LIMIT 200", args...)
}

// ExpireGrants logs the end of grants whose time is over, at most limit.
func (s *Store) ExpireGrants(ctx context.Context, limit int) (int, error) {
	ids, err := list(ctx, s, "find expired grants", scanString, "SELECT id FROM evidence_grants WHERE ended_at = 0 AND expires_at <= ? ORDER BY expires_at LIMIT ?", micros(s.clock()), limit)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, id := range ids {
		err := s.write(ctx, "expire grant", func(tx *Tx) error {
			g, err := scanGrant(tx.row("SELECT "+grantColumns+" FROM evidence_grants WHERE id = ?"+s.forUpdate(), id))
			if err != nil || !g.EndedAt.IsZero() || tx.Now.Before(g.Expires) {
				return err
			}
			n++
			return tx.endGrant(g, string(System)+":clock", "clock")
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

func (tx *Tx) endGrant(g Grant, actor, by string) error {
	tx.Audit(audit.Entry{Actor: actor, Action: "evidence.grant_over", Session: g.Session, Refs: map[string]string{"grant": g.ID, "purpose": g.Purpose, "by": by}})
	return tx.later("end grant", "UPDATE evidence_grants SET ended_at = ?, ended_by = ? WHERE id = ?", micros(tx.Now), by, g.ID)
}

// endReviewGrants ends what was granted, or asked for, to review a case whose
// review is over.
func (tx *Tx) endReviewGrants(session string) error {
	return tx.endGrants(session, ReviewPurpose, "", "review_over")
}

// endGrants ends the grants for a purpose, of one account or of all.
func (tx *Tx) endGrants(session, purpose, account, by string) error {
	rows, err := tx.rows("SELECT "+grantColumns+" FROM evidence_grants WHERE session = ? AND purpose = ? AND (account = ? OR ? = '') AND ended_at = 0", session, purpose, account, account)
	grants, err := collect(rows, err, "end grants", scanGrant)
	if err != nil {
		return err
	}
	for _, g := range grants {
		if err := tx.endGrant(g, string(System)+":review", by); err != nil {
			return err
		}
	}
	return nil
}

// Grant returns a grant, or ErrNotFound.
func (s *Store) Grant(ctx context.Context, id string) (Grant, error) {
	if !idShaped(id) {
		return Grant{}, fmt.Errorf("read grant: %w", ErrNotFound)
	}
	g, err := scanGrant(s.queryRow(ctx, "SELECT "+grantColumns+" FROM evidence_grants WHERE id = ?", id))
	if err != nil {
		return Grant{}, fmt.Errorf("read grant: %w", err)
	}
	return g, nil
}

// AttributesRead leaves in the log that a relying service reads the fields that
// the policy grants it. ErrWithdrawn, and a refusal in the log, when the person
// has withdrawn consent: a legal hold keeps the evidence then, for its own
// purpose only.
func (s *Store) AttributesRead(ctx context.Context, by Actor, id string) error {
	var withdrawn bool
	err := s.write(ctx, "read attributes", func(tx *Tx) error {
		ses, err := tx.lockSession(id)
		if err != nil {
			return err
		}
		if withdrawn, err = tx.withdrawn(ses); err != nil {
			return err
		}
		e := audit.Entry{Actor: by.String(), Action: "attributes.read", Session: ses.ID, Tenant: ses.Tenant, Attempt: ses.Attempt, Correlation: ses.CorrelationID}
		if withdrawn {
			e.Outcome, e.Refs = "refused", map[string]string{"because": WithdrawnReason}
		}
		tx.Audit(e)
		return nil
	})
	if err == nil && withdrawn {
		return fmt.Errorf("read attributes: %w", ErrWithdrawn)
	}
	return err
}

// withdrawn: the session's mark says so or, for a session from before there was
// one, the erasure that has still to be done.
func (tx *Tx) withdrawn(ses *Session) (bool, error) {
	if ses.Consent != nil && !ses.Consent.WithdrawnAt.IsZero() {
		return true, nil
	}
	var n int64
	err := tx.row("SELECT COUNT(*) FROM outbox WHERE kind = ? AND session = ? AND ref = ? AND state <> ?", KindErase, ses.ID, WithdrawnReason, Done).Scan(&n)
	return n > 0, err
}
