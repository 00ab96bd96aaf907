package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/proofline/proofline/audit"
)

// Kinds of Rules.
const (
	PolicyRules = "policy" // a policy's text
	CodeRules   = "codes"  // the text of a catalogue of reason codes
)

// Rules is one text that decisions were made by, kept for ever: a session is
// decided by the policy that it began with, and a decision can be computed
// again years later.
type Rules struct {
	Hash    string // of the rules, not of the text: package policy makes it
	Kind    string
	Name    string
	Version string
	Text    []byte
	At      time.Time // first seen
}

// PutRules keeps a text and writes an audit entry, once per hash.
func (s *Store) PutRules(ctx context.Context, by Actor, r Rules) error {
	if r.Hash == "" || r.Kind == "" || len(r.Text) == 0 || len(r.Text) > 4<<20 || checkField(r.Name) != nil || checkField(r.Version) != nil {
		return fmt.Errorf("archive rules: %w: hash, kind and a text of at most 4 MiB are needed", ErrInvalid)
	}
	if _, err := s.Rules(ctx, r.Hash); !errors.Is(err, ErrNotFound) {
		return err
	}
	return s.write(ctx, "archive rules", func(tx *Tx) error {
		n, err := tx.exec("INSERT INTO rules (hash, kind, name, version, body, at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING",
			r.Hash, r.Kind, r.Name, r.Version, string(r.Text), micros(tx.Now))
		if err != nil || n == 0 {
			return err
		}
		e := audit.Entry{Actor: by.String(), Action: "rules.archived", Refs: map[string]string{"kind": r.Kind}, Hashes: map[string]string{r.Kind: r.Hash}}
		if r.Name != "" {
			e.Refs["name"], e.Refs["version"] = r.Name, r.Version
		}
		tx.Audit(e)
		return nil
	})
}

// Rules returns the text with the hash, or ErrNotFound.
func (s *Store) Rules(ctx context.Context, hash string) (Rules, error) {
	r := Rules{Hash: hash}
	var at int64
	err := s.queryRow(ctx, "SELECT kind, name, version, body, at FROM rules WHERE hash = ?", hash).Scan(&r.Kind, &r.Name, &r.Version, &r.Text, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return Rules{}, ErrNotFound
	}
	if err != nil {
		return Rules{}, fmt.Errorf("read archived rules: %w", err)
	}
	r.At = fromMicros(at)
	return r, nil
}
