package pipeline

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/screening"
	"github.com/proofline/proofline/session"
)

// Screening is what a case knows of screening lists.
type Screening struct {
	// Known are the results on record, of all attempts.
	Known []screening.Known
	// Hash is the keyed hash that Known names subjects by. nil: nobody is named.
	Hash func(ctx context.Context, s screening.Subject) (string, error)
	// Ask searches lists that nobody answered for; nil: nobody is asked.
	Ask func(ctx context.Context, s screening.Subject, lists []string) ([]screening.Answer, error)
	// Keep records who was screened, by the keyed hash, and what was answered.
	Keep func(ctx context.Context, subject string, as []screening.Answer) error
}

// runScreening takes the results for the lists that the cell requires, and asks the
// matcher for those that are missing of this very person. A matcher that fails leaves
// its lists not evaluated: the case is not held up, a person looks.
func runScreening(ctx context.Context, r *run) ([]policy.Finding, error) {
	required, c := r.cell.Screening, r.c.Screening
	if len(required) == 0 {
		return nil, nil
	}
	who, subject := r.subject(), ""
	if !who.Empty() && c.Hash != nil {
		var err error
		if subject, err = c.Hash(ctx, who); err != nil {
			return nil, fmt.Errorf("hash screened subject: %w", err)
		}
	}
	about, counts := screening.Counting(c.Known, r.c.Attempt, subject)
	var as []screening.Answer
	if missing := screening.Missing(required, about); len(missing) > 0 && c.Ask != nil && !who.Empty() {
		var err error
		if as, err = c.Ask(ctx, who, missing); err != nil && ctx.Err() != nil {
			return nil, fmt.Errorf("ask matcher: %w", err)
		}
	}
	if c.Keep != nil {
		// What can not be recorded now is asked again: an answer that only this
		// attempt knew would be forgotten in the next.
		if err := c.Keep(ctx, subject, as); err != nil {
			return nil, fmt.Errorf("record screening: %w", err)
		}
	}
	return screening.Findings(required, slices.Concat(counts, as)), nil
}

// subject is who a search is for: what was read best, zone before barcode before
// print.
func (r *run) subject() screening.Subject {
	best := map[string]string{}
	for _, source := range []string{"visual", "barcode", "mrz"} {
		for _, f := range r.fields {
			if f.Source == source && f.Value != "" {
				best[f.Name] = f.Value
			}
		}
	}
	return screening.Subject{Surname: best["surname"], GivenNames: best["given_names"], BirthDate: best["birth_date"], Nationality: best["nationality"]}
}

// errScreened: a result was posted while the stages ran.
var errScreened = errors.New("a screening result came meanwhile")

// screening is what the store knows of a session, and how to ask for more. Answers
// are recorded, so that a run that is taken up again does not ask twice.
func (w *Worker) screening(ctx context.Context, ses *session.Session, attempt int) (Screening, error) {
	rows, err := w.c.Store.Screenings(ctx, ses.ID)
	if err != nil {
		return Screening{}, err
	}
	var s Screening
	for _, x := range rows {
		s.Known = append(s.Known, screening.Known{Posted: x.Posted(), Attempt: x.Attempt, Subject: x.Subject,
			Answer: screening.Answer{List: x.List, Result: screening.Result(x.Result), Reference: x.Reference, Lists: x.Lists}})
	}
	if w.c.Keyring != nil {
		s.Hash = func(ctx context.Context, who screening.Subject) (string, error) {
			return w.screenedHash(ctx, ses.Tenant, who)
		}
	}
	unnamed := slices.ContainsFunc(s.Known, func(k screening.Known) bool { return k.Posted && k.Attempt == attempt && k.Subject == "" })
	s.Keep = func(ctx context.Context, subject string, as []screening.Answer) error {
		if unnamed && subject != "" {
			if err := w.c.Store.NameScreened(ctx, ses.ID, attempt, subject); err != nil {
				return err
			}
		}
		return w.keepAnswers(ctx, ses.ID, attempt, subject, as)
	}
	if w.c.Matcher != nil {
		s.Ask = func(ctx context.Context, who screening.Subject, lists []string) ([]screening.Answer, error) {
			as, err := w.c.Matcher.Screen(ctx, ses.ID, who, lists)
			if err != nil {
				w.log.WarnContext(ctx, "screening gave no answer; a person looks", "session", ses.ID, "cause", err.Error())
			}
			return as, err
		}
	}
	return s, nil
}

// screenedHash names a subject without saying who it is: by a key of the tenant's,
// and as the same for spellings that differ in case and spaces alone.
func (w *Worker) screenedHash(ctx context.Context, tenant string, who screening.Subject) (string, error) {
	b, err := json.Marshal(who)
	if err != nil {
		return "", fmt.Errorf("encode subject: %w", scrub(err))
	}
	defer clear(b)
	key, err := w.tenantKey(ctx, tenant)
	if err != nil {
		return "", err
	}
	defer clear(key)
	h := hmac.New(sha256.New, key)
	h.Write([]byte("screening subject 1\x00" + strings.ToUpper(strings.Join(strings.Fields(string(b)), " "))))
	return hex.EncodeToString(h.Sum(nil)), nil
}

// keepAnswers records what the matcher said. An answer without a usable reference
// gets one of its own, that is the same when the same is answered again. What there
// is no room for counts in this run all the same.
func (w *Worker) keepAnswers(ctx context.Context, id string, attempt int, subject string, as []screening.Answer) error {
	now := time.Now()
	for i, a := range as {
		own := fmt.Sprintf("attempt-%d-%s-%d-%s", attempt, a.List, i+1, a.Result)
		x := session.Screening{Session: id, List: a.List, Result: string(a.Result), Provider: session.MatcherProvider, Lists: a.Lists,
			Reference: a.Reference, Attempt: attempt, Subject: subject, CheckedAt: now}
		if x.Reference == "" || a.Result == screening.Failed {
			x.Reference = own
		}
		_, _, err := w.c.Store.PutScreening(ctx, w.actor, x)
		if errors.Is(err, session.ErrInvalid) {
			x.Reference, x.Lists = own, ""
			_, _, err = w.c.Store.PutScreening(ctx, w.actor, x)
		}
		if errors.Is(err, session.ErrScreeningsFull) || errors.Is(err, session.ErrInvalid) {
			w.log.WarnContext(ctx, "screening result counts and is not recorded", "session", id, "list", a.List, "cause", err.Error())
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// sameScreenings fails with errScreened when a result was posted since known was
// read. It runs in the transaction of the decision, which results wait for.
func sameScreenings(tx *session.Tx, known []screening.Known) error {
	rows, err := tx.Screenings()
	if err != nil {
		return err
	}
	had, has := 0, 0
	for _, k := range known {
		if k.Posted {
			had++
		}
	}
	for _, x := range rows {
		if x.Posted() {
			has++
		}
	}
	if had != has {
		return errScreened
	}
	return nil
}
