package load

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/proofline/proofline/client"
)

// Case is what one person has in hand.
type Case struct {
	Kind         string
	DocumentType string
	Photos       map[string][]byte // by kind of evidence, JPEG
	// Before holds photos that are sent first and that the gate is to refuse.
	Before map[string][]byte
	Claims map[string]string
}

// Target is the server under load.
type Target struct {
	URL string
	// Keys are API keys, used in turn: a key has a limit of requests a minute.
	Keys []string
	// Poll is how often a person's page asks whether there is a decision.
	Poll time.Duration
	// Addresses makes each person come from an address of their own, by
	// X-Forwarded-For, which the server has to trust the generator for. Without
	// it one address's limit of requests bounds the load.
	Addresses bool
	Cases     []Case // taken in turn
	// Submitted, when it is not nil, is told of every submission, and Work, when
	// it is not nil, is waited for before a person asks for the decision.
	Submitted func()
	Work      <-chan struct{}
	Recorder  *Recorder
	Transport http.RoundTripper
}

// order is that of uploads.
var order = []string{"document_front", "document_back", "selfie"}

// Person plays one case as a relying service and a capture page would.
func (t *Target) Person(ctx context.Context, n int, intended time.Time) (string, error) {
	c := t.Cases[n%len(t.Cases)]
	h := &http.Client{Transport: &counted{next: t.Transport, rec: t.Recorder, address: t.address(n)}}
	service := client.NewService(t.URL, t.Keys[n%len(t.Keys)], h)
	from := intended
	step := func(name string) {
		now := time.Now()
		t.Recorder.Step(name, now.Sub(from))
		from = now
	}
	created, err := service.CreateSession(ctx, client.NewSession{DocumentType: c.DocumentType, Claims: c.Claims}, fmt.Sprintf("bench-%d-%d", n, intended.UnixNano()))
	if err != nil {
		return "", fmt.Errorf("create: %w", err)
	}
	step(Create)
	capture := client.NewCapture(t.URL, created.ClientToken, h)
	if _, err := capture.GiveConsent(ctx, "bench", "en"); err != nil {
		return "", fmt.Errorf("consent: %w", err)
	}
	step(Consent)
	for _, kind := range order {
		if bad := c.Before[kind]; bad != nil {
			if a, err := capture.Upload(ctx, kind, "", bad, "image/jpeg"); err != nil {
				return "", fmt.Errorf("upload: %w", err)
			} else if a.Accepted {
				t.Recorder.Error("gate accepted a photo that was to be refused")
			}
			step(Refusal)
		}
		if c.Photos[kind] == nil {
			continue
		}
		a, err := capture.Upload(ctx, kind, "", c.Photos[kind], "image/jpeg")
		if err != nil {
			return "", fmt.Errorf("upload: %w", err)
		}
		step(Upload)
		if !a.Accepted {
			t.Recorder.Error("gate refused a photo that was to be accepted")
			if _, err := capture.Insist(ctx, kind, "", c.Photos[kind], "image/jpeg"); err != nil {
				return "", fmt.Errorf("upload: %w", err)
			}
			from = time.Now()
		}
	}
	if _, err := capture.Submit(ctx); err != nil {
		return "", fmt.Errorf("submit: %w", err)
	}
	step(Submit)
	submitted := from
	if t.Submitted != nil {
		t.Submitted()
	}
	ses, err := t.decided(ctx, service, capture, created.Session.ID)
	if err != nil {
		return "", fmt.Errorf("decision: %w", err)
	}
	// The server's own times: asking now and then would round them up.
	took := ses.Decision.At.Sub(*ses.SubmittedAt)
	t.Recorder.Step(Decision, took)
	t.Recorder.decided(ses.Decision.At)
	t.Recorder.Step(Whole, submitted.Sub(intended)+took)
	return ses.State, nil
}

func (t *Target) decided(ctx context.Context, service *client.Service, capture *client.Capture, id string) (*client.Session, error) {
	if t.Work != nil {
		select {
		case <-t.Work:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	tick := time.NewTicker(max(t.Poll, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
		s, err := capture.Status(ctx)
		if err != nil {
			return nil, err
		}
		if !slices.Contains([]string{"approved", "rejected", "pending_review", "needs_resubmission", "expired"}, s.State) {
			continue
		}
		ses, err := service.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		if ses.Decision == nil || ses.SubmittedAt == nil {
			return nil, fmt.Errorf("session ended as %s without a decision", ses.State)
		}
		return ses, nil
	}
}

// address is one of 2^24 of 10.0.0.0/8.
func (t *Target) address(n int) string {
	if !t.Addresses {
		return ""
	}
	return fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)
}

// counted counts answers that are no success; the client sends some requests
// again, which would hide them.
type counted struct {
	next    http.RoundTripper
	rec     *Recorder
	address string
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.address != "" {
		r = r.Clone(r.Context())
		r.Header.Set("X-Forwarded-For", c.address)
	}
	next := c.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(r)
	if err != nil && r.Context().Err() == nil {
		c.rec.Error("no answer")
	} else if err == nil && resp.StatusCode >= 400 {
		c.rec.Error(fmt.Sprintf("answer %d", resp.StatusCode))
	}
	return resp, err
}

// kindOf names an error without what it says of one case.
func kindOf(err error) string {
	var p *client.Problem
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no decision in time"
	case errors.As(err, &p):
		return "case lost: " + p.Code
	}
	return "case lost"
}
