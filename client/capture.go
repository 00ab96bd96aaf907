package client

import (
	"context"
	"net/http"
	"net/url"
)

// Capture is a capture client's side of the API: it acts for one session.
type Capture struct{ caller }

// NewCapture returns a client that authenticates with a session's token.
func NewCapture(baseURL, token string, c *http.Client) *Capture {
	return &Capture{newCaller(baseURL, token, c)}
}

// Status says where the session stands and what it needs.
func (c *Capture) Status(ctx context.Context) (*Status, error) {
	return c.status(ctx, http.MethodGet, "/v1/capture", nil)
}

// GiveConsent records that the person agreed.
func (c *Capture) GiveConsent(ctx context.Context, textVersion, locale string) (*Status, error) {
	return c.status(ctx, http.MethodPost, "/v1/capture/consent", Consent{Accepted: true, TextVersion: textVersion, Locale: locale})
}

// WithdrawConsent ends the session and has everything that was sent erased.
func (c *Capture) WithdrawConsent(ctx context.Context) (*Erasure, error) {
	var out Erasure
	if err := c.json(ctx, http.MethodPost, "/v1/capture/withdrawal", nil, &out, true, nil); err != nil {
		return nil, err
	}
	return &out, nil
}

// Upload sends one photo. documentType says what the person uses; it may be
// empty when the relying service fixed it. A photo that the gate refuses is no
// error: look at Accepted.
func (c *Capture) Upload(ctx context.Context, kind, documentType string, photo []byte, contentType string) (*Photo, error) {
	return c.upload(ctx, kind, url.Values{"document_type": {documentType}}, photo, contentType)
}

// Insist sends a photo that is to be kept although the gate would refuse it;
// the case then decides. Only a file that is no usable image is still refused.
func (c *Capture) Insist(ctx context.Context, kind, documentType string, photo []byte, contentType string) (*Photo, error) {
	return c.upload(ctx, kind, url.Values{"document_type": {documentType}, "insist": {"true"}}, photo, contentType)
}

func (c *Capture) upload(ctx context.Context, kind string, query url.Values, photo []byte, contentType string) (*Photo, error) {
	if query.Get("document_type") == "" {
		query.Del("document_type")
	}
	path := "/v1/capture/evidence/" + url.PathEscape(kind)
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var out Photo
	err := c.do(ctx, request{method: http.MethodPost, path: path, body: photo, contentType: contentType, repeat: true}, &out)
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// Challenge draws a challenge for the person; hints say what the client noticed
// about its camera.
func (c *Capture) Challenge(ctx context.Context, hints ...string) (*Challenge, error) {
	var out Challenge
	if err := c.json(ctx, http.MethodPost, "/v1/capture/challenge", ChallengeRequest{Hints: hints}, &out, false, nil); err != nil {
		return nil, err
	}
	return &out, nil
}

// ChooseAssistance takes another way than the challenge: a person looks.
func (c *Capture) ChooseAssistance(ctx context.Context) (*Status, error) {
	return c.status(ctx, http.MethodPost, "/v1/capture/challenge/assistance", struct{}{})
}

// Submit ends the capture; a decision follows.
func (c *Capture) Submit(ctx context.Context) (*Status, error) {
	return c.status(ctx, http.MethodPost, "/v1/capture/submit", struct{}{})
}

func (c *Capture) status(ctx context.Context, method, path string, in any) (*Status, error) {
	var out Status
	// Consent and submit are events that change nothing when they come twice.
	if err := c.json(ctx, method, path, in, &out, true, nil); err != nil {
		return nil, err
	}
	return &out, nil
}
