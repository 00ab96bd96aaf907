package session

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/proofline/proofline/audit"
)

// Endpoint is where a tenant's events go.
type Endpoint struct {
	ID     string   `json:"id"`
	Tenant string   `json:"tenant"`
	URL    string   `json:"url"`
	Types  []string `json:"types,omitempty"` // empty: every type
	// Secrets are the signing secrets as the caller wrapped them; the store
	// does not read them.
	Secrets        []byte    `json:"-"`
	CreatedAt      time.Time `json:"created_at"`
	DisabledAt     time.Time `json:"disabled_at,omitzero"`
	DisabledReason string    `json:"disabled_reason,omitempty"`
}

// Delivery is one event on its way to one endpoint.
type Delivery struct {
	ID        string
	Outbox    string // the row that asks for it
	Event     string // webhook-id: the same at every try
	Type      string
	Session   string
	Body      []byte // the same bytes at every try
	Endpoint  Endpoint
	Tries     int // finished ones
	Status    int // HTTP status of the last try, 0 = no answer
	Reason    string
	CreatedAt time.Time
	NextAt    time.Time
	Delivered time.Time
}

// DeliveryResult is what became of one try.
type DeliveryResult struct {
	Delivered bool
	Disable   bool      // the endpoint wants no more (410)
	Status    int       // 0 = no answer
	Reason    string    // short code: "timeout", "refused_address", "status_500"
	RetryAt   time.Time // zero: give up
}

const endpointColumns = "id, tenant, url, types, secrets, created_at, disabled_at, disabled_reason"

func scanEndpoint(r scanner) (Endpoint, error) { return scanEndpointAnd(r) }

// scanEndpointAnd also scans what follows the endpoint's columns.
func scanEndpointAnd(r scanner, more ...any) (Endpoint, error) {
	var e Endpoint
	var types string
	var created, disabled int64
	err := r.Scan(append([]any{&e.ID, &e.Tenant, &e.URL, &types, &e.Secrets, &created, &disabled, &e.DisabledReason}, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return e, ErrNotFound
	}
	if err == nil && types != "" {
		err = json.Unmarshal([]byte(types), &e.Types)
	}
	e.CreatedAt, e.DisabledAt = fromMicros(created), fromMicros(disabled)
	return e, err
}

// PutEndpoint adds an endpoint, or, where the tenant has one with the same URL,
// replaces its types and secrets and enables it again.
func (s *Store) PutEndpoint(ctx context.Context, by Actor, e Endpoint) (Endpoint, error) {
	if e.Tenant == "" || e.URL == "" || len(e.URL) > 2048 || len(e.Secrets) > 64<<10 || len(e.Types) > 64 {
		return Endpoint{}, fmt.Errorf("put webhook endpoint: %w", ErrInvalid)
	}
	types, err := jsonOrEmpty(len(e.Types) > 0, e.Types)
	if err != nil {
		return Endpoint{}, fmt.Errorf("put webhook endpoint: %w", err)
	}
	err = s.write(ctx, "put webhook endpoint", func(tx *Tx) error {
		tx.ends = nil
		_, err := tx.exec("INSERT INTO webhook_endpoints ("+endpointColumns+") VALUES ("+marks(8)+`) ON CONFLICT (tenant, url) DO UPDATE
			SET types = excluded.types, secrets = excluded.secrets, disabled_at = 0, disabled_reason = ''`,
			s.ids.next(EndpointPrefix, tx.Now), e.Tenant, e.URL, types, e.Secrets, micros(tx.Now), 0, "")
		if err != nil {
			return err
		}
		e, err = scanEndpoint(tx.row("SELECT "+endpointColumns+" FROM webhook_endpoints WHERE tenant = ? AND url = ?", e.Tenant, e.URL))
		tx.Audit(audit.Entry{Actor: by.String(), Action: "webhook_endpoint.put", Tenant: e.Tenant, Refs: map[string]string{"endpoint": e.ID}})
		return err
	})
	return e, err
}

// Endpoints lists a tenant's endpoints, oldest first.
func (s *Store) Endpoints(ctx context.Context, tenant string) ([]Endpoint, error) {
	return list(ctx, s, "list webhook endpoints", scanEndpoint, "SELECT "+endpointColumns+" FROM webhook_endpoints WHERE tenant = ? ORDER BY id", tenant)
}

// DisableEndpoint stops new deliveries to an endpoint; PutEndpoint enables it.
func (s *Store) DisableEndpoint(ctx context.Context, by Actor, id, reason string) error {
	return s.write(ctx, "disable webhook endpoint", func(tx *Tx) error { return tx.disableEndpoint(by, id, reason) })
}

func (tx *Tx) disableEndpoint(by Actor, id, reason string) error {
	e, err := scanEndpoint(tx.row("SELECT "+endpointColumns+" FROM webhook_endpoints WHERE id = ?"+tx.s.forUpdate(), id))
	if err != nil || !e.DisabledAt.IsZero() {
		return err
	}
	tx.Audit(audit.Entry{Actor: by.String(), Action: "webhook_endpoint.disable", Tenant: e.Tenant, Refs: map[string]string{"endpoint": id, "reason": clip(reason)}})
	tx.ends = nil
	_, err = tx.exec("UPDATE webhook_endpoints SET disabled_at = ?, disabled_reason = ? WHERE id = ?", micros(tx.Now), clip(reason), id)
	return err
}

// announce writes the event of a transition and, for each endpoint that wants
// it, a delivery and its outbox row.
func (tx *Tx) announce(ses *Session, from State, notice string, codes []string) error {
	n := Notice{Type: notice, Timestamp: tx.Now, Data: NoticeData{
		EventID: tx.s.ids.next(EventPrefix, tx.Now), SessionID: ses.ID, Sequence: ses.Version,
		State: ses.State, PreviousState: from, Attempt: ses.Attempt, Codes: codes,
		CorrelationID: ses.CorrelationID, ExternalRef: ses.ExternalRef, Test: ses.Test(),
	}}
	if n.Data.Codes == nil {
		n.Data.Codes = []string{}
	}
	if d := ses.Decision; d != nil && (notice == NoticeDecided || notice == NoticeReview || notice == NoticeResubmission) {
		n.Data.Outcome, n.Data.Retake = string(d.Outcome), d.Retake
	}
	body, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode webhook event: %w", err)
	}
	enabled, err := tx.receivers(ses)
	if err != nil {
		return err
	}
	var ends []Endpoint
	for _, e := range enabled {
		if len(e.Types) == 0 || slices.Contains(e.Types, notice) {
			ends = append(ends, e)
		}
	}
	if len(ends) == 0 {
		return nil
	}
	if err := tx.later("record webhook event", "INSERT INTO webhook_events (id, session, type, body, created_at) VALUES (?, ?, ?, ?, ?)",
		n.Data.EventID, ses.ID, notice, body, micros(tx.Now)); err != nil {
		return err
	}
	for _, e := range ends {
		id := tx.s.ids.next(DeliveryPrefix, tx.Now)
		if err := tx.later("record webhook delivery", `INSERT INTO webhook_deliveries (id, event, endpoint, session, tries, status, reason, next_at, created_at, updated_at, delivered_at)
			VALUES (`+marks(11)+`)`, id, n.Data.EventID, e.ID, ses.ID, 0, 0, "", micros(tx.Now), micros(tx.Now), micros(tx.Now), 0); err != nil {
			return err
		}
		if err := tx.Enqueue(KindWebhook, ses.ID, ses.Attempt, id, ses.CorrelationID); err != nil {
			return err
		}
	}
	return nil
}

// endpoints reads a tenant's enabled endpoints, once for all writes that share
// the transaction.
func (tx *Tx) endpoints(tenant string) ([]Endpoint, error) {
	if ends, ok := tx.ends[tenant]; ok {
		return ends, nil
	}
	rows, err := tx.rows("SELECT "+endpointColumns+" FROM webhook_endpoints WHERE tenant = ? AND disabled_at = 0 ORDER BY id", tenant)
	ends, err := collect(rows, err, "find webhook endpoints", scanEndpoint)
	if err != nil {
		return nil, err
	}
	if tx.ends == nil {
		tx.ends = map[string][]Endpoint{}
	}
	tx.ends[tenant] = ends
	return ends, nil
}

const deliveryQuery = `SELECT e.id, e.tenant, e.url, e.types, e.secrets, e.created_at, e.disabled_at, e.disabled_reason,
	d.id, d.event, v.type, d.session, v.body, d.tries, d.status, d.reason, d.created_at, d.next_at, d.delivered_at, o.id
	FROM webhook_deliveries d JOIN webhook_events v ON v.id = d.event JOIN webhook_endpoints e ON e.id = d.endpoint
	LEFT JOIN outbox o ON o.kind = 'webhook' AND o.session = d.session AND o.ref = d.id `

func scanDelivery(r scanner) (Delivery, error) {
	var d Delivery
	var created, next, delivered int64
	var outbox sql.NullString
	e, err := scanEndpointAnd(r, &d.ID, &d.Event, &d.Type, &d.Session, &d.Body, &d.Tries, &d.Status, &d.Reason, &created, &next, &delivered, &outbox)
	d.Endpoint, d.Outbox = e, outbox.String
	d.CreatedAt, d.NextAt, d.Delivered = fromMicros(created), fromMicros(next), fromMicros(delivered)
	return d, err
}

// Delivery returns a delivery with its endpoint, or ErrNotFound.
func (s *Store) Delivery(ctx context.Context, id string) (Delivery, error) {
	d, err := scanDelivery(s.queryRow(ctx, deliveryQuery+"WHERE d.id = ?", id))
	if err != nil {
		return Delivery{}, fmt.Errorf("read delivery: %w", err)
	}
	return d, nil
}

// Deliveries returns the deliveries of a session, oldest first, at most 1000.
func (s *Store) Deliveries(ctx context.Context, session string) ([]Delivery, error) {
	return list(ctx, s, "read deliveries", scanDelivery, deliveryQuery+"WHERE d.session = ? ORDER BY d.id LIMIT 1000", session)
}

// RecordDelivery keeps the result of a try and settles the outbox row: done,
// pending again at RetryAt, or dead. A result that comes after the delivery
// succeeded changes nothing.
func (s *Store) RecordDelivery(ctx context.Context, d Delivery, r DeliveryResult) error {
	return s.write(ctx, "record delivery", func(tx *Tx) error {
		at, state, outboxAt := int64(0), Dead, tx.Now
		switch {
		case r.Delivered:
			at, state = micros(tx.Now), Done
		case !r.RetryAt.IsZero() && !r.Disable:
			state, outboxAt = Pending, r.RetryAt
		}
		n, err := tx.exec(`UPDATE webhook_deliveries SET tries = tries + 1, status = ?, reason = ?, next_at = ?, updated_at = ?, delivered_at = ?
			WHERE id = ? AND delivered_at = 0`, r.Status, clip(r.Reason), micros(r.RetryAt), micros(tx.Now), at, d.ID)
		if err != nil || n == 0 {
			return err
		}
		if d.Outbox != "" {
			retry := 0
			if state == Pending {
				retry = 1
			}
			if err := tx.setOutbox(d.Outbox, state, r.Reason, outboxAt, retry); err != nil {
				return err
			}
		}
		if r.Disable {
			if err := tx.disableEndpoint(Actor{Role: System, ID: "webhook"}, d.Endpoint.ID, r.Reason); err != nil {
				return err
			}
		}
		if state == Pending {
			return nil
		}
		action := "webhook.delivered"
		if state == Dead {
			action = "webhook.given_up"
		}
		tx.Audit(audit.Entry{Actor: string(System) + ":webhook", Action: action, Session: d.Session, Tenant: d.Endpoint.Tenant,
			Refs: map[string]string{"event": d.Event, "delivery": d.ID, "endpoint": d.Endpoint.ID, "status": strconv.Itoa(r.Status)}})
		return nil
	})
}
