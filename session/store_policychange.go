package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/proofline/proofline/audit"
)

// PolicyChangePrefix begins the ids of policy changes.
const PolicyChangePrefix = "pch_"

// PolicyChange is one step in the history of the policy for new sessions. Its
// text is in the archive, by Hash ([Store.Rules]).
type PolicyChange struct {
	ID   string
	Hash string
	// Base is the hash that was active when it was proposed: what it was compared
	// with. It can only be activated while that is so.
	Base       string
	Note       string
	State      string // proposed, active, past, withdrawn
	ProposedBy string // actor
	ProposedAt time.Time
	DecidedBy  string
	DecidedAt  time.Time // activated or withdrawn
	// Name and Version are those of the text.
	Name, Version string
}

// States of a policy change.
const (
	PolicyProposed  = "proposed"
	PolicyActive    = "active"
	PolicyPast      = "past"
	PolicyWithdrawn = "withdrawn"
)

// ErrPolicyMoved tells that another policy is active than the one that a change
// was compared with.
var ErrPolicyMoved = errors.New("another policy was activated meanwhile")

const policyChangeQuery = `SELECT c.id, c.hash, c.base, c.note, c.state, c.proposed_by, c.proposed_at, c.decided_by, c.decided_at,
	COALESCE(r.name, ''), COALESCE(r.version, '') FROM policy_changes c LEFT JOIN rules r ON r.hash = c.hash `

func scanPolicyChange(r scanner) (c PolicyChange, err error) {
	var proposed, decided int64
	err = r.Scan(&c.ID, &c.Hash, &c.Base, &c.Note, &c.State, &c.ProposedBy, &proposed, &c.DecidedBy, &decided, &c.Name, &c.Version)
	if errors.Is(err, sql.ErrNoRows) {
		return c, ErrNotFound
	}
	c.ProposedAt, c.DecidedAt = fromMicros(proposed), fromMicros(decided)
	return c, err
}

// ActivePolicy is the change that made the present policy, or ErrNotFound.
func (s *Store) ActivePolicy(ctx context.Context) (PolicyChange, error) {
	c, err := scanPolicyChange(s.queryRow(ctx, policyChangeQuery+"WHERE c.state = 'active'"))
	if err != nil {
		return PolicyChange{}, fmt.Errorf("read active policy: %w", err)
	}
	return c, nil
}

// PolicyChange returns one change, or ErrNotFound.
func (s *Store) PolicyChange(ctx context.Context, id string) (PolicyChange, error) {
	c, err := scanPolicyChange(s.queryRow(ctx, policyChangeQuery+"WHERE c.id = ?", id))
	if err != nil {
		return PolicyChange{}, fmt.Errorf("read policy change: %w", err)
	}
	return c, nil
}

// PolicyChanges lists changes, newest first, before an id; "" begins.
func (s *Store) PolicyChanges(ctx context.Context, before string, limit int) ([]PolicyChange, error) {
	q, args := policyChangeQuery, []any{}
	if before != "" {
		q, args = q+"WHERE c.id < ? ", append(args, before)
	}
	return list(ctx, s, "list policy changes", scanPolicyChange, q+"ORDER BY c.id DESC LIMIT ?", append(args, min(max(limit, 1), 200))...)
}

// ProposePolicy keeps a text and proposes it in place of the one with the hash
// base. ErrPolicyMoved when that is not the active one.
func (s *Store) ProposePolicy(ctx context.Context, by Actor, r Rules, base, note string) (PolicyChange, error) {
	if r.Kind != PolicyRules || len(note) > 500 || !utf8.ValidString(note) {
		return PolicyChange{}, fmt.Errorf("propose policy: %w: a policy, and a note of at most 500 bytes", ErrInvalid)
	}
	if err := s.PutRules(ctx, by, r); err != nil {
		return PolicyChange{}, err
	}
	c := PolicyChange{Hash: r.Hash, Base: base, Note: note, State: PolicyProposed, ProposedBy: by.String(), Name: r.Name, Version: r.Version}
	err := s.write(ctx, "propose policy", func(tx *Tx) error {
		if err := tx.baseIs(base); err != nil {
			return err
		}
		c.ID, c.ProposedAt = s.ids.next(PolicyChangePrefix, tx.Now), tx.Now
		tx.auditPolicy(by, "policy.proposed", c)
		return tx.putPolicyChange(c)
	})
	return c, err
}

// ActivatePolicy makes a proposal the policy for new sessions. ErrPolicyMoved when
// another than its base is active, ErrConflict when it is no proposal any more,
// ErrSamePerson when it takes a second person and by is who proposed it.
func (s *Store) ActivatePolicy(ctx context.Context, by Actor, id string, second bool) (PolicyChange, error) {
	return s.endProposal(ctx, by, id, PolicyActive, second)
}

// WithdrawPolicy ends a proposal.
func (s *Store) WithdrawPolicy(ctx context.Context, by Actor, id string) (PolicyChange, error) {
	return s.endProposal(ctx, by, id, PolicyWithdrawn, false)
}

func (s *Store) endProposal(ctx context.Context, by Actor, id, state string, second bool) (c PolicyChange, err error) {
	err = s.write(ctx, "decide on policy", func(tx *Tx) error {
		var err error
		if c, err = scanPolicyChange(tx.row(policyChangeQuery+"WHERE c.id = ?", id)); err != nil {
			return err
		}
		if second && c.ProposedBy == by.String() {
			return ErrSamePerson
		}
		if state == PolicyActive {
			if err := tx.baseIs(c.Base); err != nil {
				return err
			}
			if _, err := tx.exec("UPDATE policy_changes SET state = 'past' WHERE state = 'active'"); err != nil {
				return err
			}
		}
		n, err := tx.exec("UPDATE policy_changes SET state = ?, decided_by = ?, decided_at = ? WHERE id = ? AND state = 'proposed'", state, by.String(), micros(tx.Now), id)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrConflict
		}
		c.State, c.DecidedBy, c.DecidedAt = state, by.String(), tx.Now
		tx.auditPolicy(by, map[string]string{PolicyActive: "policy.activated", PolicyWithdrawn: "policy.withdrawn"}[state], c)
		return nil
	})
	return c, err
}

// baseIs fails with ErrPolicyMoved unless the policy with the hash is active. The
// row stays locked, so that of two who change it at once one comes too late.
func (tx *Tx) baseIs(hash string) error {
	var active string
	err := tx.row("SELECT hash FROM policy_changes WHERE state = 'active'" + tx.s.forUpdate()).Scan(&active)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if active != hash {
		return ErrPolicyMoved
	}
	return nil
}

func (tx *Tx) putPolicyChange(c PolicyChange) error {
	return tx.later("keep policy change", "INSERT INTO policy_changes (id, hash, base, note, state, proposed_by, proposed_at, decided_by, decided_at) VALUES ("+marks(9)+")",
		c.ID, c.Hash, c.Base, c.Note, c.State, c.ProposedBy, micros(c.ProposedAt), c.DecidedBy, micros(c.DecidedAt))
}

func (tx *Tx) auditPolicy(by Actor, action string, c PolicyChange) {
	e := audit.Entry{Actor: by.String(), Action: action, Refs: map[string]string{"change": c.ID, "name": c.Name, "version": c.Version}, Hashes: map[string]string{"policy": c.Hash}}
	if c.Base != "" {
		e.Hashes["base"] = c.Base
	}
	tx.Audit(e)
}

// ConfigurePolicy says which policy is active when a server starts with an
// archived one, and makes that the active one where it has to be: at the very
// first start, and when the configuration names other rules than it did. What
// people activated since outlives restarts. Rules that are not named, those that
// ship with the program, follow its upgrades while nobody named or activated
// others, and never replace rules that a configuration named.
func (s *Store) ConfigurePolicy(ctx context.Context, by Actor, r Rules, named bool) (active PolicyChange, err error) {
	err = s.write(ctx, "configure policy", func(tx *Tx) error {
		// The row is locked: of two servers that start at once one waits.
		if _, err := tx.exec("INSERT INTO policy_configured (one, hash, named) VALUES (1, '', 0) ON CONFLICT (one) DO NOTHING"); err != nil {
			return err
		}
		var last string
		var wasNamed bool
		if err := tx.row("SELECT hash, named <> 0 FROM policy_configured WHERE one = 1"+tx.s.forUpdate()).Scan(&last, &wasNamed); err != nil {
			return err
		}
		active, err = scanPolicyChange(tx.row(policyChangeQuery + "WHERE c.state = 'active'"))
		first := errors.Is(err, ErrNotFound)
		if err != nil && !first {
			return err
		}
		if !first && !named && wasNamed {
			return nil
		}
		if last != r.Hash || wasNamed != named {
			if _, err := tx.exec("UPDATE policy_configured SET hash = ?, named = ? WHERE one = 1", r.Hash, smallint(named)); err != nil {
				return err
			}
		}
		if !first && (last == r.Hash || active.Hash == r.Hash || !named && active.ProposedBy != by.String()) {
			return nil
		}
		c := PolicyChange{ID: s.ids.next(PolicyChangePrefix, tx.Now), Hash: r.Hash, Base: active.Hash, State: PolicyActive, Name: r.Name, Version: r.Version,
			ProposedBy: by.String(), ProposedAt: tx.Now, DecidedBy: by.String(), DecidedAt: tx.Now}
		if _, err := tx.exec("UPDATE policy_changes SET state = 'past' WHERE state = 'active'"); err != nil {
			return err
		}
		tx.auditPolicy(by, "policy.activated", c)
		active = c
		return tx.putPolicyChange(c)
	})
	return active, err
}
