package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/webhook"
)

// WebhookPurpose is the purpose under which an endpoint's signing keys are
// sealed: storage.SealSecret(ctx, keyring, pipeline.WebhookPurpose, keys).
const WebhookPurpose = "webhook endpoint keys"

// deliver makes one try of a webhook.
func (w *Worker) deliver(ctx context.Context, row session.Outbox) error {
	later := func(reason string) error {
		return w.c.Store.Requeue(ctx, row.ID, time.Now().Add(backoff(row.Tries+1, requeueBase, requeueLimit)), reason)
	}
	if w.c.Webhooks == nil || w.c.Keyring == nil {
		return later("no_deliverer")
	}
	d, err := w.c.Store.Delivery(ctx, row.Ref)
	if errors.Is(err, session.ErrNotFound) {
		return w.c.Store.MarkDead(ctx, row.ID, "no_delivery")
	}
	if err != nil {
		return err
	}
	if !d.Delivered.IsZero() {
		return w.c.Store.MarkDone(ctx, row.ID)
	}
	text, err := storage.OpenSecret(ctx, w.c.Keyring, WebhookPurpose, d.Endpoint.Secrets)
	var keys []webhook.Key
	if err == nil {
		keys, err = webhook.ParseKeys(text)
		clear(text)
	}
	if err != nil {
		w.log.Error("webhook not sent: the endpoint's keys can not be read", "endpoint", d.Endpoint.ID, "error", err)
		return later("keys")
	}
	r, err := w.c.Webhooks.Deliver(ctx, d, keys)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.log.Warn("webhook not tried", "delivery", d.ID, "endpoint", d.Endpoint.ID, "error", err)
		return later("not_tried")
	}
	w.c.Metrics.delivery(r)
	traceDelivery(ctx, d, r)
	return w.c.Store.RecordDelivery(context.WithoutCancel(ctx), d, r)
}

// heldWait is how often an erasure looks whether its legal hold is over.
const heldWait = time.Hour

// erasable are the classes that an erasure takes. The outcome and the consent
// stay for their own time: they show that the processing was lawful, and hold
// no picture and no field.
var erasable = []storage.Class{storage.CaptureImage, storage.BiometricTemplate, storage.ExtractedFields, storage.ReviewNote}

// erase destroys the evidence of a session, on request.
func (w *Worker) erase(ctx context.Context, row session.Outbox) error {
	certs, err := EraseEvidence(ctx, w.c.Store, w.c.Vault, w.actor, row)
	for _, cert := range certs {
		if len(cert.Pending) > 0 {
			w.log.Warn("evidence is unreadable, its bytes could not be deleted yet", "session", row.Session, "class", cert.Class, "objects", len(cert.Pending))
		}
	}
	if errors.Is(err, storage.ErrHeld) {
		// Lifting the hold wakes the row; this is for the case that it does not.
		return w.c.Store.Requeue(ctx, row.ID, time.Now().Add(heldWait), session.HeldReason)
	}
	if err != nil {
		w.log.Error("erasure failed and is tried again", "session", row.Session, "tries", row.Tries+1, "error", err)
		return w.c.Store.Requeue(ctx, row.ID, time.Now().Add(backoff(row.Tries+1, requeueBase, requeueLimit)), "erasure")
	}
	return nil
}

// EraseEvidence carries out the erasure that an outbox row of kind erase asks
// for: data keys, objects, certificates, and what the store knows of the photos.
// The row is done with it.
func EraseEvidence(ctx context.Context, s *session.Store, v *storage.Vault, by session.Actor, row session.Outbox) ([]storage.Certificate, error) {
	refs, hashes := map[string]string{"reason": row.Ref}, map[string]string{}
	var certs []storage.Certificate
	for _, class := range erasable {
		cert, err := v.Erase(ctx, row.Session, class)
		if err == nil {
			err = keepCertificate(ctx, v, cert, refs, hashes)
		}
		if err != nil {
			return certs, fmt.Errorf("erase %s: %w", class, err)
		}
		certs = append(certs, cert)
	}
	if err := s.EvidenceErased(ctx, row.ID, row.Session, by, refs, hashes); err != nil {
		return certs, err
	}
	for _, cert := range certs {
		if err := v.Certified(ctx, cert); err != nil {
			return certs, err // the sweeper certifies it once more
		}
	}
	return certs, nil
}

// CertificateTime is how long a deletion certificate is kept beside the log,
// which keeps its digest for ever.
const CertificateTime = 10 * 365 * 24 * time.Hour

// keepCertificate stores a certificate with the session's outcome and notes its
// place and digest for the audit log.
func keepCertificate(ctx context.Context, v *storage.Vault, c storage.Certificate, refs, hashes map[string]string) error {
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode certificate: %w", err)
	}
	sum := sha256.Sum256(b)
	hashes["certificate_"+string(c.Class)] = hex.EncodeToString(sum[:])
	o, err := v.PutBytes(ctx, storage.Ref{Session: c.Session, Class: storage.Outcome, Kind: "deletion_certificate"}, b, c.IssuedAt.Add(CertificateTime))
	if err != nil && !errors.Is(err, storage.ErrErased) {
		return fmt.Errorf("keep certificate: %w", err)
	}
	if err == nil { // otherwise the outcome has gone before; the log has the digest
		refs["certificate_"+string(c.Class)] = o.ID
	}
	return nil
}
