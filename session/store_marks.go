package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/proofline/proofline/storage"
)

// Kinds of Mark.
const (
	NumberMark = "document_number" // a keyed hash of the number
	FaceMark   = "face"            // a vault object with an encrypted template
)

// markClass is the data class that a mark of a kind goes with.
var markClass = map[string]storage.Class{NumberMark: storage.ExtractedFields, FaceMark: storage.BiometricTemplate}

// Mark is what tells that something of a session was seen in another one.
type Mark struct {
	Session, Kind, Tenant string
	// Subject is who the session is about, as the relying service names it.
	Subject string
	Mark    string // of a document number
	Object  string // of a face
	At      time.Time
	Expires time.Time
}

// SubjectOf is who a session is about: the relying service's own id of the case,
// or the session where it gave none.
func (s *Session) SubjectOf() string {
	if s.ExternalRef != "" {
		return s.ExternalRef
	}
	return s.ID
}

// PutMark records a mark in the place of the session's earlier one of its kind,
// unless the class that it goes with is being erased or consent was withdrawn.
// Marks whose time is over are removed with it.
func (s *Store) PutMark(ctx context.Context, m Mark) error {
	class, known := markClass[m.Kind]
	if !known || m.Session == "" || m.Tenant == "" || m.Subject == "" || (m.Mark == "") == (m.Object == "") {
		return fmt.Errorf("put mark: %w", ErrInvalid)
	}
	return s.write(ctx, "put mark", func(tx *Tx) error {
		ses, err := tx.lockSession(m.Session) // a withdrawal waits for it
		if err != nil {
			return err
		}
		if forgotten, err := tx.subjectForgotten(ses, class); err != nil || forgotten {
			return err
		}
		_, err = tx.exec(`INSERT INTO subject_marks (session, kind, tenant, subject, mark, object, at, expires_at) VALUES (`+marks(8)+`)
			ON CONFLICT (session, kind) DO UPDATE SET mark = excluded.mark, object = excluded.object, at = excluded.at, expires_at = excluded.expires_at`,
			m.Session, m.Kind, m.Tenant, m.Subject, m.Mark, m.Object, micros(tx.Now), micros(m.Expires))
		if err != nil {
			return err
		}
		_, err = tx.exec("DELETE FROM subject_marks WHERE expires_at <= ?", micros(tx.Now))
		return err
	})
}

// subjectForgotten: nothing that tells a session's person again may be written any
// more. An erasure of the class that begins meanwhile waits for this transaction.
func (tx *Tx) subjectForgotten(ses *Session, c storage.Class) (bool, error) {
	if ses.Consent != nil && !ses.Consent.WithdrawnAt.IsZero() {
		return true, nil
	}
	if err := tx.lockHold(ses.ID); err != nil {
		return false, err
	}
	var n int64
	err := tx.row("SELECT COUNT(*) FROM erasures WHERE session = ? AND class = ?", ses.ID, c).Scan(&n)
	return n > 0, err
}

// forgetSubject ends the comparing of a session's person with others, whatever
// keeps the evidence: a legal hold preserves it, and is no reason to go on using it.
func (tx *Tx) forgetSubject(session string) error {
	return errors.Join(tx.forgetMarks(session, storage.ExtractedFields), tx.forgetMarks(session, storage.BiometricTemplate))
}

// forgetMarks removes what tells a session's person again and goes with a class.
func (tx *Tx) forgetMarks(session string, c storage.Class) error {
	if c == storage.ExtractedFields {
		if _, err := tx.exec("UPDATE screenings SET subject = '' WHERE session = ? AND subject <> ''", session); err != nil {
			return err
		}
	}
	for kind, class := range markClass {
		if class != c {
			continue
		}
		if _, err := tx.exec("DELETE FROM subject_marks WHERE session = ? AND kind = ?", session, kind); err != nil {
			return err
		}
	}
	return nil
}

// SameNumber counts the other subjects of m's tenant with the same mark since a
// time, and the other sessions with it, whoever's, in the last day.
func (s *Store) SameNumber(ctx context.Context, m Mark, since time.Time) (subjects, sessions int, err error) {
	now := s.now()
	n, err := s.number(ctx, "count subjects", `SELECT COUNT(DISTINCT subject) FROM subject_marks
		WHERE tenant = ? AND kind = ? AND mark = ? AND at >= ? AND expires_at > ? AND subject <> ?`, m.Tenant, NumberMark, m.Mark, micros(since), micros(now), m.Subject)
	if err != nil {
		return 0, 0, err
	}
	d, err := s.number(ctx, "count sessions", `SELECT COUNT(*) FROM subject_marks
		WHERE tenant = ? AND kind = ? AND mark = ? AND at >= ? AND expires_at > ? AND session <> ?`, m.Tenant, NumberMark, m.Mark, micros(now.Add(-24*time.Hour)), micros(now), m.Session)
	return int(n), int(d), err
}

// FaceMarks lists the faces of other subjects of a tenant since a time, newest
// first, at most limit.
func (s *Store) FaceMarks(ctx context.Context, tenant, subject string, since time.Time, limit int) ([]Mark, error) {
	return list(ctx, s, "list faces", func(r scanner) (Mark, error) {
		m := Mark{Kind: FaceMark, Tenant: tenant}
		return m, r.Scan(&m.Session, &m.Subject, &m.Object)
	}, `SELECT session, subject, object FROM subject_marks WHERE tenant = ? AND kind = ? AND at >= ? AND expires_at > ? AND subject <> ?
		ORDER BY at DESC, session DESC LIMIT ?`, tenant, FaceMark, micros(since), micros(s.now()), subject, min(max(limit, 0), 5000))
}

// SubjectSessions counts the sessions of a tenant with the same external
// reference since a time, the session itself included.
func (s *Store) SubjectSessions(ctx context.Context, tenant, ref string, since time.Time) (int, error) {
	if ref == "" {
		return 1, nil
	}
	n, err := s.number(ctx, "count sessions of a subject", "SELECT COUNT(*) FROM sessions WHERE tenant = ? AND external_ref = ? AND external_ref <> '' AND created_at >= ?", tenant, ref, micros(since))
	return int(n), err
}

// TenantKey is a tenant's sealed key for keyed hashes, made by seal the first
// time. Of several that make it at once one key counts.
func (s *Store) TenantKey(ctx context.Context, tenant string, seal func() ([]byte, error)) ([]byte, error) {
	read := func() (b []byte, err error) {
		err = s.queryRow(ctx, "SELECT sealed FROM tenant_keys WHERE tenant = ?", tenant).Scan(&b)
		return b, err
	}
	b, err := read()
	if !errors.Is(err, sql.ErrNoRows) {
		if err != nil {
			err = fmt.Errorf("read key of tenant: %w", err)
		}
		return b, err
	}
	fresh, err := seal()
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, "keep key of tenant", func(tx *Tx) error {
		_, err := tx.exec("INSERT INTO tenant_keys (tenant, sealed) VALUES (?, ?) ON CONFLICT (tenant) DO NOTHING", tenant, fresh)
		return err
	})
	if err != nil {
		return nil, err
	}
	if b, err = read(); err != nil {
		err = fmt.Errorf("read key of tenant: %w", err)
	}
	return b, err
}
