package session

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/storage"
)

// AuditFilter selects entries of the log; empty fields select all.
type AuditFilter struct {
	Session string
	Actor   string // the beginning of "role:id"
	Action  string // the beginning
	From    time.Time
	Before  int64 // entries with a smaller number; 0: from the newest
	Limit   int   // 1 … 200
}

// auditScan is how many entries one search looks at: the log is not indexed by
// what entries say, and a page must not read all of it.
const auditScan = 20_000

// AuditFound is what a search found, newest first. Next goes on with older ones;
// 0: there are none. Searched counts the entries that were looked at.
type AuditFound struct {
	Entries  []audit.Entry
	Next     int64
	Searched int64
}

// SearchAudit searches the log backwards.
func (s *Store) SearchAudit(ctx context.Context, f AuditFilter) (AuditFound, error) {
	out := AuditFound{Entries: []audit.Entry{}}
	f.Limit = min(max(f.Limit, 1), 200)
	if f.Before <= 0 {
		head, err := s.AuditHead(ctx)
		if err != nil {
			return out, err
		}
		f.Before = head.Size()
	}
	q, args := "SELECT seq, body FROM audit_entries WHERE seq < ? AND at >= ?", []any{f.Before, micros(f.From)}
	if f.Session != "" {
		q, args = q+" AND session = ? AND session <> ''", append(args, f.Session)
	} else {
		q, args = q+" AND seq >= ?", append(args, max(0, f.Before-auditScan))
	}
	// Read in pieces: most searches find a page early.
	const piece = 1000
	next := f.Before
	for {
		args[0] = next
		rows, err := list(ctx, s, "search audit log", scanBody, q+" ORDER BY seq DESC LIMIT ?", append(slices.Clone(args), piece)...)
		if err != nil {
			return out, err
		}
		for _, b := range rows {
			next = b.n
			out.Searched++
			e, err := audit.ParseEntry(b.b)
			if err != nil {
				return out, fmt.Errorf("read audit entry %d: %w", b.n, err)
			}
			if strings.HasPrefix(e.Actor, f.Actor) && strings.HasPrefix(e.Action, f.Action) {
				out.Entries = append(out.Entries, e)
				if len(out.Entries) == f.Limit {
					out.Next = next
					return out, nil
				}
			}
		}
		if len(rows) < piece {
			break
		}
	}
	if low := f.Before - auditScan; f.Session == "" && low > 0 && (f.From.IsZero() || out.Searched >= auditScan) {
		out.Next = low
	}
	return out, nil
}

// DeliveryFilter selects webhook deliveries.
type DeliveryFilter struct {
	Tenant string
	Open   bool   // only those that are not delivered
	Before string // id; "" begins with the newest
	Limit  int    // 1 … 200
}

// FindDeliveries lists deliveries, newest first.
func (s *Store) FindDeliveries(ctx context.Context, f DeliveryFilter) ([]Delivery, error) {
	q, args := deliveryQuery+"WHERE d.id <> ''", []any{}
	if f.Before != "" {
		q, args = q+" AND d.id < ?", append(args, f.Before)
	}
	if f.Open {
		q += " AND d.delivered_at = 0"
	}
	if f.Tenant != "" {
		q, args = q+" AND e.tenant = ?", append(args, f.Tenant)
	}
	return list(ctx, s, "find deliveries", scanDelivery, q+" ORDER BY d.id DESC LIMIT ?", append(args, min(max(f.Limit, 1), 200))...)
}

// AllEndpoints lists the webhook endpoints of all tenants, at most 1000.
func (s *Store) AllEndpoints(ctx context.Context) ([]Endpoint, error) {
	return list(ctx, s, "list webhook endpoints", scanEndpoint, "SELECT "+endpointColumns+" FROM webhook_endpoints ORDER BY tenant, id LIMIT 1000")
}

// Due is evidence whose time is over at an hour of the near future or was.
type Due struct {
	At      time.Time
	Class   storage.Class
	Objects int64
	Failed  int64 // deletes that did not work so far
}

// DueEvidence counts stored objects by class and day of their end, up to a
// time; at most limit objects are looked at, the earliest first, and more tells
// that there were others.
func (s *Store) DueEvidence(ctx context.Context, until time.Time, limit int) (due []Due, more bool, err error) {
	type object struct {
		class  storage.Class
		at     int64
		failed int64
	}
	rows, err := list(ctx, s, "count due evidence", func(r scanner) (o object, err error) {
		err = r.Scan(&o.class, &o.at, &o.failed)
		return o, err
	}, "SELECT class, retain_until, delete_failures FROM objects WHERE deleted_at = 0 AND retain_until < ? ORDER BY retain_until, id LIMIT ?", micros(until), limit+1)
	if err != nil {
		return nil, false, err
	}
	if more = len(rows) > limit; more {
		rows = rows[:limit]
	}
	for _, o := range rows {
		day := fromMicros(o.at).Truncate(Day)
		i := slices.IndexFunc(due, func(d Due) bool { return d.At.Equal(day) && d.Class == o.class })
		if i < 0 {
			i, due = len(due), append(due, Due{At: day, Class: o.class})
		}
		due[i].Objects++
		if o.failed > 0 {
			due[i].Failed++
		}
	}
	return due, more, nil
}

// RecentErasures lists the erasures that were begun last, newest first.
func (s *Store) RecentErasures(ctx context.Context, limit int) ([]storage.Erasure, error) {
	return list(ctx, s, "list erasures", scanErasure, "SELECT session, class, begun_at, certified_at FROM erasures WHERE begun_at > 0 ORDER BY begun_at DESC LIMIT ?", min(max(limit, 1), 200))
}

// ReviewerPairs returns what pairs of reviewers said of the same attempt, each
// without knowing of the other, in votes cast at a time or later; at most limit. A
// third vote, which settles a disagreement, is none of them. Votes on simulated
// cases count while there are only such.
func (s *Store) ReviewerPairs(ctx context.Context, since time.Time, limit int) (first, second []string, err error) {
	only, err := s.OnlySimulated(ctx)
	if err != nil {
		return nil, nil, err
	}
	type pair struct{ a, b string }
	pairs, err := list(ctx, s, "read pairs of votes", func(r scanner) (p pair, err error) {
		err = r.Scan(&p.a, &p.b)
		return p, err
	}, reviewerPairs, idBound(VotePrefix, since), smallint(only), limit)
	for _, p := range pairs {
		first, second = append(first, p.a), append(second, p.b)
	}
	return first, second, err
}

var reviewerPairs = `SELECT a.outcome, b.outcome FROM review_votes a JOIN review_votes b ON b.session = a.session AND b.attempt = a.attempt AND b.id > a.id
	JOIN sessions s ON s.id = a.session
	WHERE a.id >= ? AND a.blind = 1 AND b.blind = 1 AND (s.simulated = 0 OR ? = 1) AND ` + notTest("s.tenant") + `
	AND (SELECT COUNT(*) FROM review_votes c WHERE c.session = a.session AND c.attempt = a.attempt AND c.id < b.id) = 1
	ORDER BY a.id DESC LIMIT ?`
