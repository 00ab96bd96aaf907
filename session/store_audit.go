package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/proofline/proofline/audit"
)

// Audit adds an entry to the transaction's audit entries. Seq and Time are set
// by the store.
func (tx *Tx) Audit(e audit.Entry) {
	if tx.simulated {
		e = tx.mark(e)
	}
	tx.entries = append(tx.entries, e)
}

// checkEntries refuses an entry that the log can not hold while it is still known
// whose it is: at the commit it would fail all writes that share the transaction.
func (tx *Tx) checkEntries(from int) error {
	for _, e := range tx.entries[from:] {
		e.Seq = math.MaxInt64 // the longest spelling
		if _, err := e.Canonical(); err != nil {
			return err
		}
	}
	return nil
}

// appendAudit gives the batch's entries their places in the log, last thing
// before the commit, so that the head is locked for as short as can be.
func (tx *Tx) appendAudit() error {
	if len(tx.entries) == 0 {
		return nil
	}
	f, err := tx.head()
	if err != nil {
		return err
	}
	var entries, nodes []any
	for _, e := range tx.entries {
		if e.Seq = f.Size(); e.Time.IsZero() {
			e.Time = tx.Now
		}
		b, err := e.Canonical()
		if err != nil {
			return err
		}
		entries = append(entries, e.Seq, e.Session, micros(e.Time), b)
		for _, n := range f.Append(b) {
			nodes = append(nodes, n.Index, n.Hash[:])
		}
	}
	if err := tx.insertMany("INSERT INTO audit_entries (seq, session, at, body) VALUES ", 4, entries); err != nil {
		return err
	}
	if err := tx.insertMany("INSERT INTO audit_hashes (idx, hash) VALUES ", 2, nodes); err != nil {
		return err
	}
	b, err := f.MarshalBinary()
	if err != nil {
		return fmt.Errorf("append to audit log: %w", err)
	}
	return tx.laterRows("append to audit log", 1, "UPDATE audit_head SET frontier = ? WHERE id = 1", b)
}

// insertMany inserts rows of width columns, in statements of a few sizes only,
// so that prepared statements are found again.
func (tx *Tx) insertMany(insert string, width int, args []any) error {
	for len(args) > 0 {
		n := 1
		for n*2*width <= len(args) && n < 64 {
			n *= 2
		}
		q := insert + strings.TrimSuffix(strings.Repeat("("+marks(width)+"), ", n), ", ")
		if err := tx.later("append to audit log", q, args[:n*width]...); err != nil {
			return err
		}
		args = args[n*width:]
	}
	return nil
}

// head reads the frontier and, on PostgreSQL, locks it until the commit.
func (tx *Tx) head() (*audit.Frontier, error) {
	var f audit.Frontier
	var b []byte
	err := tx.row("SELECT frontier FROM audit_head WHERE id = 1" + tx.s.forUpdate()).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		empty, _ := f.MarshalBinary()
		if _, err := tx.exec("INSERT INTO audit_head (id, frontier) VALUES (1, ?) ON CONFLICT (id) DO NOTHING", empty); err != nil {
			return nil, fmt.Errorf("start audit log: %w", err)
		}
		err = tx.row("SELECT frontier FROM audit_head WHERE id = 1" + tx.s.forUpdate()).Scan(&b)
	}
	if err != nil {
		return nil, fmt.Errorf("read head of audit log: %w", err)
	}
	if err := f.UnmarshalBinary(b); err != nil {
		return nil, err
	}
	return &f, nil
}

// Audit appends one entry in a transaction of its own.
func (s *Store) Audit(ctx context.Context, e audit.Entry) error {
	return s.write(ctx, "audit "+e.Action, func(tx *Tx) error {
		tx.Audit(e)
		return nil
	})
}
