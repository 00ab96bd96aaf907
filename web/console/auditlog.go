package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/casefile"
	"github.com/proofline/proofline/session"
)

// proof is the last verification of the log that somebody asked for here.
type proof struct {
	mu      sync.Mutex
	running bool
	done    int64
	total   int64
	at      time.Time
	took    time.Duration
	report  audit.Report
	fault   string
}

type proofState struct {
	Running     bool
	Done, Total int64
	At          time.Time
	Took        string
	Report      audit.Report
	Fault       string
	Key         bool // there is a key to verify with
	// Head is the newest signed checkpoint.
	Head    audit.Checkpoint
	HeadErr string
	Unsaid  int64 // entries that no checkpoint covers yet
}

type auditData struct {
	Now   time.Time
	Query url.Values
	Found session.AuditFound
	Rows  []auditRow
	Next  string
	Proof proofState
	Size  int64
	Names map[string]string
}

type auditRow struct {
	audit.Entry
	Words string
}

func (x *Console) audit(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	d := auditData{Now: x.c.Now(), Query: q}
	f := session.AuditFilter{Session: strings.TrimSpace(q.Get("session")), Action: strings.TrimSpace(q.Get("action")), Actor: strings.TrimSpace(q.Get("actor")), Limit: 50}
	if day, err := time.Parse(time.DateOnly, q.Get("from")); err == nil {
		f.From = day
	}
	f.Before, _ = strconv.ParseInt(q.Get("before"), 10, 64)
	var err error
	if d.Found, err = x.c.Store.SearchAudit(r.Context(), f); err != nil {
		x.fail(w, r, Path, err)
		return
	}
	hidden, err := x.hidden(r)
	if err != nil {
		x.fail(w, r, Path, err)
		return
	}
	var who []string
	for _, e := range d.Found.Entries {
		if hidden(e) {
			continue
		}
		d.Rows = append(d.Rows, auditRow{e, casefile.Words(e)})
		who = append(who, e.Actor)
	}
	d.Names = x.actors(r.Context(), who...)
	if d.Found.Next > 0 {
		next := url.Values{}
		for _, k := range []string{"session", "action", "actor", "from"} {
			if v := q.Get(k); v != "" {
				next.Set(k, v)
			}
		}
		next.Set("before", strconv.FormatInt(d.Found.Next, 10))
		d.Next = Path + "/audit?" + next.Encode()
	}
	head, err := x.c.Store.AuditHead(r.Context())
	if err != nil {
		x.fail(w, r, Path, err)
		return
	}
	d.Size, d.Proof = head.Size(), x.proofState(r.Context(), head.Size())
	x.render(w, r, http.StatusOK, "audit", view{Title: "Audit log", Data: d})
}

// proofState is what is known of the log being what it was.
func (x *Console) proofState(ctx context.Context, size int64) proofState {
	p := &x.proof
	p.mu.Lock()
	s := proofState{Running: p.running, Done: p.done, Total: p.total, At: p.at, Took: seconds(p.took), Report: p.report, Fault: p.fault, Key: x.c.Verifier != ""}
	p.mu.Unlock()
	s.Unsaid = size
	if !s.Key {
		return s
	}
	msg, err := x.c.Store.LastCheckpoint(ctx)
	if err != nil {
		if !errors.Is(err, session.ErrNotFound) {
			s.HeadErr = "the newest checkpoint can not be read"
		}
		return s
	}
	v, err := note.NewVerifier(x.c.Verifier)
	if err == nil {
		s.Head, err = audit.OpenCheckpoint(msg, v)
	}
	if err != nil {
		s.HeadErr = "the newest checkpoint is not signed by the log's key"
		return s
	}
	s.Unsaid = size - s.Head.Size
	return s
}

// verifyTime bounds a verification; a log of millions of entries takes minutes.
const verifyTime = 30 * time.Minute

// verifyAudit verifies the whole log in the background: one at a time, whoever
// asks.
func (x *Console) verifyAudit(w http.ResponseWriter, r *http.Request) {
	p := &x.proof
	p.mu.Lock()
	begin := !p.running && x.c.Verifier != ""
	if begin {
		p.running, p.done, p.total = true, 0, 0
	}
	p.mu.Unlock()
	if begin {
		err := x.c.Store.Audit(r.Context(), audit.Entry{Actor: as(r, session.Staff).String(), Action: "audit.verify"})
		if err != nil {
			p.mu.Lock()
			p.running = false
			p.mu.Unlock()
			x.fail(w, r, Path+"/audit", err)
			return
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			x.verify(context.WithoutCancel(r.Context()))
		}()
		// A short log is verified before the page is there again.
		select {
		case <-ended:
		case <-time.After(2 * time.Second):
		}
	}
	to(w, r, Path+"/audit", "")
}

func (x *Console) verify(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	p, begun := &x.proof, time.Now()
	report, err := x.c.Store.VerifyAuditWith(ctx, x.c.Verifier, func(done, total int64) {
		p.mu.Lock()
		p.done, p.total = done, total
		p.mu.Unlock()
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running, p.at, p.took, p.report, p.fault = false, x.c.Now(), time.Since(begun), report, ""
	var tamper *audit.TamperError
	switch {
	case errors.As(err, &tamper):
		p.fault = tamper.Error()
	case err != nil:
		p.fault = "It could not be finished: " + err.Error()
	}
}
