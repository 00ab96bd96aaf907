package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/proofline/proofline/audit"
)

// AuditEntry returns one entry, or ErrNotFound.
func (s *Store) AuditEntry(ctx context.Context, seq int64) (audit.Entry, error) {
	var b []byte
	err := s.queryRow(ctx, "SELECT body FROM audit_entries WHERE seq = ?", seq).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return audit.Entry{}, fmt.Errorf("audit entry %d: %w", seq, ErrNotFound)
	}
	if err != nil {
		return audit.Entry{}, fmt.Errorf("read audit entry %d: %w", seq, err)
	}
	return audit.ParseEntry(b)
}

// ProveAudit shows entries under the newest checkpoint, and that its log extends
// the signed logs of the earlier sizes. ErrNotFound: an entry is not under a
// checkpoint yet, or there is none of such a size.
func (s *Store) ProveAudit(ctx context.Context, entries []audit.Entry, earlier ...int64) (audit.Proof, error) {
	need := int64(0)
	for _, e := range entries {
		need = max(need, e.Seq+1)
	}
	for _, size := range earlier {
		need = max(need, size)
	}
	size, msg, err := s.checkpoint(ctx, need)
	if err != nil {
		return audit.Proof{}, fmt.Errorf("checkpoint that covers %d audit entries: %w", need, err)
	}
	return s.proveUnder(ctx, size, msg, entries, earlier)
}

// ProveAuditAt is ProveAudit under the checkpoint of exactly size entries.
func (s *Store) ProveAuditAt(ctx context.Context, size int64, entries []audit.Entry, earlier ...int64) (audit.Proof, error) {
	msg, err := s.checkpointAt(ctx, size)
	if err != nil {
		return audit.Proof{}, err
	}
	return s.proveUnder(ctx, size, msg, entries, earlier)
}

func (s *Store) checkpointAt(ctx context.Context, size int64) (msg []byte, err error) {
	err = s.queryRow(ctx, "SELECT note FROM checkpoints WHERE size = ?", size).Scan(&msg)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("checkpoint of %d audit entries: %w", size, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	return msg, nil
}

func (s *Store) proveUnder(ctx context.Context, size int64, msg []byte, entries []audit.Entry, earlier []int64) (audit.Proof, error) {
	notes := map[int64][]byte{}
	for _, e := range earlier {
		var err error
		if notes[e], err = s.checkpointAt(ctx, e); err != nil {
			return audit.Proof{}, err
		}
	}
	return audit.NewProver(msg, size, s.auditNodes(ctx)).Prove(entries, notes)
}

// auditNodes reads tree nodes for proofs, each once: proofs of neighbours share
// most of theirs.
func (s *Store) auditNodes(ctx context.Context) tlog.HashReader {
	known := map[int64]tlog.Hash{}
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			if h, ok := known[x]; ok {
				out[i] = h
				continue
			}
			var b []byte
			if err := s.queryRow(ctx, "SELECT hash FROM audit_hashes WHERE idx = ?", x).Scan(&b); err != nil {
				return nil, fmt.Errorf("read audit node %d: %w", x, err)
			}
			if len(b) != tlog.HashSize {
				return nil, fmt.Errorf("audit node %d has %d bytes", x, len(b))
			}
			out[i] = tlog.Hash(b)
			known[x] = out[i]
		}
		return out, nil
	})
}
