package session

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/proofline/proofline/audit"
)

// OutboxKind says what a row asks for.
type OutboxKind string

const (
	KindVerify  OutboxKind = "verify"  // run the pipeline for (Session, Attempt)
	KindWebhook OutboxKind = "webhook" // Ref is a delivery id
	KindErase   OutboxKind = "erase"   // Ref is the reason
)

// OutboxState is how far a row has come.
type OutboxState string

const (
	Pending    OutboxState = "pending"    // to be handed to the queue at AvailableAt
	Dispatched OutboxState = "dispatched" // handed over; done is not known
	Done       OutboxState = "done"
	Dead       OutboxState = "dead" // given up; Replay starts it again
)

// Outbox is one promised piece of work. It holds ids only.
type Outbox struct {
	ID            string
	Kind          OutboxKind
	Session       string
	Attempt       int
	Ref           string
	CorrelationID string
	Traceparent   string // of the request or task that wrote the row
	State         OutboxState
	Tries         int // how often it was requeued or replayed
	Reason        string
	AvailableAt   time.Time
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// TaskID is the queue's task id: the same for the same try of the same row, so
// that handing it over twice makes one task.
func (o Outbox) TaskID() string { return o.ID + ":" + strconv.Itoa(o.Tries) }

const outboxColumns = "id, kind, session, attempt, ref, correlation_id, traceparent, state, tries, reason, available_at, created_at, updated_at"

func scanOutbox(r scanner) (Outbox, error) {
	var o Outbox
	var available, created, updated int64
	err := r.Scan(&o.ID, &o.Kind, &o.Session, &o.Attempt, &o.Ref, &o.CorrelationID, &o.Traceparent, &o.State, &o.Tries, &o.Reason, &available, &created, &updated)
	o.AvailableAt, o.CreatedAt, o.UpdatedAt = fromMicros(available), fromMicros(created), fromMicros(updated)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	return o, err
}

func (s *Store) outboxRows(ctx context.Context, q string, args ...any) ([]Outbox, error) {
	return list(ctx, s, "read outbox", scanOutbox, "SELECT "+outboxColumns+" FROM outbox "+q, args...)
}

// Enqueue adds an outbox row. One row exists per kind, session, attempt and
// ref; asking again for an erasure that ended starts it again, for anything
// else it changes nothing.
func (tx *Tx) Enqueue(kind OutboxKind, session string, attempt int, ref, correlation string) error {
	conflict := "DO NOTHING"
	if kind == KindErase {
		conflict = `DO UPDATE SET state = 'pending', tries = outbox.tries + 1, available_at = excluded.available_at,
			updated_at = excluded.updated_at WHERE outbox.state IN ('done', 'dead')`
	}
	due := tx.Now
	if tx.simulated {
		due = tx.s.clock().Add(simulatedLead)
	}
	return tx.later("enqueue "+string(kind), "INSERT INTO outbox ("+outboxColumns+") VALUES ("+marks(13)+") ON CONFLICT (kind, session, attempt, ref) "+conflict,
		tx.s.ids.next(OutboxPrefix, tx.Now), kind, session, attempt, ref, correlation, tx.trace, Pending, 0, "",
		micros(due), micros(tx.Now), micros(tx.Now))
}

// Pending returns rows that are due, oldest first.
func (s *Store) Pending(ctx context.Context, limit int) ([]Outbox, error) {
	return s.outboxRows(ctx, "WHERE state = 'pending' AND available_at <= ? ORDER BY available_at, id LIMIT ?", micros(s.now()), limit)
}

// MarkDispatched records that the queue has the rows. Rows that are done by now
// stay done.
func (s *Store) MarkDispatched(ctx context.Context, ids ...string) error {
	ids = slices.Sorted(slices.Values(ids)) // one lock order for all dispatchers
	return s.writeApart(ctx, "mark dispatched", func(tx *Tx) error {
		for chunk := range slices.Chunk(ids, 100) {
			args := []any{micros(tx.Now)}
			for _, id := range chunk {
				args = append(args, id)
			}
			if _, err := tx.exec("UPDATE outbox SET state = 'dispatched', updated_at = ? WHERE state IN ('pending', 'dispatched') AND id IN ("+marks(len(chunk))+")", args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// Unfinished returns rows that were handed to the queue before olderThan and
// are neither done nor being worked on: what a lost queue or a killed worker
// left. Hand them over again and mark them dispatched.
func (s *Store) Unfinished(ctx context.Context, olderThan time.Time, limit int) ([]Outbox, error) {
	return s.outboxRows(ctx, `WHERE state = 'dispatched' AND updated_at < ? AND NOT EXISTS (
			SELECT 1 FROM run_leases l WHERE outbox.kind = 'verify' AND l.session = outbox.session AND l.attempt = outbox.attempt AND l.expires_at > ?)
		ORDER BY updated_at, id LIMIT ?`, micros(olderThan), micros(s.now()), limit)
}

// OutboxRow returns one row, or ErrNotFound.
func (s *Store) OutboxRow(ctx context.Context, id string) (Outbox, error) {
	o, err := scanOutbox(s.queryRow(ctx, "SELECT "+outboxColumns+" FROM outbox WHERE id = ?", id))
	if err != nil {
		return Outbox{}, fmt.Errorf("read outbox row: %w", err)
	}
	return o, nil
}

// MarkDone records that a row's work is finished. Verify rows are finished by
// the decision itself.
func (s *Store) MarkDone(ctx context.Context, id string) error {
	return s.writeApart(ctx, "finish outbox row", func(tx *Tx) error { return tx.setOutbox(id, Done, "", tx.Now, 0) })
}

// Requeue asks for another try at a later time. reason is a short code.
func (s *Store) Requeue(ctx context.Context, id string, at time.Time, reason string) error {
	return s.writeApart(ctx, "requeue outbox row", func(tx *Tx) error { return tx.setOutbox(id, Pending, reason, at, 1) })
}

// MarkDead gives a row up, visibly: it is listed by DeadLetters and audited.
func (s *Store) MarkDead(ctx context.Context, id, reason string) error {
	return s.write(ctx, "give up outbox row", func(tx *Tx) error {
		if err := tx.setOutbox(id, Dead, reason, tx.Now, 0); err != nil {
			return err
		}
		return tx.auditOutbox(id, "outbox.dead", Actor{Role: System}, reason)
	})
}

// Replay starts a dead or finished row again, on an operator's word.
func (s *Store) Replay(ctx context.Context, id string, by Actor) error {
	return s.write(ctx, "replay outbox row", func(tx *Tx) error {
		n, err := tx.exec(`UPDATE outbox SET state = 'pending', reason = '', tries = tries + 1, available_at = ?, updated_at = ?
			WHERE id = ? AND (state = 'dead' OR state = 'done' AND kind <> 'verify')`, micros(tx.Now), micros(tx.Now), id)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		if _, err := tx.exec("UPDATE webhook_deliveries SET tries = 0, delivered_at = 0, next_at = ?, updated_at = ? WHERE id = (SELECT ref FROM outbox WHERE id = ? AND kind = 'webhook')",
			micros(tx.Now), micros(tx.Now), id); err != nil {
			return err
		}
		return tx.auditOutbox(id, "outbox.replay", by, "")
	})
}

// Drop takes a webhook that was given up off the list of dead letters, on an
// operator's word: nobody is there any more to deliver it to. Replay still starts
// it again. Other work is owed and can not be dropped: ErrNotFound.
func (s *Store) Drop(ctx context.Context, id string, by Actor) error {
	return s.write(ctx, "drop outbox row", func(tx *Tx) error {
		n, err := tx.exec("UPDATE outbox SET state = 'done', reason = 'dropped', updated_at = ? WHERE id = ? AND state = 'dead' AND kind = 'webhook'", micros(tx.Now), id)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrNotFound
		}
		return tx.auditOutbox(id, "outbox.drop", by, "")
	})
}

// DeadLetters returns rows that were given up, oldest first, after the id of
// the last one seen.
func (s *Store) DeadLetters(ctx context.Context, after string, limit int) ([]Outbox, error) {
	return s.outboxRows(ctx, "WHERE state = 'dead' AND id > ? ORDER BY id LIMIT ?", after, limit)
}

// OutboxDepth counts rows that are not finished, by kind: what backpressure and
// metrics look at.
func (s *Store) OutboxDepth(ctx context.Context) (map[OutboxKind]int, error) {
	counts, _, err := s.OutboxCounts(ctx)
	if err != nil {
		return nil, err
	}
	out := map[OutboxKind]int{}
	for kind, by := range counts {
		out[kind] = by[Pending] + by[Dispatched]
	}
	return out, nil
}

// OutboxCounts counts the rows that are not done, by kind and state, and says
// how long the oldest row that is due has waited.
func (s *Store) OutboxCounts(ctx context.Context) (counts map[OutboxKind]map[OutboxState]int, oldest time.Duration, err error) {
	type count struct {
		kind  OutboxKind
		state OutboxState
		n     int
		due   int64
	}
	rows, err := list(ctx, s, "count outbox", func(r scanner) (c count, err error) {
		err = r.Scan(&c.kind, &c.state, &c.n, &c.due)
		return c, err
	}, outboxCounts)
	if err != nil {
		return nil, 0, err
	}
	counts = map[OutboxKind]map[OutboxState]int{}
	for _, k := range []OutboxKind{KindVerify, KindWebhook, KindErase} {
		counts[k] = map[OutboxState]int{Pending: 0, Dispatched: 0, Dead: 0}
	}
	now := s.now()
	for _, c := range rows {
		if counts[c.kind] == nil {
			counts[c.kind] = map[OutboxState]int{}
		}
		counts[c.kind][c.state] = c.n
		if c.state == Pending {
			oldest = max(oldest, now.Sub(fromMicros(c.due)))
		}
	}
	return counts, oldest, nil
}

// outboxCounts is answered from the index outbox_undone alone: every server asks
// it each second.
const outboxCounts = "SELECT kind, state, COUNT(*), CASE state WHEN 'pending' THEN MIN(available_at) ELSE 0 END FROM outbox WHERE state <> 'done' GROUP BY kind, state"

func (tx *Tx) setOutbox(id string, state OutboxState, reason string, available time.Time, tries int) error {
	n, err := tx.exec("UPDATE outbox SET state = ?, reason = ?, available_at = ?, tries = tries + ?, updated_at = ? WHERE id = ?",
		state, clip(reason), micros(available), tries, micros(tx.Now), id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

func (tx *Tx) finishRun(session string, attempt int) error {
	return tx.later("finish run", "UPDATE outbox SET state = 'done', updated_at = ? WHERE kind = 'verify' AND session = ? AND attempt = ?", micros(tx.Now), session, attempt)
}

func (tx *Tx) auditOutbox(id, action string, by Actor, reason string) error {
	o, err := scanOutbox(tx.row("SELECT "+outboxColumns+" FROM outbox WHERE id = ?", id))
	if err != nil {
		return err
	}
	refs := map[string]string{"outbox": id, "kind": string(o.Kind)}
	if reason != "" {
		refs["reason"] = clip(reason)
	}
	tx.Audit(audit.Entry{Actor: by.String(), Action: action, Session: o.Session, Attempt: o.Attempt, Refs: refs, Correlation: o.CorrelationID})
	return nil
}

// clip bounds a reason; reasons are codes, not messages.
func clip(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return toPrintable(s)
}

func toPrintable(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < 0x20 || c > 0x7e {
			b[i] = '?'
		}
	}
	return string(b)
}
