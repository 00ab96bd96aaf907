package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// SweepReport says what one batch of the sweeper did.
type SweepReport struct {
	Expired      int           // rows found
	Deleted      int           // objects deleted
	Held         int           // objects of sessions that a legal hold was placed on meanwhile
	Failures     []error       // deletes that failed and will be retried
	Certificates []Certificate // of classes whose last evidence expired
}

const (
	// claimTime is how long a sweeper has for its batch before another one
	// may take it up.
	claimTime = 10 * time.Minute
	// sweepWidth is how many classes one sweeper works on at once: they wait
	// for the store, and share the commits of the database.
	sweepWidth = 64
)

// group is what shares a data key.
type group struct {
	session string
	class   Class
}

// Sweep deletes at most limit objects whose time is over. When the last stored
// evidence of a session and class expires, the data key goes first, as in
// Erase, and a certificate comes with the report. Erasures that a crash or a
// failing store left open are finished. Any number of sweepers may run at once:
// each works on objects of its own. Call it again while Expired equals limit.
// Memory grows with limit, not with what there is to do.
func (v *Vault) Sweep(ctx context.Context, now time.Time, limit int) (SweepReport, error) {
	var rep SweepReport
	expired, err := v.index.ClaimExpired(ctx, now, now.Add(claimTime), limit)
	if err != nil {
		return rep, fmt.Errorf("find expired evidence: %w", err)
	}
	rep.Expired = len(expired)
	var order []group
	groups := map[group][]Object{}
	for _, o := range expired {
		g := group{o.Session, o.Class}
		if groups[g] == nil {
			order = append(order, g)
		}
		groups[g] = append(groups[g], o)
	}
	open, err := v.index.OpenErasures(ctx, now.Add(-claimTime), limit)
	if err != nil {
		return rep, fmt.Errorf("find unfinished erasures: %w", err)
	}
	for _, e := range open {
		if g := (group{e.Session, e.Class}); groups[g] == nil {
			order = append(order, g)
			groups[g] = []Object{}
		}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, sweepWidth)
	for _, g := range order {
		if ctx.Err() != nil {
			break
		}
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer func() { <-slots; wg.Done() }()
			r := v.sweepGroup(ctx, g, groups[g], now)
			mu.Lock()
			defer mu.Unlock()
			rep.add(r)
		}()
	}
	wg.Wait()
	if len(rep.Certificates) > 0 {
		if err := v.keyIndex.Scrub(ctx); err != nil {
			return rep, fmt.Errorf("sweep: %w", err)
		}
	}
	return rep, ctx.Err()
}

func (r *SweepReport) add(o SweepReport) {
	r.Deleted += o.Deleted
	r.Held += o.Held
	r.Failures = append(r.Failures, o.Failures...)
	r.Certificates = append(r.Certificates, o.Certificates...)
}

func (v *Vault) sweepGroup(ctx context.Context, g group, expired []Object, now time.Time) (rep SweepReport) {
	// A hold that was placed after the claim still wins.
	held, err := v.index.Held(ctx, g.session)
	if err != nil || held {
		if rep.Held = len(expired); err != nil {
			rep.Failures = append(rep.Failures, fmt.Errorf("look for a legal hold on session %s: %w", g.session, err))
		}
		return rep
	}
	whole, err := v.lastEvidence(ctx, g, len(expired) == 0, now)
	if err != nil {
		rep.Failures = append(rep.Failures, err)
		return rep
	}
	if whole {
		cert, deleted, err := v.erase(ctx, g.session, g.class)
		if err != nil {
			if rep.Held = len(expired); !errors.Is(err, ErrHeld) {
				rep.Failures = append(rep.Failures, err)
			}
			return rep
		}
		rep.Deleted = deleted
		for _, id := range cert.Pending {
			rep.Failures = append(rep.Failures, fmt.Errorf("delete object %s: see its row", id))
		}
		rep.Certificates = append(rep.Certificates, cert)
		return rep
	}
	for _, o := range expired {
		if ctx.Err() != nil {
			return rep // its claim ends
		}
		if err := v.remove(ctx, o); err != nil {
			rep.Failures = append(rep.Failures, err)
			continue
		}
		rep.Deleted++
	}
	return rep
}

// lastEvidence tells whether everything that is left of a session and class is
// to be erased: it has all expired, or its erasure was begun and never
// certified. Abandoned writes alone do not count: the person may still be
// uploading.
func (v *Vault) lastEvidence(ctx context.Context, g group, begun bool, now time.Time) (bool, error) {
	objects, err := v.index.ListObjects(ctx, g.session, g.class)
	if err != nil {
		return false, fmt.Errorf("list evidence of session %s: %w", g.session, err)
	}
	if begun {
		// Objects that can not be deleted yet have their own, longer waits.
		for _, o := range objects {
			if o.DeleteAfter.After(now) {
				return false, nil
			}
		}
		return true, nil
	}
	k, err := v.keyIndex.GetDataKey(ctx, g.session, g.class)
	if err != nil || !k.DestroyedAt.IsZero() {
		// Key gone already (or never there): what is left needs deleting only.
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return false, err
	}
	committed := false
	for _, other := range objects {
		if other.RetainUntil.After(now) {
			return false, nil
		}
		committed = committed || !other.CommittedAt.IsZero()
	}
	return committed, nil
}
