package session

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
)

// Claim is a reviewer's hold on a case: nobody else decides it meanwhile.
type Claim struct {
	Session string    `json:"session"`
	Attempt int       `json:"attempt"`
	Account string    `json:"account"`
	At      time.Time `json:"at"`
	Expires time.Time `json:"expires_at"`
}

// Waiting is a case in the queue of reviews.
type Waiting struct {
	Session Session
	// Claim is who has it now; nil: it is free.
	Claim *Claim
	// Votes is how many reviewers have judged the attempt; 0 where nobody may
	// know yet.
	Votes int
	Place Place
}

// Vote is what one reviewer said of an attempt.
type Vote struct {
	ID      string         `json:"id"`
	Session string         `json:"session"`
	Attempt int            `json:"attempt"`
	Account string         `json:"account"`
	Outcome policy.Outcome `json:"outcome"`
	Codes   []policy.Code  `json:"codes"`
	// Overrides: a failed check speaks against the outcome.
	Overrides bool          `json:"overrides"`
	Note      string        `json:"-"` // vault object of class review_note
	Took      time.Duration `json:"-"` // since the claim
	At        time.Time     `json:"at"`
}

// ReviewFilter selects cases in review; empty fields select all.
type ReviewFilter struct {
	Tenant, Segment, Jurisdiction, DocumentType string
	Queue                                       string
	Order                                       string // ByTriage when empty
	// Free leaves out what somebody else has, or Account has judged.
	Free    bool
	Account string
	Mine    bool   // only what Account has claimed
	After   string // Waiting.Cursor of the last case of the page before
	Limit   int    // 1 … 200; 0 means 50
}

// Reviews lists cases in review in the order of work, or as the filter says. The
// order is that of policy.Triage: a case is never overtaken by one that entered
// after its SLA ran out, so no case starves.
func (s *Store) Reviews(ctx context.Context, f ReviewFilter) ([]Waiting, error) {
	if f.Limit == 0 {
		f.Limit = 50
	}
	if f.Limit < 1 || f.Limit > 200 {
		return nil, fmt.Errorf("list reviews: %w: limit must be 1 to 200", ErrInvalid)
	}
	now := micros(s.clock())
	key, keyArgs, err := s.reviewKey(ctx, f.Order)
	if err != nil {
		return nil, fmt.Errorf("list reviews: %w", err)
	}
	q := "SELECT " + qualified("s", sessionColumns) + `, COALESCE(c.account, ''), COALESCE(c.claimed_at, 0), COALESCE(c.expires_at, 0),
		(SELECT COUNT(*) FROM review_votes v WHERE v.session = s.id AND v.attempt = s.attempt), ` + placeColumns + ", " + key + `
		FROM review_queue q JOIN sessions s ON s.id = q.session LEFT JOIN review_claims c ON c.session = s.id AND c.attempt = s.attempt AND c.expires_at > ?
		WHERE s.state = ?`
	args := append(slices.Clone(keyArgs), now, PendingReview)
	if f.After != "" {
		last, id, err := ParseReviewCursor(f.After)
		if err != nil {
			return nil, fmt.Errorf("list reviews: %w", err)
		}
		q += " AND (" + key + " > ? OR " + key + " = ? AND s.id > ?)"
		args = append(append(append(append(append(args, keyArgs...), last), keyArgs...), last), id)
	}
	if f.Queue != "" {
		q, args = q+" AND q.queue = ?", append(args, f.Queue)
	}
	for col, v := range map[string]string{"tenant": f.Tenant, "segment": f.Segment, "jurisdiction": f.Jurisdiction, "document_type": f.DocumentType} {
		if v != "" {
			q, args = q+" AND s."+col+" = ?", append(args, v)
		}
	}
	if f.Tenant == "" {
		q += " AND " + notTest("s.tenant") // no work for people
	}
	if f.Free {
		q += " AND (c.account IS NULL OR c.account = ?) AND NOT EXISTS (SELECT 1 FROM review_votes w WHERE w.session = s.id AND w.attempt = s.attempt AND w.account = ?)"
		args = append(args, f.Account, f.Account)
	}
	if f.Mine {
		q, args = q+" AND c.account = ?", append(args, f.Account)
	}
	return list(ctx, s, "list reviews", func(r scanner) (Waiting, error) {
		var w Waiting
		var account string
		var at, expires int64
		var ses *Session
		err := w.Place.scan(scanFunc(func(dest ...any) (err error) {
			ses, err = scanSession(scanMore{r, append([]any{&account, &at, &expires, &w.Votes}, dest...)})
			return err
		}), &w.Place.key)
		if err != nil {
			return w, err
		}
		if w.Place.Blind() {
			w.Votes = 0 // who knows that a second look is wanted looks otherwise
		}
		w.Session = *ses
		if account != "" {
			w.Claim = &Claim{Session: ses.ID, Attempt: ses.Attempt, Account: account, At: fromMicros(at), Expires: fromMicros(expires)}
		}
		return w, nil
	}, q+" ORDER BY "+key+", s.id LIMIT ?", append(append(args, keyArgs...), f.Limit)...)
}

// ReviewClaim returns who has a case now, or nil.
func (s *Store) ReviewClaim(ctx context.Context, session string) (*Claim, error) {
	c, err := scanClaim(s.queryRow(ctx, "SELECT session, attempt, account, claimed_at, expires_at FROM review_claims WHERE session = ? AND expires_at > ?", session, micros(s.clock())))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read claim: %w", err)
	}
	return &c, nil
}

func scanClaim(r scanner) (Claim, error) {
	var c Claim
	var at, expires int64
	err := r.Scan(&c.Session, &c.Attempt, &c.Account, &at, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return c, ErrNotFound
	}
	c.At, c.Expires = fromMicros(at), fromMicros(expires)
	return c, err
}

// ClaimReview gives a case to a reviewer for ttl; again, it keeps it for longer.
// ErrNotInReview, ErrClaimed, and ErrVoted when the reviewer has judged the
// attempt and a second person is wanted.
func (s *Store) ClaimReview(ctx context.Context, account, session string, ttl time.Duration) (Claim, *Session, error) {
	if account == "" || ttl <= 0 {
		return Claim{}, nil, fmt.Errorf("claim review: %w", ErrInvalid)
	}
	var c Claim
	var ses *Session
	err := s.write(ctx, "claim review", func(tx *Tx) error {
		var err error
		if ses, err = tx.lockSession(session); err != nil {
			return err
		}
		if ses.State != PendingReview {
			return ErrNotInReview
		}
		var voted int
		if err := tx.row("SELECT COUNT(*) FROM review_votes WHERE session = ? AND attempt = ? AND account = ?", session, ses.Attempt, account).Scan(&voted); err != nil {
			return err
		}
		if voted > 0 {
			return ErrVoted
		}
		old, err := scanClaim(tx.row("SELECT session, attempt, account, claimed_at, expires_at FROM review_claims WHERE session = ?", session))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		held := err == nil && old.Attempt == ses.Attempt && tx.Now.Before(old.Expires)
		if held && old.Account != account {
			return ErrClaimed
		}
		c = Claim{Session: session, Attempt: ses.Attempt, Account: account, At: tx.Now, Expires: tx.Now.Add(ttl)}
		if held {
			c.At = old.At
		} else {
			tx.Audit(reviewEntry(ses, account, "review.claim"))
		}
		_, err = tx.exec(`INSERT INTO review_claims (session, attempt, account, claimed_at, expires_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (session) DO UPDATE SET attempt = excluded.attempt, account = excluded.account, claimed_at = excluded.claimed_at, expires_at = excluded.expires_at`,
			c.Session, c.Attempt, c.Account, micros(c.At), micros(c.Expires))
		return err
	})
	return c, ses, err
}

// ReleaseReview gives a case back. One that the reviewer does not have is no
// error.
func (s *Store) ReleaseReview(ctx context.Context, account, session string) error {
	return s.write(ctx, "release review", func(tx *Tx) error {
		ses, err := tx.lockSession(session)
		if err != nil {
			return err
		}
		n, err := tx.exec("DELETE FROM review_claims WHERE session = ? AND account = ?", session, account)
		if err == nil && n > 0 {
			tx.Audit(reviewEntry(ses, account, "review.release"))
		}
		return err
	})
}

func reviewEntry(ses *Session, account, action string) audit.Entry {
	return ses.marked(audit.Entry{Actor: Actor{Role: Reviewer, ID: account}.String(), Action: action, Session: ses.ID, Tenant: ses.Tenant, Attempt: ses.Attempt, Correlation: ses.CorrelationID})
}

// Ballot is a vote to be cast.
type Ballot struct {
	Vote
	// Version is that of the session which the reviewer saw.
	Version int64
	// Decision is what becomes of the case when the vote settles it.
	Decision policy.Decision
	// Quorum is how many reviewers have to agree on an outcome: 1, or 2 for
	// four eyes.
	Quorum int
}

// CastVote records what a reviewer says, gives the case back, and decides it as
// soon as the quorum agrees. Until then it stays in review, for others. All of
// it is one transaction. ErrNotClaimed, ErrVoted, ErrNotInReview, ErrConflict.
func (s *Store) CastVote(ctx context.Context, b Ballot) (ses *Session, settled bool, err error) {
	v := b.Vote
	if v.Account == "" || b.Quorum < 1 || b.Decision.Outcome != v.Outcome {
		return nil, false, fmt.Errorf("cast vote: %w", ErrInvalid)
	}
	ev := Decided(Actor{Role: Reviewer, ID: v.Account}, 0, b.Decision)
	if err := ev.check(); err != nil {
		return nil, false, fmt.Errorf("cast vote: %w", err)
	}
	codes, err := json.Marshal(v.Codes)
	if err != nil {
		return nil, false, fmt.Errorf("cast vote: %w", err)
	}
	err = s.write(ctx, "cast vote", func(tx *Tx) error {
		settled = false
		var err error
		if ses, err = tx.lockSession(v.Session); err != nil {
			return err
		}
		switch {
		case b.Version != AnyVersion && b.Version != ses.Version:
			return &ConflictError{Session: ses.ID, Expected: b.Version, Actual: ses.Version}
		case ses.State != PendingReview:
			return ErrNotInReview
		}
		c, err := scanClaim(tx.row("SELECT session, attempt, account, claimed_at, expires_at FROM review_claims WHERE session = ?", ses.ID))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err != nil || c.Account != v.Account || c.Attempt != ses.Attempt || !tx.Now.Before(c.Expires) {
			return ErrNotClaimed
		}
		v.ID, v.Attempt, v.At = s.ids.next(VotePrefix, tx.Now), ses.Attempt, tx.Now
		blind, err := tx.secondWanted(ses.ID)
		if err != nil {
			return err
		}
		quorum := b.Quorum
		if blind {
			quorum = max(quorum, 2)
		}
		n, err := tx.exec("INSERT INTO review_votes (id, session, attempt, account, outcome, codes, overrides, note, seconds, at, blind) VALUES ("+marks(11)+") ON CONFLICT DO NOTHING",
			v.ID, ses.ID, v.Attempt, v.Account, v.Outcome, string(codes), smallint(v.Overrides), v.Note, int64(tx.Now.Sub(c.At).Seconds()), micros(tx.Now), smallint(blind))
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrVoted
		}
		if _, err := tx.exec("DELETE FROM review_claims WHERE session = ?", ses.ID); err != nil {
			return err
		}
		e := reviewEntry(ses, v.Account, "review.vote")
		e.Outcome, e.Refs = string(v.Outcome), map[string]string{"vote": v.ID}
		for _, code := range v.Codes {
			e.Codes = append(e.Codes, string(code))
		}
		if v.Note != "" {
			e.Refs["note"] = v.Note
		}
		if v.Overrides {
			e.Refs["overrides"] = "true"
		}
		tx.Audit(ses.marked(e))
		var all, agree int
		if err := tx.row("SELECT COUNT(*), COALESCE(SUM(CASE WHEN outcome = ? THEN 1 ELSE 0 END), 0) FROM review_votes WHERE session = ? AND attempt = ?", v.Outcome, ses.ID, ses.Attempt).Scan(&all, &agree); err != nil {
			return err
		}
		if agree < quorum {
			if agree == all {
				return nil
			}
			fresh, err := tx.escalate(ses.ID)
			if err == nil && fresh {
				tx.Audit(reviewEntry(ses, v.Account, "review.escalated"))
			}
			return err
		}
		ev.Refs = map[string]string{"vote": v.ID}
		out, none, err := tx.apply(ses.ID, AnyVersion, ev, nil)
		if err != nil {
			return err
		}
		if none != nil {
			return none // not to be committed: the vote would stand beside it
		}
		ses, settled = out, true
		return nil
	})
	return ses, settled, err
}

// Votes lists what reviewers said of a session, oldest first.
func (s *Store) Votes(ctx context.Context, session string) ([]Vote, error) {
	return list(ctx, s, "list votes", func(r scanner) (Vote, error) {
		var v Vote
		var codes string
		var overrides, seconds, at int64
		err := r.Scan(&v.ID, &v.Session, &v.Attempt, &v.Account, &v.Outcome, &codes, &overrides, &v.Note, &seconds, &at)
		if err == nil {
			err = json.Unmarshal([]byte(codes), &v.Codes)
		}
		v.Overrides, v.Took, v.At = overrides != 0, time.Duration(seconds)*time.Second, fromMicros(at)
		return v, err
	}, "SELECT id, session, attempt, account, outcome, codes, overrides, note, seconds, at FROM review_votes WHERE session = ? ORDER BY id LIMIT 200", session)
}

func smallint(b bool) int {
	if b {
		return 1
	}
	return 0
}
