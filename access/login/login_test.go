package login_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/access/login"
	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

const password = "correct horse battery staple"

var (
	ctx = context.Background()
	cli = session.Actor{Role: session.Operator, ID: "cli"}
)

type house struct {
	*login.Door
	store *session.Store
	now   time.Time
	vera  session.Account
}

func open(t *testing.T, o *login.OIDC) *house {
	t.Helper()
	h := &house{now: time.Now().UTC()}
	dir := t.TempDir()
	clock := func() time.Time { return h.now }
	var err error
	if h.store, err = session.Open(ctx, "sqlite:"+filepath.Join(dir, "p.db"), session.WithClock(clock)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.store.Close() })
	keys, err := storage.OpenOrCreateKeyFile(filepath.Join(dir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	if h.vera, err = h.store.CreateAccount(ctx, cli, session.NewAccount{Name: "vera", Roles: []access.Role{access.Reviewer}, PasswordHash: access.HashPassword(password)}); err != nil {
		t.Fatal(err)
	}
	h.Door = login.New(login.Config{Store: h.store, Keyring: keys, OIDC: o, Now: clock})
	return h
}

func (h *house) log(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for e, err := range h.store.AuditLog(ctx, 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		b.Write(e)
		b.WriteByte('\n')
	}
	return b.String()
}

func TestTheRightPasswordLetsInAndEverythingElseIsRefusedAlike(t *testing.T) {
	h := open(t, nil)
	_, secret, err := h.Password(ctx, "Vera", password, "", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	if _, a, err := h.Who(ctx, secret); err != nil || a.ID != h.vera.ID {
		t.Fatal(err)
	}
	gone, err := h.store.CreateAccount(ctx, cli, session.NewAccount{Name: "gone", Roles: []access.Role{access.Reviewer}, PasswordHash: access.HashPassword(password)})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.store.DisableAccount(ctx, cli, gone.ID); err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	for what, try := range map[string][2]string{
		"wrong password": {"vera", "wrong"}, "no such account": {"nobody", password}, "disabled": {"gone", password},
		"empty": {"", ""}, "no name at all": {"' OR 1=1 --", password}, "huge": {"vera", strings.Repeat("x", 1<<20)},
	} {
		_, _, err := h.Password(ctx, try[0], try[1], "", "192.0.2.1")
		if !errors.Is(err, login.ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
		texts[err.Error()] = true
	}
	if len(texts) != 1 {
		t.Errorf("refusals differ: %v", texts)
	}
	if l := h.log(t); strings.Contains(l, "OR 1=1") || strings.Contains(l, "192.0.2") || !strings.Contains(l, `"login.refuse"`) {
		t.Error("the log holds what was typed, an address, or no refusal")
	}
}

func TestAnUnknownNameTakesAsLongAsAWrongPassword(t *testing.T) {
	h := open(t, nil)
	// In turn, and the shortest of each: what else the machine does only adds. A busy
	// machine needs more turns; without the work for unknown names none suffice.
	shortest := map[string]time.Duration{}
	alike := func() bool {
		r := float64(shortest["vera"]) / float64(shortest["nobody"])
		return r >= 0.5 && r <= 2
	}
	for turn := 0; turn < 12 || turn < 200 && !alike(); turn++ {
		for _, name := range []string{"vera", "nobody"} {
			// From an address of its own: one that only guesses has to wait, and a
			// refusal to look at the password says nothing of how long looking takes.
			address := fmt.Sprintf("2001:db8:%x::1", turn)
			began := time.Now()
			_, _, err := h.Password(ctx, name, "wrong", "", address)
			if took := time.Since(began); shortest[name] == 0 || took < shortest[name] {
				shortest[name] = took
			}
			if !errors.Is(err, login.ErrRefused) {
				t.Fatalf("%s, turn %d: %v", name, turn, err)
			}
			_ = h.store.ClearTries(ctx, session.TriesOfAccount(name))
		}
	}
	if !alike() {
		t.Errorf("known %v, unknown %v", shortest["vera"], shortest["nobody"])
	}
}

func TestGuessingIsSlowedDownAndARightPasswordHasToWaitToo(t *testing.T) {
	h := open(t, nil)
	var wait *login.WaitError
	n := 0
	for ; n < 50; n++ {
		if _, _, err := h.Password(ctx, "vera", "wrong", "", "192.0.2.1"); errors.As(err, &wait) {
			break
		}
	}
	if n != access.FreeTries+1 {
		t.Errorf("%d tries before the first wait", n)
	}
	if _, _, err := h.Password(ctx, "vera", password, "", "198.51.100.7"); !errors.As(err, &wait) {
		t.Errorf("the right password from elsewhere does not wait: %v", err)
	}
	h.now = h.now.Add(wait.After)
	if _, _, err := h.Password(ctx, "vera", password, "", "192.0.2.1"); err != nil {
		t.Error(err)
	}
	if _, _, err := h.Password(ctx, "vera", "wrong", "", "192.0.2.1"); !errors.Is(err, login.ErrRefused) {
		t.Errorf("after a right one the count begins anew: %v", err)
	}
	// One address, many names.
	for i := range 100 {
		_, _, err := h.Password(ctx, "name"+string(rune('a'+i%26))+string(rune('a'+i/26)), "x", "", "203.0.113.9")
		if errors.As(err, &wait) {
			if i < access.AddressTries {
				t.Errorf("an address waits after %d", i)
			}
			return
		}
	}
	t.Error("an address can try without end")
}

func TestAfterAHundredWrongPasswordsInARowOnlyANewOneHelps(t *testing.T) {
	h := open(t, nil)
	for n := 0; n < access.CloseAfter; {
		wait, wrong, err := h.store.TryLogin(ctx, session.TriesOfAccount("vera"), 0, access.Backoff)
		if err != nil {
			t.Fatal(err)
		}
		h.now, n = h.now.Add(wait+time.Second), wrong
	}
	h.now = h.now.Add(time.Hour)
	if _, _, err := h.Password(ctx, "vera", password, "", "192.0.2.1"); !errors.Is(err, login.ErrRefused) {
		t.Errorf("a closed account opens: %v", err)
	}
	if err := h.store.SetPassword(ctx, cli, h.vera.ID, access.HashPassword("another password entirely")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Password(ctx, "vera", "another password entirely", "", "192.0.2.1"); err != nil {
		t.Error(err)
	}
}

func TestAnOldHashIsMadeAnewAtLogin(t *testing.T) {
	h := open(t, nil)
	const old = "$argon2id$v=19$m=64,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$" // with the hash of the password below
	weak := weakHash(t)
	if !strings.HasPrefix(weak, old) {
		t.Fatalf("hash %s", weak)
	}
	if err := h.store.SetPassword(ctx, cli, h.vera.ID, weak); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Password(ctx, "vera", password, "", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	_, x, err := h.store.AccountByName(ctx, "vera")
	if err != nil || !strings.HasPrefix(x.Password, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("%s, %v", x.Password, err)
	}
	if _, _, err := h.Password(ctx, "vera", password, "", "192.0.2.1"); err != nil {
		t.Error(err)
	}
}

func TestAPasswordIsChangedByWhoKnowsTheOldOneAndEndsAllLogins(t *testing.T) {
	h := open(t, nil)
	_, secret, err := h.Password(ctx, "vera", password, "", "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	const fresh = "a completely different phrase"
	if err := h.ChangePassword(ctx, h.vera, "wrong", fresh); !errors.Is(err, login.ErrRefused) {
		t.Error(err)
	}
	if err := h.ChangePassword(ctx, h.vera, password, "short"); !errors.Is(err, access.ErrPassword) {
		t.Error(err)
	}
	if err := h.ChangePassword(ctx, h.vera, password, fresh); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Who(ctx, secret); !errors.Is(err, session.ErrTokenInvalid) {
		t.Error(err)
	}
	if _, _, err := h.Password(ctx, "vera", fresh, "", "192.0.2.1"); err != nil {
		t.Error(err)
	}
}

func TestWithAnAuthenticatorAPasswordAloneIsNotEnoughAndACodeWorksOnce(t *testing.T) {
	h := open(t, nil)
	setup, err := h.NewTOTP(h.vera)
	if err != nil || !strings.HasPrefix(setup.URL, "otpauth://totp/Proofline:vera?") {
		t.Fatalf("%+v, %v", setup, err)
	}
	code := func() string {
		c, err := totp.GenerateCode(setup.Secret, h.now)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if err := h.ConfirmTOTP(ctx, h.vera, login.Proof{Password: password}, setup.Secret, "000000"); !errors.Is(err, login.ErrRefused) {
		t.Error(err)
	}
	if err := h.ConfirmTOTP(ctx, h.vera, login.Proof{Password: password}, setup.Secret, code()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Password(ctx, "vera", password, "", "192.0.2.1"); !errors.Is(err, login.ErrCode) {
		t.Error(err)
	}
	if _, _, err := h.Password(ctx, "vera", "wrong", "", "192.0.2.1"); !errors.Is(err, login.ErrRefused) {
		t.Errorf("a wrong password learns of the second factor: %v", err)
	}
	if _, _, err := h.Password(ctx, "vera", password, code(), "192.0.2.1"); !errors.Is(err, login.ErrRefused) {
		t.Errorf("the code of the set-up works again: %v", err)
	}
	h.now = h.now.Add(30 * time.Second)
	if _, _, err := h.Password(ctx, "vera", password, code(), "192.0.2.1"); err != nil {
		t.Error(err)
	}
	old := code()
	h.now = h.now.Add(2 * time.Minute)
	if _, _, err := h.Password(ctx, "vera", password, old, "192.0.2.1"); !errors.Is(err, login.ErrRefused) {
		t.Errorf("an old code works: %v", err)
	}
}

func TestALoginAloneNeitherReplacesNorRemovesAnAuthenticator(t *testing.T) {
	h := open(t, nil)
	first, err := h.NewTOTP(h.vera)
	if err != nil {
		t.Fatal(err)
	}
	second, err := h.NewTOTP(h.vera)
	if err != nil {
		t.Fatal(err)
	}
	code := func(s login.Setup) string {
		c, err := totp.GenerateCode(s.Secret, h.now)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	refused := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("set up without the password", h.ConfirmTOTP(ctx, h.vera, login.Proof{}, first.Secret, code(first)), login.ErrRefused)
	refused("set up with a wrong one", h.ConfirmTOTP(ctx, h.vera, login.Proof{Password: "wrong"}, first.Secret, code(first)), login.ErrRefused)
	if err := h.ConfirmTOTP(ctx, h.vera, login.Proof{Password: password}, first.Secret, code(first)); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(time.Minute)
	for what, p := range map[string]login.Proof{"nothing": {}, "the code only": {Code: code(first)}, "a wrong password": {Password: "wrong", Code: code(first)}, "a wrong code": {Password: password, Code: "000000"}} {
		refused("replaced with "+what, h.ConfirmTOTP(ctx, h.vera, p, second.Secret, code(second)), login.ErrRefused)
		refused("removed with "+what, h.RemoveTOTP(ctx, h.vera, p), login.ErrRefused)
		h.now = h.now.Add(20 * time.Minute) // past every wait
	}
	refused("replaced with the password only", h.ConfirmTOTP(ctx, h.vera, login.Proof{Password: password}, second.Secret, code(second)), login.ErrCode)
	refused("removed with the password only", h.RemoveTOTP(ctx, h.vera, login.Proof{Password: password}), login.ErrCode)
	if err := h.ConfirmTOTP(ctx, h.vera, login.Proof{Password: password, Code: code(first)}, second.Secret, code(second)); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(time.Minute)
	refused("removed with a code of the old app", h.RemoveTOTP(ctx, h.vera, login.Proof{Password: password, Code: code(first)}), login.ErrRefused)
	if err := h.RemoveTOTP(ctx, h.vera, login.Proof{Password: password, Code: code(second)}); err != nil {
		t.Error(err)
	}
	if _, _, err := h.Password(ctx, "vera", password, "", "192.0.2.1"); err != nil {
		t.Errorf("removed, and still asked for: %v", err)
	}
}

func TestGuessingAPasswordBehindAnOpenLoginIsSlowedDown(t *testing.T) {
	h := open(t, nil)
	var wait *login.WaitError
	var err error
	for range 12 {
		if err = h.RemoveTOTP(ctx, h.vera, login.Proof{Password: "guess"}); errors.As(err, &wait) {
			break
		}
	}
	if wait == nil {
		t.Errorf("twelve guesses, and the answer is %v", err)
	}
}

// through walks a browser through the provider: it returns what comes back.
func through(t *testing.T, address string) url.Values {
	t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		t.Fatalf("the provider answered %d", resp.StatusCode)
	}
	return back.Query()
}

func TestTheIdentityProviderVouchesAndGroupsBecomeRoles(t *testing.T) {
	idp := testserver.OIDC(t)
	groups, err := access.ParseGroupRoles([]string{"kyc=reviewer", "dpo=privacy_officer+auditor"})
	if err != nil {
		t.Fatal(err)
	}
	h := open(t, &login.OIDC{Issuer: idp.Issuer, ClientID: idp.ClientID, ClientSecret: idp.ClientSecret, RedirectURL: "http://127.0.0.1/console/oidc", Roles: groups})
	enter := func() (session.Account, error) {
		address, keep, err := h.BeginOIDC(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, secret, err := h.FinishOIDC(ctx, keep, through(t, address))
		if err != nil {
			return session.Account{}, err
		}
		_, a, err := h.Who(ctx, secret)
		return a, err
	}
	idp.Person(map[string]any{"sub": "s-1", "preferred_username": "Kim.Example", "groups": []string{"kyc", "staff"}})
	kim, err := enter()
	if err != nil || kim.Name != "kim.example" || !slices.Equal(kim.Roles, []access.Role{access.Reviewer}) || kim.Password {
		t.Fatalf("%+v, %v", kim, err)
	}
	idp.Person(map[string]any{"sub": "s-1", "preferred_username": "kim.married", "groups": []string{"dpo"}})
	again, err := enter()
	if err != nil || again.ID != kim.ID || !slices.Equal(again.Roles, []access.Role{access.Auditor, access.PrivacyOfficer}) {
		t.Errorf("%+v, %v", again, err)
	}
	// Somebody who calls herself like a local account is not that account.
	idp.Person(map[string]any{"sub": "s-2", "preferred_username": "vera", "groups": "kyc"})
	if a, err := enter(); err != nil || a.ID == h.vera.ID || !strings.HasPrefix(a.Name, "sso-") {
		t.Errorf("%+v, %v", a, err)
	}
	idp.Person(map[string]any{"sub": "s-3", "groups": []any{"guests", 7, nil}})
	if _, err := enter(); !errors.Is(err, login.ErrNoRole) {
		t.Error(err)
	}
	// Groups that are gone end what is open.
	idp.Person(map[string]any{"sub": "s-1"})
	if _, err := enter(); !errors.Is(err, login.ErrNoRole) {
		t.Error(err)
	}
	if ls, _ := h.store.Logins(ctx, kim.ID); len(ls) != 0 {
		t.Errorf("%d logins outlive the groups", len(ls))
	}
	idp.Person(map[string]any{"sub": "s-1", "groups": []string{"kyc"}})
	if err := h.store.DisableAccount(ctx, cli, kim.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := enter(); !errors.Is(err, login.ErrRefused) {
		t.Errorf("a disabled account comes in: %v", err)
	}
}

func TestAnAnswerThatIsNotTheProvidersToThisVeryLoginIsRefused(t *testing.T) {
	idp := testserver.OIDC(t)
	groups, _ := access.ParseGroupRoles([]string{"kyc=reviewer"})
	h := open(t, &login.OIDC{Issuer: idp.Issuer, ClientID: idp.ClientID, ClientSecret: idp.ClientSecret, RedirectURL: "http://127.0.0.1/console/oidc", Roles: groups})
	idp.Person(map[string]any{"sub": "s-1", "groups": []string{"kyc"}})
	begin := func() (url.Values, string) {
		address, keep, err := h.BeginOIDC(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return through(t, address), keep
	}
	refused := func(what string, keep string, q url.Values) {
		t.Helper()
		if _, _, err := h.FinishOIDC(ctx, keep, q); !errors.Is(err, login.ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	q, keep := begin()
	_, foreign := begin()
	refused("another browser's flow", foreign, q)
	refused("no flow", "", q)
	refused("garbage", "e30", q)
	refused("another state", keep, url.Values{"code": q["code"], "state": {"x"}})
	refused("no state", keep, url.Values{"code": q["code"]})
	refused("another issuer", keep, url.Values{"code": q["code"], "state": q["state"], "iss": {"https://evil.example"}})
	refused("an error", keep, url.Values{"error": {"access_denied"}, "state": q["state"]})
	if idp.Tokens != 0 {
		t.Errorf("%d codes were redeemed for nothing", idp.Tokens)
	}
	if _, _, err := h.FinishOIDC(ctx, keep, q); err != nil {
		t.Fatal(err)
	}
	refused("a code used twice", keep, q)

	for what, spoil := range map[string]func(map[string]any){
		"another nonce":    func(c map[string]any) { c["nonce"] = "x" },
		"no nonce":         func(c map[string]any) { delete(c, "nonce") },
		"another audience": func(c map[string]any) { c["aud"] = "other" },
		"another issuer":   func(c map[string]any) { c["iss"] = "https://evil.example" },
		"expired":          func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() },
	} {
		idp.Spoil(spoil, false)
		q, keep := begin()
		refused(what, keep, q)
	}
	idp.Spoil(nil, true)
	q, keep = begin()
	refused("a forged signature", keep, q)
	idp.Spoil(nil, false)
	q, keep = begin()
	h.now = h.now.Add(11 * time.Minute)
	refused("a flow of long ago", keep, q)
}

func TestAProviderThatIsDownKeepsNobodyElseOut(t *testing.T) {
	h := open(t, &login.OIDC{Issuer: "http://127.0.0.1:1", ClientID: "x", Roles: access.GroupRoles{}})
	if _, _, err := h.BeginOIDC(ctx); err == nil {
		t.Error("no error")
	}
	if _, _, err := h.Password(ctx, "vera", password, "", "192.0.2.1"); err != nil {
		t.Error(err)
	}
}
