package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/access/login"
	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/session"
)

type loginData struct {
	Name, Next string
	Code       bool // ask for a code
	Password   string
	Provider   string
}

// next accepts a way back to a page of ours only.
func next(s string) string {
	if s == Path || strings.HasPrefix(s, Path+"/") || strings.HasPrefix(s, "/ops/queues") {
		if !strings.ContainsAny(s, "\\\r\n") && !strings.Contains(s, "//") {
			return s
		}
	}
	return Path
}

func (x *Console) loginPage(w http.ResponseWriter, r *http.Request) {
	if api.StaffOf(r.Context()).Account.ID != "" {
		http.Redirect(w, r, next(r.URL.Query().Get("next")), http.StatusSeeOther)
		return
	}
	d := loginData{Next: next(r.URL.Query().Get("next"))}
	d.Provider, _ = x.c.Door.HasOIDC()
	x.render(w, r, http.StatusOK, "login", view{Title: "Log in", Data: d})
}

func (x *Console) login(w http.ResponseWriter, r *http.Request) {
	d := loginData{Name: r.PostFormValue("name"), Next: next(r.PostFormValue("next"))}
	d.Provider, _ = x.c.Door.HasOIDC()
	_, secret, err := x.c.Door.Password(r.Context(), d.Name, r.PostFormValue("password"), r.PostFormValue("code"), api.Address(r))
	var wait *login.WaitError
	switch {
	case err == nil:
		x.keep(w, secret)
		http.Redirect(w, r, d.Next, http.StatusSeeOther)
	case errors.Is(err, login.ErrCode):
		d.Code, d.Password = true, r.PostFormValue("password")
		x.render(w, r, http.StatusOK, "login", view{Title: "One more step", Data: d})
	case errors.As(err, &wait):
		w.Header().Set("Retry-After", "60")
		x.render(w, r, http.StatusTooManyRequests, "login", view{Title: "Log in", Said: "Too many wrong tries. Wait " + spell(wait.After+time.Minute) + ".", Bad: true, Data: d})
	case errors.Is(err, login.ErrRefused):
		x.render(w, r, http.StatusUnauthorized, "login", view{Title: "Log in", Said: "Name or password is wrong.", Bad: true, Data: d})
	default:
		x.fail(w, r, Path+"/login", err)
	}
}

// keep gives the browser a login.
func (x *Console) keep(w http.ResponseWriter, secret string) {
	name, secure := api.Cookie(x.c.PublicURL)
	http.SetCookie(w, &http.Cookie{Name: name, Value: secret, Path: "/", Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(x.c.Door.Times().Life.Seconds())})
}

const flowCookie = "proofline-oidc"

func (x *Console) flow(w http.ResponseWriter, value string, age int) {
	_, secure := api.Cookie(x.c.PublicURL)
	http.SetCookie(w, &http.Cookie{Name: flowCookie, Value: value, Path: Path + "/login", Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: age})
}

func (x *Console) beginOIDC(w http.ResponseWriter, r *http.Request) {
	address, keep, err := x.c.Door.BeginOIDC(r.Context())
	if err != nil {
		x.c.Log.WarnContext(r.Context(), "identity provider", "error", err)
		to(w, r, Path+"/login", "provider")
		return
	}
	x.flow(w, keep, 600)
	http.Redirect(w, r, address, http.StatusSeeOther)
}

func (x *Console) finishOIDC(w http.ResponseWriter, r *http.Request) {
	keep := ""
	if c, err := r.Cookie(flowCookie); err == nil {
		keep = c.Value
	}
	x.flow(w, "", -1)
	_, secret, err := x.c.Door.FinishOIDC(r.Context(), keep, r.URL.Query())
	switch {
	case err == nil:
		x.keep(w, secret)
		// Not a redirect of this answer: the browser came from the provider,
		// and would not send a cookie of the strictest kind. Lax sends it.
		http.Redirect(w, r, Path, http.StatusSeeOther)
	case errors.Is(err, login.ErrNoRole):
		to(w, r, Path+"/login", "no_role")
	default:
		x.c.Log.WarnContext(r.Context(), "login at the identity provider", "error", err)
		to(w, r, Path+"/login", "provider")
	}
}

func (x *Console) logout(w http.ResponseWriter, r *http.Request) {
	if err := x.c.Door.Leave(r.Context(), api.StaffOf(r.Context()).Login); err != nil {
		x.fail(w, r, Path+"/account", err)
		return
	}
	x.forget(w)
	to(w, r, Path+"/login", "out")
}

func (x *Console) forget(w http.ResponseWriter) {
	name, secure := api.Cookie(x.c.PublicURL)
	http.SetCookie(w, &http.Cookie{Name: name, Path: "/", Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1})
	w.Header().Set("Clear-Site-Data", `"cache"`)
}

type accountData struct {
	Account session.Account
	Now     time.Time
	This    string
	Logins  []session.Login
	Rights  []access.Row
	Setup   *login.Setup
	Min     int
}

func (x *Console) accountData(r *http.Request) (accountData, error) {
	s := api.StaffOf(r.Context())
	d := accountData{Account: s.Account, Now: x.c.Now(), This: s.Login.ID, Min: access.MinPassword}
	for _, row := range access.Table() {
		if s.Can(row.Permission) {
			d.Rights = append(d.Rights, row)
		}
	}
	var err error
	d.Logins, err = x.c.Door.Logins(r.Context(), s.Account.ID)
	return d, err
}

func (x *Console) account(w http.ResponseWriter, r *http.Request) {
	d, err := x.accountData(r)
	if err != nil {
		x.fail(w, r, Path, err)
		return
	}
	x.render(w, r, http.StatusOK, "account", view{Title: "Your account", Data: d})
}

func (x *Console) changePassword(w http.ResponseWriter, r *http.Request) {
	a := api.StaffOf(r.Context()).Account
	fresh := r.PostFormValue("new")
	if access.CheckNewPassword(fresh, a.Name) != nil {
		to(w, r, Path+"/account", "weak")
		return
	}
	if err := x.c.Door.ChangePassword(r.Context(), a, r.PostFormValue("old"), fresh); err != nil {
		x.fail(w, r, Path+"/account", err)
		return
	}
	x.forget(w)
	to(w, r, Path+"/login", "password")
}

// authenticator shows a new secret, keeps it once a code proves that the app has
// it, or takes it away.
func (x *Console) authenticator(w http.ResponseWriter, r *http.Request) {
	a := api.StaffOf(r.Context()).Account
	proof := login.Proof{Password: r.PostFormValue("password"), Code: r.PostFormValue("present")}
	switch r.PostFormValue("do") {
	case "begin":
		setup, err := x.c.Door.NewTOTP(a)
		if err != nil {
			x.fail(w, r, Path+"/account", err)
			return
		}
		d, err := x.accountData(r)
		if err != nil {
			x.fail(w, r, Path+"/account", err)
			return
		}
		d.Setup = &setup
		x.render(w, r, http.StatusOK, "account", view{Title: "Set up your authenticator app", Data: d})
	case "confirm":
		if err := x.c.Door.ConfirmTOTP(r.Context(), a, proof, r.PostFormValue("secret"), r.PostFormValue("code")); err != nil {
			x.fail(w, r, Path+"/account", err)
			return
		}
		to(w, r, Path+"/account", "authenticator")
	case "remove":
		if err := x.c.Door.RemoveTOTP(r.Context(), a, proof); err != nil {
			x.fail(w, r, Path+"/account", err)
			return
		}
		to(w, r, Path+"/account", "removed")
	default:
		to(w, r, Path+"/account", "wrong")
	}
}

func (x *Console) leaveElsewhere(w http.ResponseWriter, r *http.Request) {
	if err := x.c.Door.LeaveElsewhere(r.Context(), api.StaffOf(r.Context()).Login); err != nil {
		x.fail(w, r, Path+"/account", err)
		return
	}
	to(w, r, Path+"/account", "elsewhere")
}
