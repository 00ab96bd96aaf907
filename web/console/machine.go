package console

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/session"
)

type webhooksData struct {
	Now       time.Time
	Endpoints []session.Endpoint
	Rows      []session.Delivery
	Open      bool
	Next      string
	Day       session.Figures
	Median    string
	P95       string
}

func (x *Console) webhooks(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	d := webhooksData{Now: x.c.Now(), Open: q.Get("show") == "open", Median: "–", P95: "–"}
	fail := func(err error) bool {
		if err != nil {
			x.fail(w, r, Path, err)
		}
		return err != nil
	}
	var err error
	if d.Endpoints, err = x.c.Store.AllEndpoints(r.Context()); fail(err) {
		return
	}
	before := ""
	if id, err := session.ParseID(session.DeliveryPrefix, q.Get("before")); err == nil {
		before = id
	}
	const page = 50
	if d.Rows, err = x.c.Store.FindDeliveries(r.Context(), session.DeliveryFilter{Open: d.Open, Before: before, Limit: page}); fail(err) {
		return
	}
	if len(d.Rows) == page {
		next := url.Values{"before": {d.Rows[page-1].ID}}
		if d.Open {
			next.Set("show", "open")
		}
		d.Next = Path + "/webhooks?" + next.Encode()
	}
	mine, err := x.c.Store.Judging(r.Context(), me(r))
	if fail(err) {
		return
	}
	d.Rows = slices.DeleteFunc(d.Rows, func(h session.Delivery) bool { return mine[h.Session] })
	groups, err := x.c.Store.Figures(r.Context(), session.FigureFilter{From: d.Now.Add(-session.Day), Before: d.Now, Span: session.Hour})
	if fail(err) {
		return
	}
	for _, g := range groups {
		d.Day.Add(&g.Figures)
	}
	if v, ok := d.Day.Quantile(session.HookTime, .5); ok {
		p95, _ := d.Day.Quantile(session.HookTime, .95)
		d.Median, d.P95 = seconds(v), seconds(p95)
	}
	x.render(w, r, http.StatusOK, "webhooks", view{Title: "Webhooks", Data: d})
}

// DueCount, DeliveredCount and GivenUpCount are what happened in a day.
func (d webhooksData) DueCount() int64       { return d.Day[session.HooksDue] }
func (d webhooksData) DeliveredCount() int64 { return d.Day[session.HooksDelivered] }
func (d webhooksData) GivenUpCount() int64   { return d.Day[session.HooksGivenUp] }

// hookState is what became of a delivery.
func hookState(d session.Delivery) string {
	switch {
	case !d.Delivered.IsZero():
		return "delivered"
	case !d.NextAt.IsZero() || d.Tries == 0:
		return "waiting"
	}
	return "given up"
}

type queuesData struct {
	Now    time.Time
	Kinds  []queueKind
	Oldest string
	Dead   []session.Outbox
	Next   string
	Page   bool
}

type queueKind struct {
	Kind                      session.OutboxKind
	What                      string
	Pending, Dispatched, Dead int
}

func (x *Console) queues(w http.ResponseWriter, r *http.Request) {
	d := queuesData{Now: x.c.Now(), Page: x.c.QueuePage}
	counts, oldest, err := x.c.Store.OutboxCounts(r.Context())
	if err != nil {
		x.fail(w, r, Path, err)
		return
	}
	if oldest > 0 {
		d.Oldest = spell(oldest)
	}
	for _, k := range []struct {
		kind session.OutboxKind
		what string
	}{{session.KindVerify, "cases to be checked"}, {session.KindWebhook, "webhooks to be delivered"}, {session.KindErase, "evidence to be erased"}} {
		c := counts[k.kind]
		d.Kinds = append(d.Kinds, queueKind{k.kind, k.what, c[session.Pending], c[session.Dispatched], c[session.Dead]})
	}
	after := ""
	if id, err := session.ParseID(session.OutboxPrefix, r.URL.Query().Get("after")); err == nil {
		after = id
	}
	const page = 50
	if d.Dead, err = x.c.Store.DeadLetters(r.Context(), after, page); err != nil {
		x.fail(w, r, Path, err)
		return
	}
	if len(d.Dead) == page {
		d.Next = Path + "/queues?after=" + d.Dead[page-1].ID
	}
	x.render(w, r, http.StatusOK, "queues", view{Title: "Queues", Data: d})
}

// replay starts a dead letter again, or delivers a webhook once more.
func (x *Console) replay(w http.ResponseWriter, r *http.Request) {
	back := Path + "/queues"
	if r.PostFormValue("back") == "webhooks" {
		back = Path + "/webhooks"
	}
	id, err := session.ParseID(session.OutboxPrefix, chi.URLParam(r, "row"))
	if err != nil {
		err = session.ErrNotFound
	} else {
		err = x.c.Store.Replay(r.Context(), id, as(r, session.Operator))
	}
	if err == nil && x.c.Wake != nil {
		x.c.Wake()
	}
	x.done(w, r, back, "replayed", err)
}

type modelsData struct {
	Models []models.Status
	Wrong  int
	Known  bool
}

func (x *Console) models(w http.ResponseWriter, r *http.Request) {
	var d modelsData
	if x.c.Models != nil {
		var err error
		if d.Models, err = x.c.Models(); err != nil {
			x.fail(w, r, Path, err)
			return
		}
		d.Known = true
		for _, m := range d.Models {
			if m.State != "ok" {
				d.Wrong++
			}
		}
	}
	x.render(w, r, http.StatusOK, "models", view{Title: "Models", Data: d})
}
