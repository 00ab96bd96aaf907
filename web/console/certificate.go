package console

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/proofline/proofline/casefile"
	"github.com/proofline/proofline/session"
)

type certificateData struct {
	Session string
	Shown   []casefile.Deleted
	Fault   string // why the certificates do not hold
	Expired bool   // nothing is left but the log's entries
	Key     bool   // there is a key to verify with
	At      string
}

// certificate opens a session's deletion certificates and verifies them: their
// signatures, and that the signed log commits to each.
func (x *Console) certificate(w http.ResponseWriter, r *http.Request) {
	id, _, err := sessionPath(r)
	if err != nil || x.c.ReadObject == nil || x.c.Prove == nil {
		x.fail(w, r, Path+"/retention", session.ErrNotFound)
		return
	}
	f, err := casefile.Load(r.Context(), x.c.Store, x.c.Rules.Under, id, x.c.Now())
	if err != nil {
		x.fail(w, r, Path+"/retention", err)
		return
	}
	d := certificateData{Session: id, Key: x.c.Verifier != "", At: x.c.Now().UTC().Format("2 Jan 2006 15:04:05 UTC")}
	c, err := f.Deletion(r.Context(), x.c.ReadObject, x.c.Prove)
	switch {
	case errors.Is(err, casefile.ErrNotErased):
		d.Expired = true
	case err != nil:
		x.fail(w, r, Path+"/retention", err)
		return
	case r.URL.Query().Get("file") != "":
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Disposition", `attachment; filename="deletion-`+id+`.json"`)
		if err := json.NewEncoder(w).Encode(c); err != nil {
			x.c.Log.ErrorContext(r.Context(), "send deletion certificates", "error", err)
		}
		return
	case d.Key:
		if d.Shown, err = c.Check(x.c.Verifier); err != nil {
			d.Fault = err.Error()
		}
	}
	x.render(w, r, http.StatusOK, "certificate", view{Title: "Deletion of " + functions["short"].(func(string) string)(id), Data: d})
}
