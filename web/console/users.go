package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/session"
)

type usersData struct {
	Now      time.Time
	Me       string
	Accounts []session.Account
	Roles    []access.Role
	Table    []access.Row
	Min      int
}

func (x *Console) users(w http.ResponseWriter, r *http.Request) {
	d := usersData{Now: x.c.Now(), Me: me(r), Roles: access.StaffRoles(), Table: access.Table(), Min: access.MinPassword}
	var err error
	if d.Accounts, err = x.c.Store.Accounts(r.Context()); err != nil {
		x.fail(w, r, Path, err)
		return
	}
	x.render(w, r, http.StatusOK, "users", view{Title: "Users and roles", Data: d})
}

func (x *Console) addUser(w http.ResponseWriter, r *http.Request) {
	back, name := Path+"/users", strings.TrimSpace(r.PostFormValue("name"))
	roles, err := access.ParseRoles(r.PostForm["role"])
	if _, nerr := session.AccountName(name); err != nil || nerr != nil {
		to(w, r, back, "account")
		return
	}
	if access.CheckNewPassword(r.PostFormValue("password"), name) != nil {
		to(w, r, back, "weak")
		return
	}
	_, err = x.c.Store.CreateAccount(r.Context(), as(r, session.Staff), session.NewAccount{Name: name, Roles: roles, PasswordHash: access.HashPassword(r.PostFormValue("password"))})
	x.done(w, r, back, "added", err)
}

var errSelf = errors.New("one's own account")

// changeUser gives roles, or disables and enables an account: never one's own, so
// that nobody locks the last administrator out by a slip.
func (x *Console) changeUser(w http.ResponseWriter, r *http.Request) {
	x.done(w, r, Path+"/users", "changed", x.change(r.Context(), r))
}

func (x *Console) change(ctx context.Context, r *http.Request) error {
	id, by := chi.URLParam(r, "account"), as(r, session.Staff)
	if id == by.ID {
		return errSelf
	}
	a, err := x.c.Store.Account(ctx, id)
	if err != nil {
		return err
	}
	switch r.PostFormValue("do") {
	case "disable":
		return x.c.Store.DisableAccount(ctx, by, a.ID)
	case "enable":
		return x.c.Store.EnableAccount(ctx, by, a.ID)
	case "roles":
		roles, err := access.ParseRoles(r.PostForm["role"])
		if err != nil {
			return errNoRole
		}
		if slices.Equal(roles, a.Roles) {
			return nil
		}
		return x.c.Store.SetRoles(ctx, by, a.ID, roles)
	}
	return errNoRole
}

var errNoRole = errors.New("no role")
