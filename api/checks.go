package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
)

// registerChecks registers the blind checks: cases that the policy decided by
// itself, judged by a person who is not told how. Nothing here says what was
// decided, not even after the verdict, which would train people to agree.
func (a *api) registerChecks(h huma.API) {
	if a.deps.Desk == nil {
		return
	}
	op := func(method, path, id, summary string) huma.Operation {
		return a.staffOperation(h, method, path, id, summary, access.ReviewDecide)
	}
	const one = "/v1/checks/{id}"
	huma.Register(h, op(http.MethodGet, "/v1/checks", "count-checks", "How many cases wait for a blind check"), a.countChecks)
	huma.Register(h, op(http.MethodPost, "/v1/checks/next", "next-check", "Take the case that is due first, or keep the one that you have for longer"), a.nextCheck)
	huma.Register(h, op(http.MethodGet, one, "get-check", "The case that you are checking, without what was decided"), a.getCheck)
	release := op(http.MethodDelete, one, "release-check", "Give a case back unjudged")
	release.DefaultStatus = http.StatusNoContent
	huma.Register(h, release, a.releaseCheck)
	judge := op(http.MethodPost, one+"/verdict", "judge-check", "Judge the case that you are checking; the session stays as it was decided")
	judge.Errors = append(judge.Errors, 412, 428)
	huma.Register(h, judge, a.judgeCheck)
}

type checksOutput struct{ Body client.CheckWork }

func (a *api) countChecks(ctx context.Context, _ *struct{}) (*checksOutput, error) {
	open, late, err := a.deps.Desk.BlindWork(ctx)
	if err != nil {
		return nil, fromError(err)
	}
	return &checksOutput{client.CheckWork{Waiting: open, Late: late}}, nil
}

type checkOutput struct {
	ETag string `header:"ETag"`
	Body client.BlindCheck
}

func (a *api) nextCheck(ctx context.Context, _ *struct{}) (*checkOutput, error) {
	p, err := a.deps.Desk.TakeBlind(ctx, StaffOf(ctx).Account.ID)
	if errors.Is(err, session.ErrNotFound) {
		return nil, newProblem(client.CodeNothingWaits, "")
	}
	if err != nil {
		return nil, fromError(err)
	}
	return a.check(ctx, p.Session)
}

func (a *api) getCheck(ctx context.Context, in *idInput) (*checkOutput, error) {
	return a.check(ctx, in.ID)
}

// check is the case as its judge may see it: what review.Blind leaves out is not
// here either.
func (a *api) check(ctx context.Context, id string) (*checkOutput, error) {
	b, err := a.deps.Desk.BlindCase(ctx, StaffOf(ctx).Account.ID, id)
	if err != nil {
		return nil, a.fromCheck(err)
	}
	s := &b.Session
	recordOf(ctx).session = s.ID
	out := client.BlindCheck{
		Session: s.ID, Version: s.Version, DocumentType: s.DocumentType, Jurisdiction: s.Jurisdiction, Simulated: s.Simulated,
		Due: b.Sample.Due, HeldUntil: b.Sample.Expires, Evidence: []client.Evidence{}, Sources: append([]string{}, b.Sources...),
	}
	for _, p := range b.Pictures {
		out.Evidence = append(out.Evidence, client.Evidence{Object: p.Object, Kind: p.Kind, Subject: p.Subject, Size: p.Size, Erased: p.Erased})
	}
	return &checkOutput{ETag: etag(s), Body: out}, nil
}

// fromCheck is fromError for what is about one check. Whether somebody else has a
// case, or it was drawn at all, is not told: who knew could look it up first.
func (a *api) fromCheck(err error) *problem {
	if errors.Is(err, session.ErrNotFound) {
		err = session.ErrNotClaimed
	}
	return fromError(err)
}

func (a *api) releaseCheck(ctx context.Context, in *idInput) (*struct{}, error) {
	recordOf(ctx).session = in.ID
	if err := a.deps.Desk.ReleaseBlind(ctx, StaffOf(ctx).Account.ID, in.ID); err != nil {
		return nil, a.fromCheck(err)
	}
	return nil, nil
}

type judgeInput struct {
	ID      string `path:"id" maxLength:"64"`
	IfMatch string `header:"If-Match" doc:"The ETag of the check that was seen. Needed: without it a verdict could rest on what is not so any more."`
	Body    client.CheckVerdict
}

type judgedOutput struct{ Body client.Checked }

func (a *api) judgeCheck(ctx context.Context, in *judgeInput) (*judgedOutput, error) {
	version, p := ifMatch(in.IfMatch)
	if p != nil {
		return nil, p
	}
	v := review.Verdict{Outcome: policy.Outcome(in.Body.Outcome), Note: in.Body.Note, Version: version}
	for _, c := range in.Body.Codes {
		v.Codes = append(v.Codes, policy.Code(c))
	}
	recordOf(ctx).session = in.ID
	s, err := a.deps.Desk.JudgeBlind(ctx, StaffOf(ctx).Account.ID, in.ID, v)
	if errors.Is(err, session.ErrConflict) {
		return nil, newProblem(client.CodePreconditionFailed, "Read the check again.")
	}
	if err != nil {
		return nil, a.fromCheck(err)
	}
	return &judgedOutput{client.Checked{Session: s.Session, At: s.At}}, nil
}

// unlessBlind refuses what would tell the account the outcome of a case that it is
// judging blindly.
func (a *api) unlessBlind(ctx context.Context, id string) error {
	mine, err := a.deps.Store.Judging(ctx, StaffOf(ctx).Account.ID)
	if err == nil && mine[id] {
		err = review.ErrBlind
	}
	return err
}
