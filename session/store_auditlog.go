package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"golang.org/x/mod/sumdb/note"

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

// TimelineLimit is how many entries Timeline returns at most.
const TimelineLimit = 1000

// Timeline returns a session's first audit entries, oldest first, at most
// TimelineLimit.
func (s *Store) Timeline(ctx context.Context, session string) ([]audit.Entry, error) {
	return s.timeline(ctx, session, -1, TimelineLimit)
}

// TimelinePage returns at most limit of a session's audit entries behind the one
// numbered after (-1: from the first), oldest first, and whether there are more.
func (s *Store) TimelinePage(ctx context.Context, session string, after int64, limit int) (page []audit.Entry, more bool, err error) {
	if limit < 1 || limit > TimelineLimit {
		return nil, false, fmt.Errorf("read timeline: %w: limit must be 1 to %d", ErrInvalid, TimelineLimit)
	}
	page, err = s.timeline(ctx, session, after, limit+1)
	if len(page) > limit {
		page, more = page[:limit], true
	}
	return page, more, err
}

func scanEntry(r scanner) (audit.Entry, error) {
	v, err := scanBody(r)
	if err != nil {
		return audit.Entry{}, err
	}
	return audit.ParseEntry(v.b)
}

func (s *Store) timeline(ctx context.Context, session string, after int64, limit int) ([]audit.Entry, error) {
	return list(ctx, s, "read timeline", scanEntry, "SELECT seq, body FROM audit_entries WHERE session = ? AND session <> '' AND seq > ? ORDER BY seq LIMIT ?", session, after, limit)
}

// SessionLog iterates over all of a session's audit entries, oldest first, in
// pages: whoever repeats a request that changes nothing makes many.
func (s *Store) SessionLog(ctx context.Context, session string) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		after := int64(-1)
		for {
			page, err := s.timeline(ctx, session, after, TimelineLimit)
			if err != nil {
				yield(audit.Entry{}, err)
				return
			}
			for _, e := range page {
				if after = e.Seq; !yield(e, nil) {
					return
				}
			}
			if len(page) < TimelineLimit {
				return
			}
		}
	}
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
	_, msg, err := s.checkpoint(ctx, 0)
	return msg, err
}

// Checkpoints iterates over the signed checkpoints of at most upTo entries,
// smallest first, in pages.
func (s *Store) Checkpoints(ctx context.Context, upTo int64) iter.Seq2[[]byte, error] {
	const page = 1000
	return func(yield func([]byte, error) bool) {
		after := int64(-1)
		for {
			notes, err := list(ctx, s, "read checkpoints", scanBody, "SELECT size, note FROM checkpoints WHERE size > ? AND size <= ? ORDER BY size LIMIT ?", after, upTo, page)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, n := range notes {
				if !yield(n.b, nil) {
					return
				}
				after = n.n
			}
			if len(notes) < page {
				return
			}
		}
	}
}

// StoreCheckpoints names the store's own checkpoints in audit reports.
const StoreCheckpoints = "the session store"

// VerifyAudit checks the whole log against its head and its own checkpoints.
func (s *Store) VerifyAudit(ctx context.Context, verifier string) (audit.Report, error) {
	return s.VerifyAuditWith(ctx, verifier, nil)
}

// VerifyAuditWith is VerifyAudit with further sources of checkpoints, which must
// hold none that is signed after the call, and tells seen of its progress.
func (s *Store) VerifyAuditWith(ctx context.Context, verifier string, seen func(done, total int64), more ...audit.Source) (audit.Report, error) {
	// The newest checkpoint is read before the head and the head before the
	// entries, so each is covered by what is read after it. What is appended or
	// signed meanwhile is not looked at.
	newest, _, err := s.checkpoint(ctx, 0)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return audit.Report{}, err
	}
	head, err := s.AuditHead(ctx)
	if err != nil {
		return audit.Report{}, err
	}
	own := audit.Source{Name: StoreCheckpoints, Checkpoints: s.Checkpoints(ctx, newest)}
	entries := s.AuditLog(ctx, 0, head.Size())
	if head.Size() == 0 {
		entries = s.AuditLog(ctx, 0, 0)
	}
	if seen != nil {
		read, done := entries, int64(0)
		entries = func(yield func([]byte, error) bool) {
			for b, err := range read {
				done++
				seen(done, head.Size())
				if !yield(b, err) {
					return
				}
			}
		}
	}
	return audit.Verify(entries, verifier, head, append([]audit.Source{own}, more...)...)
}

// checkpoint returns the newest checkpoint of at least so many entries.
func (s *Store) checkpoint(ctx context.Context, atLeast int64) (size int64, msg []byte, err error) {
	err = s.queryRow(ctx, "SELECT size, note FROM checkpoints WHERE size >= ? ORDER BY size DESC LIMIT 1", atLeast).Scan(&size, &msg)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, ErrNotFound
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read checkpoint: %w", err)
	}
	return size, msg, nil
}
