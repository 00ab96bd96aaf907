package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/casefile"
	"github.com/proofline/proofline/session"
)

type sessionsData struct {
	Now      time.Time
	Query    url.Values
	States   []session.State
	Sessions []session.Session
	Next     string
	Searched bool
	Fault    string
}

// sessions searches cases: by id, by the relying service's reference, or by state,
// tenant and day.
func (x *Console) sessions(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	d := sessionsData{Now: x.c.Now(), Query: q, States: session.States()}
	text := strings.TrimSpace(q.Get("q"))
	if id, err := session.ParseID(session.SessionPrefix, text); err == nil {
		if _, err := x.c.Store.Get(r.Context(), id); err == nil {
			http.Redirect(w, r, Path+"/sessions/"+id, http.StatusSeeOther)
			return
		}
	}
	f := session.Filter{Tenant: q.Get("tenant"), ExternalRef: text, Cursor: q.Get("cursor"), Limit: 50}
	if s := session.State(q.Get("state")); s.Known() {
		f.States = []session.State{s}
	}
	if day, err := time.Parse(time.DateOnly, q.Get("from")); err == nil {
		f.CreatedFrom = day
	}
	if day, err := time.Parse(time.DateOnly, q.Get("to")); err == nil {
		f.CreatedBefore = day.Add(session.Day)
	}
	for _, k := range []string{"q", "tenant", "state", "from", "to"} {
		d.Searched = d.Searched || q.Get(k) != ""
	}
	page, err := x.c.Store.List(r.Context(), f)
	switch {
	case errors.Is(err, session.ErrInvalid):
		d.Fault = "This page of the list is not there. Search again."
	case err != nil:
		x.fail(w, r, Path, err)
		return
	}
	// A state would tell what was decided of a case that the reader is judging.
	mine, jerr := x.c.Store.Judging(r.Context(), me(r))
	if jerr != nil {
		x.fail(w, r, Path, jerr)
		return
	}
	d.Sessions = slices.DeleteFunc(page.Sessions, func(s session.Session) bool { return mine[s.ID] })
	if page.Next != "" {
		next := url.Values{}
		for _, k := range []string{"q", "tenant", "state", "from", "to"} {
			if v := q.Get(k); v != "" {
				next.Set(k, v)
			}
		}
		next.Set("cursor", page.Next)
		d.Next = Path + "/sessions?" + next.Encode()
	}
	x.render(w, r, http.StatusOK, "sessions", view{Title: "Sessions", Data: d})
}

type sessionData struct {
	Now        time.Time
	Session    *session.Session
	Account    casefile.Account
	Auditor    bool
	Deliveries []session.Delivery
	CanCancel  bool
	Holds      []session.Hold
}

// session tells one case in words: to support as support may be told, to who
// reads the log with all that is in it.
func (x *Console) session(w http.ResponseWriter, r *http.Request) {
	id, err := session.ParseID(session.SessionPrefix, chi.URLParam(r, "id"))
	if err != nil {
		x.fail(w, r, Path+"/sessions", session.ErrNotFound)
		return
	}
	if x.judging(w, r, id) {
		return
	}
	s := api.StaffOf(r.Context())
	find := x.c.Rules.Under
	f, err := casefile.Load(r.Context(), x.c.Store, find, id, x.c.Now())
	if err != nil {
		x.fail(w, r, Path+"/sessions", err)
		return
	}
	hidden, err := x.hidden(r)
	if err != nil {
		x.fail(w, r, Path+"/sessions", err)
		return
	}
	f.Timeline = slices.DeleteFunc(f.Timeline, hidden)
	d := sessionData{Now: x.c.Now(), Session: f.Session, Auditor: s.Can(access.AuditRead)}
	v := casefile.Support
	if d.Auditor {
		v = casefile.Auditor
	}
	if d.Account, err = f.Explain(v); err != nil {
		x.fail(w, r, Path+"/sessions", err)
		return
	}
	if s.Can(access.QueueRead) {
		if d.Deliveries, err = x.c.Store.Deliveries(r.Context(), id); err != nil {
			x.fail(w, r, Path+"/sessions", err)
			return
		}
	}
	if s.Can(access.HoldRead) {
		if d.Holds, err = x.c.Store.Holds(r.Context(), session.HoldFilter{Session: id, Active: true}); err != nil {
			x.fail(w, r, Path+"/sessions", err)
			return
		}
	}
	switch f.Session.State {
	case session.Initiated, session.CaptureInProgress, session.NeedsResubmission:
		d.CanCancel = true
	}
	x.render(w, r, http.StatusOK, "session", view{Title: "Session " + functions["short"].(func(string) string)(id), Data: d})
}

// hidden tells which entries of the log are not for who asks: reviewers must not
// learn from it what they are to judge blind.
func (x *Console) hidden(r *http.Request) (func(audit.Entry) bool, error) {
	if !api.StaffOf(r.Context()).Can(access.ReviewDecide) {
		return func(audit.Entry) bool { return false }, nil
	}
	return x.c.Store.HiddenFrom(r.Context(), me(r))
}

// sessionPath is the session that a form is about.
func sessionPath(r *http.Request) (id, back string, err error) {
	id, err = session.ParseID(session.SessionPrefix, chi.URLParam(r, "id"))
	if err != nil {
		return "", Path + "/sessions", session.ErrNotFound
	}
	return id, Path + "/sessions/" + id, nil
}

func as(r *http.Request, role session.Role) session.Actor {
	return session.Actor{Role: role, ID: me(r)}
}

func (x *Console) cancel(w http.ResponseWriter, r *http.Request) {
	id, back, err := sessionPath(r)
	if err == nil && x.judging(w, r, id) {
		return
	}
	if err == nil {
		_, err = x.c.Store.Apply(r.Context(), id, session.AnyVersion, session.Event{Kind: session.Cancel, Actor: as(r, session.Operator)}, nil)
	}
	x.done(w, r, back, "cancelled", err)
}

func (x *Console) erase(w http.ResponseWriter, r *http.Request) {
	id, back, err := sessionPath(r)
	switch {
	case err == nil && r.PostFormValue("sure") != "yes":
		to(w, r, back, "unsure")
		return
	case err == nil:
		err = x.c.Store.RequestErasure(r.Context(), id, as(r, session.Privacy), "staff_request")
	}
	if err == nil && x.c.Wake != nil {
		x.c.Wake()
	}
	x.done(w, r, back, "erasing", err)
}

func (x *Console) hold(w http.ResponseWriter, r *http.Request) {
	id, back, err := sessionPath(r)
	if err == nil {
		_, err = x.c.Store.PlaceHold(r.Context(), as(r, session.Privacy), id, strings.TrimSpace(r.PostFormValue("reason")), strings.TrimSpace(r.PostFormValue("matter")))
	}
	x.done(w, r, back, "held", err)
}

// done ends an action: with words for what came of it.
func (x *Console) done(w http.ResponseWriter, r *http.Request, back, said string, err error) {
	if err != nil {
		x.fail(w, r, back, err)
		return
	}
	to(w, r, back, said)
}
