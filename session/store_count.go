package session

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proofline/proofline/policy"
)

// figuresMark is how far CountFigures has come, in vault_state.
const figuresMark = "figures_counted_2" // 2: with causes; another name has all counted again

// figuresOverlap is how long before the last count changes are looked at again:
// transactions of another machine can be committed after they were dated.
const figuresOverlap = 2 * time.Minute

// CountedAt is when the figures were last brought up to date; zero: never.
func (s *Store) CountedAt(ctx context.Context) (time.Time, error) {
	us, err := s.number(ctx, "read time of figures", "SELECT value FROM vault_state WHERE name = ?", figuresMark)
	return fromMicros(us), err
}

// CountFigures counts the hours of which a session or a webhook has changed since
// the last call, the newest first, and tells how many. Counting again gives the
// same, so that it may end anywhere and be run by several.
func (s *Store) CountFigures(ctx context.Context) (int, error) {
	begun := s.clock()
	last, err := s.CountedAt(ctx)
	if err != nil {
		return 0, err
	}
	since := int64(0)
	if !last.IsZero() {
		since = micros(last.Add(-figuresOverlap))
	}
	hours, err := s.changedHours(ctx, since)
	if err != nil {
		return 0, err
	}
	again, err := s.hoursAgain(ctx)
	if err != nil {
		return 0, err
	}
	for _, h := range again {
		hours = append(hours, time.Unix(h.hour, 0).UTC())
	}
	slices.SortFunc(hours, func(a, b time.Time) int { return b.Compare(a) })
	hours = slices.CompactFunc(hours, time.Time.Equal)
	days := map[time.Time]bool{}
	for i, h := range hours {
		if err := s.countHour(ctx, h); err != nil {
			return i, err
		}
		days[h.Truncate(Day)] = true
		// A day is counted when its last hour is, and at the end at the latest.
		if i+1 == len(hours) || !hours[i+1].Truncate(Day).Equal(h.Truncate(Day)) {
			if err := s.countDay(ctx, h.Truncate(Day)); err != nil {
				return i, err
			}
		}
	}
	return len(hours), s.writeApart(ctx, "note time of figures", func(tx *Tx) error {
		for _, h := range again { // one that was asked for anew meanwhile stays
			if _, err := tx.exec("DELETE FROM vault_state WHERE name = ? AND value = ?", againMark+strconv.FormatInt(h.hour, 10), h.at); err != nil {
				return err
			}
		}
		_, err := tx.exec("INSERT INTO vault_state (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", figuresMark, micros(begun))
		return err
	})
}

// againMark and the hour name what is to be counted again though no session of it
// changed, in vault_state: sessions of it are gone.
const againMark = "figures_again:"

type hourAgain struct{ hour, at int64 }

func (s *Store) hoursAgain(ctx context.Context) ([]hourAgain, error) {
	return list(ctx, s, "read hours to count again", func(r scanner) (h hourAgain, err error) {
		var name string
		if err = r.Scan(&name, &h.at); err == nil {
			h.hour, err = strconv.ParseInt(strings.TrimPrefix(name, againMark), 10, 64)
		}
		return h, err
	}, "SELECT name, value FROM vault_state WHERE name LIKE ? ORDER BY name", againMark+"%")
}

// countAgain asks for the hours in which sessions began.
func (tx *Tx) countAgain(sessions []string) error {
	hours := map[int64]bool{}
	for _, id := range sessions {
		if t, err := idTime(id, "0"); err == nil {
			hours[t.Truncate(time.Hour).Unix()] = true
		}
	}
	for _, h := range slices.Sorted(maps.Keys(hours)) {
		if _, err := tx.exec("INSERT INTO vault_state (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
			againMark+strconv.FormatInt(h, 10), micros(tx.Now)); err != nil {
			return err
		}
	}
	return nil
}

// idSlice is how many leading characters of an id are read to tell its hour: six
// of Crockford's leave 18 of the 48 bits of milliseconds open, 262 seconds.
const idSlice = len(SessionPrefix) + 6

// changedHours lists the hours whose sessions changed at a time or later, newest
// first.
func (s *Store) changedHours(ctx context.Context, since int64) ([]time.Time, error) {
	slices_, err := list(ctx, s, "find changed hours", scanString, fmt.Sprintf(`SELECT DISTINCT substr(id, 1, %d) FROM sessions WHERE updated_at >= ?
		UNION SELECT DISTINCT substr(session, 1, %[1]d) FROM webhook_deliveries WHERE updated_at >= ?`, idSlice), since, since)
	if err != nil {
		return nil, err
	}
	hours := map[time.Time]bool{}
	for _, p := range slices_ {
		for _, fill := range []string{"0", "z"} {
			if t, err := idTime(p, fill); err == nil {
				hours[t.Truncate(time.Hour)] = true
			}
		}
	}
	return slices.SortedFunc(maps.Keys(hours), func(a, b time.Time) int { return b.Compare(a) }), nil
}

// countHour counts the sessions that began in an hour.
func (s *Store) countHour(ctx context.Context, hour time.Time) error {
	cases, err := s.cases(ctx, hour)
	if err != nil {
		return err
	}
	scores, err := s.readScores(ctx, hour, cases)
	if err != nil {
		return err
	}
	groups := map[figureKey]*tally{}
	for _, c := range cases {
		g := groups[c.group]
		if g == nil {
			g = &tally{causes: Causes{}}
			groups[c.group] = g
		}
		f := c.count()
		g.Add(&f)
		g.causes.raised(c.against)
	}
	return s.write(ctx, "count figures", func(tx *Tx) error {
		if err := tx.putFigures(Hour, hour, groups); err != nil {
			return err
		}
		return tx.putScores(scores)
	})
}

// countDay adds the hours of a day up.
func (s *Store) countDay(ctx context.Context, day time.Time) error {
	hours, err := s.Figures(ctx, FigureFilter{From: day, Before: day.Add(Day), Span: Hour})
	if err != nil {
		return err
	}
	groups := map[figureKey]*tally{}
	for _, h := range hours {
		key := figureKey{Tenant: h.Tenant, Jurisdiction: h.Jurisdiction, DocumentType: h.DocumentType, Device: h.Device}
		if groups[key] == nil {
			groups[key] = &tally{causes: Causes{}}
		}
		groups[key].Add(&h.Figures)
		groups[key].causes.Add(h.Causes)
	}
	return s.write(ctx, "count figures", func(tx *Tx) error { return tx.putFigures(Day, day, groups) })
}

func (tx *Tx) putFigures(span time.Duration, begins time.Time, groups map[figureKey]*tally) error {
	if _, err := tx.exec("DELETE FROM figures WHERE span = ? AND begins = ?", int64(span/time.Second), begins.Unix()); err != nil {
		return err
	}
	for g, f := range groups {
		if err := tx.later("count figures", "INSERT INTO figures (span, begins, tenant, jurisdiction, document_type, device, counts) VALUES ("+marks(7)+")",
			int64(span/time.Second), begins.Unix(), g.Tenant, g.Jurisdiction, g.DocumentType, g.Device, encodeFigures(&f.Figures, f.causes)); err != nil {
			return err
		}
	}
	return nil
}

// ScoredMeasures are the measures whose scores are kept for tuning, with the
// stage and subject they come from and the reason codes by which a person says
// that the case was no genuine one.
var ScoredMeasures = []ScoredMeasure{
	{"face.similarity", "face", "case", []policy.Code{"biometric.face_mismatch", "biometric.face_match_uncertain"}},
	{"liveness.score", "liveness", "selfie", []policy.Code{"biometric.presentation_attack", "biometric.liveness_uncertain", "biometric.burst_inconsistent"}},
}

// ScoredMeasure is one of [ScoredMeasures].
type ScoredMeasure struct {
	Name, Stage, Subject string
	Against              []policy.Code
}

// CaseScore is the score that a measure gave one case, what the policy decided
// and what a person found out.
type CaseScore struct {
	Session   string
	Attempt   int
	Score     float64
	Automatic policy.Outcome
	// Known: a person judged what the measure is about. Who rejects for another
	// reason says nothing of it. Genuine is the verdict.
	Known, Genuine bool
	// Drawn is the chance with which the case got into the blind sample, 0 when it
	// did not; Judged: a person has judged it there.
	Drawn  float64
	Judged bool
}

// readScores takes the scores out of an hour's stored stage results: of each
// session's last attempt that has any.
func (s *Store) readScores(ctx context.Context, hour time.Time, cases map[string]*caseRow) (map[string][]CaseScore, error) {
	latest := map[[2]string]CaseScore{} // by measure and session
	_, err := list(ctx, s, "read scores", func(r scanner) (struct{}, error) {
		var res StageResult
		var body string
		if err := r.Scan(&res.Session, &res.Attempt, &res.Stage, &body); err != nil {
			return struct{}{}, err
		}
		res.Body = json.RawMessage(body)
		fs, err := res.Findings()
		if err != nil {
			return struct{}{}, nil //nolint:nilerr // a result that can not be read has no score
		}
		for _, m := range ScoredMeasures {
			if v, ok := m.in(res.Stage, fs); ok {
				latest[[2]string{m.Name, res.Session}] = CaseScore{Session: res.Session, Attempt: res.Attempt, Score: v}
			}
		}
		return struct{}{}, nil
	}, "SELECT session, attempt, stage, body FROM stage_results WHERE session >= ? AND session < ? AND stage IN ('face', 'liveness') ORDER BY session, attempt, at",
		idBound(SessionPrefix, hour), idBound(SessionPrefix, hour.Add(time.Hour)))
	if err != nil {
		return nil, err
	}
	samples := map[string]Sample{}
	drawn, err := list(ctx, s, "read samples", scanSample, "SELECT "+sampleColumns+" FROM review_samples WHERE session >= ? AND session < ? LIMIT 1000000",
		idBound(SessionPrefix, hour), idBound(SessionPrefix, hour.Add(time.Hour)))
	if err != nil {
		return nil, err
	}
	for _, p := range drawn {
		samples[p.Session] = p
	}
	out := map[string][]CaseScore{}
	for _, m := range ScoredMeasures {
		for id, c := range cases {
			v, ok := latest[[2]string{m.Name, id}]
			if !ok || c.automatic == nil || c.automatic.Attempt != v.Attempt {
				continue
			}
			v.Automatic = c.automatic.Outcome
			v.Known, v.Genuine = m.verdict(c.reviewed)
			if p, ok := samples[id]; ok && p.Attempt == v.Attempt {
				v.Drawn, v.Judged = p.Chance, p.State == SampleJudged
				v.Known, v.Genuine = m.sampled(p)
			}
			out[m.Name] = append(out[m.Name], v)
		}
		// What is kept already needs no writing: other writers wait for it.
		kept, err := s.scores(ctx, m.Name, hour, hour.Add(time.Hour), 1<<31-1, true)
		if err != nil {
			return nil, err
		}
		same := map[CaseScore]bool{}
		for _, v := range kept {
			same[v] = true
		}
		out[m.Name] = slices.DeleteFunc(out[m.Name], func(v CaseScore) bool { return same[v] })
	}
	return out, nil
}

func (m ScoredMeasure) in(stage string, fs []policy.Finding) (float64, bool) {
	if stage != m.Stage {
		return 0, false
	}
	for _, f := range fs {
		if f.Subject != m.Subject {
			continue
		}
		for _, x := range f.Measures {
			if x.Name == m.Name {
				return x.Value, true
			}
		}
	}
	return 0, false
}

func (m ScoredMeasure) verdict(d *Decision) (known, genuine bool) {
	switch {
	case d == nil:
		return false, false
	case d.Outcome == policy.Approved:
		return true, true
	case d.Outcome == policy.Rejected:
		against := slices.ContainsFunc(d.Codes, func(c policy.Code) bool { return slices.Contains(m.Against, c) })
		return against, false
	}
	return false, false
}

func (tx *Tx) putScores(scores map[string][]CaseScore) error {
	for _, m := range ScoredMeasures {
		for _, c := range scores[m.Name] {
			if err := tx.later("keep score", "INSERT INTO case_scores (measure, session, attempt, score, automatic, known, genuine, drawn, judged) VALUES ("+marks(9)+`)
				ON CONFLICT (measure, session) DO UPDATE SET attempt = excluded.attempt, score = excluded.score, automatic = excluded.automatic,
				known = excluded.known, genuine = excluded.genuine, drawn = excluded.drawn, judged = excluded.judged`,
				m.Name, c.Session, c.Attempt, c.Score, c.Automatic, smallint(c.Known), smallint(c.Genuine), c.Drawn, smallint(c.Judged)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Scores returns the scores of the newest cases that began at a time or later,
// oldest first; at most limit, and that at most 200 000. Simulated cases are among
// them while there are no others.
func (s *Store) Scores(ctx context.Context, measure string, since time.Time, limit int) ([]CaseScore, error) {
	only, err := s.OnlySimulated(ctx)
	if err != nil {
		return nil, err
	}
	return s.scores(ctx, measure, since, s.clock().Add(Day), min(max(limit, 1), 200_000), only)
}

func (s *Store) scores(ctx context.Context, measure string, from, before time.Time, limit int, simulated bool) ([]CaseScore, error) {
	out, err := list(ctx, s, "read scores", func(r scanner) (c CaseScore, err error) {
		var known, genuine, judged int64
		err = r.Scan(&c.Session, &c.Attempt, &c.Score, &c.Automatic, &known, &genuine, &c.Drawn, &judged)
		c.Known, c.Genuine, c.Judged = known != 0, genuine != 0, judged != 0
		return c, err
	}, `SELECT session, attempt, score, automatic, known, genuine, drawn, judged FROM case_scores WHERE measure = ? AND session >= ? AND session < ?
		AND (? = 1 OR session NOT IN (SELECT id FROM sessions WHERE simulated = 1)) ORDER BY session DESC LIMIT ?`,
		measure, idBound(SessionPrefix, from), idBound(SessionPrefix, before), smallint(simulated), limit)
	slices.Reverse(out)
	return out, err
}

// Began is when the case began, by its id.
func (c CaseScore) Began() time.Time {
	t, _ := idTime(c.Session, "0")
	return t
}
