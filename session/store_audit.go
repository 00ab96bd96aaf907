package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/proofline/proofline/audit"
)

// Audit adds an entry to the transaction's audit entries. Seq and Time are set
// by the store.
func (tx *Tx) Audit(e audit.Entry) { tx.entries = append(tx.entries, e) }

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
		e.Seq, e.Time = f.Size(), tx.Now
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
		return fmt.Errorf("append to audit log: %w", err)
	}
	if err := tx.insertMany("INSERT INTO audit_hashes (idx, hash) VALUES ", 2, nodes); err != nil {
		return fmt.Errorf("append to audit log: %w", err)
	}
	b, err := f.MarshalBinary()
	if err != nil {
		return fmt.Errorf("append to audit log: %w", err)
	}
	if _, err := tx.exec("UPDATE audit_head SET frontier = ? WHERE id = 1", b); err != nil {
		return fmt.Errorf("append to audit log: %w", err)
	}
	return nil
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
		if _, err := tx.exec(q, args[:n*width]...); err != nil {
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

// AuditHead returns the log's frontier: its size and root.
func (s *Store) AuditHead(ctx context.Context) (*audit.Frontier, error) {
	var f audit.Frontier
	var b []byte
	err := s.queryRow(ctx, "SELECT frontier FROM audit_head WHERE id = 1").Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return &f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read head of audit log: %w", err)
	}
	return &f, f.UnmarshalBinary(b)
}

// AuditLog iterates over the canonical bytes of entries from ≤ seq < to, in
// order; to ≤ 0 means to the end. It reads in pages, so it holds no transaction
// open while the caller works.
func (s *Store) AuditLog(ctx context.Context, from, to int64) iter.Seq2[[]byte, error] {
	const page = 1000
	return func(yield func([]byte, error) bool) {
		for {
			rows, err := s.query(ctx, "SELECT seq, body FROM audit_entries WHERE seq >= ? ORDER BY seq LIMIT ?", from, page)
			if err != nil {
				yield(nil, fmt.Errorf("read audit log: %w", err))
				return
			}
			bodies, last, err := scanBodies(rows)
			if err != nil {
				yield(nil, fmt.Errorf("read audit log: %w", err))
				return
			}
			for i, b := range bodies {
				if to > 0 && last[i] >= to || !yield(b, nil) {
					return
				}
			}
			if len(bodies) < page {
				return
			}
			from = last[len(last)-1] + 1
		}
	}
}

func scanBodies(rows *sql.Rows) (bodies [][]byte, seqs []int64, err error) {
	defer rows.Close()
	for rows.Next() {
		var seq int64
		var b []byte
		if err := rows.Scan(&seq, &b); err != nil {
			return nil, nil, err
		}
		bodies, seqs = append(bodies, b), append(seqs, seq)
	}
	return bodies, seqs, rows.Err()
}

// Timeline returns a session's audit entries, oldest first, at most 1000.
func (s *Store) Timeline(ctx context.Context, session string) ([]audit.Entry, error) {
	rows, err := s.query(ctx, "SELECT seq, body FROM audit_entries WHERE session = ? AND session <> '' ORDER BY seq LIMIT 1000", session)
	if err != nil {
		return nil, fmt.Errorf("read timeline of %s: %w", session, err)
	}
	bodies, _, err := scanBodies(rows)
	if err != nil {
		return nil, fmt.Errorf("read timeline of %s: %w", session, err)
	}
	out := make([]audit.Entry, 0, len(bodies))
	for _, b := range bodies {
		e, err := audit.ParseEntry(b)
		if err != nil {
			return nil, fmt.Errorf("read timeline of %s: %w", session, err)
		}
		out = append(out, e)
	}
	return out, nil
}

// Checkpoint signs the log as it is, unless nothing was appended since the last
// checkpoint, and returns the newest checkpoint.
func (s *Store) Checkpoint(ctx context.Context, signer note.Signer) (audit.Checkpoint, []byte, error) {
	var c audit.Checkpoint
	var msg []byte
	err := s.write(ctx, "sign audit checkpoint", func(tx *Tx) error {
		// Entries of the same batch come after this checkpoint.
		f, err := tx.head()
		if err != nil {
			return err
		}
		c = audit.Checkpoint{Origin: signer.Name(), Size: f.Size(), Root: f.Root()}
		if msg, err = c.Sign(signer); err != nil {
			return err
		}
		// Ed25519 is deterministic: signing the same size again gives the same note.
		_, err = tx.exec("INSERT INTO checkpoints (size, at, note) VALUES (?, ?, ?) ON CONFLICT (size) DO NOTHING", c.Size, micros(tx.Now), msg)
		return err
	})
	return c, msg, err
}

// Checkpoints returns every signed checkpoint, smallest first.
func (s *Store) Checkpoints(ctx context.Context) ([][]byte, error) {
	rows, err := s.query(ctx, "SELECT size, note FROM checkpoints ORDER BY size")
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	notes, _, err := scanBodies(rows)
	if err != nil {
		return nil, fmt.Errorf("read checkpoints: %w", err)
	}
	return notes, nil
}

// VerifyAudit checks the whole log against its checkpoints and its head.
func (s *Store) VerifyAudit(ctx context.Context, verifier string) (audit.Report, error) {
	// Head first: what is appended meanwhile is beyond it and not looked at.
	head, err := s.AuditHead(ctx)
	if err != nil {
		return audit.Report{}, err
	}
	notes, err := s.Checkpoints(ctx)
	if err != nil {
		return audit.Report{}, err
	}
	v, err := note.NewVerifier(verifier)
	if err != nil {
		return audit.Report{}, fmt.Errorf("audit public key: %w", err)
	}
	// A checkpoint signed after the head was read moves the end forward.
	if n := len(notes); n > 0 {
		if c, err := audit.OpenCheckpoint(notes[n-1], v); err == nil && c.Size > head.Size() {
			if head, err = s.AuditHead(ctx); err != nil {
				return audit.Report{}, err
			}
		}
	}
	entries := s.AuditLog(ctx, 0, head.Size())
	if head.Size() == 0 {
		entries = s.AuditLog(ctx, 0, 0)
	}
	return audit.Verify(entries, notes, verifier, head)
}

// ProveAudit makes the inclusion proof of an entry under the newest checkpoint
// that holds it.
func (s *Store) ProveAudit(ctx context.Context, seq int64) (audit.Proof, error) {
	var size int64
	var msg, body []byte
	err := s.queryRow(ctx, "SELECT size, note FROM checkpoints WHERE size > ? ORDER BY size DESC LIMIT 1", seq).Scan(&size, &msg)
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Proof{}, fmt.Errorf("checkpoint that holds audit entry %d: %w", seq, ErrNotFound)
	}
	if err == nil {
		err = s.queryRow(ctx, "SELECT body FROM audit_entries WHERE seq = ?", seq).Scan(&body)
	}
	if err != nil {
		return audit.Proof{}, fmt.Errorf("read audit entry %d: %w", seq, err)
	}
	return audit.Prove(body, seq, msg, size, s.auditNodes(ctx))
}

// auditNodes reads tree nodes for proofs.
func (s *Store) auditNodes(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			var b []byte
			if err := s.queryRow(ctx, "SELECT hash FROM audit_hashes WHERE idx = ?", x).Scan(&b); err != nil {
				return nil, fmt.Errorf("read audit node %d: %w", x, err)
			}
			if len(b) != tlog.HashSize {
				return nil, fmt.Errorf("audit node %d has %d bytes", x, len(b))
			}
			out[i] = tlog.Hash(b)
		}
		return out, nil
	})
}
