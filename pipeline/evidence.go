package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

const (
	// checkEvery is how often rows and blobs are compared: each object costs
	// the store a request.
	checkEvery = 24 * time.Hour
	// protectEvery is how often objects under legal hold are taken out of the
	// store's own lifecycle rules. Those wait at least a month longer than
	// retention does, so a day is early enough.
	protectEvery = 24 * time.Hour
)

var maintenance = audit.Entry{Actor: string(session.System) + ":maintenance"}

// maintainEvidence does what keeps rows, keys and blobs in step; one of all
// processes does each part when it is due.
func maintainEvidence(ctx context.Context, s *session.Store, v *storage.Vault, log *slog.Logger) error {
	if err := SettleErasures(ctx, s, v, log); err != nil {
		return err
	}
	if mine, err := s.ClaimDue(ctx, "protect_held", protectEvery); err != nil {
		return err
	} else if mine {
		if err := protectHeld(ctx, s, v); err != nil {
			log.Error("evidence under legal hold may still be under the store's own lifecycle rules", "error", err)
		}
	}
	mine, err := s.ClaimDue(ctx, "check_evidence", checkEvery)
	if err != nil || !mine {
		return err
	}
	rep, err := CheckEvidence(ctx, s, v, storage.CheckOptions{})
	if err != nil {
		log.Error("evidence could not be checked", "error", err)
	} else if rep.Missing+rep.Orphans > 0 {
		log.Error("rows and stored objects do not agree: see proofline storage check", "missing", rep.Missing, "orphans", rep.Orphans)
	}
	return nil
}

// SettleErasures brings data keys and objects together after either database
// was restored from a backup, before anything is served. What it had to do is in
// the audit log.
func SettleErasures(ctx context.Context, s *session.Store, v *storage.Vault, log *slog.Logger) error {
	rep, err := v.Settle(ctx)
	if err != nil {
		return err
	}
	for _, e := range rep.Restored {
		if e.Class != storage.CaptureImage {
			// The digests and salts in the store are those of photos.
		} else if err := s.ForgetEvidence(ctx, e.Session); err != nil {
			return err
		}
		entry := maintenance
		entry.Action, entry.Session, entry.Refs = "evidence.erased_again", e.Session, map[string]string{"class": string(e.Class), "because": "restored_database"}
		if err := s.Audit(ctx, entry); err != nil {
			return err
		}
	}
	if rep.KeysRolledBack {
		entry := maintenance
		entry.Action, entry.Refs = "keys.rolled_back", map[string]string{"destroyed_again": strconv.Itoa(rep.Destroyed)}
		if err := s.Audit(ctx, entry); err != nil {
			return err
		}
	}
	if len(rep.Restored) > 0 || rep.KeysRolledBack {
		log.Warn("a database was restored from a backup; what had been erased stays erased",
			"erasures_unknown", len(rep.Restored), "keys_destroyed_again", rep.Destroyed, "objects_to_delete", rep.Expired)
	}
	return nil
}

// protectHeld takes every object under legal hold out of the store's lifecycle
// rules, and puts those of holds that are over back.
func protectHeld(ctx context.Context, s *session.Store, v *storage.Vault) error {
	f := session.HoldFilter{Limit: 500}
	for {
		holds, err := s.Holds(ctx, f)
		if err != nil {
			return err
		}
		for _, h := range holds {
			f.After = h.ID
			// A hold that is long over has been put back before.
			if !h.LiftedAt.IsZero() && time.Since(h.LiftedAt) > 3*protectEvery {
				continue
			}
			held, err := s.Held(ctx, h.Session)
			if err != nil {
				return err
			}
			if err := v.Protect(ctx, h.Session, held); err != nil {
				return err
			}
		}
		if len(holds) < f.Limit {
			return nil
		}
	}
}

// maxAudited bounds the entries that one check writes; the counts are always
// told.
const maxAudited = 1000

// CheckEvidence compares rows and blobs in both directions. Each object that is
// missing, and each blob that was removed, is in the audit log.
func CheckEvidence(ctx context.Context, s *session.Store, v *storage.Vault, o storage.CheckOptions) (storage.CheckReport, error) {
	found := o.Found
	var problems []storage.Problem
	o.Found = func(p storage.Problem) {
		if len(problems) < maxAudited {
			problems = append(problems, p)
		}
		if found != nil {
			found(p)
		}
	}
	rep, err := v.Check(ctx, o)
	for _, p := range problems {
		entry := maintenance
		entry.Action, entry.Session = "storage."+p.Kind, p.Session
		entry.Refs = map[string]string{"object": p.Object, "class": string(p.Class), "key": p.Key}
		if p.Region != "" {
			entry.Refs["region"] = p.Region
		}
		if p.Repaired {
			entry.Refs["repaired"] = "removed"
		}
		if err := s.Audit(ctx, entry); err != nil {
			return rep, fmt.Errorf("record check of evidence: %w", err)
		}
	}
	return rep, err
}
