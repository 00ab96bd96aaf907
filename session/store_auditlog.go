package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/proofline/proofline/audit"
)

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
			entries, err := list(ctx, s, "read audit log", scanBody, "SELECT seq, body FROM audit_entries WHERE seq >= ? ORDER BY seq LIMIT ?", from, page)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range entries {
				if to > 0 && e.n >= to || !yield(e.b, nil) {
					return
				}
				from = e.n + 1
			}
			if len(entries) < page {
				return
			}
		}
	}
}

// Timeline returns a session's audit entries, oldest first, at most 1000.
func (s *Store) Timeline(ctx context.Context, session string) ([]audit.Entry, error) {
	return list(ctx, s, "read timeline", func(r scanner) (audit.Entry, error) {
		v, err := scanBody(r)
		if err != nil {
			return audit.Entry{}, err
		}
		return audit.ParseEntry(v.b)
	}, "SELECT seq, body FROM audit_entries WHERE session = ? AND session <> '' ORDER BY seq LIMIT 1000", session)
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

// LastCheckpoint returns the newest signed checkpoint, or ErrNotFound.
func (s *Store) LastCheckpoint(ctx context.Context) ([]byte, error) {
	var msg []byte
	err := s.queryRow(ctx, "SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1").Scan(&msg)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read last checkpoint: %w", err)
	}
	return msg, nil
}

// Checkpoints returns every signed checkpoint, smallest first.
func (s *Store) Checkpoints(ctx context.Context) ([][]byte, error) {
	return list(ctx, s, "read checkpoints", func(r scanner) ([]byte, error) {
		v, err := scanBody(r)
		return v.b, err
	}, "SELECT size, note FROM checkpoints ORDER BY size")
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
