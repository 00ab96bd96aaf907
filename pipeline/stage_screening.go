package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/screening"
	"github.com/proofline/proofline/session"
)

// Screening is what a case knows of screening lists.
type Screening struct {
	// Known are the results that the relying service posted.
	Known []screening.Answer
	// Ask searches lists that nobody answered for; nil: nobody is asked.
	Ask func(ctx context.Context, s screening.Subject, lists []string) ([]screening.Answer, error)
}

// runScreening takes the results for the lists that the cell requires, and asks the
// matcher for those that are missing. A matcher that fails leaves its lists not
// evaluated: the case is not held up, a person looks.
func runScreening(ctx context.Context, r *run) ([]policy.Finding, error) {
	required := r.cell.Screening
	if len(required) == 0 {
		return nil, nil
	}
	known := r.c.Screening.Known
	missing := screening.Missing(required, known)
	if s := r.subject(); len(missing) > 0 && r.c.Screening.Ask != nil && !s.Empty() {
		as, err := r.c.Screening.Ask(ctx, s, missing)
		if err != nil && ctx.Err() != nil {
			return nil, fmt.Errorf("ask matcher: %w", err)
		}
		known = slices.Concat(known, as)
	}
	return screening.Findings(required, known), nil
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

// screening is what the store knows of a session, and how to ask for more. Answers
// are recorded, so that a run that is taken up again does not ask twice.
func (w *Worker) screening(ctx context.Context, id string, attempt int) (Screening, error) {
	rows, err := w.c.Store.Screenings(ctx, id)
	if err != nil {
		return Screening{}, err
	}
	var s Screening
	for _, x := range rows {
		s.Known = append(s.Known, screening.Answer{List: x.List, Result: screening.Result(x.Result), Reference: x.Reference, Lists: x.Lists})
	}
	if w.c.Matcher == nil {
		return s, nil
	}
	s.Ask = func(ctx context.Context, who screening.Subject, lists []string) ([]screening.Answer, error) {
		as, err := w.c.Matcher.Screen(ctx, id, who, lists)
		if err != nil {
			w.log.WarnContext(ctx, "screening gave no answer; a person looks", "session", id, "cause", err.Error())
			return nil, err
		}
		for _, a := range as {
			x := session.Screening{Session: id, List: a.List, Result: string(a.Result), Provider: "matcher", Lists: a.Lists,
				Reference: cmp.Or(a.Reference, "attempt-"+strconv.Itoa(attempt)), CheckedAt: time.Now()}
			if _, _, err := w.c.Store.PutScreening(ctx, w.actor, x); err != nil {
				return nil, err
			}
		}
		return as, nil
	}
	return s, nil
}
