package session

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/proofline/proofline/policy"
)

// Place is where a case stands in the queue of reviews.
type Place struct {
	Queue   string
	Entered time.Time
	Due     time.Time // zero: as the settings say
	Value   float64   // amount at stake
	Risk    float64   // 0 to 1
	// Overloaded: the queue was overloaded when the case entered, and Due is by
	// the longer SLA.
	Overloaded bool
	// Escalated: reviewers disagreed.
	Escalated time.Time

	// second: two people judge the case without knowing of each other.
	second bool
	key    int64 // in the order that was asked for
}

// Blind reports that nobody may know yet whether another person has judged the case.
func (p Place) Blind() bool { return p.second && p.Escalated.IsZero() }

// BlindReviews are the cases of which two people judge without knowing of each
// other, until both have: what the log says of their review is not for reviewers.
func (s *Store) BlindReviews(ctx context.Context) (map[string]bool, error) {
	ids, err := list(ctx, s, "read blind reviews", func(r scanner) (id string, err error) { return id, r.Scan(&id) },
		"SELECT session FROM review_queue WHERE second = 1 AND escalated_at = 0 LIMIT 100000")
	out := map[string]bool{}
	for _, id := range ids {
		out[id] = true
	}
	return out, err
}

const placeColumns = "q.queue, q.entered_at, q.due_at, q.value, q.risk, q.overloaded, q.second, q.escalated_at"

func (p *Place) scan(r scanner, more ...any) error {
	var entered, due, overloaded, second, escalated int64
	err := r.Scan(append([]any{&p.Queue, &entered, &due, &p.Value, &p.Risk, &overloaded, &second, &escalated}, more...)...)
	p.Entered, p.Due, p.Escalated = fromMicros(entered), fromMicros(due), fromMicros(escalated)
	p.Overloaded, p.second = overloaded != 0, second != 0
	return err
}

// usualSLA orders cases whose cell says nothing.
const usualSLA = 24 * time.Hour

// enterQueue places a case that begins to wait for a person. Nobody looks at one
// of a sandbox, so it is in no queue.
func (tx *Tx) enterQueue(ses *Session, t *policy.Triage) error {
	if ses.Test() {
		return nil
	}
	if t == nil {
		t = &policy.Triage{Queue: policy.DefaultQueue}
	}
	sla, busy := t.SLA, t.BusySLA
	if sla == 0 {
		sla, busy = usualSLA, usualSLA
	}
	overloaded := false
	if t.Above > 0 {
		var waiting int
		if err := tx.row("SELECT COUNT(*) FROM review_queue q JOIN sessions s ON s.id = q.session WHERE q.queue = ? AND s.simulated = ?", t.Queue, smallint(ses.Simulated)).Scan(&waiting); err != nil {
			return fmt.Errorf("count queue of reviews: %w", err)
		}
		overloaded = waiting >= t.Above
	}
	due := int64(0)
	switch {
	case overloaded:
		due = micros(tx.Now.Add(busy))
	case t.SLA > 0:
		due = micros(tx.Now.Add(sla))
	}
	second, err := tx.drawn("second_review", ses, t.Second)
	if err != nil {
		return err
	}
	return tx.later("enter queue of reviews", `INSERT INTO review_queue (session, attempt, queue, entered_at, due_at, calm, busy, value, risk, above, overloaded, second, escalated_at)
		VALUES (`+marks(13)+`) ON CONFLICT (session) DO UPDATE SET attempt = excluded.attempt, queue = excluded.queue, entered_at = excluded.entered_at,
		due_at = excluded.due_at, calm = excluded.calm, busy = excluded.busy, value = excluded.value, risk = excluded.risk, above = excluded.above,
		overloaded = excluded.overloaded, second = excluded.second, escalated_at = 0`,
		ses.ID, ses.Attempt, t.Queue, micros(tx.Now), due, micros(tx.Now.Add(sla-t.Sooner)), micros(tx.Now.Add(busy-t.BusySooner)),
		t.Value, t.Risk, t.Above, smallint(overloaded), smallint(second), 0)
}

func (tx *Tx) leaveQueue(session string) error {
	return tx.later("leave queue of reviews", "DELETE FROM review_queue WHERE session = ?", session)
}

// escalate puts a case that reviewers disagree on first among those of its age.
func (tx *Tx) escalate(session string) (fresh bool, err error) {
	n, err := tx.exec("UPDATE review_queue SET escalated_at = ?, calm = entered_at, busy = entered_at WHERE session = ? AND escalated_at = 0", micros(tx.Now), session)
	return n > 0, err
}

// secondWanted reports whether two people judge the case.
func (tx *Tx) secondWanted(session string) (bool, error) {
	var second int64
	err := tx.row("SELECT second FROM review_queue WHERE session = ?", session).Scan(&second)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return second != 0, err
}

// drawn samples a share of attempts by a keyed hash: the same one is always drawn
// or never, and who does not know the key can not foresee which. A simulation draws
// the same ones from the same seed: its ids and keys are others each time.
func (tx *Tx) drawn(name string, ses *Session, share float64) (bool, error) {
	if share <= 0 {
		return false, nil
	}
	subject := ses.ID + "#" + strconv.Itoa(ses.Attempt)
	if tx.simulated {
		return InSample([]byte(name), ses.ExternalRef+"#"+strconv.Itoa(ses.Attempt), share), nil
	}
	key, err := tx.samplingKey(name)
	if err != nil {
		return false, err
	}
	return InSample(key, subject, share), nil
}

func (tx *Tx) samplingKey(name string) ([]byte, error) {
	var key []byte
	read := func() error {
		return tx.row("SELECT secret FROM sampling_keys WHERE name = ?", name).Scan(&key)
	}
	err := read()
	if errors.Is(err, sql.ErrNoRows) {
		fresh := make([]byte, 32)
		rand.Read(fresh)
		if _, err := tx.exec("INSERT INTO sampling_keys (name, secret) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", name, fresh); err != nil {
			return nil, fmt.Errorf("make sampling key: %w", err)
		}
		err = read()
	}
	if err != nil {
		return nil, fmt.Errorf("read sampling key: %w", err)
	}
	return key, nil
}

// InSample reports whether a subject is in the share that a key draws. A larger
// share contains every smaller one.
func InSample(key []byte, subject string, share float64) bool {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(subject))
	return float64(binary.BigEndian.Uint64(h.Sum(nil))>>11)/(1<<53) < share
}

// ReviewPlace returns where a case stands, or ErrNotFound when it is not in review.
func (s *Store) ReviewPlace(ctx context.Context, session string) (Place, error) {
	var p Place
	err := p.scan(s.queryRow(ctx, "SELECT "+placeColumns+" FROM review_queue q WHERE q.session = ?", session))
	if errors.Is(err, sql.ErrNoRows) {
		return p, ErrNotFound
	}
	if err != nil {
		return p, fmt.Errorf("read place in queue: %w", err)
	}
	return p, nil
}

// QueueState says how a queue of reviews stands.
type QueueState struct {
	Queue     string    `json:"queue"`
	Waiting   int       `json:"waiting"`
	Late      int       `json:"late"` // by the SLA of their cell
	Escalated int       `json:"escalated"`
	Oldest    time.Time `json:"oldest"`
	// Above is the limit of the policy, 0 without one; Overloaded: it is exceeded.
	Above      int  `json:"above,omitempty"`
	Overloaded bool `json:"overloaded"`
}

// ReviewQueues lists the queues that hold cases, without simulated ones. Of policies
// with different limits the strictest one counts.
func (s *Store) ReviewQueues(ctx context.Context) ([]QueueState, error) {
	return s.queues(ctx, false)
}

func (s *Store) queues(ctx context.Context, simulated bool) ([]QueueState, error) {
	return list(ctx, s, "read queues of reviews", func(r scanner) (QueueState, error) {
		var q QueueState
		var oldest int64
		err := r.Scan(&q.Queue, &q.Waiting, &q.Late, &q.Escalated, &oldest, &q.Above)
		q.Oldest, q.Overloaded = fromMicros(oldest), q.Above > 0 && q.Waiting > q.Above
		return q, err
	}, `SELECT q.queue, COUNT(*), SUM(CASE WHEN q.due_at > 0 AND q.due_at < ? THEN 1 ELSE 0 END), SUM(CASE WHEN q.escalated_at > 0 THEN 1 ELSE 0 END),
		MIN(q.entered_at), COALESCE(MIN(NULLIF(q.above, 0)), 0) FROM review_queue q JOIN sessions s ON s.id = q.session
		WHERE s.simulated = ? GROUP BY q.queue ORDER BY q.queue LIMIT 1000`, micros(s.clock()), smallint(simulated))
}

// Orders of the queue of reviews. ByTriage is the order of work; the others show
// the same cases otherwise.
const (
	ByTriage = "triage"
	ByAge    = "oldest"
	ByDue    = "due"
	ByValue  = "value"
	ByRisk   = "risk"
)

// reviewKey is the expression that a list of cases is sorted by, ascending.
func (s *Store) reviewKey(ctx context.Context, order string) (string, []any, error) {
	switch order {
	case ByAge:
		return "q.entered_at", nil, nil
	case ByDue:
		return "COALESCE(NULLIF(q.due_at, 0), q.entered_at + " + strconv.FormatInt(usualSLA.Microseconds(), 10) + ")", nil, nil
	case ByValue:
		return "CAST(-q.value * 1000 AS BIGINT)", nil, nil
	case ByRisk:
		return "CAST(-q.risk * 1000000 AS BIGINT)", nil, nil
	case "", ByTriage:
	default:
		return "", nil, fmt.Errorf("%w: unknown order of the queue", ErrInvalid)
	}
	only, err := s.OnlySimulated(ctx)
	if err != nil {
		return "", nil, err
	}
	queues, err := s.queues(ctx, only)
	if err != nil {
		return "", nil, err
	}
	var busy []any
	for _, q := range queues {
		if q.Overloaded {
			busy = append(busy, q.Queue)
		}
	}
	if len(busy) == 0 {
		return "q.calm", nil, nil
	}
	return "(CASE WHEN q.queue IN (" + marks(len(busy)) + ") THEN q.busy ELSE q.calm END)", busy, nil
}

// Cursor is what ReviewFilter.After takes to go on behind the case.
func (w Waiting) Cursor() string { return strconv.FormatInt(w.Place.key, 10) + "." + w.Session.ID }

// ParseReviewCursor refuses what Waiting.Cursor does not make.
func ParseReviewCursor(c string) (key int64, session string, err error) {
	text, id, ok := strings.Cut(c, ".")
	if key, err = strconv.ParseInt(text, 10, 64); !ok || err != nil {
		return 0, "", fmt.Errorf("%w: cursor", ErrInvalid)
	}
	session, err = ParseID(SessionPrefix, id)
	return key, session, err
}

// BlindPair is two verdicts on one case by people who did not know of each other.
type BlindPair struct{ First, Second policy.Outcome }

// BlindPairs returns the first two blind verdicts on each attempt of which the
// second came at a time or later, at most 100 000. Simulated cases are left out
// unless they are asked for.
func (s *Store) BlindPairs(ctx context.Context, since time.Time, simulated bool) ([]BlindPair, error) {
	return list(ctx, s, "read blind verdicts", func(r scanner) (p BlindPair, err error) {
		err = r.Scan(&p.First, &p.Second)
		return p, err
	}, blindPairs, idBound(VotePrefix, since), micros(since), smallint(simulated))
}

// Votes have no index by time; their ids tell it.
const blindPairs = `SELECT a.outcome, b.outcome FROM review_votes a JOIN review_votes b ON b.session = a.session AND b.attempt = a.attempt AND b.id > a.id
	JOIN sessions s ON s.id = a.session
	WHERE a.blind = 1 AND b.blind = 1 AND b.id >= ? AND b.at >= ? AND (s.simulated = 0 OR ? = 1)
	AND (SELECT COUNT(*) FROM review_votes c WHERE c.session = a.session AND c.attempt = a.attempt AND c.id < b.id) = 1
	ORDER BY b.id LIMIT 100000`
