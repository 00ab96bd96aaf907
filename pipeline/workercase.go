package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// ClaimsKind is the kind of the vault object (class extracted_fields) that
// holds a session's claims: a JSON object of field names and values.
const ClaimsKind = "claims"

const (
	maxClaims   = 64 << 10
	maxPhoto    = 32 << 20
	maxArtefact = 64 << 20
	// maxCrashes is how often a case may take its worker down with it before
	// the stage that does it is left out and a person looks.
	maxCrashes = 3
	// maxScreened is how often a run begins again because a screening result came,
	// before the case is put back.
	maxScreened = 5
)

// verify runs a case to its decision. Nil means that the row needs nothing more
// from this task.
func (w *Worker) verify(ctx context.Context, row session.Outbox) error {
	key := row.Session + "/" + strconv.Itoa(row.Attempt)
	if !w.begin(key) {
		return nil // this process is at it
	}
	defer w.end(key)
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	lease, err := w.c.Store.Claim(ctx, row.Session, row.Attempt, w.c.ID, leaseTime)
	switch {
	case errors.Is(err, session.ErrNotRunnable), errors.Is(err, session.ErrNotFound):
		return w.c.Store.MarkDone(ctx, row.ID) // decided, withdrawn or gone
	case errors.Is(err, session.ErrLeased):
		return nil // if its holder dies, the reconciler comes back
	case err != nil:
		return err
	}
	rctx, stop := w.keep(ctx, lease)
	err = w.run(rctx, row, lease)
	lost := stop()
	switch {
	case lost != nil:
		return nil // another worker has the case
	case err == nil:
		return nil // a session that is decided asks for no lease any more
	}
	// The case is put back before the lease is: whoever sees it free sees when
	// it is due, too. Not with the worker's context, which may be what ended it.
	cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	at, reason := time.Now().Add(backoff(row.Tries+1, requeueBase, requeueLimit)), "infrastructure"
	if ctx.Err() != nil {
		at, reason = time.Now(), "worker_stopped"
	} else {
		w.log.Warn("case put back", "session", row.Session, "attempt", row.Attempt, "tries", row.Tries+1, "correlation", row.CorrelationID, "error", err)
	}
	return errors.Join(w.c.Store.Requeue(cctx, row.ID, at, reason), w.c.Store.Release(cctx, lease))
}

func (w *Worker) begin(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.busy[key] {
		return false
	}
	w.busy[key] = true
	return true
}

func (w *Worker) end(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.busy, key)
}

// keep holds a lease until stop is called. The context ends when the lease is
// lost, which stop then returns.
func (w *Worker) keep(ctx context.Context, l session.Lease) (_ context.Context, stop func() error) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		until := time.Now().Add(leaseTime)
		tick := time.NewTicker(heartbeatTime)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			hctx, hcancel := context.WithTimeout(ctx, heartbeatTime)
			_, err := w.c.Store.Heartbeat(hctx, l, leaseTime)
			hcancel()
			switch {
			case err == nil:
				until = time.Now().Add(leaseTime)
			case errors.Is(err, session.ErrLeaseLost), time.Now().After(until):
				cancel(session.ErrLeaseLost)
				return
			}
		}
	}()
	return ctx, func() error {
		cancel(nil)
		<-done
		if errors.Is(context.Cause(ctx), session.ErrLeaseLost) {
			return session.ErrLeaseLost
		}
		return nil
	}
}

// run takes the case from wherever it stands to its decision.
func (w *Worker) run(ctx context.Context, row session.Outbox, lease session.Lease) error {
	ses, err := w.c.Store.Get(ctx, row.Session)
	if err != nil {
		return err
	}
	if ses.Test() {
		return w.runTest(ctx, row, lease, ses)
	}
	w.c.Metrics.waited(row, lease.Fence == 1)
	p, err := w.c.Policy(ctx, ses.PolicyHash)
	if err != nil {
		return fmt.Errorf("find policy %s version %s: %w", ses.PolicyName, ses.PolicyVersion, err)
	}
	evidence, err := w.c.Store.Evidence(ctx, ses.ID, row.Attempt)
	if err != nil {
		return err
	}
	c := Case{
		Documents: map[string][]byte{}, Attempt: row.Attempt, AsOf: ses.SubmittedAt,
		Context:      ses.ContextOf(evidence),
		NoBiometrics: ses.Consent == nil || !slices.Contains(ses.Consent.Scope, "biometric"),
	}
	if c.Claims, err = w.claims(ctx, ses.ID); err != nil {
		return err
	}
	objects := map[string]session.Evidence{}
	for _, e := range evidence {
		objects[e.Kind] = e
		c.Documents[e.Kind] = nil // present; the bytes are fetched when they are needed
	}
	assisted, err := w.c.Store.Assisted(ctx, ses.ID)
	if err != nil {
		return err
	}
	c.assist(assisted, objects)
	c.Challenge = challengeOf(w.c.Store, ses.ID)
	if c.Others, err = w.others(c.Context, ses, p); err != nil {
		return err
	}
	// A screening result that is posted while the stages run is decided on, too:
	// the stages that do not look at it keep their results.
	for range maxScreened {
		if c.Screening, err = w.screening(ctx, ses, row.Attempt); err != nil {
			return err
		}
		if err = w.settle(ctx, row, lease, ses, p, c, objects); !errors.Is(err, errScreened) {
			return err
		}
	}
	return err
}

// settle runs the stages and decides.
func (w *Worker) settle(ctx context.Context, row session.Outbox, lease session.Lease, ses *session.Session, p *policy.Policy, c Case, objects map[string]session.Evidence) error {
	var err error
	// Every claim that ended without putting the case back was a crash.
	crashes := int(lease.Fence) - 1 - row.Tries
	for fresh := range 2 {
		j := &job{w: w, ses: ses, attempt: row.Attempt, r: newRun(w.c.Engines, p, c), evidence: objects, anew: fresh == 1, crashes: crashes}
		j.r.read = j.read
		var d policy.Decision
		d, err = j.decide(ctx)
		j.r.close()
		if errors.Is(err, errStale) {
			continue // what an earlier run left is gone: measure again
		}
		if err != nil {
			return err
		}
		ev := session.Decided(w.actor, row.Attempt, d)
		if ev.Basis, err = j.basis(); err != nil {
			return err
		}
		ev.Triage = new(j.r.cell.Triage(d))
		watch := w.shadows(j.r.input(), p)
		_, err = w.c.Store.Apply(ctx, ses.ID, session.AnyVersion, ev, func(tx *session.Tx) error {
			if len(j.r.cell.Screening) > 0 {
				if err := sameScreenings(tx, c.Screening.Known); err != nil {
					return err
				}
			}
			if watch == nil {
				return nil
			}
			return watch(tx)
		})
		if errors.Is(err, session.ErrNoTransition) {
			return nil // withdrawn or decided meanwhile; audited
		}
		if err == nil {
			w.c.Metrics.decided(d.Outcome, ses.SubmittedAt)
		}
		return err
	}
	return err
}

// claims reads what the relying service stated, if anything.
func (w *Worker) claims(ctx context.Context, id string) (map[string]string, error) {
	objects, err := w.c.Vault.Index().ListObjects(ctx, id, storage.ExtractedFields)
	if err != nil {
		return nil, fmt.Errorf("find claims: %w", err)
	}
	var latest storage.Object
	for _, o := range objects { // oldest first
		if o.Kind == ClaimsKind && !o.CommittedAt.IsZero() {
			latest = o
		}
	}
	if latest.ID == "" {
		return nil, nil
	}
	b, err := w.c.Vault.Read(ctx, latest, maxClaims)
	if errors.Is(err, storage.ErrErased) || errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	var claims map[string]string
	if err := json.Unmarshal(b, &claims); err != nil {
		return nil, fmt.Errorf("read claims: %w", scrub(err))
	}
	return claims, nil
}
