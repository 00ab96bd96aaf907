package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/access/login"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/session"
)

func (a *api) registerLogin(h huma.API) {
	in := huma.Operation{
		OperationID: "login", Method: http.MethodPost, Path: "/v1/login", Summary: "Log in with an account's password", Tags: []string{"staff"},
		MaxBodyBytes: maxJSON, BodyReadTimeout: a.limits.BodyTime, Errors: []int{400, 401, 429, 500, 503},
		Extensions: map[string]any{permissionKey: string(access.Public)},
	}
	huma.Register(h, in, a.login)
	out := a.staffOperation(h, http.MethodPost, "/v1/logout", "logout", "End this login", access.AccountSelf)
	out.DefaultStatus = http.StatusNoContent
	huma.Register(h, out, a.logout)
	huma.Register(h, a.staffOperation(h, http.MethodGet, "/v1/account", "account", "Who this is, with which roles", access.AccountSelf), a.account)
}

type loginInput struct {
	Body client.Credentials
	ctx  huma.Context
}

// Resolve keeps the request for its address.
func (in *loginInput) Resolve(ctx huma.Context) []error {
	in.ctx = ctx
	return nil
}

type loginOutput struct{ Body client.LoggedIn }

func (a *api) login(ctx context.Context, in *loginInput) (*loginOutput, error) {
	if a.deps.Door == nil {
		return nil, newProblem(client.CodeNotFound, "")
	}
	r, _ := humachi.Unwrap(in.ctx)
	l, secret, err := a.deps.Door.Password(ctx, in.Body.Name, in.Body.Password, in.Body.Code, addressKey(a.address(r)))
	if err != nil {
		return nil, fromLogin(err)
	}
	_, acc, err := a.deps.Door.Who(ctx, secret)
	if err != nil {
		return nil, fromError(err)
	}
	recordOf(ctx).actor = acc.ID
	return &loginOutput{client.LoggedIn{Token: secret, ExpiresAt: l.ExpiresAt, Account: shownAccount(acc)}}, nil
}

// fromLogin is the problem of a login that failed.
func fromLogin(err error) *problem {
	var wait *login.WaitError
	switch {
	case errors.As(err, &wait):
		return newProblem(client.CodeRateLimited, "Too many wrong tries.").after(wait.After)
	case errors.Is(err, login.ErrCode):
		return newProblem(client.CodeCodeNeeded, "")
	case errors.Is(err, login.ErrRefused):
		return newProblem(client.CodeLoginRefused, "")
	}
	return fromError(err)
}

func shownAccount(a session.Account) client.Account {
	out := client.Account{ID: a.ID, Name: a.Name, Roles: []string{}}
	for _, r := range a.Roles {
		out.Roles = append(out.Roles, string(r))
	}
	return out
}

func (a *api) logout(ctx context.Context, _ *struct{}) (*struct{}, error) {
	if err := a.deps.Door.Leave(ctx, StaffOf(ctx).Login); err != nil {
		return nil, fromError(err)
	}
	return nil, nil
}

type accountOutput struct{ Body client.Account }

func (a *api) account(ctx context.Context, _ *struct{}) (*accountOutput, error) {
	return &accountOutput{shownAccount(StaffOf(ctx).Account)}, nil
}
