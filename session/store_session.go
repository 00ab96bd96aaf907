package session

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/proofline/proofline/audit"
)

const sessionColumns = `id, tenant, state, version, attempt, max_attempts, policy_name, policy_version, policy_hash,
	segment, jurisdiction, document_type, correlation_id, external_ref, locale, consent, decision,
	ttl, created_at, updated_at, expires_at, submitted_at, signals, simulated, device`

func scanSession(r scanner) (*Session, error) {
	var s Session
	var consent, decision, signals string
	var ttl, created, updated, expires, submitted, simulated int64
	err := r.Scan(&s.ID, &s.Tenant, &s.State, &s.Version, &s.Attempt, &s.MaxAttempts, &s.PolicyName, &s.PolicyVersion, &s.PolicyHash,
		&s.Segment, &s.Jurisdiction, &s.DocumentType, &s.CorrelationID, &s.ExternalRef, &s.Locale, &consent, &decision,
		&ttl, &created, &updated, &expires, &submitted, &signals, &simulated, &s.Device)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	s.ttl, s.Simulated = time.Duration(ttl)*time.Microsecond, simulated != 0
	s.CreatedAt, s.UpdatedAt = fromMicros(created), fromMicros(updated)
	s.ExpiresAt, s.SubmittedAt = fromMicros(expires), fromMicros(submitted)
	if consent != "" {
		if err := json.Unmarshal([]byte(consent), &s.Consent); err != nil {
			return nil, fmt.Errorf("decode consent: %w", err)
		}
	}
	if decision != "" {
		if err := json.Unmarshal([]byte(decision), &s.Decision); err != nil {
			return nil, fmt.Errorf("decode decision: %w", err)
		}
	}
	if signals != "" {
		if err := json.Unmarshal([]byte(signals), &s.Signals); err != nil {
			return nil, fmt.Errorf("decode signals: %w", err)
		}
	}
	return &s, nil
}

func scanSessionValue(r scanner) (Session, error) {
	s, err := scanSession(r)
	if err != nil {
		return Session{}, err
	}
	return *s, nil
}

// limits on what callers hand in; all of it reaches logs and webhooks.
const (
	maxField   = 128
	maxTTL     = 90 * 24 * time.Hour
	maxAttempt = 20
)

func (n *New) check() error {
	if n.MaxAttempts == 0 {
		n.MaxAttempts = 3
	}
	if n.TTL == 0 {
		n.TTL = 24 * time.Hour
	}
	switch {
	case n.Tenant == "", n.PolicyName == "", n.PolicyVersion == "", n.PolicyHash == "":
		return fmt.Errorf("%w: a session needs a tenant and a policy with version and hash", ErrInvalid)
	case n.MaxAttempts < 1, n.MaxAttempts > maxAttempt:
		return fmt.Errorf("%w: attempts must be 1 to %d", ErrInvalid, maxAttempt)
	case n.TTL < time.Minute, n.TTL > maxTTL:
		return fmt.Errorf("%w: time to live must be one minute to %v", ErrInvalid, maxTTL)
	case n.Actor.Role == "":
		return fmt.Errorf("%w: actor is missing", ErrInvalid)
	}
	if n.ID != "" {
		if _, err := ParseID(SessionPrefix, n.ID); err != nil {
			return err
		}
	}
	for _, f := range []string{n.Tenant, n.PolicyName, n.PolicyVersion, n.PolicyHash, n.Segment, n.Jurisdiction, n.DocumentType,
		n.CorrelationID, n.ExternalRef, n.Locale, n.Actor.ID, n.IdempotencyKey} {
		if err := checkField(f); err != nil {
			return err
		}
	}
	if err := n.Signals.Validate(); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// checkField accepts short printable text.
func checkField(f string) error {
	if len(f) > maxField || !utf8.ValidString(f) || strings.ContainsFunc(f, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return fmt.Errorf("%w: fields are at most %d bytes of printable text", ErrInvalid, maxField)
	}
	return nil
}

// NewID makes an id for New.ID.
func (s *Store) NewID() string { return s.ids.next(SessionPrefix, s.clock()) }

// Create starts a session.
func (s *Store) Create(ctx context.Context, n New) (*Session, error) {
	if err := n.check(); err != nil {
		return nil, err
	}
	var out *Session
	err := s.write(ctx, "create session", func(tx *Tx) error {
		id := n.ID
		if id == "" {
			id = s.ids.next(SessionPrefix, tx.Now)
		}
		ses := &Session{
			ID: id, Tenant: n.Tenant, State: Initiated, Version: 1, Attempt: 1, MaxAttempts: n.MaxAttempts,
			PolicyName: n.PolicyName, PolicyVersion: n.PolicyVersion, PolicyHash: n.PolicyHash,
			Segment: n.Segment, Jurisdiction: n.Jurisdiction, DocumentType: n.DocumentType, Signals: n.Signals,
			CorrelationID: n.CorrelationID, ExternalRef: n.ExternalRef, Locale: n.Locale,
			CreatedAt: tx.Now, UpdatedAt: tx.Now, ExpiresAt: tx.Now.Add(n.TTL), ttl: n.TTL, Simulated: tx.simulated,
		}
		if ses.CorrelationID == "" {
			ses.CorrelationID = strings.TrimPrefix(id, SessionPrefix)
		}
		signals := ""
		if len(n.Signals) > 0 {
			b, err := json.Marshal(n.Signals)
			if err != nil {
				return fmt.Errorf("encode signals: %w", err)
			}
			signals = string(b)
		}
		key := sql.NullString{String: n.IdempotencyKey, Valid: n.IdempotencyKey != ""}
		rows, err := tx.exec(`INSERT INTO sessions (`+sessionColumns+`, idempotency_key) VALUES (`+marks(26)+`)
			ON CONFLICT (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING`,
			id, n.Tenant, Initiated, 1, 1, n.MaxAttempts, n.PolicyName, n.PolicyVersion, n.PolicyHash,
			n.Segment, n.Jurisdiction, n.DocumentType, ses.CorrelationID, n.ExternalRef, n.Locale, "", "",
			n.TTL.Microseconds(), micros(tx.Now), micros(tx.Now), micros(ses.ExpiresAt), 0, signals, smallint(tx.simulated), "", key)
		if err != nil {
			return err
		}
		if rows == 0 {
			out, err = scanSession(tx.row("SELECT "+sessionColumns+" FROM sessions WHERE tenant = ? AND idempotency_key = ?", n.Tenant, n.IdempotencyKey))
			return err
		}
		tx.Audit(audit.Entry{Actor: n.Actor.String(), Action: "session.create", Session: id, Tenant: n.Tenant, Attempt: 1,
			To: string(Initiated), Hashes: map[string]string{"policy": n.PolicyHash}, Correlation: ses.CorrelationID})
		tx.moves = append(tx.moves, Move{To: Initiated, Event: "create", By: n.Actor.Role, Test: IsTest(n.Tenant)})
		out = ses
		return tx.announce(ses, "", NoticeCreated, nil)
	})
	return out, err
}

// Get returns a session, or ErrNotFound.
func (s *Store) Get(ctx context.Context, id string) (*Session, error) {
	if !idShaped(id) {
		return nil, fmt.Errorf("get session: %w", ErrNotFound)
	}
	ses, err := scanSession(s.queryRow(ctx, "SELECT "+sessionColumns+" FROM sessions WHERE id = ?", id))
	if err != nil {
		return nil, fmt.Errorf("get session: %w", err)
	}
	return ses, nil
}

// List returns one page of sessions, newest first. Pages follow ids, which sort
// by creation time, so page 10 000 costs what page 1 does, and sessions created
// meanwhile neither repeat nor hide others.
func (s *Store) List(ctx context.Context, f Filter) (Page, error) {
	if f.Limit == 0 {
		f.Limit = 50
	}
	if f.Limit < 1 || f.Limit > 200 {
		return Page{}, fmt.Errorf("list sessions: %w: limit must be 1 to 200", ErrInvalid)
	}
	where, args := []string{"1 = 1"}, []any{}
	and := func(cond string, a ...any) { where, args = append(where, cond), append(args, a...) }
	if f.Tenant != "" {
		and("tenant = ?", f.Tenant)
	} else if !f.Test {
		and(notTest("tenant"))
	}
	if f.ExternalRef != "" {
		and("external_ref = ? AND external_ref <> ''", f.ExternalRef)
	}
	if f.PolicyName != "" {
		and("policy_name = ?", f.PolicyName)
	}
	if !f.CreatedFrom.IsZero() {
		and("id >= ?", idBound(SessionPrefix, f.CreatedFrom))
	}
	if !f.CreatedBefore.IsZero() {
		and("id < ?", idBound(SessionPrefix, f.CreatedBefore))
	}
	cmp, order := "<", "DESC"
	if f.OldestFirst {
		cmp, order = ">", "ASC"
	}
	if f.Cursor != "" {
		after, err := parseCursor(f.Cursor)
		if err != nil {
			return Page{}, fmt.Errorf("list sessions: %w", err)
		}
		and("id "+cmp+" ?", after)
	}
	for _, st := range f.States {
		if !st.Known() {
			return Page{}, fmt.Errorf("list sessions: %w: unknown state", ErrInvalid)
		}
	}
	q := func(where []string) string {
		return "SELECT " + sessionColumns + " FROM sessions WHERE " + strings.Join(where, " AND ") + " ORDER BY id " + order + " LIMIT ?"
	}
	// Several states are read one by one, each through its index, and merged.
	states := f.States
	var found []Session
	if len(states) == 0 {
		var err error
		if found, err = list(ctx, s, "list sessions", scanSessionValue, q(where), append(args, f.Limit+1)...); err != nil {
			return Page{}, err
		}
	}
	for _, st := range states {
		more, err := list(ctx, s, "list sessions", scanSessionValue, q(append(where[:len(where):len(where)], "state = ?")), append(args[:len(args):len(args)], st, f.Limit+1)...)
		if err != nil {
			return Page{}, err
		}
		found = mergePages(found, more, f.OldestFirst)
	}
	p := Page{Sessions: found}
	if len(found) > f.Limit {
		p.Sessions = found[:f.Limit]
		p.Next = cursor(p.Sessions[f.Limit-1].ID)
	}
	return p, nil
}

func mergePages(a, b []Session, ascending bool) []Session {
	out := make([]Session, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if (a[0].ID < b[0].ID) == ascending {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

func parseCursor(c string) (string, error) {
	if len(c) > 64 {
		return "", fmt.Errorf("%w: cursor", ErrInvalid)
	}
	b, err := base64.RawURLEncoding.DecodeString(c)
	if err != nil || len(b) == 0 || b[0] != '1' {
		return "", fmt.Errorf("%w: cursor", ErrInvalid)
	}
	id, err := ParseID(SessionPrefix, string(b[1:]))
	if err != nil {
		return "", fmt.Errorf("%w: cursor", ErrInvalid)
	}
	return id, nil
}

func cursor(id string) string { return base64.RawURLEncoding.EncodeToString([]byte("1" + id)) }
