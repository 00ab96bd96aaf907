package console

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
)

// blindData is a sampled case without anything that the machine made of it.
type blindData struct {
	*review.Blind
	caseData
}

// blindCase is the page on which a sampled case is judged.
func (x *Console) blindCase(w http.ResponseWriter, r *http.Request) {
	s := api.StaffOf(r.Context())
	id, _, err := casePath(r)
	if err != nil {
		x.fail(w, r, Path+"/reviews", err)
		return
	}
	b, err := x.c.Desk.BlindCase(r.Context(), s.Account.ID, id)
	if err != nil {
		x.fail(w, r, Path+"/reviews", err)
		return
	}
	d := blindData{Blind: b, caseData: caseData{Case: &review.Case{}, Now: x.c.Now(), Me: s.Account.ID, Minutes: int(x.c.Desk.Granted().Minutes())}}
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
			x.fail(w, r, Path+"/reviews", err)
			return
		}
		d.Columns, d.Table = compare(fields)
		for _, p := range b.Pictures {
			d.Shots = append(d.Shots, shot{Picture: p}) // no marks: they say what failed
		}
	}
	d.choices()
	x.render(w, r, http.StatusOK, "blind", view{Title: "Blind check " + functions["short"].(func(string) string)(id), Data: d})
}

func (x *Console) nextBlind(w http.ResponseWriter, r *http.Request) {
	p, err := x.c.Desk.TakeBlind(r.Context(), me(r))
	switch {
	case errors.Is(err, session.ErrNotFound):
		to(w, r, Path+"/reviews", "empty")
	case err != nil:
		x.fail(w, r, Path+"/reviews", err)
	default:
		to(w, r, Path+"/reviews/blind/"+p.Session, "")
	}
}

func (x *Console) releaseBlind(w http.ResponseWriter, r *http.Request) {
	id, _, err := casePath(r)
	if err == nil {
		err = x.c.Desk.ReleaseBlind(r.Context(), me(r), id)
	}
	x.done(w, r, Path+"/reviews", "released", err)
}

func (x *Console) askBlind(w http.ResponseWriter, r *http.Request) {
	id, _, err := casePath(r)
	if err == nil {
		_, err = x.c.Desk.BlindCase(r.Context(), me(r), id)
	}
	if err != nil {
		x.fail(w, r, Path+"/reviews", err)
		return
	}
	back := Path + "/reviews/blind/" + id
	g, err := x.c.Desk.Ask(r.Context(), me(r), id, session.SamplePurpose, "")
	switch {
	case err != nil:
		x.fail(w, r, back, err)
	case g.BeginsAt.IsZero():
		to(w, r, back, "asked")
	default:
		http.Redirect(w, r, back+"?show=evidence", http.StatusSeeOther)
	}
}

func (x *Console) judgeBlind(w http.ResponseWriter, r *http.Request) {
	id, _, err := casePath(r)
	if err != nil {
		x.fail(w, r, Path+"/reviews", err)
		return
	}
	v := review.Verdict{Outcome: policy.Outcome(r.PostFormValue("outcome")), Note: r.PostFormValue("note")}
	for _, c := range r.PostForm["codes-"+string(v.Outcome)] {
		if code := policy.Code(c); !slices.Contains(v.Codes, code) {
			v.Codes = append(v.Codes, code)
		}
	}
	if _, err := x.c.Desk.JudgeBlind(r.Context(), me(r), id, v); err != nil {
		back := Path + "/reviews/blind/" + id
		if errors.Is(err, session.ErrNotClaimed) || errors.Is(err, session.ErrNotFound) {
			back = Path + "/reviews"
		}
		x.fail(w, r, back, err)
		return
	}
	to(w, r, Path+"/reviews", "checked")
}

// judging leads somebody who judges a case blindly back to it: the other pages
// would show what was decided.
func (x *Console) judging(w http.ResponseWriter, r *http.Request, id string) bool {
	blind, err := x.c.Desk.JudgesBlindly(r.Context(), me(r), id)
	switch {
	case err != nil:
		x.fail(w, r, Path, err)
	case blind:
		to(w, r, Path+"/reviews/blind/"+id, "blind")
	}
	return err != nil || blind
}

// checksData says how people judged what the policy decided by itself.
type checksData struct {
	Now        time.Time
	Windows    []window
	Window     window
	Rows       []checkRow
	Open, Late int64
	Gone       int
	Against    []session.Sample
	Simulated  bool
	Shares     *policy.Sample
}

// checkRow is what was found of one automatic outcome.
type checkRow struct {
	Machine                 policy.Outcome
	Drawn, Judged, Unclear  int
	Agreed, Against         int
	Share                   float64 // that people disagree with, of those who could tell
	Interval                calibrate.Interval
	StandsFor, MayBeAgainst float64
}

func (x *Console) checks(w http.ResponseWriter, r *http.Request) {
	d := checksData{Now: x.c.Now(), Windows: windows[1:], Window: windowOf(r.URL.Query().Get("window"))}
	if r.URL.Query().Get("window") == "" || d.Window.Code == "24h" {
		d.Window = windowOf("30d")
	}
	since := d.Now.Add(-d.Window.Length)
	var counts []session.SampleCount
	var err error
	if d.Simulated, err = x.c.Store.OnlySimulated(r.Context()); err == nil {
		counts, err = x.c.Store.SampleCounts(r.Context(), since, d.Simulated)
	}
	if err == nil {
		d.Open, d.Late, err = x.c.Store.OpenSamples(r.Context())
	}
	if err == nil {
		d.Against, err = x.c.Store.Disagreements(r.Context(), since, d.Simulated, 100)
	}
	if err != nil {
		x.fail(w, r, Path, err)
		return
	}
	for _, o := range []policy.Outcome{policy.Approved, policy.Rejected} {
		d.Rows = append(d.Rows, rowOf(counts, o))
	}
	for _, c := range counts {
		if c.State == session.SampleGone {
			d.Gone += c.Cases
		}
	}
	if v := x.c.Rules.Current().Defaults.Review; v != nil {
		d.Shares = v.Sample
	}
	x.render(w, r, http.StatusOK, "checks", view{Title: "Blind checks", Data: d})
}

func rowOf(counts []session.SampleCount, machine policy.Outcome) checkRow {
	row := checkRow{Machine: machine}
	for _, c := range counts {
		if c.Machine != machine {
			continue
		}
		row.Drawn += c.Cases
		row.StandsFor += c.Weight
		switch {
		case c.State != session.SampleJudged:
			continue
		case c.Said == policy.NeedsResubmission:
			row.Unclear += c.Cases
		case c.Said == machine:
			row.Agreed += c.Cases
		default:
			row.Against += c.Cases
		}
		row.Judged += c.Cases
	}
	rate := calibrate.Rate{Errors: row.Against, Trials: row.Against + row.Agreed}
	row.Share, row.Interval = rate.Value(), rate.Wilson()
	row.MayBeAgainst = row.StandsFor * row.Interval.High
	return row
}
