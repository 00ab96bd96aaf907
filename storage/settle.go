package storage

import (
	"context"
	"fmt"
	"time"
)

// SettleReport says what Settle found.
type SettleReport struct {
	// KeysRolledBack: the data keys' database is older than that of the
	// objects; it was restored from a backup.
	KeysRolledBack bool `json:"keys_rolled_back"`
	// Destroyed counts data keys that had come back and were destroyed again.
	Destroyed int `json:"destroyed"`
	// Restored lists erasures that the objects' database did not know of,
	// although their keys are destroyed: it was restored from a backup.
	Restored []Erasure `json:"restored,omitempty"`
	// Expired counts objects of those that the sweeper will delete (again).
	Expired int `json:"expired"`
}

const settleBatch = 500

// Settle brings the two databases together after either was restored from a
// backup, so that what was erased stays erased. It runs at every start before
// anything is served, and from time to time. It costs next to nothing when
// nothing happened.
//
// The order in which data keys were destroyed is kept with the keys (Seq), and
// how far it was followed with the objects (Mark), and the last one that the
// objects' side saw itself (Seen, noted with each erasure, so that nothing is
// missed between two calls). Keys that are behind either come from an older copy: every erasure that the objects' database remembers
// is carried out again. Destroyed keys beyond the mark are erasures that the
// objects' database may not know of: their objects expire.
//
// Two copies of the same age can not tell; Reerase replays erasures from
// outside.
func (v *Vault) Settle(ctx context.Context) (SettleReport, error) {
	var rep SettleReport
	fail := func(err error) (SettleReport, error) { return rep, fmt.Errorf("settle erasures: %w", err) }
	mark, err := v.index.Mark(ctx)
	if err != nil {
		return fail(err)
	}
	last, err := v.keyIndex.LastDestroyed(ctx)
	if err != nil {
		return fail(err)
	}
	seen, err := v.index.Seen(ctx)
	if err != nil {
		return fail(err)
	}
	if last == mark && seen <= last {
		return rep, nil
	}
	if rep.KeysRolledBack = last < max(mark, seen); rep.KeysRolledBack {
		if err := v.destroyAgain(ctx, &rep); err != nil {
			return fail(err)
		}
		mark = 0 // every Seq is to be looked at again: numbers mean other keys now
	}
	for at := int64(-1); at != mark; {
		at = mark
		gone, err := v.keyIndex.Destroyed(ctx, mark, settleBatch)
		if err != nil {
			return fail(err)
		}
		for _, k := range gone {
			if err := v.follow(ctx, k, &rep); err != nil {
				return fail(err)
			}
			mark = k.Seq
		}
		if err := v.index.SetMark(ctx, mark); err != nil {
			return fail(err)
		}
	}
	if rep.KeysRolledBack {
		if err := v.index.ResetSeen(ctx, mark); err != nil {
			return fail(err)
		}
	}
	if rep.Destroyed > 0 {
		if err := v.keyIndex.Scrub(ctx); err != nil {
			return fail(err)
		}
	}
	return rep, nil
}

// destroyAgain carries out every erasure that is on record.
func (v *Vault) destroyAgain(ctx context.Context, rep *SettleReport) error {
	var session string
	var class Class
	for {
		page, err := v.index.Erasures(ctx, session, class, settleBatch)
		if err != nil {
			return err
		}
		for _, e := range page {
			lived, err := v.keyIndex.DestroyDataKey(ctx, e.Session, e.Class, e.BegunAt)
			if err != nil {
				return err
			}
			if lived {
				rep.Destroyed++
			}
			session, class = e.Session, e.Class
		}
		if len(page) < settleBatch {
			return nil
		}
	}
}

// follow makes sure that the objects of a destroyed key are known to be erased.
func (v *Vault) follow(ctx context.Context, k DataKey, rep *SettleReport) error {
	n, err := v.index.ExpireObjects(ctx, k.Session, k.Class, k.DestroyedAt)
	if err != nil {
		return err
	}
	rep.Expired += n
	known, err := v.index.KnowErasure(ctx, k.Session, k.Class, k.DestroyedAt)
	if err != nil {
		return err
	}
	if !known {
		rep.Restored = append(rep.Restored, Erasure{Session: k.Session, Class: k.Class, BegunAt: k.DestroyedAt})
	}
	return nil
}

// Reerase carries out an erasure that is on record elsewhere, such as in an
// exported audit log: both databases may come from backups of the same age. It
// asks for no legal hold, as the erasure was complete long before. It tells
// whether the data key had come back.
func (v *Vault) Reerase(ctx context.Context, session string, c Class, at time.Time) (bool, error) {
	fail := func(err error) (bool, error) {
		return false, fmt.Errorf("erase %s of session %s again: %w", c, session, err)
	}
	if !c.Valid() {
		return fail(fmt.Errorf("unknown data class"))
	}
	lived, err := v.keyIndex.DestroyDataKey(ctx, session, c, at)
	if err != nil {
		return fail(err)
	}
	if _, err := v.index.KnowErasure(ctx, session, c, at); err != nil {
		return fail(err)
	}
	if _, err := v.index.ExpireObjects(ctx, session, c, at); err != nil {
		return fail(err)
	}
	if lived {
		if err := v.keyIndex.Scrub(ctx); err != nil {
			return fail(err)
		}
	}
	return lived, nil
}
