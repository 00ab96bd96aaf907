package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Service is a relying service's side of the API.
type Service struct{ caller }

// NewService returns a client that authenticates with an API key. A nil
// http.Client means one with a timeout of two minutes.
func NewService(baseURL, apiKey string, c *http.Client) *Service {
	return &Service{newCaller(baseURL, apiKey, c)}
}

// CreateSession creates a session. A non-empty key makes it safe to repeat:
// the server answers a repetition with the same session.
func (s *Service) CreateSession(ctx context.Context, n NewSession, idempotencyKey string) (*Created, error) {
	h := http.Header{}
	if idempotencyKey != "" {
		h.Set("Idempotency-Key", idempotencyKey)
	}
	var out Created
	if err := s.json(ctx, http.MethodPost, "/v1/sessions", n, &out, idempotencyKey != "", h); err != nil {
		return nil, err
	}
	return &out, nil
}

// Get returns a session.
func (s *Service) Get(ctx context.Context, id string) (*Session, error) {
	var out Session
	if err := s.json(ctx, http.MethodGet, "/v1/sessions/"+url.PathEscape(id), nil, &out, true, nil); err != nil {
		return nil, err
	}
	return &out, nil
}

// List returns one page of sessions.
func (s *Service) List(ctx context.Context, f Filter) (*SessionPage, error) {
	q := url.Values{}
	for k, v := range map[string]string{"state": f.State, "external_ref": f.ExternalRef, "cursor": f.Cursor} {
		if v != "" {
			q.Set(k, v)
		}
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	var out SessionPage
	if err := s.json(ctx, http.MethodGet, "/v1/sessions?"+q.Encode(), nil, &out, true, nil); err != nil {
		return nil, err
	}
	return &out, nil
}

// NewLink makes another capture link for a session, for a person whose link
// expired or who goes on with another device.
func (s *Service) NewLink(ctx context.Context, id string) (*Link, error) {
	var out Link
	if err := s.json(ctx, http.MethodPost, "/v1/sessions/"+url.PathEscape(id)+"/links", nil, &out, true, nil); err != nil {
		return nil, err
	}
	return &out, nil
}

// EraseEvidence asks for the erasure of everything kept for a session.
func (s *Service) EraseEvidence(ctx context.Context, id string) error {
	return s.json(ctx, http.MethodDelete, "/v1/sessions/"+url.PathEscape(id)+"/evidence", nil, nil, true, nil)
}

// Attributes returns the fields of an approved session that the policy grants.
// After an erasure it is the problem evidence_erased, with the certificate.
func (s *Service) Attributes(ctx context.Context, id string) (*Attributes, error) {
	var out Attributes
	if err := s.json(ctx, http.MethodGet, "/v1/sessions/"+url.PathEscape(id)+"/attributes", nil, &out, true, nil); err != nil {
		return nil, err
	}
	return &out, nil
}

// Cancel ends a session that waits for the person.
func (s *Service) Cancel(ctx context.Context, id string) (*Session, error) {
	var out Session
	if err := s.json(ctx, http.MethodPost, "/v1/sessions/"+url.PathEscape(id)+"/cancellation", nil, &out, true, nil); err != nil {
		return nil, err
	}
	return &out, nil
}

// WithdrawConsent ends a session on the person's wish, whatever its state, and
// has its evidence erased.
func (s *Service) WithdrawConsent(ctx context.Context, id string) (*Erasure, error) {
	var out Erasure
	if err := s.json(ctx, http.MethodPost, "/v1/sessions/"+url.PathEscape(id)+"/withdrawal", nil, &out, true, nil); err != nil {
		return nil, err
	}
	return &out, nil
}

// Wait polls until the session is decided, referred to a person, expired, or
// needs another capture.
func (s *Service) Wait(ctx context.Context, id string) (*Session, error) {
	for every := 100 * time.Millisecond; ; every = min(2*every, 2*time.Second) {
		ses, err := s.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		switch ses.State {
		case "approved", "rejected", "expired", "pending_review", "needs_resubmission":
			return ses, nil
		}
		select {
		case <-ctx.Done():
			return ses, fmt.Errorf("wait for session %s in state %s: %w", id, ses.State, ctx.Err())
		case <-time.After(every):
		}
	}
}
