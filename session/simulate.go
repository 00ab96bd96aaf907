package session

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/proofline/proofline/audit"
)

// SimulatedURL is the only endpoint that the events of simulated cases go to.
// The top-level domain invalid never resolves (RFC 2606 section 2).
const SimulatedURL = "https://simulated.invalid/webhooks"

// simulatedLead keeps a dispatcher that runs beside a simulation away from the
// work that simulated events call for: the simulation does it itself.
const simulatedLead = 24 * time.Hour

// Simulation is a run of store calls on a clock of its own. Its transitions,
// votes and deliveries are those of the store; what differs is the time, the mark
// on each session and audit entry, and that nothing leaves the machine.
type Simulation struct{ tx *Tx }

type simulationKey struct{}

// errSimulationAgain: the database asked for the transaction to run again, which
// a simulation can not.
var errSimulationAgain = errors.New("the simulation's transaction was broken off")

// Simulate runs fn in one transaction. Calls of the store's writing methods
// with fn's context join it, one after another; an error of any of them ends it,
// and nothing of it stays. Reading methods do not see what is not committed.
func (s *Store) Simulate(ctx context.Context, fn func(context.Context, *Simulation) error) error {
	ran, first := false, errSimulationAgain
	return s.write(ctx, "simulate", func(tx *Tx) (err error) {
		if ran {
			return first
		}
		ran = true
		tx.simulated, tx.ends = true, nil
		defer func() {
			if tx.simulated, tx.ends = false, nil; err != nil {
				first = err
			}
		}()
		return fn(context.WithValue(ctx, simulationKey{}, tx), &Simulation{tx})
	})
}

// At sets the simulation's clock.
func (m *Simulation) At(t time.Time) { m.tx.Now = t.UTC().Truncate(time.Microsecond) }

// Note adds an entry to the audit log.
func (m *Simulation) Note(e audit.Entry) { m.tx.Audit(e) }

// Deliveries returns the webhooks of a session that are still to be delivered.
func (m *Simulation) Deliveries(session string) ([]Delivery, error) {
	rows, err := m.tx.rows(deliveryQuery+"WHERE d.session = ? AND d.delivered_at = 0 AND o.state = 'pending' ORDER BY d.id", session)
	return collect(rows, err, "find deliveries", scanDelivery)
}

// simulating returns the simulation's transaction that ctx belongs to, or nil.
func (s *Store) simulating(ctx context.Context) *Tx {
	if tx, ok := ctx.Value(simulationKey{}).(*Tx); ok && tx.s == s && tx.simulated {
		return tx
	}
	return nil
}

// step runs one call of a simulation.
func (tx *Tx) step(doing string, fn func(*Tx) error) error {
	tx.Session = nil
	if err := fn(tx); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// mark says in the log that an entry is of a simulation.
func (tx *Tx) mark(e audit.Entry) audit.Entry {
	e.Time = tx.Now
	return simulatedEntry(e)
}

func simulatedEntry(e audit.Entry) audit.Entry {
	refs := maps.Clone(e.Refs)
	if refs == nil {
		refs = map[string]string{}
	}
	refs["simulated"] = "true"
	e.Refs = refs
	return e
}

// marked is an entry about the session, with the mark where it is simulated:
// what a person does to a simulated case later is told from real work, too.
func (s *Session) marked(e audit.Entry) audit.Entry {
	if s.Simulated {
		return simulatedEntry(e)
	}
	return e
}

// receivers are the endpoints that a session's events may go to: real events go
// to real ones, and those of a running simulation to its own.
func (tx *Tx) receivers(ses *Session) ([]Endpoint, error) {
	if ses.Simulated && !tx.simulated {
		return nil, nil
	}
	all, err := tx.endpoints(ses.Tenant)
	return slices.DeleteFunc(slices.Clone(all), func(e Endpoint) bool { return (e.URL == SimulatedURL) != ses.Simulated }), err
}

// CountCases counts the sessions that are not simulated, and those that are.
func (s *Store) CountCases(ctx context.Context) (genuine, simulated int64, err error) {
	all, err := s.number(ctx, "count cases", "SELECT COUNT(*) FROM sessions")
	if err != nil {
		return 0, 0, err
	}
	simulated, err = s.number(ctx, "count simulated cases", "SELECT COUNT(*) FROM sessions WHERE simulated = 1")
	return all - simulated, simulated, err
}

// OnlySimulated reports that there are simulated cases and no real ones: then pages
// and advice are made of them. As soon as there is a real case they count nowhere
// that anything is decided by.
func (s *Store) OnlySimulated(ctx context.Context) (bool, error) {
	n, err := s.number(ctx, "look for real cases", `SELECT CASE WHEN EXISTS (SELECT 1 FROM sessions WHERE simulated = 1)
		AND NOT EXISTS (SELECT 1 FROM sessions WHERE simulated = 0 AND `+notTest("tenant")+`) THEN 1 ELSE 0 END`)
	return n == 1, err
}

// simulatedTables hold rows of a session that go with a simulated one. The audit
// log keeps its entries: it is append-only, and they are marked.
var simulatedTables = []string{"evidence", "stage_results", "decisions", "outbox", "run_leases", "client_tokens", "webhook_deliveries", "webhook_events",
	"review_claims", "review_votes", "review_queue", "review_samples", "shadow_decisions", "screenings",
	"case_scores", "challenges", "assisted", "subject_marks", "uploads", "evidence_grants", "legal_holds"}

// RemoveSimulated deletes at most limit simulated cases and returns how many.
// Cases that somebody put real evidence into are left: erase that first. When none
// is left, their endpoint and accounts go, too, and the figures of the hours in
// which they began are counted again; a process that ends before leaves that to the
// next CountFigures.
func (s *Store) RemoveSimulated(ctx context.Context, by Actor, limit int) (n int, err error) {
	defer func() {
		if err == nil && n == 0 {
			_, err = s.CountFigures(ctx)
		}
	}()
	err = s.write(ctx, "remove simulated cases", func(tx *Tx) error {
		rows, err := tx.rows(`SELECT id FROM sessions WHERE simulated = 1
			AND NOT EXISTS (SELECT 1 FROM objects o WHERE o.session = sessions.id AND o.deleted_at = 0) ORDER BY id LIMIT ?`, limit)
		ids, err := collect(rows, err, "find simulated cases", scanString)
		if err != nil {
			return err
		}
		n = len(ids)
		for chunk := range slices.Chunk(ids, 100) {
			args := make([]any, len(chunk))
			for i, id := range chunk {
				args[i] = id
			}
			if _, err := tx.exec("DELETE FROM upload_parts WHERE upload IN (SELECT id FROM uploads WHERE session IN ("+marks(len(chunk))+"))", args...); err != nil {
				return err
			}
			for _, t := range simulatedTables {
				if _, err := tx.exec("DELETE FROM "+t+" WHERE session IN ("+marks(len(chunk))+")", args...); err != nil {
					return err
				}
			}
			if _, err := tx.exec("DELETE FROM sessions WHERE id IN ("+marks(len(chunk))+")", args...); err != nil {
				return err
			}
			if err := tx.countAgain(chunk); err != nil {
				return err
			}
		}
		if n == 0 {
			if _, err := tx.exec("DELETE FROM webhook_endpoints WHERE url = ?", SimulatedURL); err != nil {
				return err
			}
			if _, err := tx.exec("DELETE FROM accounts WHERE issuer = ?", SimulatedIssuer); err != nil {
				return err
			}
			tx.ends = nil
			return nil
		}
		tx.Audit(simulatedEntry(audit.Entry{Actor: by.String(), Action: "simulation.removed", Refs: map[string]string{"cases": fmt.Sprint(n)}}))
		return nil
	})
	return n, err
}

// SimulatedIssuer is the identity provider of simulated accounts. It is none, so
// nobody can log in as one.
const SimulatedIssuer = "https://simulated.invalid"
