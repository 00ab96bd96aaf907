package casefile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/storage"
)

// Deletion proves that evidence of a session was erased: the signed deletion
// certificates, and that the audit log commits to them. It is checked with the
// log's public key alone.
type Deletion struct {
	Version int    `json:"proofline_deletion"` // 1
	Session string `json:"session"`
	// Certificates are byte for byte as they were hashed.
	Certificates []json.RawMessage `json:"certificates"`
	Proof        audit.Proof       `json:"proof"`
}

// Deleted is what a checked deletion shows of one data class.
type Deleted struct {
	Class          string    `json:"class"`
	KeyDestroyedAt time.Time `json:"key_destroyed_at"`
	IssuedAt       time.Time `json:"issued_at"`
	Objects        int       `json:"objects"`           // whose bytes are gone
	Pending        int       `json:"pending,omitempty"` // unreadable, bytes still to be deleted
	Entry          int64     `json:"entry"`             // of the audit log
}

// ErrNotErased tells that nothing of the session was erased.
var ErrNotErased = errors.New("no deletion certificate was issued")

// maxDeletion bounds a deletion's JSON.
const maxDeletion = 16 << 20

const certificateRef = "certificate_"

// Deletion collects the session's deletion certificates; read gets one by its
// object's id. A certificate whose own retention is over is left out: the log
// keeps its digest.
func (f *File) Deletion(ctx context.Context, read func(ctx context.Context, object string) ([]byte, error), prove Prove) (Deletion, error) {
	d := Deletion{Version: 1, Session: f.Session.ID}
	var entries []audit.Entry
	for _, e := range f.Timeline {
		known := false
		for name, object := range e.Refs {
			class, ok := strings.CutPrefix(name, certificateRef)
			if !ok {
				continue
			}
			b, err := read(ctx, object)
			if errors.Is(err, storage.ErrErased) || errors.Is(err, storage.ErrNotFound) {
				continue
			}
			if err != nil {
				return Deletion{}, fmt.Errorf("read deletion certificate of %s: %w", class, err)
			}
			d.Certificates, known = append(d.Certificates, b), true
		}
		if known {
			entries = append(entries, e)
		}
	}
	if len(entries) == 0 {
		return Deletion{}, fmt.Errorf("session %s: %w", f.Session.ID, ErrNotErased)
	}
	var err error
	d.Proof, err = prove(ctx, entries)
	return d, err
}

// Check verifies every certificate's signature and that the signed log commits
// to each.
func (d Deletion) Check(verifier string) ([]Deleted, error) {
	v, err := note.NewVerifier(verifier)
	if err != nil {
		return nil, fmt.Errorf("audit public key: %w", err)
	}
	if d.Version != 1 || len(d.Certificates) == 0 {
		return nil, errors.New("no deletion certificates of version 1")
	}
	shown, err := d.Proof.Check(verifier)
	if err != nil {
		return nil, err
	}
	var out []Deleted
	for _, raw := range d.Certificates {
		var c storage.Certificate
		if err := json.Unmarshal(raw, &c); err != nil {
			return nil, fmt.Errorf("decode deletion certificate: %w", err)
		}
		if err := c.Verify(v); err != nil {
			return nil, err
		}
		at := slices.IndexFunc(shown.Entries, func(e audit.Entry) bool {
			return e.Session == d.Session && e.Hashes[certificateRef+string(c.Class)] == digest(raw)
		})
		if at < 0 || c.Session != d.Session {
			return nil, fmt.Errorf("the log does not commit to this certificate of %s", c.Class)
		}
		out = append(out, Deleted{Class: string(c.Class), KeyDestroyedAt: c.KeyDestroyedAt, IssuedAt: c.IssuedAt,
			Objects: len(c.Deleted), Pending: len(c.Pending), Entry: shown.Entries[at].Seq})
	}
	return out, nil
}

// ReadDeletion reads a deletion's JSON. It checks nothing of what it says.
func ReadDeletion(r io.Reader) (Deletion, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxDeletion+1))
	if err != nil {
		return Deletion{}, fmt.Errorf("read deletion certificates: %w", err)
	}
	if len(b) > maxDeletion {
		return Deletion{}, fmt.Errorf("deletion certificates exceed %d bytes", maxDeletion)
	}
	var d Deletion
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return Deletion{}, fmt.Errorf("decode deletion certificates: %w", err)
	}
	return d, nil
}
