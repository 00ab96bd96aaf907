package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
)

// Staff is the side of the API for people who have an account: reviewers,
// privacy officers, auditors.
type Staff struct{ caller }

// NewStaff returns a client that acts with a login's token.
func NewStaff(baseURL, token string, c *http.Client) *Staff {
	return &Staff{newCaller(baseURL, token, c)}
}

// Login logs in with a password and returns a client that acts for the account.
func Login(ctx context.Context, baseURL string, c Credentials, h *http.Client) (*Staff, *LoggedIn, error) {
	s := NewStaff(baseURL, "", h)
	var out LoggedIn
	if err := s.json(ctx, http.MethodPost, "/v1/login", c, &out, false, nil); err != nil {
		return nil, nil, err
	}
	s.secret = out.Token
	return s, &out, nil
}

// call sends a request of staff and decodes its answer.
func call[T any](ctx context.Context, s *Staff, method, path string, in any, header http.Header) (*T, error) {
	var out T
	if err := s.json(ctx, method, path, in, &out, method == http.MethodGet, header); err != nil {
		return nil, err
	}
	return &out, nil
}

// Logout ends the login.
func (s *Staff) Logout(ctx context.Context) error {
	return s.json(ctx, http.MethodPost, "/v1/logout", nil, nil, true, nil)
}

// Account says who this is.
func (s *Staff) Account(ctx context.Context) (*Account, error) {
	return call[Account](ctx, s, http.MethodGet, "/v1/account", nil, nil)
}

// Reviews lists cases in review, oldest first.
func (s *Staff) Reviews(ctx context.Context, f ReviewFilter) (*ReviewPage, error) {
	q := url.Values{}
	for k, v := range map[string]string{"tenant": f.Tenant, "segment": f.Segment, "jurisdiction": f.Jurisdiction, "document_type": f.DocumentType, "code": f.Code, "cursor": f.Cursor} {
		if v != "" {
			q.Set(k, v)
		}
	}
	for k, v := range map[string]bool{"free": f.Free, "mine": f.Mine} {
		if v {
			q.Set(k, "true")
		}
	}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	return call[ReviewPage](ctx, s, http.MethodGet, "/v1/reviews?"+q.Encode(), nil, nil)
}

func reviewPath(id string) string { return "/v1/reviews/" + url.PathEscape(id) }

// Review returns what is known of a case without its evidence.
func (s *Staff) Review(ctx context.Context, id string) (*ReviewCase, error) {
	return call[ReviewCase](ctx, s, http.MethodGet, reviewPath(id), nil, nil)
}

// Claim takes a case, or keeps it for longer.
func (s *Staff) Claim(ctx context.Context, id string) (*Claim, error) {
	return call[Claim](ctx, s, http.MethodPost, reviewPath(id)+"/claim", nil, nil)
}

// Release gives a case back.
func (s *Staff) Release(ctx context.Context, id string) error {
	return s.json(ctx, http.MethodDelete, reviewPath(id)+"/claim", nil, nil, true, nil)
}

// Decide decides a claimed case as the reviewer saw it at a version; one that
// was changed since answers the problem precondition_failed.
func (s *Staff) Decide(ctx context.Context, id string, version int64, v Verdict) (*Reviewed, error) {
	h := http.Header{"If-Match": {strconv.Quote(strconv.FormatInt(version, 10))}}
	return call[Reviewed](ctx, s, http.MethodPost, reviewPath(id)+"/decision", v, h)
}

// AskGrant asks for access to a case's evidence.
func (s *Staff) AskGrant(ctx context.Context, a AskGrant) (*Grant, error) {
	return call[Grant](ctx, s, http.MethodPost, "/v1/evidence/grants", a, nil)
}

// Grants lists grants of a case ("" = of all cases).
func (s *Staff) Grants(ctx context.Context, id string) (*GrantPage, error) {
	return call[GrantPage](ctx, s, http.MethodGet, "/v1/evidence/grants?session="+url.QueryEscape(id), nil, nil)
}

// ApproveGrant approves somebody else's grant.
func (s *Staff) ApproveGrant(ctx context.Context, grant string) (*Grant, error) {
	return call[Grant](ctx, s, http.MethodPost, "/v1/evidence/grants/"+url.PathEscape(grant)+"/approval", nil, nil)
}

// EndGrant ends a grant, or declines it.
func (s *Staff) EndGrant(ctx context.Context, grant string) (*Grant, error) {
	return call[Grant](ctx, s, http.MethodDelete, "/v1/evidence/grants/"+url.PathEscape(grant), nil, nil)
}

// OpenEvidence returns a picture under a grant; the opening is in the audit log.
func (s *Staff) OpenEvidence(ctx context.Context, grant, object string) ([]byte, error) {
	return s.bytes(ctx, "/v1/evidence/grants/"+url.PathEscape(grant)+"/objects/"+url.PathEscape(object))
}

// Fields returns what was read of the document, under a grant.
func (s *Staff) Fields(ctx context.Context, grant string) (*Fields, error) {
	return call[Fields](ctx, s, http.MethodGet, "/v1/evidence/grants/"+url.PathEscape(grant)+"/fields", nil, nil)
}

func casePath(id, what string) string { return "/v1/cases/" + url.PathEscape(id) + "/" + what }

// Timeline returns all that the audit log says of a case. It reads pages.
func (s *Staff) Timeline(ctx context.Context, id string) (*Timeline, error) {
	out, err := s.TimelinePage(ctx, id, -1)
	for page := out; err == nil && page.Truncated && page.Next != nil; {
		if page, err = s.TimelinePage(ctx, id, *page.Next); err == nil {
			out.Entries = append(out.Entries, page.Entries...)
		}
	}
	if err != nil {
		return nil, err
	}
	out.Truncated, out.Next = false, nil
	return out, nil
}

// TimelinePage returns what the audit log says of a case behind the entry
// numbered after; -1: from the first.
func (s *Staff) TimelinePage(ctx context.Context, id string, after int64) (*Timeline, error) {
	return call[Timeline](ctx, s, http.MethodGet, casePath(id, "timeline")+"?cursor="+strconv.FormatInt(after, 10), nil, nil)
}

// WithdrawConsent ends a case on the person's wish and has its evidence erased.
func (s *Staff) WithdrawConsent(ctx context.Context, id string) (*Erasure, error) {
	return call[Erasure](ctx, s, http.MethodPost, casePath(id, "withdrawal"), nil, nil)
}

// EraseEvidence has a case's evidence erased.
func (s *Staff) EraseEvidence(ctx context.Context, id string) (*Erasure, error) {
	return call[Erasure](ctx, s, http.MethodDelete, casePath(id, "evidence"), nil, nil)
}

// CancelCase ends a case that waits for the person.
func (s *Staff) CancelCase(ctx context.Context, id string) error {
	return s.json(ctx, http.MethodPost, casePath(id, "cancellation"), nil, nil, false, nil)
}

// PlaceHold places a legal hold on a case's evidence.
func (s *Staff) PlaceHold(ctx context.Context, id string, h NewHold) (*Hold, error) {
	return call[Hold](ctx, s, http.MethodPost, casePath(id, "holds"), h, nil)
}

// Holds lists legal holds of a case ("" = of all), active ones only or all.
func (s *Staff) Holds(ctx context.Context, id string, active bool) (*HoldPage, error) {
	return call[HoldPage](ctx, s, http.MethodGet, "/v1/holds?"+url.Values{"session": {id}, "active": {strconv.FormatBool(active)}}.Encode(), nil, nil)
}

// LiftHold ends a legal hold. reason is a short code.
func (s *Staff) LiftHold(ctx context.Context, hold, reason string) (*Hold, error) {
	return call[Hold](ctx, s, http.MethodDelete, "/v1/holds/"+url.PathEscape(hold)+"?reason="+url.QueryEscape(reason), nil, nil)
}
