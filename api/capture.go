package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

const evidencePath = "/v1/capture/evidence/"

func (a *api) captureOperation(h huma.API, method, path, id, summary string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"capture"},
		MaxBodyBytes: maxJSON, BodyReadTimeout: a.limits.BodyTime,
		Security:    []map[string][]string{{"clientToken": {}}},
		Middlewares: huma.Middlewares{a.withToken(h)},
		Errors:      []int{400, 401, 404, 409, 410, 429, 500, 503},
		Extensions:  map[string]any{permissionKey: string(access.CaptureUse)},
	}
}

func (a *api) registerCapture(h huma.API) {
	huma.Register(h, a.captureOperation(h, http.MethodGet, "/v1/capture", "capture-status", "Where the session stands and what it needs"), a.captureStatus)
	huma.Register(h, a.captureOperation(h, http.MethodPost, "/v1/capture/consent", "give-consent", "Record that the person agreed"), a.giveConsent)
	submit := a.captureOperation(h, http.MethodPost, "/v1/capture/submit", "submit", "End the capture; a decision follows")
	submit.DefaultStatus = http.StatusAccepted
	huma.Register(h, submit, a.submit)
	withdraw := a.captureOperation(h, http.MethodPost, "/v1/capture/withdrawal", "withdraw-consent", "Withdraw the consent: the session ends, what was sent is erased")
	withdraw.DefaultStatus = http.StatusAccepted
	withdraw.Extensions[permissionKey] = string(access.ConsentEnd)
	huma.Register(h, withdraw, a.withdrawCapture)
	a.registerUpload(h)
}

type statusOutput struct{ Body client.Status }

// mine returns the token's session. One that was deleted is not there.
func (a *api) mine(ctx context.Context) (*session.Session, error) {
	ses, err := a.deps.Store.Get(ctx, clientToken(ctx).Session)
	if err == nil {
		recordOf(ctx).correl = ses.CorrelationID
		markTest(ctx, ses)
	}
	return ses, err
}

func (a *api) by(ctx context.Context) session.Actor {
	return session.Actor{Role: session.Client, ID: clientToken(ctx).ID}
}

func (a *api) captureStatus(ctx context.Context, _ *struct{}) (*statusOutput, error) {
	ses, err := a.mine(ctx)
	if err != nil {
		return nil, fromError(err)
	}
	return a.statusOf(ctx, ses)
}

type consentInput struct {
	UserAgent string `header:"User-Agent" hidden:"true"`
	Mobile    string `header:"Sec-CH-UA-Mobile" hidden:"true"`
	Body      client.Consent
}

func (a *api) giveConsent(ctx context.Context, in *consentInput) (*statusOutput, error) {
	if !in.Body.Accepted {
		return nil, newProblem(client.CodeInvalidRequest, "accepted must be true; a refusal is not sent.")
	}
	scope := in.Body.Scope
	if len(scope) == 0 {
		scope = []string{"document", "biometric"}
	}
	if !slices.Contains(scope, "document") {
		return nil, newProblem(client.CodeInvalidRequest, "Without document in the scope there is nothing to check.")
	}
	ev := session.Event{Kind: session.ConsentGiven, Actor: a.by(ctx), Device: deviceClass(in.UserAgent, in.Mobile), Consent: &session.Consent{
		// The wording is identified by its version; its hash in the record
		// does not depend on which words a later release ships.
		TextHash: digest([]byte(in.Body.TextVersion)), Locale: in.Body.Locale, Scope: scope,
	}}
	ses, err := a.deps.Store.Apply(ctx, clientToken(ctx).Session, session.AnyVersion, ev, nil)
	if err != nil && !(ses != nil && ses.Consent != nil && repeated(err)) {
		return nil, fromError(err)
	}
	return a.statusOf(ctx, ses)
}

// submit takes no body: `curl -X POST` is enough, and what a client sends all
// the same is not read.
func (a *api) submit(ctx context.Context, _ *struct{}) (*statusOutput, error) {
	ses, err := a.mine(ctx)
	if err != nil {
		return nil, fromError(err)
	}
	if ses.State == session.Submitted {
		return a.statusOf(ctx, ses) // sent twice: the first one counts
	}
	if ses.Consent == nil && !ses.State.Terminal() {
		return nil, newProblem(client.CodeConsentMissing, "")
	}
	if ses.Test() && ses.State == session.NeedsResubmission {
		// No photo is needed there, and it is a photo that begins an attempt.
		if ses, err = a.deps.Store.Apply(ctx, ses.ID, ses.Version, session.Event{Kind: session.StartCapture, Actor: a.by(ctx)}, nil); err != nil {
			return nil, fromError(err)
		}
	}
	if ses.State == session.CaptureInProgress {
		if missing, err := a.missing(ctx, ses); err != nil {
			return nil, fromError(err)
		} else if len(missing) > 0 {
			return nil, newProblem(client.CodeEvidenceMissing, "Missing: "+strings.Join(missing, ", ")+".")
		}
	}
	// The version pins what was just checked: evidence that changes meanwhile
	// makes this a conflict instead of an unchecked submission.
	ses, err = a.deps.Store.Apply(ctx, ses.ID, ses.Version, session.Event{Kind: session.Submit, Actor: a.by(ctx), Attempt: ses.Attempt}, nil)
	if err != nil && !repeated(err) {
		return nil, fromError(err)
	}
	if err == nil && a.deps.Submitted != nil {
		a.deps.Submitted()
	}
	return a.statusOf(ctx, ses)
}

// repeated: the event came before; the answer is where it led.
func repeated(err error) bool {
	var none *session.NoTransitionError
	return errors.As(err, &none) && none.Reason == session.Duplicate
}

// held says which photos of a session's present attempt are there, and the
// document type that came with them. Photos of earlier attempts count unless
// the decision asked for them again.
func (a *api) held(ctx context.Context, ses *session.Session) (kinds []string, documentType string, err error) {
	evidence, err := a.deps.Store.Evidence(ctx, ses.ID, ses.Attempt)
	if err != nil {
		return nil, "", err
	}
	var kept []session.Evidence
	for _, e := range evidence {
		fresh := e.Attempt == ses.Attempt && ses.State != session.NeedsResubmission
		if !fresh && again(ses, e.Kind) {
			continue
		}
		kinds, kept = append(kinds, e.Kind), append(kept, e)
	}
	return kinds, session.ChosenDocument(kept), nil
}

// again reports whether the last decision asked for a photo of this kind; one
// that named none asked for all.
func again(ses *session.Session, kind string) bool {
	d := ses.Decision
	return d == nil || len(d.Retake) == 0 || slices.Contains(d.Retake, kind)
}

// rules are those that the session was created under: what a person was promised
// and asked for does not change under way, and the case is decided by them.
func (a *api) rules(ctx context.Context, ses *session.Session) (*policy.Policy, error) {
	p, err := a.deps.PolicyOf(ctx, ses.PolicyHash)
	if err != nil {
		return nil, fmt.Errorf("session %s was created under policy %s version %s: %w", ses.ID, ses.PolicyName, ses.PolicyVersion, err)
	}
	return p, nil
}

// needs are the photos for a kind of document, in the order of taking them.
// Cards carry half of what is read on their back (the MRZ of TD1, barcodes), so
// they need both sides whatever the cell lists.
func needs(rules *policy.Policy, ses *session.Session, documentType string) []string {
	cell := rules.Cell(ses.ContextFor(documentType))
	card := documentType != "" && documentType != "passport"
	out := []string{}
	for _, k := range policy.EvidenceKinds {
		if slices.Contains(cell.Evidence, k) || k == "document_back" && card {
			out = append(out, k)
		}
	}
	return out
}

// choices are the kinds of document that a person can choose where the service
// fixed none: those that the session's rules accept.
func choices(rules *policy.Policy, ses *session.Session) []string {
	var out []string
	for _, t := range policy.DocumentTypes {
		if rules.Cell(policy.Context{Segment: ses.Segment, Jurisdiction: ses.Jurisdiction, DocumentType: t}).Accepts(t) {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return policy.DocumentTypes // the rules speak of formats only
	}
	return out
}

func (a *api) missing(ctx context.Context, ses *session.Session) ([]string, error) {
	if ses.Test() {
		return nil, nil // nothing is measured there
	}
	held, documentType, err := a.held(ctx, ses)
	if err != nil {
		return nil, err
	}
	if ses.DocumentType != "" {
		documentType = ses.DocumentType
	}
	rules, err := a.rules(ctx, ses)
	if err != nil {
		return nil, err
	}
	wanted, err := a.withoutChallenge(ctx, ses, needs(rules, ses, documentType))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, k := range wanted {
		if !slices.Contains(held, k) {
			out = append(out, k)
		}
	}
	return out, nil
}

func (a *api) statusOf(ctx context.Context, ses *session.Session) (*statusOutput, error) {
	markTest(ctx, ses)
	held, documentType, err := a.held(ctx, ses)
	if err != nil {
		return nil, fromError(err)
	}
	rules, err := a.rules(ctx, ses)
	if err != nil {
		return nil, fromError(err)
	}
	types := choices(rules, ses)
	if ses.DocumentType != "" {
		documentType, types = ses.DocumentType, []string{ses.DocumentType}
	}
	s := client.Status{
		Session: ses.ID, Test: ses.Test(), State: string(ses.State), Attempt: ses.Attempt, AttemptsLeft: ses.MaxAttempts - ses.Attempt,
		Consent: ses.Consent != nil, DocumentType: documentType, Documents: []client.DocumentChoice{}, Accepted: []string{},
		Limits: client.UploadLimits{MaxBytes: a.limits.PhotoBytes}, Locale: ses.Locale,
		PollAfterMS: 1000, ExpiresAt: ses.ExpiresAt, ExpiresIn: a.seconds(ses.ExpiresAt), TokenExpiresIn: a.seconds(clientToken(ctx).ExpiresAt),
		Live: []client.LiveCheck{},
	}
	s.Accepted = append(s.Accepted, held...)
	for _, t := range types {
		all := needs(rules, ses, t)
		wanted, err := a.withoutChallenge(ctx, ses, all)
		if err != nil {
			return nil, fromError(err)
		}
		s.Assisted = s.Assisted || len(wanted) < len(all)
		s.Documents = append(s.Documents, client.DocumentChoice{Type: t, Needs: wanted})
	}
	cell := rules.Cell(ses.ContextFor(documentType))
	if d, ok := cell.Retention["capture_image"]; ok {
		s.RetainDays = int((time.Duration(d) + 24*time.Hour - 1) / (24 * time.Hour))
	}
	s.BurstLight = cell.BurstLight != nil && *cell.BurstLight
	if ses.State == session.CaptureInProgress || ses.State == session.NeedsResubmission {
		s.Live = liveChecks(cell)
	}
	if s.ReviewDue, err = a.reviewDue(ctx, ses); err != nil {
		return nil, fromError(err)
	}
	if ses.State == session.NeedsResubmission || ses.State == session.Rejected {
		s.Hints = clientHints(ses.Decision)
	}
	return &statusOutput{Body: s}, nil
}

// clientHints are the reasons that the person may see, one for each photo, the
// decision's own hint first. What would tell an attacker which check to defeat
// is not in the catalogue's client audience.
func clientHints(d *session.Decision) []client.Hint {
	if d == nil {
		return nil
	}
	var out []client.Hint
	seen := map[string]bool{}
	add := func(h client.Hint) {
		if h.Kind == "case" {
			h.Kind = ""
		}
		if !seen[h.Kind] {
			seen[h.Kind] = true
			out = append(out, h)
		}
	}
	visible := func(c policy.Code) (policy.CodeInfo, bool) {
		i, ok := c.Info()
		return i, ok && i.For("client") && i.Hint != ""
	}
	if d.Hint != nil {
		if _, ok := visible(d.Hint.Code); ok {
			add(*shownHint(d.Hint))
		}
	}
	for _, r := range d.Reasons {
		if i, ok := visible(r.Code); ok && slices.Contains(d.Codes, r.Code) {
			add(client.Hint{Code: string(r.Code), Text: i.Hint, Kind: r.Subject})
		}
	}
	return out
}
