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

// Counter is one thing that is counted of sessions.
type Counter int

// The counters. Each counts sessions, but for the webhooks'.
const (
	Created      Counter = iota
	Consented            // the person agreed
	Photographed         // at least one photo was accepted
	SentIn               // submitted at least once
	Judged               // the pipeline decided at least once
	ToReview             // it sent the case to a person
	ResentAsked          // new photos were asked for
	EndApproved
	EndRejected
	EndExpired       // of any kind: time, cancelled, withdrawn
	LeftAtStart      // expired before consent
	LeftAtPhotos     // … before a photo
	LeftAtSubmit     // … before submission
	LeftAtResend     // … when new photos were asked for
	LivenessJudged   // a decision with a liveness check that was made
	LivenessPassed   // … and raised no doubt
	SystemCause      // a check failed or was missing for a technical reason
	Made             // simulated sessions
	HooksDue         // webhook deliveries
	HooksDelivered   // of them
	HooksGivenUp     // of them
	HooksRepeated    // needed more than one try
	firstDecideTime  // histograms follow
	firstOutcomeTime = firstDecideTime + Counter(len(timeBounds)) + 1
	firstHookTime    = firstOutcomeTime + Counter(len(timeBounds)) + 1
	counters         = firstHookTime + Counter(len(timeBounds)) + 1
)

// timeBounds are the upper bounds of the histograms' bins in seconds; a last bin
// holds the rest.
var timeBounds = [...]float64{.25, .5, 1, 2, 4, 8, 15, 30, 60, 120, 300, 900, 3600, 4 * 3600, 24 * 3600, 3 * 24 * 3600}

// Figures are counts of a group of sessions.
type Figures [counters]int64

// Add adds another group's.
func (f *Figures) Add(o *Figures) {
	for i, n := range o {
		f[i] += n
	}
}

// Timing is one of the histograms.
type Timing Counter

const (
	DecideTime  = Timing(firstDecideTime)  // submission to the pipeline's decision
	OutcomeTime = Timing(firstOutcomeTime) // submission to approval or rejection
	HookTime    = Timing(firstHookTime)    // event to delivery
)

func (f *Figures) observe(t Timing, d time.Duration) {
	i := 0
	for i < len(timeBounds) && d.Seconds() > timeBounds[i] {
		i++
	}
	f[int(t)+i]++
}

// Quantile estimates a quantile of a timing, by a straight line within the bin;
// ok is false where nothing was timed.
func (f *Figures) Quantile(t Timing, q float64) (d time.Duration, ok bool) {
	bins := f[int(t) : int(t)+len(timeBounds)+1]
	total := int64(0)
	for _, n := range bins {
		total += n
	}
	if total == 0 {
		return 0, false
	}
	want, below := q*float64(total), 0.0
	for i, n := range bins {
		if n == 0 || below+float64(n) < want {
			below += float64(n)
			continue
		}
		low, high := 0.0, timeBounds[min(i, len(timeBounds)-1)]
		if i > 0 {
			low = timeBounds[i-1]
		}
		s := low + (high-low)*(want-below)/float64(n)
		return time.Duration(s * float64(time.Second)), true
	}
	return time.Duration(timeBounds[len(timeBounds)-1] * float64(time.Second)), true
}

// encode writes the counts that are not zero, as "counter:count", and behind them
// those of reasons, as "code:count".
func encodeFigures(f *Figures, causes Causes) string {
	var b strings.Builder
	for i, n := range f {
		if n != 0 {
			fmt.Fprintf(&b, "%d:%d ", i, n)
		}
	}
	for _, c := range slices.Sorted(maps.Keys(causes)) {
		fmt.Fprintf(&b, "%s:%d ", c, causes[c])
	}
	return strings.TrimSuffix(b.String(), " ")
}

// Causes count sessions by what spoke against an approval: by reason code, and by
// its cause ("capture", "document", …), under which a session counts once.
type Causes map[policy.Code]int64

// Add adds another group's.
func (c Causes) Add(o Causes) {
	for code, n := range o {
		c[code] += n
	}
}

// raised counts one session.
func (c Causes) raised(codes map[policy.Code]bool) {
	causes := map[string]bool{}
	for code := range codes {
		c[code]++
		causes[code.Category()] = true
	}
	for cause := range causes {
		c[policy.Code(cause)]++
	}
}

func decodeFigures(text string) (f Figures, causes Causes, err error) {
	causes = Causes{}
	for part := range strings.FieldsSeq(text) {
		at, count, _ := strings.Cut(part, ":")
		i, ierr := strconv.Atoi(at)
		n, nerr := strconv.ParseInt(count, 10, 64)
		if ierr != nil && nerr == nil && at != "" && at[0] >= 'a' {
			causes[policy.Code(at)] += n
			continue
		}
		if ierr != nil || nerr != nil || i < 0 || i >= len(f) {
			return f, causes, fmt.Errorf("read figures: %w: %q", ErrInvalid, part)
		}
		f[i] += n
	}
	return f, causes, nil
}

// FigureGroup is a group of sessions that began in the same hour or day.
type FigureGroup struct {
	Begins                                     time.Time
	Tenant, Jurisdiction, DocumentType, Device string
	Figures
	Causes Causes
}

// figureKey is what sessions of a group have in common.
type figureKey struct{ Tenant, Jurisdiction, DocumentType, Device string }

// tally is what is counted of a group.
type tally struct {
	Figures
	causes Causes
}

// FigureFilter selects groups; From is inclusive, Before exclusive, both are cut
// to whole spans. Empty fields select all.
type FigureFilter struct {
	From, Before                               time.Time
	Span                                       time.Duration // Hour or Day
	Tenant, Jurisdiction, DocumentType, Device string
}

// Spans of figures.
const (
	Hour = time.Hour
	Day  = 24 * time.Hour
)

// Figures reads counted groups, oldest first. How many there are depends on the
// window and on how many kinds of cases there are, not on their number.
func (s *Store) Figures(ctx context.Context, f FigureFilter) ([]FigureGroup, error) {
	if f.Span != Hour && f.Span != Day {
		return nil, fmt.Errorf("read figures: %w: no such span", ErrInvalid)
	}
	q := "SELECT begins, tenant, jurisdiction, document_type, device, counts FROM figures WHERE span = ? AND begins >= ? AND begins < ?"
	args := []any{int64(f.Span / time.Second), f.From.Truncate(f.Span).Unix(), f.Before.Unix()}
	for _, c := range []struct{ column, value string }{{"tenant", f.Tenant}, {"jurisdiction", f.Jurisdiction}, {"document_type", f.DocumentType}, {"device", f.Device}} {
		if c.value != "" {
			q, args = q+" AND "+c.column+" = ?", append(args, c.value)
		}
	}
	return list(ctx, s, "read figures", scanFigures, q+" ORDER BY begins LIMIT 200000", args...)
}

func scanFigures(r scanner) (g FigureGroup, err error) {
	var begins int64
	var counts string
	if err = r.Scan(&begins, &g.Tenant, &g.Jurisdiction, &g.DocumentType, &g.Device, &counts); err == nil {
		g.Begins = time.Unix(begins, 0).UTC()
		g.Figures, g.Causes, err = decodeFigures(counts)
	}
	return g, err
}

// caseRow is what counting needs of a session.
type caseRow struct {
	group       figureKey
	simulated   bool
	state       State
	attempt     int
	consent     bool
	photos      bool
	submitted   time.Time
	automatic   *Decision // of the latest attempt that has one
	reviewed    *Decision
	first       *Decision // the first automatic one
	resent      bool
	system      bool
	against     map[policy.Code]bool // reasons that mattered in an automatic decision
	referred    bool
	hooks       Figures
	decidedLast time.Time
}

// count turns what is known of a session into counts.
func (c *caseRow) count() Figures {
	var f Figures
	add := func(k Counter, on bool) {
		if on {
			f[k]++
		}
	}
	sent := !c.submitted.IsZero() || c.attempt > 1 || c.first != nil
	add(Created, true)
	add(Made, c.simulated)
	add(Consented, c.consent || sent)
	add(Photographed, c.photos || sent)
	add(SentIn, sent)
	add(Judged, c.first != nil)
	add(ToReview, c.referred)
	add(ResentAsked, c.resent)
	add(EndApproved, c.state == Approved)
	add(EndRejected, c.state == Rejected)
	add(SystemCause, c.system)
	if c.state == Expired {
		f[EndExpired]++
		switch {
		case sent:
			f[LeftAtResend]++
		case c.photos:
			f[LeftAtSubmit]++
		case c.consent:
			f[LeftAtPhotos]++
		default:
			f[LeftAtStart]++
		}
	}
	if d := c.automatic; d != nil {
		judged, doubt := true, false
		for _, r := range d.Reasons {
			switch r.Code {
			case "biometric.presentation_attack", "biometric.liveness_uncertain", "biometric.liveness_inconclusive", "biometric.burst_inconsistent":
				doubt = true
			}
			if r.Stage == "liveness" && r.Code.Category() == "system" || r.Code == "biometric.consent_missing" {
				judged = false
			}
		}
		add(LivenessJudged, judged && d.Outcome != policy.NeedsResubmission)
		add(LivenessPassed, judged && !doubt && d.Outcome != policy.NeedsResubmission)
		if !c.submitted.IsZero() && d.Attempt == c.attempt && d.At.After(c.submitted) {
			f.observe(DecideTime, d.At.Sub(c.submitted))
		}
	}
	if (c.state == Approved || c.state == Rejected) && !c.submitted.IsZero() && c.decidedLast.After(c.submitted) {
		f.observe(OutcomeTime, c.decidedLast.Sub(c.submitted))
	}
	f.Add(&c.hooks)
	return f
}

// learn takes a decision in.
func (c *caseRow) learn(d Decision) {
	c.decidedLast = d.At
	c.resent = c.resent || d.State == NeedsResubmission
	if d.By != Worker {
		c.reviewed = &d
		return
	}
	if c.first == nil {
		c.first = &d
	}
	c.automatic, c.reviewed = &d, nil
	c.referred = c.referred || d.State == PendingReview
	for _, r := range d.Reasons {
		if r.Action != policy.Note {
			if c.against == nil {
				c.against = map[policy.Code]bool{}
			}
			c.against[r.Code] = true
		}
	}
	c.system = c.system || slices.ContainsFunc(d.Reasons, func(r policy.Reason) bool { return r.Code.Category() == "system" && r.Action != policy.Note })
}

// cases reads the sessions of an hour with all that is counted of them.
func (s *Store) cases(ctx context.Context, hour time.Time) (map[string]*caseRow, error) {
	from, before := idBound(SessionPrefix, hour), idBound(SessionPrefix, hour.Add(time.Hour))
	out := map[string]*caseRow{}
	each := func(doing, q string, take func(scanner) error) error {
		_, err := list(ctx, s, "count figures: "+doing, func(r scanner) (struct{}, error) { return struct{}{}, take(r) }, q, from, before)
		return err
	}
	err := each("read sessions", `SELECT id, tenant, jurisdiction, document_type, device, simulated, state, attempt, consent, submitted_at
		FROM sessions WHERE id >= ? AND id < ? AND `+notTest("tenant"), func(r scanner) error {
		c, id, consent := &caseRow{}, "", ""
		var simulated, submitted int64
		err := r.Scan(&id, &c.group.Tenant, &c.group.Jurisdiction, &c.group.DocumentType, &c.group.Device, &simulated, &c.state, &c.attempt, &consent, &submitted)
		c.simulated, c.consent, c.submitted = simulated != 0, consent != "", fromMicros(submitted)
		out[id] = c
		return err
	})
	if err != nil {
		return nil, err
	}
	err = each("read photos", "SELECT DISTINCT session FROM evidence WHERE session >= ? AND session < ?", func(r scanner) error {
		id, err := scanString(r)
		if c := out[id]; c != nil {
			c.photos = true
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	err = each("read decisions", "SELECT session, body FROM decisions WHERE session >= ? AND session < ? ORDER BY session, attempt, at, decider DESC", func(r scanner) error {
		var id, body string
		if err := r.Scan(&id, &body); err != nil {
			return err
		}
		var d Decision
		if err := json.Unmarshal([]byte(body), &d); err != nil {
			return err
		}
		if c := out[id]; c != nil {
			c.learn(d)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = each("read deliveries", `SELECT session, tries, next_at, created_at, delivered_at FROM webhook_deliveries
		WHERE session >= ? AND session < ?`, func(r scanner) error {
		var id string
		var tries, next, created, delivered int64
		if err := r.Scan(&id, &tries, &next, &created, &delivered); err != nil {
			return err
		}
		c := out[id]
		if c == nil {
			return nil
		}
		c.hooks[HooksDue]++
		if tries > 1 {
			c.hooks[HooksRepeated]++
		}
		switch {
		case delivered != 0:
			c.hooks[HooksDelivered]++
			c.hooks.observe(HookTime, fromMicros(delivered).Sub(fromMicros(created)))
		case next == 0 && tries > 0:
			c.hooks[HooksGivenUp]++
		}
		return nil
	})
	return out, err
}

// CountInReview counts the cases that wait for a person; simulated ones only while
// there are no others.
func (s *Store) CountInReview(ctx context.Context) (int64, error) {
	only, err := s.OnlySimulated(ctx)
	if err != nil {
		return 0, err
	}
	return s.number(ctx, "count cases in review", "SELECT COUNT(*) FROM sessions WHERE state = 'pending_review' AND (simulated = 0 OR ? = 1) AND "+notTest("tenant"), smallint(only))
}
