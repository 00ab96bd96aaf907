package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
)

func (a *api) registerReviews(h huma.API) {
	if a.deps.Desk == nil {
		return
	}
	huma.Register(h, a.staffOperation(h, http.MethodGet, "/v1/reviews", "list-reviews", "List cases in review, in the order of work", access.ReviewRead), a.listReviews)
	huma.Register(h, a.staffOperation(h, http.MethodGet, "/v1/reviews/{id}", "get-review", "What is known of a case, without its evidence", access.ReviewRead), a.getReview)
	huma.Register(h, a.staffOperation(h, http.MethodPost, "/v1/reviews/{id}/claim", "claim-review", "Take a case, or keep it for longer", access.ReviewDecide), a.claimReview)
	release := a.staffOperation(h, http.MethodDelete, "/v1/reviews/{id}/claim", "release-review", "Give a case back", access.ReviewDecide)
	release.DefaultStatus = http.StatusNoContent
	huma.Register(h, release, a.releaseReview)
	decide := a.staffOperation(h, http.MethodPost, "/v1/reviews/{id}/decision", "decide-review", "Decide a claimed case", access.ReviewDecide)
	decide.Errors = append(decide.Errors, 412, 428)
	huma.Register(h, decide, a.decideReview)
}

type reviewsInput struct {
	Tenant       string `query:"tenant" maxLength:"128"`
	Segment      string `query:"segment" maxLength:"64"`
	Jurisdiction string `query:"jurisdiction" maxLength:"16"`
	DocumentType string `query:"document_type" enum:"passport,id_card,residence_permit,driving_licence"`
	Queue        string `query:"queue" maxLength:"32"`
	Order        string `query:"order" enum:"triage,oldest,due,value,risk" default:"triage" doc:"triage is the order of work: by the policy's SLA, risk and value."`
	Code         string `query:"code" maxLength:"64" doc:"Only cases that wait because of this reason; a page can then be shorter than its limit."`
	Free         bool   `query:"free" doc:"Only cases that you can take now."`
	Mine         bool   `query:"mine" doc:"Only cases that you have."`
	Cursor       string `query:"cursor" maxLength:"64"`
	Limit        int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type reviewsOutput struct{ Body client.ReviewPage }

func (a *api) listReviews(ctx context.Context, in *reviewsInput) (*reviewsOutput, error) {
	if in.Cursor != "" {
		if _, _, err := session.ParseReviewCursor(in.Cursor); err != nil {
			return nil, fromError(err)
		}
	}
	items, next, err := a.deps.Desk.Queue(ctx, session.ReviewFilter{
		Tenant: in.Tenant, Segment: in.Segment, Jurisdiction: in.Jurisdiction, DocumentType: in.DocumentType,
		Queue: in.Queue, Order: in.Order, Free: in.Free, Mine: in.Mine, Account: StaffOf(ctx).Account.ID, After: in.Cursor, Limit: in.Limit,
	}, policy.Code(in.Code))
	if err != nil {
		return nil, fromError(err)
	}
	out := client.ReviewPage{Reviews: make([]client.ReviewItem, len(items)), Next: next}
	for i, x := range items {
		out.Reviews[i] = a.shownItem(x)
	}
	return &reviewsOutput{out}, nil
}

func (a *api) shownItem(i review.Item) client.ReviewItem {
	s := i.Session
	out := client.ReviewItem{
		Session: s.ID, Version: s.Version, Tenant: s.Tenant, Attempt: s.Attempt, Segment: s.Segment, Jurisdiction: s.Jurisdiction, DocumentType: s.DocumentType,
		Codes: []string{}, CreatedAt: s.CreatedAt, Since: i.Since, Due: i.Due, Late: s.State == session.PendingReview && i.Late(a.now()), Votes: i.Votes, Simulated: s.Simulated,
		Queue: i.Place.Queue, Risk: i.Place.Risk, Value: i.Place.Value, Escalated: !i.Place.Escalated.IsZero(), Overloaded: i.Place.Overloaded,
	}
	if s.Decision != nil {
		out.Codes = codeNames(s.Decision.Codes)
	}
	if c := i.Claim; c != nil {
		out.ClaimedBy, out.ClaimedUntil = c.Account, &c.Expires
	}
	return out
}

// reviewDue is by when a person will have looked at a case in review, as far as its
// policy promises a time.
func (a *api) reviewDue(ctx context.Context, ses *session.Session) (*time.Time, error) {
	if ses.State != session.PendingReview {
		return nil, nil
	}
	p, err := a.deps.Store.ReviewPlace(ctx, ses.ID)
	if errors.Is(err, session.ErrNotFound) || err == nil && p.Due.IsZero() {
		return nil, nil
	}
	return &p.Due, err
}

func codeNames(cs []policy.Code) []string {
	out := make([]string, len(cs))
	for i, c := range cs {
		out[i] = string(c)
	}
	return out
}

type reviewOutput struct {
	ETag string `header:"ETag"`
	Body client.ReviewCase
}

func (a *api) getReview(ctx context.Context, in *idInput) (*reviewOutput, error) {
	c, err := a.reviewed(ctx, in.ID)
	if err != nil {
		return nil, fromError(err)
	}
	s := &c.Session
	out := client.ReviewCase{
		ReviewItem: a.shownItem(c.Item), State: string(s.State), AttemptsLeft: s.MaxAttempts - s.Attempt,
		Policy: s.PolicyName, PolicyVer: s.PolicyVersion, PolicyHash: s.PolicyHash, Cell: c.Cell.Name,
		Reasons: []client.Reason{}, Findings: []client.ReviewFinding{}, Evidence: []client.Evidence{}, Sources: []string{}, Said: []client.ReviewVote{},
		Reviewers: a.deps.Desk.Reviewers(),
	}
	out.Sources = append(out.Sources, c.Sources...)
	if c.Decision != nil {
		out.Codes = codeNames(c.Decision.Codes)
		for _, r := range c.Decision.Reasons {
			out.Reasons = append(out.Reasons, client.Reason{Code: string(r.Code), Subject: r.Subject, Stage: r.Stage, Action: string(r.Action), Field: r.Field})
		}
	}
	for _, f := range c.Findings {
		x := client.ReviewFinding{Stage: f.Stage, Subject: f.Subject, Verdict: string(f.Verdict), Codes: codeNames(f.Codes), Measures: []client.Measure{}}
		for _, m := range f.Measures {
			x.Measures = append(x.Measures, shownMeasure(m))
		}
		out.Findings = append(out.Findings, x)
	}
	for _, p := range c.Pictures {
		out.Evidence = append(out.Evidence, client.Evidence{Object: p.Object, Kind: p.Kind, Subject: p.Subject, Size: p.Size, Erased: p.Erased})
	}
	for _, v := range c.Votes {
		out.Said = append(out.Said, client.ReviewVote{Account: v.Account, Attempt: v.Attempt, Outcome: string(v.Outcome), Codes: codeNames(v.Codes), Override: v.Overrides, At: v.At})
	}
	return &reviewOutput{ETag: etag(s), Body: out}, nil
}

// reviewed returns a case and notes it for the request's log line.
func (a *api) reviewed(ctx context.Context, id string) (*review.Case, error) {
	c, err := a.deps.Desk.Case(ctx, StaffOf(ctx).Account.ID, id)
	if err == nil {
		rec := recordOf(ctx)
		rec.session, rec.correl = c.Session.ID, c.Session.CorrelationID
	}
	return c, err
}

func shownMeasure(m policy.Measure) client.Measure {
	v := client.Measure{Name: m.Name, Unit: m.Unit, Threshold: m.Threshold, Bound: m.Bound, Verdict: string(m.Verdict), Code: string(m.Code)}
	if !math.IsNaN(m.Value) && !math.IsInf(m.Value, 0) {
		x := m.Value
		v.Value = &x
	}
	return v
}

type claimOutput struct {
	ETag string `header:"ETag"`
	Body client.Claim
}

func (a *api) claimReview(ctx context.Context, in *idInput) (*claimOutput, error) {
	c, ses, err := a.deps.Desk.Claim(ctx, StaffOf(ctx).Account.ID, in.ID)
	if err != nil {
		return nil, fromError(err)
	}
	recordOf(ctx).session = ses.ID
	return &claimOutput{ETag: etag(ses), Body: client.Claim{Session: c.Session, Attempt: c.Attempt, ExpiresAt: c.Expires}}, nil
}

func (a *api) releaseReview(ctx context.Context, in *idInput) (*struct{}, error) {
	if err := a.deps.Desk.Release(ctx, StaffOf(ctx).Account.ID, in.ID); err != nil {
		return nil, fromError(err)
	}
	return nil, nil
}

type decideInput struct {
	ID      string `path:"id" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the case that the reviewer saw. Needed: without it a decision could rest on what is not so any more."`
	Body    client.Verdict
}

type reviewedOutput struct {
	ETag string `header:"ETag"`
	Body client.Reviewed
}

func (a *api) decideReview(ctx context.Context, in *decideInput) (*reviewedOutput, error) {
	version, p := ifMatch(in.IfMatch)
	if p != nil {
		return nil, p
	}
	v := review.Verdict{Outcome: policy.Outcome(in.Body.Outcome), Retake: in.Body.Retake, Override: in.Body.Override, Note: in.Body.Note, Version: version}
	for _, c := range in.Body.Codes {
		v.Codes = append(v.Codes, policy.Code(c))
	}
	recordOf(ctx).session = in.ID
	ses, settled, err := a.deps.Desk.Decide(ctx, StaffOf(ctx).Account.ID, in.ID, v)
	if errors.Is(err, session.ErrConflict) {
		return nil, newProblem(client.CodePreconditionFailed, "Read the case again.")
	}
	if err != nil {
		return nil, fromError(err)
	}
	return &reviewedOutput{ETag: etag(ses), Body: client.Reviewed{Session: ses.ID, State: string(ses.State), Version: ses.Version, Settled: settled}}, nil
}

// ifMatch reads the one version that If-Match may name here.
func ifMatch(header string) (int64, *problem) {
	h := strings.TrimSpace(header)
	if h == "" {
		return 0, newProblem(client.CodePreconditionRequired, "Send the case's ETag as If-Match.")
	}
	text, err := strconv.Unquote(h)
	var n int64
	if err == nil {
		n, err = strconv.ParseInt(text, 10, 64)
	}
	if err != nil || n < 1 {
		return 0, newProblem(client.CodePreconditionFailed, "If-Match is none of this case's ETags.")
	}
	return n, nil
}
