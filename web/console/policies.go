package console

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

type policiesData struct {
	Now     time.Time
	Active  session.PolicyChange
	Changes []session.PolicyChange
	Names   map[string]string // accounts by actor
	Open    int
	Next    string
}

// actors says who actors are: names for accounts, words for the rest.
func (x *Console) actors(ctx context.Context, who ...string) map[string]string {
	out := map[string]string{"system:config": "configuration"}
	for _, a := range who {
		role, id, _ := strings.Cut(a, ":")
		if _, known := out[a]; known || a == "" {
			continue
		}
		out[a] = role
		if acc, err := x.c.Store.Account(ctx, id); err == nil {
			out[a] = acc.Name
		} else if id != "" {
			out[a] = role + " " + id
		}
	}
	return out
}

func (x *Console) policies(w http.ResponseWriter, r *http.Request) {
	d := policiesData{Now: x.c.Now()}
	var err error
	d.Active, err = x.c.Store.ActivePolicy(r.Context())
	if err != nil && !errors.Is(err, session.ErrNotFound) {
		x.fail(w, r, Path, err)
		return
	}
	const page = 50
	if d.Changes, err = x.c.Store.PolicyChanges(r.Context(), r.URL.Query().Get("before"), page); err != nil {
		x.fail(w, r, Path, err)
		return
	}
	if len(d.Changes) == page {
		d.Next = d.Changes[page-1].ID
	}
	var who []string
	for _, c := range d.Changes {
		who = append(who, c.ProposedBy, c.DecidedBy)
		if c.State == session.PolicyProposed {
			d.Open++
		}
	}
	d.Names = x.actors(r.Context(), append(who, d.Active.DecidedBy)...)
	x.render(w, r, http.StatusOK, "policies", view{Title: "Policies", Data: d})
}

var hashForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// archived is a policy with its text.
type archived struct {
	session.Rules
	Policy *policy.Policy
	Lines  int
}

func (x *Console) archived(ctx context.Context, hash string) (archived, error) {
	if !hashForm.MatchString(hash) {
		return archived{}, session.ErrNotFound
	}
	rules, err := x.c.Store.Rules(ctx, hash)
	if err != nil {
		return archived{}, err
	}
	if rules.Kind != session.PolicyRules {
		return archived{}, session.ErrNotFound
	}
	p, err := x.c.Rules.Under(ctx, hash, policy.CodesHash())
	if err != nil {
		return archived{}, err
	}
	return archived{rules, p, strings.Count(string(rules.Text), "\n") + 1}, nil
}

type policyData struct {
	archived
	Active  bool
	Others  []session.PolicyChange
	Remarks []policy.Remark
	A, B    *archived // with a difference
	Changes []policy.Change
}

// policyText shows one version.
func (x *Console) policyText(w http.ResponseWriter, r *http.Request) {
	a, err := x.archived(r.Context(), chi.URLParam(r, "hash"))
	if err != nil {
		x.fail(w, r, Path+"/policies", err)
		return
	}
	d := policyData{archived: a, Active: x.c.Rules.Current().Hash() == a.Hash, Remarks: a.Policy.Remarks()}
	if d.Others, err = x.others(r.Context(), a.Hash); err != nil {
		x.fail(w, r, Path+"/policies", err)
		return
	}
	x.render(w, r, http.StatusOK, "policy", view{Title: "Policy " + a.Name + " " + a.Version, Data: d})
}

// others are the versions that one can be compared with.
func (x *Console) others(ctx context.Context, hash string) ([]session.PolicyChange, error) {
	all, err := x.c.Store.PolicyChanges(ctx, "", 100)
	seen := map[string]bool{hash: true}
	var out []session.PolicyChange
	for _, c := range all {
		if !seen[c.Hash] {
			seen[c.Hash] = true
			out = append(out, c)
		}
	}
	return out, err
}

// policyDiff compares the rules of two versions.
func (x *Console) policyDiff(w http.ResponseWriter, r *http.Request) {
	a, err := x.archived(r.Context(), r.URL.Query().Get("a"))
	var b archived
	if err == nil {
		b, err = x.archived(r.Context(), r.URL.Query().Get("b"))
	}
	if err != nil {
		x.fail(w, r, Path+"/policies", err)
		return
	}
	d := policyData{archived: b, A: &a, B: &b, Changes: policy.Diff(a.Policy, b.Policy)}
	if d.Others, err = x.others(r.Context(), ""); err != nil {
		x.fail(w, r, Path+"/policies", err)
		return
	}
	x.render(w, r, http.StatusOK, "policy", view{Title: "What differs", Data: d})
}

// A proposal is tried on the newest past cases: so many, and for so long.
const (
	simulated    = 5000
	simulateTime = 2 * time.Second
)

type changeData struct {
	Now        time.Time
	Change     session.PolicyChange
	Base, Mine archived
	Diff       []policy.Change
	Remarks    []policy.Remark
	Sim        policy.Simulation
	Skipped    int
	Stale      bool
	Own        bool // proposed by who looks at it, and another person has to activate it
	Names      map[string]string
	Outcomes   []policy.Outcome
}

func (x *Console) policyChange(w http.ResponseWriter, r *http.Request) {
	c, err := x.c.Store.PolicyChange(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		x.fail(w, r, Path+"/policies", err)
		return
	}
	d := changeData{Now: x.c.Now(), Change: c, Names: x.actors(r.Context(), c.ProposedBy, c.DecidedBy), Outcomes: outcomes}
	if d.Mine, err = x.archived(r.Context(), c.Hash); err != nil {
		x.fail(w, r, Path+"/policies", err)
		return
	}
	if d.Base, err = x.archived(r.Context(), c.Base); err == nil {
		d.Diff = policy.Diff(d.Base.Policy, d.Mine.Policy)
	} else if !errors.Is(err, session.ErrNotFound) {
		x.fail(w, r, Path+"/policies", err)
		return
	}
	d.Remarks = d.Mine.Policy.Remarks()
	if c.State == session.PolicyProposed {
		active, err := x.c.Store.ActivePolicy(r.Context())
		if err != nil && !errors.Is(err, session.ErrNotFound) {
			x.fail(w, r, Path+"/policies", err)
			return
		}
		d.Stale = active.Hash != c.Base
		d.Own = x.c.Rules.SecondPerson && c.ProposedBy == as(r, session.Operator).String()
		mine, err := x.c.Store.Judging(r.Context(), me(r))
		if err == nil {
			d.Sim, d.Skipped, err = x.simulate(r.Context(), d.Mine.Policy)
			d.Sim.Flips = slices.DeleteFunc(d.Sim.Flips, func(f policy.Flip) bool { return mine[f.ID] })
		}
		if err != nil {
			x.fail(w, r, Path+"/policies", err)
			return
		}
	}
	x.render(w, r, http.StatusOK, "policychange", view{Title: "Change of the policy", Data: d})
}

var outcomes = []policy.Outcome{policy.Approved, policy.Rejected, policy.PendingReview, policy.NeedsResubmission}

// simulate decides the newest past cases by a policy.
func (x *Console) simulate(ctx context.Context, p *policy.Policy) (policy.Simulation, int, error) {
	skipped, n, begun := 0, 0, time.Now()
	past := x.c.Store.PastCases(ctx, session.Filter{}, func(string) { skipped++ })
	sim, err := p.Simulate(func(yield func(policy.PastCase, error) bool) {
		for c, err := range past {
			if n++; err == nil && (n > simulated || time.Since(begun) > simulateTime) || !yield(c, err) {
				return
			}
		}
	}, 20)
	return sim, skipped, err
}

func (x *Console) decideChange(w http.ResponseWriter, r *http.Request) {
	id, by := chi.URLParam(r, "id"), as(r, session.Operator)
	back, said := Path+"/policies", "withdrawn"
	c, err := x.c.Store.PolicyChange(r.Context(), id)
	if err == nil {
		back = Path + "/policies/changes/" + c.ID
		if r.PostFormValue("do") == "activate" {
			said = "activated"
			err = x.activate(r.Context(), by, c)
		} else {
			_, err = x.c.Store.WithdrawPolicy(r.Context(), by, c.ID)
		}
	}
	x.done(w, r, back, said, err)
}

// activate makes a proposal the policy for new sessions, after one more look
// whether this server can work by it.
func (x *Console) activate(ctx context.Context, by session.Actor, c session.PolicyChange) error {
	a, err := x.archived(ctx, c.Hash)
	if err != nil {
		return err
	}
	if x.c.Rules.Check != nil {
		if err := x.c.Rules.Check(a.Policy); err != nil {
			return errUnusable
		}
	}
	if _, err := x.c.Store.ActivatePolicy(ctx, by, c.ID, x.c.Rules.SecondPerson); err != nil {
		return err
	}
	if x.c.Rules.Activated != nil {
		return x.c.Rules.Activated(ctx)
	}
	return nil
}

var errUnusable = errors.New("this server can not work by the policy")
