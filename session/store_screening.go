package session

import (
	"context"
	"fmt"
	"time"

	"github.com/proofline/proofline/audit"
)

// ScreeningPrefix begins the ids of screening results.
const ScreeningPrefix = "scr_"

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
	By        string // role and id of who reported it
	CheckedAt time.Time
	At        time.Time
}

// PutScreening records a result once per provider, reference and list; the same
// again is no error and changes nothing (fresh is false), another result under
// the same reference is ErrConflict. A result after the decision is recorded,
// too: a reviewer sees it, and the log has it.
func (s *Store) PutScreening(ctx context.Context, by Actor, x Screening) (out Screening, fresh bool, err error) {
	for _, f := range []string{x.List, x.Result, x.Provider, x.Reference, x.Lists, by.ID} {
		if err := checkField(f); err != nil {
			return x, false, fmt.Errorf("record screening: %w", err)
		}
	}
	if x.List == "" || x.Result == "" || x.Provider == "" || x.Reference == "" || by.Role == "" {
		return x, false, fmt.Errorf("record screening: %w: list, result, provider, reference and actor are needed", ErrInvalid)
	}
	err = s.write(ctx, "record screening", func(tx *Tx) error {
		ses, err := tx.lockSession(x.Session)
		if err != nil {
			return err
		}
		out = x
		out.ID, out.At, out.By = s.ids.next(ScreeningPrefix, tx.Now), tx.Now, by.String()
		n, err := tx.exec(`INSERT INTO screenings (id, session, list, result, provider, reference, lists, actor, checked_at, at) VALUES (`+marks(10)+`)
			ON CONFLICT (session, provider, reference, list) DO NOTHING`,
			out.ID, x.Session, x.List, x.Result, x.Provider, x.Reference, x.Lists, out.By, micros(x.CheckedAt), micros(tx.Now))
		if err != nil {
			return err
		}
		if fresh = n > 0; !fresh {
			var result string
			var at int64
			if err := tx.row("SELECT id, result, at FROM screenings WHERE session = ? AND provider = ? AND reference = ? AND list = ?",
				x.Session, x.Provider, x.Reference, x.List).Scan(&out.ID, &result, &at); err != nil {
				return err
			}
			if out.At = fromMicros(at); result != x.Result {
				return ErrConflict
			}
			return nil
		}
		tx.Audit(ses.marked(audit.Entry{Actor: out.By, Action: "screening.recorded", Session: ses.ID, Tenant: ses.Tenant, Attempt: ses.Attempt,
			Outcome: x.Result, Refs: map[string]string{"screening": out.ID, "list": x.List}, Correlation: ses.CorrelationID}))
		return nil
	})
	return out, fresh, err
}

// Screenings returns what is known of a session, oldest first, at most 200.
func (s *Store) Screenings(ctx context.Context, session string) ([]Screening, error) {
	return list(ctx, s, "read screenings", func(r scanner) (x Screening, err error) {
		var checked, at int64
		err = r.Scan(&x.ID, &x.Session, &x.List, &x.Result, &x.Provider, &x.Reference, &x.Lists, &x.By, &checked, &at)
		x.CheckedAt, x.At = fromMicros(checked), fromMicros(at)
		return x, err
	}, "SELECT id, session, list, result, provider, reference, lists, actor, checked_at, at FROM screenings WHERE session = ? ORDER BY id LIMIT 200", session)
}
