package console

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
)

type queueData struct {
	Now   time.Time
	Items []review.Item
	Me    string
	Next  string
	Free  bool
	Late  int
	// Blind is how many sampled cases wait to be judged.
	Blind, BlindLate int64
}

func (x *Console) reviews(w http.ResponseWriter, r *http.Request) {
	s, q := api.StaffOf(r.Context()), r.URL.Query()
	after := q.Get("after")
	if _, _, err := session.ParseReviewCursor(after); err != nil {
		after = ""
	}
	d := queueData{Now: x.c.Now(), Me: s.Account.ID, Free: q.Get("show") == "free"}
	var err error
	d.Items, d.Next, err = x.c.Desk.Queue(r.Context(), session.ReviewFilter{Free: d.Free, Account: d.Me, After: after, Limit: 50}, "")
	if err != nil {
		x.fail(w, r, Path, err)
		return
	}
	if d.Blind, d.BlindLate, err = x.c.Desk.BlindWork(r.Context()); err != nil {
		x.fail(w, r, Path, err)
		return
	}
	for _, i := range d.Items {
		if i.Late(d.Now) {
			d.Late++
		}
	}
	x.render(w, r, http.StatusOK, "reviews", view{Title: "Reviews", Data: d})
}

type caseData struct {
	*review.Case
	Now       time.Time
	Me        string
	Mine      bool
	Against   []policy.Reason
	Grant     *session.Grant
	Show      bool // the reader asked for the evidence
	Table     []comparison
	Columns   []string
	Raised    []policy.CodeInfo
	Refuse    []policy.CodeInfo
	Photos    []policy.CodeInfo
	Kinds     []string
	Reviewers int
	LastTry   bool
	Minutes   int
	Shots     []shot
	Scores    []score
}

// shot is a picture with what was marked in it.
type shot struct {
	review.Picture
	Marks []policy.Region
}

// score is a measure that a rule of the policy spoke of.
type score struct {
	Stage, Subject string
	policy.Measure
}

// comparison is one field as each source has it.
type comparison struct {
	Name   string
	Values []cellValue
	Differ bool
}

type cellValue struct {
	Text     string
	Verified bool
}

func (x *Console) review(w http.ResponseWriter, r *http.Request) {
	s, id := api.StaffOf(r.Context()), chi.URLParam(r, "id")
	if x.judging(w, r, id) {
		return
	}
	c, err := x.c.Desk.Case(r.Context(), s.Account.ID, id)
	if err != nil {
		x.fail(w, r, Path+"/reviews", err)
		return
	}
	d := caseData{Case: c, Now: x.c.Now(), Me: s.Account.ID, Against: review.Against(c.Decision), Kinds: c.Cell.Evidence, Reviewers: x.c.Desk.Reviewers(),
		LastTry: c.Session.Attempt >= c.Session.MaxAttempts, Minutes: int(x.c.Desk.Granted().Minutes())}
	d.Mine = c.Claim != nil && c.Claim.Account == d.Me && d.Now.Before(c.Claim.Expires)
	if s.Can(access.EvidenceOpen) {
		if d.Grant, err = x.c.Desk.Current(r.Context(), s.Account.ID, id); err != nil {
			x.fail(w, r, Path+"/reviews", err)
			return
		}
	}
	d.Show = r.URL.Query().Get("show") == "evidence" && d.Grant != nil && d.Grant.State(d.Now) == "active"
	if d.Show {
		fields, err := x.c.Desk.Fields(r.Context(), s.Account.ID, d.Grant.ID, id)
		if err != nil {
			x.fail(w, r, Path+"/reviews/"+id, err)
			return
		}
		d.Columns, d.Table = compare(fields)
	}
	d.choices()
	d.arrange()
	x.render(w, r, http.StatusOK, "review", view{Title: "Case " + functions["short"].(func(string) string)(id), Data: d})
}

// choices are the reasons that a reviewer can name, what the machine raised first.
func (d *caseData) choices() {
	raised := map[policy.Code]bool{}
	if d.Decision != nil {
		for _, r := range d.Decision.Reasons {
			if i, ok := r.Code.Info(); ok && !raised[r.Code] && i.Code.Category() != "system" {
				raised[r.Code] = true
				d.Raised = append(d.Raised, i)
			}
		}
	}
	for _, i := range policy.Codes() {
		switch {
		case raised[i.Code], i.Code.Category() == "system", i.Verdict == policy.Pass:
		case i.Code.Category() == "capture" && i.Hint != "":
			d.Photos = append(d.Photos, i)
		case i.Verdict == policy.Fail:
			d.Refuse = append(d.Refuse, i)
		}
	}
}

// arrange puts the straightened document first, and the marks to their photos.
func (d *caseData) arrange() {
	marks := map[string][]policy.Region{}
	for _, f := range d.Findings {
		for _, m := range f.Measures {
			if m.Code != "" {
				marks[f.Subject] = append(marks[f.Subject], m.Regions...)
			}
			if m.Threshold != nil {
				d.Scores = append(d.Scores, score{f.Stage, f.Subject, m})
			}
		}
		for _, a := range f.Assertions {
			marks[f.Subject] = append(marks[f.Subject], a.Regions...)
		}
	}
	slices.SortStableFunc(d.Scores, func(a, b score) int { return cmp.Compare(rank(b.Verdict), rank(a.Verdict)) })
	for _, p := range d.Pictures {
		s := shot{Picture: p}
		if p.Kind == p.Subject { // marks are in pixels of the photo, not of the straightened document
			s.Marks = marks[p.Subject]
		}
		d.Shots = append(d.Shots, s)
	}
}

func rank(v policy.Verdict) int {
	return slices.Index([]policy.Verdict{policy.Pass, policy.NotEvaluated, policy.Inconclusive, policy.Fail}, v)
}

// compare sets the sources side by side.
func compare(fields []review.Value) (columns []string, table []comparison) {
	for _, source := range []string{"mrz", "visual", "barcode", "claims"} {
		if slices.ContainsFunc(fields, func(v review.Value) bool { return v.Source == source }) {
			columns = append(columns, source)
		}
	}
	var names []string
	for _, v := range fields {
		if !slices.Contains(names, v.Name) {
			names = append(names, v.Name)
		}
	}
	for _, name := range names {
		row := comparison{Name: name, Values: make([]cellValue, len(columns))}
		seen := ""
		for i, source := range columns {
			for _, v := range fields {
				if v.Name == name && v.Source == source {
					row.Values[i] = cellValue{v.Value, v.Verified}
				}
			}
			if t := strings.ToUpper(strings.TrimSpace(row.Values[i].Text)); t != "" {
				row.Differ = row.Differ || seen != "" && t != seen
				seen = t
			}
		}
		table = append(table, row)
	}
	slices.SortStableFunc(table, func(a, b comparison) int {
		return cmp.Compare(map[bool]int{true: 0, false: 1}[a.Differ], map[bool]int{true: 0, false: 1}[b.Differ])
	})
	return columns, table
}

func me(r *http.Request) string { return api.StaffOf(r.Context()).Account.ID }

// nextReview takes the case whose turn it is: of the queue, or of the blind sample
// when that one is due first.
func (x *Console) nextReview(w http.ResponseWriter, r *http.Request) {
	items, _, err := x.c.Desk.Queue(r.Context(), session.ReviewFilter{Free: true, Account: me(r), Limit: 20}, "")
	if err != nil {
		x.fail(w, r, Path+"/reviews", err)
		return
	}
	due, err := x.c.Desk.BlindDue(r.Context())
	if err != nil {
		x.fail(w, r, Path+"/reviews", err)
		return
	}
	if !due.IsZero() && (len(items) == 0 || due.Before(items[0].Due)) {
		p, err := x.c.Desk.TakeBlind(r.Context(), me(r))
		if err == nil {
			to(w, r, Path+"/reviews/blind/"+p.Session, "")
			return
		}
		if !errors.Is(err, session.ErrNotFound) {
			x.fail(w, r, Path+"/reviews", err)
			return
		}
	}
	for _, i := range items {
		id := i.Session.ID
		if _, _, err := x.c.Desk.Claim(r.Context(), me(r), id); err == nil {
			to(w, r, Path+"/reviews/"+id, "")
			return
		} else if wordsFor(err) == "" {
			x.fail(w, r, Path+"/reviews", err)
			return
		}
	}
	to(w, r, Path+"/reviews", "empty")
}

// casePath is the case that a form is about. An id that is none stays out of
// redirects.
func casePath(r *http.Request) (id, path string, err error) {
	id, err = session.ParseID(session.SessionPrefix, chi.URLParam(r, "id"))
	if err != nil {
		return "", Path + "/reviews", session.ErrNotFound
	}
	return id, Path + "/reviews/" + id, nil
}

func (x *Console) claim(w http.ResponseWriter, r *http.Request) {
	id, back, err := casePath(r)
	if err == nil {
		_, _, err = x.c.Desk.Claim(r.Context(), me(r), id)
	}
	if err != nil {
		x.fail(w, r, back, err)
		return
	}
	to(w, r, back, "claimed")
}

func (x *Console) release(w http.ResponseWriter, r *http.Request) {
	id, back, err := casePath(r)
	if err == nil {
		err = x.c.Desk.Release(r.Context(), me(r), id)
	}
	if err != nil {
		x.fail(w, r, back, err)
		return
	}
	to(w, r, Path+"/reviews", "released")
}

func (x *Console) decide(w http.ResponseWriter, r *http.Request) {
	id, back, err := casePath(r)
	if err != nil {
		x.fail(w, r, back, err)
		return
	}
	version, err := strconv.ParseInt(r.PostFormValue("version"), 10, 64)
	if err != nil || version < 1 {
		to(w, r, back, "again")
		return
	}
	v := review.Verdict{Outcome: policy.Outcome(r.PostFormValue("outcome")), Version: version, Override: r.PostFormValue("override") == "yes", Note: r.PostFormValue("note")}
	// Each outcome has its own reasons in the form; the others' do not count.
	for _, c := range r.PostForm["codes-"+string(v.Outcome)] {
		if code := policy.Code(c); !slices.Contains(v.Codes, code) {
			v.Codes = append(v.Codes, code)
		}
	}
	if v.Outcome == policy.NeedsResubmission {
		v.Retake = r.PostForm["retake"]
	}
	if v.Outcome != policy.Approved {
		v.Override = false
	}
	_, settled, err := x.c.Desk.Decide(r.Context(), me(r), id, v)
	switch {
	case err != nil:
		x.fail(w, r, back, err)
	case settled:
		to(w, r, Path+"/reviews", "decided")
	default:
		to(w, r, Path+"/reviews", "voted")
	}
}

func (x *Console) ask(w http.ResponseWriter, r *http.Request) {
	id, back, err := casePath(r)
	if err != nil {
		x.fail(w, r, back, err)
		return
	}
	g, err := x.c.Desk.Ask(r.Context(), me(r), id, r.PostFormValue("purpose"), r.PostFormValue("text"))
	switch {
	case err != nil:
		x.fail(w, r, back, err)
	case g.BeginsAt.IsZero():
		to(w, r, back, "asked")
	default:
		http.Redirect(w, r, back+"?show=evidence", http.StatusSeeOther)
	}
}

type grantsData struct {
	Now    time.Time
	Me     string
	Grants []session.Grant
}

func (x *Console) grants(w http.ResponseWriter, r *http.Request) {
	judge := ""
	if s := api.StaffOf(r.Context()); s.Can(access.ReviewDecide) {
		judge = s.Account.ID
	}
	gs, err := x.c.Desk.Grants(r.Context(), judge, session.GrantFilter{Open: true})
	if err != nil {
		x.fail(w, r, Path, err)
		return
	}
	x.render(w, r, http.StatusOK, "grants", view{Title: "Access to evidence", Data: grantsData{x.c.Now(), me(r), gs}})
}

func (x *Console) changeGrant(w http.ResponseWriter, r *http.Request) {
	id, back := chi.URLParam(r, "grant"), Path+"/grants"
	var err error
	done := "approved"
	if r.PostFormValue("do") == "approve" {
		_, err = x.c.Desk.Approve(r.Context(), me(r), id)
	} else {
		done = "ended"
		_, err = x.c.Desk.End(r.Context(), me(r), id)
	}
	if err != nil {
		x.fail(w, r, back, err)
		return
	}
	to(w, r, back, done)
}
