package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// maxJSON bounds the bodies of JSON requests.
const maxJSON = 64 << 10

// ClaimsKind is the kind of the vault object that holds a session's claims, a
// JSON object of strings, in the class extracted_fields.
const ClaimsKind = "claims"

func (a *api) operation(h huma.API, method, path, id, summary, scope string, need access.Permission) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"sessions"},
		MaxBodyBytes: maxJSON, BodyReadTimeout: a.limits.BodyTime,
		Security:    []map[string][]string{{"apiKey": {scope}}},
		Middlewares: huma.Middlewares{a.withKey(h, scope)},
		Errors:      []int{400, 401, 403, 404, 409, 429, 500, 503},
		Extensions:  map[string]any{permissionKey: string(need)},
	}
}

func (a *api) registerSessions(h huma.API) {
	create := a.operation(h, http.MethodPost, "/v1/sessions", "create-session", "Create a session", ScopeSessionsCreate, access.SessionMake)
	create.DefaultStatus = http.StatusCreated
	create.Errors = append(create.Errors, 422)
	huma.Register(h, create, a.createSession)
	huma.Register(h, a.operation(h, http.MethodGet, "/v1/sessions", "list-sessions", "List sessions, newest first", ScopeSessionsRead, access.SessionRead), a.listSessions)
	huma.Register(h, a.operation(h, http.MethodGet, "/v1/sessions/{id}", "get-session", "Read a session", ScopeSessionsRead, access.SessionRead), a.getSession)
	link := a.operation(h, http.MethodPost, "/v1/sessions/{id}/links", "create-link", "Make another capture link", ScopeSessionsCreate, access.SessionMake)
	link.DefaultStatus = http.StatusCreated
	huma.Register(h, link, a.createLink)
	erase := a.operation(h, http.MethodDelete, "/v1/sessions/{id}/evidence", "erase-evidence", "Erase everything kept for a session", ScopeEvidenceErase, access.Erase)
	erase.DefaultStatus = http.StatusAccepted
	huma.Register(h, erase, a.eraseEvidence)
	huma.Register(h, a.operation(h, http.MethodPost, "/v1/sessions/{id}/cancellation", "cancel-session", "End a session that waits for the person", ScopeSessionsCreate, access.SessionEnd), a.cancelSession)
	withdraw := a.operation(h, http.MethodPost, "/v1/sessions/{id}/withdrawal", "withdraw-session", "Withdraw the person's consent: the session ends, its evidence is erased", ScopeEvidenceErase, access.ConsentEnd)
	withdraw.DefaultStatus = http.StatusAccepted
	huma.Register(h, withdraw, a.withdrawSession)
	if a.deps.Desk != nil {
		attributes := a.operation(h, http.MethodGet, "/v1/sessions/{id}/attributes", "get-attributes", "The fields of an approved session that the policy grants", ScopeAttributes, access.Attributes)
		attributes.Errors = append(attributes.Errors, 410)
		huma.Register(h, attributes, a.attributes)
	}
}

type createInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"1 to 128 printable characters, best a UUID. A repetition with the same body answers with the same session for 24 hours; with another body it answers 422."`
	Body           client.NewSession
}

// Resolve refuses a header that is there and says nothing: whoever sends it
// means to be protected, and would not be.
func (in *createInput) Resolve(ctx huma.Context) []error {
	r, _ := humachi.Unwrap(ctx)
	if vs := r.Header.Values("Idempotency-Key"); len(vs) > 1 || len(vs) == 1 && vs[0] == "" {
		return []error{newProblem(client.CodeIdempotencyInvalid, "The header has one key of 1 to 128 printable ASCII characters, or is left out.")}
	}
	return nil
}

type createOutput struct {
	ETag string `header:"ETag"`
	Body client.Created
}

var keyForm = regexp.MustCompile(`^[\x21-\x7e]{1,128}$`)

// ClaimNames are the fields that claims can speak of: those that the pipeline
// reads from documents.
var ClaimNames = []string{"surname", "given_names", "birth_date", "document_number", "expiry_date", "issuing_state", "nationality", "sex"}

// checkClaims refuses what the pipeline could not compare. A misspelt name that
// was accepted would be a check that is never made.
func checkClaims(claims map[string]string) *problem {
	for name, value := range claims {
		at := "body.claims"
		fault := ""
		switch {
		case !slices.Contains(ClaimNames, name):
			fault = "claims are named " + strings.Join(ClaimNames, ", ")
		case value == "" || len(value) > 256 || !utf8.ValidString(value):
			at, fault = at+"."+name, "expected 1 to 256 bytes of text"
		case strings.HasSuffix(name, "_date"):
			if _, err := time.Parse(time.DateOnly, value); err != nil {
				at, fault = at+"."+name, "expected a date such as 1974-08-12"
			}
		}
		if fault != "" {
			p := newProblem(client.CodeInvalidRequest, "A claim can not be compared.")
			p.Errors = []client.Fault{{Location: at, Message: fault}}
			return p
		}
	}
	return nil
}

func (a *api) createSession(ctx context.Context, in *createInput) (*createOutput, error) {
	if p := checkClaims(in.Body.Claims); p != nil {
		return nil, p
	}
	if in.IdempotencyKey == "" {
		ses, err := a.newSession(ctx, in, "")
		if err != nil {
			return nil, fromError(err)
		}
		return a.created(ctx, ses)
	}
	if !keyForm.MatchString(in.IdempotencyKey) {
		return nil, newProblem(client.CodeIdempotencyInvalid, "The key has 1 to 128 printable ASCII characters.")
	}
	body, err := json.Marshal(in.Body) // maps are written in the order of their keys
	if err != nil {
		return nil, fromError(fmt.Errorf("fingerprint request: %w", err))
	}
	key := apiKey(ctx)
	print := digest(append([]byte("POST /v1/sessions\n"), body...))
	i, err := a.deps.Store.BeginIdempotent(ctx, key.Tenant, in.IdempotencyKey, print, a.limits.IdempotencyLife)
	if err != nil {
		return nil, fromError(err)
	}
	if i.Replay() {
		// The record holds the session's id, not the token: secrets are kept
		// as hashes only, so a repetition gets a token of its own.
		ses, err := a.owned(ctx, string(i.Response))
		if err != nil {
			return nil, fromError(err)
		}
		return a.created(ctx, ses)
	}
	// The request may be cancelled from here on; the record must not be.
	late := context.WithoutCancel(ctx)
	ses, err := a.newSession(ctx, in, digest([]byte(in.IdempotencyKey + "\n" + print))[:40])
	if err != nil {
		if e := a.deps.Store.AbandonIdempotent(late, i); e != nil {
			a.log.ErrorContext(ctx, "free idempotency key", "request_id", requestID(ctx), "cause", e.Error())
		}
		return nil, fromError(err)
	}
	if err := a.deps.Store.FinishIdempotent(late, i, http.StatusCreated, []byte(ses.ID)); err != nil {
		return nil, fromError(err)
	}
	return a.created(ctx, ses)
}

// newSession creates the session and stores its claims. unique makes both safe
// to repeat after a crash in between.
func (a *api) newSession(ctx context.Context, in *createInput, unique string) (*session.Session, error) {
	key, b := apiKey(ctx), in.Body
	rules, id := a.deps.Current(), "" // once: it can change at any time
	// What a canary is judged by are real cases.
	if a.deps.Choose != nil && !key.Test() {
		id = a.deps.Store.NewID()
		rules = a.deps.Choose(id)
	}
	cell := rules.Cell(policy.Context{Segment: b.Segment, Jurisdiction: b.Jurisdiction, DocumentType: b.DocumentType, Signals: b.Signals})
	if !cell.Accepts(b.DocumentType) && b.DocumentType != "" {
		p := newProblem(client.CodeInvalidRequest, "The policy accepts no such document.")
		p.Errors = []client.Fault{{Location: "body.document_type", Message: "accepted here: " + strings.Join(cell.Documents, ", ")}}
		return nil, p
	}
	// Better no session than one whose photos would have to lie somewhere else.
	if !a.deps.Vault.HasRegion(cell.Residency) {
		return nil, fmt.Errorf("create session: residency %q: %w", cell.Residency, storage.ErrRegion)
	}
	magic, p := sandbox(key, b.ExternalRef)
	if p != nil {
		return nil, p
	}
	ttl := time.Duration(cell.Expires)
	if b.ExpiresIn > 0 {
		ttl = time.Duration(b.ExpiresIn) * time.Second
	}
	attempts := 1
	if cell.Resubmissions != nil {
		attempts += *cell.Resubmissions
	}
	by := session.Actor{Role: session.Service, ID: key.ID}
	ses, err := a.deps.Store.Create(ctx, session.New{
		ID: id, Tenant: key.Tenant, PolicyName: rules.Name, PolicyVersion: rules.Version, PolicyHash: rules.Hash(),
		Segment: b.Segment, Jurisdiction: b.Jurisdiction, DocumentType: b.DocumentType, Signals: b.Signals,
		ExternalRef: b.ExternalRef, Locale: b.Locale, MaxAttempts: attempts, TTL: ttl,
		Actor: by, IdempotencyKey: unique,
	})
	if err != nil {
		return nil, err
	}
	rec := recordOf(ctx)
	rec.session, rec.correl = ses.ID, ses.CorrelationID
	if ses.PolicyHash != rules.Hash() { // made by the first request of this key, under the other policy
		if rules, err = a.deps.PolicyOf(ctx, ses.PolicyHash); err != nil {
			return nil, fmt.Errorf("find policy of session: %w", err)
		}
		cell = rules.Cell(ses.Context())
	}
	if len(b.Claims) > 0 {
		if err := a.storeClaims(ctx, cell, ses, b.Claims); err != nil {
			// Without its claims the session would be judged by less than the
			// service asked for: it must not go on.
			_, e := a.deps.Store.Apply(context.WithoutCancel(ctx), ses.ID, session.AnyVersion, session.Event{Kind: session.Cancel, Actor: by}, nil)
			if e != nil {
				a.log.ErrorContext(ctx, "cancel session without claims", "request_id", rec.id, "session", ses.ID, "cause", e.Error())
			}
			return nil, err
		}
	}
	if key.Test() {
		return a.beginTest(ctx, ses, magic, by)
	}
	a.metrics.created.Inc()
	return ses, nil
}

func (a *api) storeClaims(ctx context.Context, cell policy.Cell, ses *session.Session, claims map[string]string) error {
	b, err := json.Marshal(claims)
	if err != nil {
		return fmt.Errorf("encode claims: %w", err)
	}
	defer clear(b)
	retain, err := cell.RetainUntil("extracted_fields", a.now())
	if err != nil {
		return fmt.Errorf("store claims: %w", err)
	}
	ref := storage.Ref{Session: ses.ID, Class: "extracted_fields", Kind: ClaimsKind, Region: cell.Residency}
	if _, err := a.deps.Vault.Put(ctx, ref, bytes.NewReader(b), retain); err != nil {
		return fmt.Errorf("store claims: %w", err)
	}
	return nil
}

func (a *api) created(ctx context.Context, ses *session.Session) (*createOutput, error) {
	l, err := a.link(ctx, ses)
	if err != nil {
		return nil, err
	}
	return &createOutput{ETag: etag(ses), Body: client.Created{
		Session: shown(ses), CaptureURL: l.CaptureURL, ClientToken: l.ClientToken, TokenExpiresAt: l.TokenExpiresAt,
	}}, nil
}

func (a *api) link(ctx context.Context, ses *session.Session) (client.Link, error) {
	by := session.Actor{Role: session.Service, ID: apiKey(ctx).ID}
	token, secret, err := a.deps.Store.IssueClientToken(ctx, by, ses.ID, tokenPurpose, a.limits.TokenLife)
	if err != nil {
		return client.Link{}, fromError(err)
	}
	return client.Link{CaptureURL: a.captureURL(secret), ClientToken: secret, TokenExpiresAt: token.ExpiresAt}, nil
}

type idInput struct {
	ID string `path:"id"`
}

type linkOutput struct{ Body client.Link }

func (a *api) createLink(ctx context.Context, in *idInput) (*linkOutput, error) {
	ses, err := a.owned(ctx, in.ID)
	if err != nil {
		return nil, fromError(err)
	}
	if ses.State.Terminal() {
		return nil, newProblem(client.CodeConflict, "The session is "+string(ses.State)+".")
	}
	l, err := a.link(ctx, ses)
	if err != nil {
		return nil, err
	}
	return &linkOutput{Body: l}, nil
}

type sessionOutput struct {
	ETag string `header:"ETag"`
	Body client.Session
}

func (a *api) getSession(ctx context.Context, in *idInput) (*sessionOutput, error) {
	ses, err := a.owned(ctx, in.ID)
	if err != nil {
		return nil, fromError(err)
	}
	out := shown(ses)
	if out.ReviewDue, err = a.reviewDue(ctx, ses); err != nil {
		return nil, fromError(err)
	}
	if out.Evidence, err = a.evidenceState(ctx, ses.ID); err != nil {
		return nil, fromError(err)
	}
	return &sessionOutput{ETag: etag(ses), Body: out}, nil
}

type listInput struct {
	State       string `query:"state" enum:"initiated,capture_in_progress,submitted,pending_review,approved,rejected,expired,needs_resubmission"`
	ExternalRef string `query:"external_ref" maxLength:"128"`
	Cursor      string `query:"cursor" maxLength:"256"`
	Limit       int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type listOutput struct{ Body client.SessionPage }

func (a *api) listSessions(ctx context.Context, in *listInput) (*listOutput, error) {
	f := session.Filter{Tenant: apiKey(ctx).Tenant, ExternalRef: in.ExternalRef, Cursor: in.Cursor, Limit: in.Limit}
	if in.State != "" {
		f.States = []session.State{session.State(in.State)}
	}
	page, err := a.deps.Store.List(ctx, f)
	if err != nil {
		return nil, fromError(err)
	}
	out := client.SessionPage{Sessions: make([]client.Session, len(page.Sessions)), Next: page.Next}
	for i := range page.Sessions {
		out.Sessions[i] = shown(&page.Sessions[i])
	}
	return &listOutput{Body: out}, nil
}

type erasureOutput struct{ Body client.Erasure }

func (a *api) eraseEvidence(ctx context.Context, in *idInput) (*erasureOutput, error) {
	ses, err := a.owned(ctx, in.ID)
	if err != nil {
		return nil, fromError(err)
	}
	by := session.Actor{Role: session.Service, ID: apiKey(ctx).ID}
	if err := a.deps.Store.RequestErasure(ctx, ses.ID, by, "service_request"); err != nil {
		return nil, fromError(err)
	}
	return a.erasing(ctx, ses.ID)
}

func etag(s *session.Session) string { return strconv.Quote(strconv.FormatInt(s.Version, 10)) }

// shown is what a relying service may know of a session.
func shown(s *session.Session) client.Session {
	out := client.Session{
		ID: s.ID, State: string(s.State), Version: s.Version, Attempt: s.Attempt, MaxAttempts: s.MaxAttempts,
		Policy: s.PolicyName, PolicyVersion: s.PolicyVersion, PolicyHash: s.PolicyHash,
		Segment: s.Segment, Jurisdiction: s.Jurisdiction, DocumentType: s.DocumentType, Signals: s.Signals,
		ExternalRef: s.ExternalRef, CorrelationID: s.CorrelationID, Locale: s.Locale, Test: s.Test(), Simulated: s.Simulated, Device: s.Device,
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, ExpiresAt: s.ExpiresAt,
	}
	if s.Consent != nil {
		out.ConsentAt = &s.Consent.At
		if !s.Consent.WithdrawnAt.IsZero() {
			out.WithdrawnAt = &s.Consent.WithdrawnAt
		}
	}
	if !s.SubmittedAt.IsZero() {
		out.SubmittedAt = &s.SubmittedAt
	}
	if d := s.Decision; d != nil {
		out.Decision = shownDecision(d)
	}
	return out
}

// shownDecision leaves out what the catalogue does not show to services.
func shownDecision(d *session.Decision) *client.Decision {
	visible := func(c policy.Code) bool {
		i, ok := c.Info()
		return ok && i.For("service")
	}
	out := &client.Decision{
		Outcome: string(d.Outcome), Codes: []string{}, Reasons: []client.Reason{}, Retake: d.Retake,
		By: string(d.By), Attempt: d.Attempt, At: d.At,
	}
	for _, c := range d.Codes {
		if visible(c) {
			out.Codes = append(out.Codes, string(c))
		}
	}
	for _, r := range d.Reasons {
		if visible(r.Code) {
			out.Reasons = append(out.Reasons, client.Reason{
				Code: string(r.Code), Subject: r.Subject, Stage: r.Stage, Action: string(r.Action), Field: r.Field,
			})
		}
	}
	if d.Hint != nil && visible(d.Hint.Code) {
		out.Hint = shownHint(d.Hint)
	}
	return out
}

func shownHint(h *policy.Hint) *client.Hint {
	out := &client.Hint{Code: string(h.Code), Text: h.Text, Kind: h.Subject}
	for _, r := range h.Regions {
		out.Regions = append(out.Regions, client.Region(r))
	}
	return out
}
