package session

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/storage"
)

const (
	// ScreeningPrefix begins the ids of screening results.
	ScreeningPrefix = "scr_"
	// MatcherProvider is the provider of what the worker's own matcher answered. A
	// relying service's results have another.
	MatcherProvider = "matcher"
	// MaxScreenings is how many results a relying service may post of a session.
	MaxScreenings = 200
	// maxMatcherScreenings bounds what workers record: 64 answers in each of 20
	// attempts, and some that were asked for again.
	maxMatcherScreenings = 2000
)

// ErrScreeningsFull tells that the session has as many screening results as it may.
var ErrScreeningsFull = errors.New("no more screening results of this session")

// Screening is what a search of one list said of a session's person. It holds no
// name: the reference finds the search in the system that made it.
type Screening struct {
	ID        string
	Session   string
	List      string
	Result    string
	Provider  string // who searched
	Reference string // the provider's id of the search
	Lists     string // version of the lists
	// Attempt is the attempt whose person was searched for; PutScreening takes 0
	// for the session's current one.
	Attempt int
	// Subject is a keyed hash of who was searched for; empty: nobody knows. It
	// goes when the class extracted_fields is erased or consent is withdrawn.
	Subject   string
	By        string // role and id of who reported it
	CheckedAt time.Time
	At        time.Time
}

// Posted tells whether a relying service reported the result.
func (x Screening) Posted() bool { return strings.HasPrefix(x.By, string(Service)) }

func (x Screening) check(by Actor) error {
	for _, f := range []string{x.List, x.Result, x.Provider, x.Reference, x.Lists, x.Subject, by.ID} {
		if err := checkField(f); err != nil {
			return err
		}
	}
	switch {
	case x.List == "" || x.Result == "" || x.Provider == "" || x.Reference == "" || by.Role == "" || x.Attempt < 0:
		return fmt.Errorf("%w: list, result, provider, reference and actor are needed", ErrInvalid)
	case (by.Role == Worker) != (x.Provider == MatcherProvider):
		return fmt.Errorf("%w: the provider %q is the worker's own matcher", ErrInvalid, MatcherProvider)
	}
	return nil
}

// PutScreening records a result. Of a relying service it is recorded once per
// provider, reference and list: the same again, in whatever attempt, is no error
// and changes nothing (fresh is false), another result under the same reference is
// ErrConflict, and one more than MaxScreenings is ErrScreeningsFull. A matcher may
// change its mind: each of its results is kept, once per attempt and subject. A
// result after the decision is recorded, too: a reviewer sees it, and the log has it.
func (s *Store) PutScreening(ctx context.Context, by Actor, x Screening) (out Screening, fresh bool, err error) {
	if err := x.check(by); err != nil {
		return x, false, fmt.Errorf("record screening: %w", err)
	}
	err = s.write(ctx, "record screening", func(tx *Tx) error {
		ses, err := tx.lockSession(x.Session)
		if err != nil {
			return err
		}
		out = x
		out.ID, out.At, out.By = s.ids.next(ScreeningPrefix, tx.Now), tx.Now, by.String()
		if out.Attempt == 0 {
			out.Attempt = ses.Attempt
		}
		if out.Attempt > ses.Attempt {
			return fmt.Errorf("%w: the session has no attempt %d yet", ErrInvalid, out.Attempt)
		}
		if out.Subject != "" {
			if forgotten, err := tx.subjectForgotten(ses, storage.ExtractedFields); err != nil {
				return err
			} else if forgotten {
				out.Subject = ""
			}
		}
		all, err := tx.screenings(x.Session)
		if err != nil {
			return err
		}
		n := 0
		for _, old := range all {
			if old.Posted() != out.Posted() {
				continue
			}
			n++
			switch {
			case old.Provider != x.Provider || old.Reference != x.Reference || old.List != x.List:
			case out.Posted() && old.Result != x.Result:
				return ErrConflict
			case out.Posted(), old.Result == x.Result && old.Attempt == out.Attempt && old.Subject == out.Subject:
				out, fresh = old, false
				return nil
			}
		}
		if out.Posted() && n >= MaxScreenings || n >= maxMatcherScreenings {
			return ErrScreeningsFull
		}
		fresh = true
		if _, err := tx.exec("INSERT INTO screenings ("+screeningColumns+") VALUES ("+marks(12)+")",
			out.ID, x.Session, x.List, x.Result, x.Provider, x.Reference, x.Lists, out.Attempt, out.Subject, out.By, micros(x.CheckedAt), micros(tx.Now)); err != nil {
			return err
		}
		tx.Audit(ses.marked(audit.Entry{Actor: out.By, Action: "screening.recorded", Session: ses.ID, Tenant: ses.Tenant, Attempt: out.Attempt,
			Outcome: x.Result, Refs: map[string]string{"screening": out.ID, "list": x.List}, Correlation: ses.CorrelationID}))
		return nil
	})
	return out, fresh, err
}

const screeningColumns = "id, session, list, result, provider, reference, lists, attempt, subject, actor, checked_at, at"

// All of them are read: PutScreening bounds how many there are.
const screeningsOf = "SELECT " + screeningColumns + " FROM screenings WHERE session = ? ORDER BY id"

func scanScreening(r scanner) (x Screening, err error) {
	var checked, at int64
	err = r.Scan(&x.ID, &x.Session, &x.List, &x.Result, &x.Provider, &x.Reference, &x.Lists, &x.Attempt, &x.Subject, &x.By, &checked, &at)
	x.CheckedAt, x.At = fromMicros(checked), fromMicros(at)
	return x, err
}

// Screenings returns all that is known of a session, oldest first.
func (s *Store) Screenings(ctx context.Context, session string) ([]Screening, error) {
	return list(ctx, s, "read screenings", scanScreening, screeningsOf, session)
}

func (tx *Tx) screenings(session string) ([]Screening, error) {
	rows, err := tx.rows(screeningsOf, session)
	return collect(rows, err, "read screenings", scanScreening)
}

// Screenings is Store.Screenings of the transaction's session: what it returns does
// not change before the commit.
func (tx *Tx) Screenings() ([]Screening, error) { return tx.screenings(tx.Session.ID) }

// NameScreened notes whom the results that a relying service posted in an attempt
// were about: the person whom the attempt's document names.
func (s *Store) NameScreened(ctx context.Context, session string, attempt int, subject string) error {
	return s.write(ctx, "note subject of screenings", func(tx *Tx) error {
		ses, err := tx.lockSession(session)
		if err != nil {
			return err
		}
		if forgotten, err := tx.subjectForgotten(ses, storage.ExtractedFields); err != nil || forgotten {
			return err
		}
		_, err = tx.exec("UPDATE screenings SET subject = ? WHERE session = ? AND attempt = ? AND subject = '' AND actor LIKE ?",
			subject, session, attempt, string(Service)+"%")
		return err
	})
}
