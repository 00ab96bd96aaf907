package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/storage"
)

// HoldPrefix begins the ids of legal holds.
const HoldPrefix = "hld_"

// ErrHeld is storage.ErrHeld: a legal hold keeps a session's evidence.
var ErrHeld = storage.ErrHeld

// Hold is a legal hold: while it is active nothing erases the session's
// evidence, neither retention nor a request nor the withdrawal of consent.
// Several holds may be on one session; it is held until the last one is lifted.
type Hold struct {
	ID      string `json:"id"`
	Session string `json:"session"`
	Tenant  string `json:"tenant"`
	// Reason is a short code such as "litigation", no free text: it is in the
	// audit log.
	Reason string `json:"reason"`
	// Matter is the reference of the case that needs it; ids only.
	Matter     string    `json:"matter,omitempty"`
	PlacedBy   string    `json:"placed_by"`
	PlacedAt   time.Time `json:"placed_at"`
	LiftedBy   string    `json:"lifted_by,omitempty"`
	LiftReason string    `json:"lift_reason,omitempty"`
	LiftedAt   time.Time `json:"lifted_at,omitzero"`
	// Erased lists the classes whose erasure had begun before: for them the
	// hold came too late.
	Erased []storage.Class `json:"erased,omitempty"`
}

var reasonCode = regexp.MustCompile(`^[a-z][a-z0-9_.-]{1,63}$`)

const holdColumns = "id, session, tenant, reason, matter, placed_by, placed_at, lifted_by, lift_reason, lifted_at"

func scanHold(r scanner) (Hold, error) {
	var h Hold
	var placed, lifted int64
	err := r.Scan(&h.ID, &h.Session, &h.Tenant, &h.Reason, &h.Matter, &h.PlacedBy, &placed, &h.LiftedBy, &h.LiftReason, &lifted)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	h.PlacedAt, h.LiftedAt = fromMicros(placed), fromMicros(lifted)
	return h, err
}

// PlaceHold puts a legal hold on a session. reason is a short code, matter the
// reference of the case that needs it and may be empty. From its commit on no
// erasure of the session begins.
func (s *Store) PlaceHold(ctx context.Context, by Actor, session, reason, matter string) (Hold, error) {
	if !reasonCode.MatchString(reason) {
		return Hold{}, fmt.Errorf("place legal hold: %w: the reason is a code of a-z, 0-9, '_', '.' and '-'", ErrInvalid)
	}
	if err := errors.Join(checkField(matter), checkField(by.ID)); err != nil || by.Role == "" {
		return Hold{}, fmt.Errorf("place legal hold: %w: an actor and a reference of printable text are needed", ErrInvalid)
	}
	var out Hold
	err := s.write(ctx, "place legal hold", func(tx *Tx) error {
		ses, err := tx.lockSession(session)
		if err != nil {
			return err
		}
		if err := tx.lockHold(session); err != nil {
			return err
		}
		out = Hold{ID: s.ids.next(HoldPrefix, tx.Now), Session: session, Tenant: ses.Tenant, Reason: reason, Matter: matter, PlacedBy: by.String(), PlacedAt: tx.Now}
		rows, err := tx.rows("SELECT class FROM erasures WHERE session = ? ORDER BY class", session)
		classes, err := collect(rows, err, "read erasures", scanString)
		if err != nil {
			return err
		}
		for _, c := range classes {
			out.Erased = append(out.Erased, storage.Class(c))
		}
		if _, err := tx.exec("INSERT INTO legal_holds ("+holdColumns+") VALUES ("+marks(10)+")",
			out.ID, session, ses.Tenant, reason, matter, out.PlacedBy, micros(tx.Now), "", "", 0); err != nil {
			return err
		}
		refs := map[string]string{"hold": out.ID, "reason": reason}
		if len(classes) > 0 {
			refs["erased_before"] = strings.Join(classes, ",")
		}
		tx.Audit(audit.Entry{Actor: by.String(), Action: "hold.placed", Session: ses.ID, Tenant: ses.Tenant, Attempt: ses.Attempt,
			Refs: refs, Correlation: ses.CorrelationID})
		return nil
	})
	return out, err
}

// LiftHold ends a legal hold; lifting it again changes nothing. Erasures that
// waited for the session's last hold go on at once.
func (s *Store) LiftHold(ctx context.Context, by Actor, id, reason string) (Hold, error) {
	if !reasonCode.MatchString(reason) || by.Role == "" || checkField(by.ID) != nil {
		return Hold{}, fmt.Errorf("lift legal hold: %w: an actor and a reason of a-z, 0-9, '_', '.' and '-' are needed", ErrInvalid)
	}
	if !idShaped(id) {
		return Hold{}, fmt.Errorf("lift legal hold: %w", ErrNotFound)
	}
	var out Hold
	err := s.write(ctx, "lift legal hold", func(tx *Tx) error {
		h, err := scanHold(tx.row("SELECT "+holdColumns+" FROM legal_holds WHERE id = ?"+s.forUpdate(), id))
		if err != nil {
			return err
		}
		if out = h; !h.LiftedAt.IsZero() {
			return nil
		}
		out.LiftedBy, out.LiftReason, out.LiftedAt = by.String(), reason, tx.Now
		if _, err := tx.exec("UPDATE legal_holds SET lifted_by = ?, lift_reason = ?, lifted_at = ? WHERE id = ?", out.LiftedBy, reason, micros(tx.Now), id); err != nil {
			return err
		}
		held, err := tx.held(h.Session)
		if err != nil {
			return err
		}
		if !held {
			if _, err := tx.exec("UPDATE outbox SET available_at = ? WHERE session = ? AND kind = ? AND state = ? AND reason = ?",
				micros(tx.Now), h.Session, KindErase, Pending, HeldReason); err != nil {
				return err
			}
		}
		tx.Audit(audit.Entry{Actor: by.String(), Action: "hold.lifted", Session: h.Session, Tenant: h.Tenant,
			Refs: map[string]string{"hold": id, "reason": reason, "placed_for": h.Reason}})
		return nil
	})
	return out, err
}

// HeldReason is the reason of an outbox row that waits for a legal hold's end.
const HeldReason = "legal_hold"

// HoldFilter selects holds; empty fields select all.
type HoldFilter struct {
	Session, Tenant string
	Active          bool   // only those that are not lifted
	After           string // the last id of the page before
	Limit           int    // 1 to 500; 0 means 100
}

// Holds lists legal holds, oldest first.
func (s *Store) Holds(ctx context.Context, f HoldFilter) ([]Hold, error) {
	if f.Limit == 0 {
		f.Limit = 100
	}
	if f.Limit < 1 || f.Limit > 500 {
		return nil, fmt.Errorf("list legal holds: %w: limit must be 1 to 500", ErrInvalid)
	}
	where, args := "id > ?", []any{f.After}
	for _, c := range []struct{ column, want string }{{"session", f.Session}, {"tenant", f.Tenant}} {
		if c.want != "" {
			where, args = where+" AND "+c.column+" = ?", append(args, c.want)
		}
	}
	if f.Active {
		where += " AND lifted_at = 0"
	}
	return list(ctx, s, "list legal holds", scanHold, "SELECT "+holdColumns+" FROM legal_holds WHERE "+where+" ORDER BY id LIMIT ?", append(args, f.Limit)...)
}
