package session

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/storage"
)

// SamplePurpose is the purpose of a grant that lasts as long as a sampled case is
// being judged.
const SamplePurpose = "quality_check"

// Sample is a case that the machine decided by itself and that was drawn for a
// person to judge without knowing the outcome.
type Sample struct {
	Session string
	Attempt int
	Queue   string
	Machine policy.Outcome // what the machine decided
	Chance  float64        // with which it was drawn
	Entered time.Time
	Due     time.Time
	State   string // SampleOpen, SampleJudged or SampleGone
	// Account has the case until Expires, or has judged it.
	Account string
	Taken   time.Time
	Expires time.Time
	// Said and Codes are the person's verdict, Note the vault object with its words.
	Said  policy.Outcome
	Codes []policy.Code
	Note  string
	At    time.Time
}

// States of a sample. Gone: its pictures were erased before anybody judged it.
const (
	SampleOpen   = "open"
	SampleJudged = "judged"
	SampleGone   = "gone"
)

// Unclear reports that the person could not tell from the photos.
func (s Sample) Unclear() bool { return s.Said == policy.NeedsResubmission }

// Disagrees reports that the person said the opposite of the machine.
func (s Sample) Disagrees() bool {
	return s.State == SampleJudged && !s.Unclear() && s.Said != s.Machine
}

// HeldBy reports whether an account is judging the case now.
func (s Sample) HeldBy(account string, now time.Time) bool {
	return s.State == SampleOpen && s.Account == account && now.Before(s.Expires)
}

// draw puts a case that the machine has just decided by itself into the sample, if
// the keyed hash of its id says so.
func (tx *Tx) draw(ses *Session, ev Event) error {
	t := ev.Triage
	if t == nil || ev.Actor.Role != Worker || ses.State != Approved && ses.State != Rejected || ses.Test() {
		return nil
	}
	in, err := tx.drawn("blind_sample", ses, t.Sample)
	if err != nil || !in {
		return err
	}
	tx.Audit(ses.marked(audit.Entry{Actor: string(System) + ":sample", Action: "sample.drawn", Session: ses.ID, Tenant: ses.Tenant, Attempt: ses.Attempt,
		Refs: map[string]string{"share": strconv.FormatFloat(t.Sample, 'g', -1, 64)}, Correlation: ses.CorrelationID}))
	return tx.later("draw case into sample", "INSERT INTO review_samples ("+sampleColumns+", policy_hash) VALUES ("+marks(16)+") ON CONFLICT (session) DO NOTHING",
		ses.ID, ses.Attempt, t.Queue, policy.Outcome(ses.State), t.Sample, micros(tx.Now), micros(tx.Now.Add(t.Within)), SampleOpen, "", 0, 0, "", "", "", 0, ses.PolicyHash)
}

const sampleColumns = "session, attempt, queue, machine, chance, entered_at, due_at, state, account, taken_at, expires_at, outcome, codes, note, at"

func scanSample(r scanner) (Sample, error) {
	var s Sample
	var codes string
	var entered, due, taken, expires, at int64
	err := r.Scan(&s.Session, &s.Attempt, &s.Queue, &s.Machine, &s.Chance, &entered, &due, &s.State, &s.Account, &taken, &expires, &s.Said, &codes, &s.Note, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return s, ErrNotFound
	}
	if err == nil && codes != "" {
		err = json.Unmarshal([]byte(codes), &s.Codes)
	}
	s.Entered, s.Due, s.Taken, s.Expires, s.At = fromMicros(entered), fromMicros(due), fromMicros(taken), fromMicros(expires), fromMicros(at)
	return s, err
}

// Sample returns the sample that a session is in, or ErrNotFound.
func (s *Store) Sample(ctx context.Context, session string) (Sample, error) {
	p, err := scanSample(s.queryRow(ctx, "SELECT "+sampleColumns+" FROM review_samples WHERE session = ?", session))
	if err != nil {
		return p, fmt.Errorf("read sample: %w", err)
	}
	return p, nil
}

// TakeSample gives a reviewer the open case that is due first, for ttl, or the one
// that they have. Nobody chooses: who picks the easy ones spoils the sample.
// Simulated cases are given while there are no real ones. only, when not empty, is
// the one case that may be given, as a simulation needs it. ErrNotFound: there is
// none.
func (s *Store) TakeSample(ctx context.Context, account, only string, ttl time.Duration) (Sample, error) {
	if account == "" || ttl <= 0 {
		return Sample{}, fmt.Errorf("take sampled case: %w", ErrInvalid)
	}
	simulated, err := s.OnlySimulated(ctx)
	if err != nil {
		return Sample{}, err
	}
	var out Sample
	err = s.write(ctx, "take sampled case", func(tx *Tx) error {
		now := micros(tx.Now)
		q := "SELECT " + sampleColumns + ` FROM review_samples WHERE state = 'open' AND (account = '' OR account = ? OR expires_at <= ?)
			AND NOT EXISTS (SELECT 1 FROM review_votes v WHERE v.session = review_samples.session AND v.account = ?)`
		args := []any{account, now, account}
		if only != "" {
			q, args = q+" AND session = ?", append(args, only)
		} else {
			q, args = q+" AND (? = 1 OR EXISTS (SELECT 1 FROM sessions s WHERE s.id = review_samples.session AND s.simulated = 0))", append(args, smallint(simulated))
		}
		var err error
		out, err = scanSample(tx.row(q+" ORDER BY CASE WHEN account = ? AND expires_at > ? THEN 0 ELSE 1 END, due_at, session LIMIT 1"+tx.s.forUpdate(), append(args, account, now)...))
		if err != nil {
			return err
		}
		held := out.HeldBy(account, tx.Now)
		if out.Account, out.Expires = account, tx.Now.Add(ttl); !held {
			out.Taken = tx.Now
			ses, err := tx.lockSession(out.Session)
			if err != nil {
				return err
			}
			tx.Audit(ses.marked(reviewEntry(ses, account, "sample.taken")))
		}
		_, err = tx.exec("UPDATE review_samples SET account = ?, taken_at = ?, expires_at = ? WHERE session = ?", account, micros(out.Taken), micros(out.Expires), out.Session)
		return err
	})
	return out, err
}

// ReleaseSample gives a case back that somebody has taken, and ends what was
// granted for it. One that they do not have is no error.
func (s *Store) ReleaseSample(ctx context.Context, account, session string) error {
	return s.write(ctx, "release sampled case", func(tx *Tx) error {
		ses, err := tx.lockSession(session)
		if err != nil {
			return err
		}
		n, err := tx.exec("UPDATE review_samples SET account = '', taken_at = 0, expires_at = 0 WHERE session = ? AND account = ? AND state = 'open'", session, account)
		if err != nil || n == 0 {
			return err
		}
		tx.Audit(ses.marked(reviewEntry(ses, account, "sample.released")))
		return tx.endGrants(session, SamplePurpose, account, "sample_over")
	})
}

// JudgeSample records what the reviewer who has a sampled case says of it, as they
// saw it at a version of the session, or AnyVersion. The session stays as it was
// decided. ErrNotClaimed, ErrConflict.
func (s *Store) JudgeSample(ctx context.Context, v Vote, version int64) (Sample, error) {
	codes, err := json.Marshal(v.Codes)
	if err != nil {
		return Sample{}, fmt.Errorf("judge sampled case: %w", err)
	}
	switch v.Outcome {
	case policy.Approved, policy.Rejected, policy.NeedsResubmission:
	default:
		return Sample{}, fmt.Errorf("judge sampled case: %w: outcome", ErrInvalid)
	}
	var out Sample
	err = s.write(ctx, "judge sampled case", func(tx *Tx) error {
		ses, err := tx.lockSession(v.Session)
		if err != nil {
			return err
		}
		out, err = scanSample(tx.row("SELECT "+sampleColumns+" FROM review_samples WHERE session = ?", v.Session))
		if err != nil {
			return err
		}
		if !out.HeldBy(v.Account, tx.Now) {
			return ErrNotClaimed
		}
		if version != AnyVersion && version != ses.Version {
			return &ConflictError{Session: ses.ID, Expected: version, Actual: ses.Version}
		}
		out.State, out.Said, out.Codes, out.Note, out.At = SampleJudged, v.Outcome, v.Codes, v.Note, tx.Now
		e := reviewEntry(ses, v.Account, "sample.judged")
		e.Outcome, e.Refs = string(v.Outcome), map[string]string{"machine": string(out.Machine), "disagrees": strconv.FormatBool(out.Disagrees())}
		for _, c := range v.Codes {
			e.Codes = append(e.Codes, string(c))
		}
		if v.Note != "" {
			e.Refs["note"] = v.Note
		}
		tx.Audit(ses.marked(e))
		for _, m := range ScoredMeasures {
			known, genuine := m.sampled(out)
			if err := tx.later("keep what a person found", "UPDATE case_scores SET known = ?, genuine = ?, drawn = ?, judged = 1 WHERE measure = ? AND session = ? AND attempt = ?",
				smallint(known), smallint(genuine), out.Chance, m.Name, out.Session, out.Attempt); err != nil {
				return err
			}
		}
		if err := tx.later("judge sampled case", "UPDATE review_samples SET state = ?, outcome = ?, codes = ?, note = ?, at = ? WHERE session = ?",
			out.State, out.Said, string(codes), out.Note, micros(out.At), out.Session); err != nil {
			return err
		}
		return tx.endGrants(v.Session, SamplePurpose, v.Account, "sample_over")
	})
	return out, err
}

// sampled is what a verdict on a sampled case says of the measure.
func (m ScoredMeasure) sampled(s Sample) (known, genuine bool) {
	if s.State != SampleJudged || s.Unclear() {
		return false, false
	}
	d := &Decision{}
	d.Outcome, d.Codes = s.Said, s.Codes
	return m.verdict(d)
}

// loseSample: without pictures there is nothing to judge.
func (tx *Tx) loseSample(session string, c storage.Class) error {
	if c != storage.CaptureImage {
		return nil
	}
	_, err := tx.exec("UPDATE review_samples SET state = 'gone', account = '', expires_at = 0 WHERE session = ? AND state = 'open'", session)
	return err
}

// Disagreements lists sampled cases on which a person said the opposite of the
// machine, newest first, at most 200. Simulated cases are left out unless they are
// asked for.
func (s *Store) Disagreements(ctx context.Context, since time.Time, simulated bool, limit int) ([]Sample, error) {
	return list(ctx, s, "list disagreements", scanSample, "SELECT "+sampleColumns+` FROM review_samples WHERE state = 'judged' AND at >= ?
		AND outcome <> machine AND outcome <> 'needs_resubmission'
		AND (? = 1 OR EXISTS (SELECT 1 FROM sessions s WHERE s.id = review_samples.session AND s.simulated = 0))
		ORDER BY at DESC, session DESC LIMIT ?`, micros(since), smallint(simulated), min(max(limit, 1), 200))
}

// SampleCount is how many sampled cases the machine decided so and a person said
// so of; Said is empty for those that nobody has judged.
type SampleCount struct {
	Machine policy.Outcome
	Said    policy.Outcome
	State   string
	Cases   int
	Weight  float64 // of how many decisions they stand for
}

// SampleCounts counts the samples that entered at a time or later. Simulated cases
// are left out unless they are asked for.
func (s *Store) SampleCounts(ctx context.Context, since time.Time, simulated bool) ([]SampleCount, error) {
	return list(ctx, s, "count samples", func(r scanner) (c SampleCount, err error) {
		err = r.Scan(&c.Machine, &c.Said, &c.State, &c.Cases, &c.Weight)
		return c, err
	}, sampleCountsQuery, micros(since), smallint(simulated))
}

const sampleCountsQuery = `SELECT p.machine, p.outcome, p.state, COUNT(*), SUM(1 / p.chance) FROM review_samples p JOIN sessions s ON s.id = p.session
	WHERE p.entered_at >= ? AND (s.simulated = 0 OR ? = 1) GROUP BY p.machine, p.outcome, p.state ORDER BY p.machine, p.outcome, p.state LIMIT 100`

// OpenSamples counts those that wait for a person, and of them those that are late;
// simulated ones only while there are no real cases.
func (s *Store) OpenSamples(ctx context.Context) (open, late int64, err error) {
	only, err := s.OnlySimulated(ctx)
	if err != nil {
		return 0, 0, err
	}
	err = s.queryRow(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN p.due_at < ? THEN 1 ELSE 0 END), 0) FROM review_samples p JOIN sessions s ON s.id = p.session
		WHERE p.state = 'open' AND (s.simulated = 0 OR ? = 1)`, micros(s.clock()), smallint(only)).Scan(&open, &late)
	return open, late, err
}

// NextSampleDue is when the first open sample is due; zero: there is none. Simulated
// ones wait only while there are no real cases.
func (s *Store) NextSampleDue(ctx context.Context) (time.Time, error) {
	only, err := s.OnlySimulated(ctx)
	if err != nil {
		return time.Time{}, err
	}
	us, err := s.number(ctx, "find open samples", `SELECT COALESCE(MIN(p.due_at), 0) FROM review_samples p JOIN sessions s ON s.id = p.session
		WHERE p.state = 'open' AND (s.simulated = 0 OR ? = 1)`, smallint(only))
	return fromMicros(us), err
}
