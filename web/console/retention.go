package console

import (
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

type retentionData struct {
	Now      time.Time
	Keep     []keep
	Overdue  []session.Due
	Coming   []session.Due
	More     bool
	Open     []storage.Erasure
	Recent   []erasure
	Holds    []session.Hold
	MoreHold bool
	Names    map[string]string
}

// keep is how long the active policy keeps a data class.
type keep struct {
	Class   string
	Default string
	Others  int // cells with another time
}

// erasure is one with its certificate.
type erasure struct {
	storage.Erasure
	Certified string // digest of the certificate, as the log has it
}

// dueObjects bounds what is looked at for the forecast.
const dueObjects = 50_000

func (x *Console) retention(w http.ResponseWriter, r *http.Request) {
	ctx, now := r.Context(), x.c.Now()
	d := retentionData{Now: now}
	fail := func(err error) bool {
		if err != nil {
			x.fail(w, r, Path, err)
		}
		return err != nil
	}
	if x.c.Rules.Current != nil {
		p := x.c.Rules.Current()
		cell := p.Defaults
		for _, c := range storage.Classes {
			k := keep{Class: string(c), Default: cell.Retention[string(c)].String()}
			for _, other := range p.Cells {
				if _, named := other.Retention[string(c)]; named {
					k.Others++
				}
			}
			d.Keep = append(d.Keep, k)
		}
	}
	due, more, err := x.c.Store.DueEvidence(ctx, now.Add(7*session.Day), dueObjects)
	if fail(err) {
		return
	}
	d.More = more
	for _, x := range due {
		if x.At.Before(now.Truncate(session.Day)) {
			d.Overdue = append(d.Overdue, x)
		} else {
			d.Coming = append(d.Coming, x)
		}
	}
	if d.Open, err = x.c.Store.OpenErasures(ctx, now, 50); fail(err) {
		return
	}
	recent, err := x.c.Store.RecentErasures(ctx, 30)
	if fail(err) {
		return
	}
	for _, e := range recent {
		d.Recent = append(d.Recent, erasure{Erasure: e})
	}
	const page = 100
	if d.Holds, err = x.c.Store.Holds(ctx, session.HoldFilter{Active: true, Limit: page}); fail(err) {
		return
	}
	d.MoreHold = len(d.Holds) == page
	var who []string
	for _, h := range d.Holds {
		who = append(who, h.PlacedBy)
	}
	d.Names = x.actors(ctx, slices.Compact(who)...)
	x.render(w, r, http.StatusOK, "retention", view{Title: "Retention and erasure", Data: d})
}

func (x *Console) liftHold(w http.ResponseWriter, r *http.Request) {
	_, err := x.c.Store.LiftHold(r.Context(), as(r, session.Privacy), chi.URLParam(r, "hold"), r.PostFormValue("reason"))
	x.done(w, r, Path+"/retention", "lifted", err)
}
