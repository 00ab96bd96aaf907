// Package webhook carries a session's events to a relying service as Standard
// Webhooks 1.0 (https://www.standardwebhooks.com): signed, retried on the
// specification's schedule, and never to an address inside the own network.
//
// The types to know are [Key], a signing secret, and [Deliverer], which makes
// one try of one delivery and says what became of it. It keeps no queue and no
// state: package session holds deliveries and their bytes, package pipeline
// runs [Deliverer.Deliver] as a task, and session.Store.RecordDelivery settles
// the result. Bodies are session.Notice values: ids, states, codes and a
// sequence number, no personal data.
//
// A receiver uses [Verify] and [Parse]:
//
//	body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, webhook.MaxBody))
//	err := webhook.Verify(body, r.Header, time.Now(), keys...)
//	event, err := webhook.Parse(body)
//
// and then drops what it has seen by the webhook-id header, and what is older
// than what it knows by Data.Sequence: events can arrive twice and in any order.
package webhook
