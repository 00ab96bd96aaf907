package session

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/policy"
)

var admin = Actor{Operator, "cli"}

func newAccount(t *testing.T, s *Store, name string, roles ...access.Role) Account {
	t.Helper()
	return must[Account](t)(s.CreateAccount(ctx, admin, NewAccount{Name: name, Roles: roles, PasswordHash: "$argon2id$x"}))
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
}

// log returns the actions that the log holds of a session ("" = all of it).
func actions(t *testing.T, s *Store) []string {
	t.Helper()
	var out []string
	for b, err := range s.AuditLog(ctx, 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	return out
}

func logged(t *testing.T, s *Store, action string) int {
	t.Helper()
	n := 0
	for _, e := range actions(t, s) {
		if strings.Contains(e, `"action":"`+action+`"`) {
			n++
		}
	}
	return n
}

func TestAccountsAreFoundByNameWhateverItsCaseAndNamesStayOutOfTheLog(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		a := newAccount(t, s, "Vera.Example", access.Reviewer)
		got, secrets, err := s.AccountByName(ctx, " VERA.EXAMPLE ")
		if err != nil || got.ID != a.ID || secrets.Password != "$argon2id$x" || !got.Can(access.ReviewDecide) || got.Can(access.AccountsEdit) {
			t.Fatalf("%+v, %v", got, err)
		}
		_, err = s.CreateAccount(ctx, admin, NewAccount{Name: "vera.EXAMPLE", Roles: []access.Role{access.Auditor}})
		wantErr(t, err, ErrTaken)
		for _, bad := range []string{"", "x", "a b", "vera'--", strings.Repeat("a", 65), "ünicode"} {
			_, err := s.CreateAccount(ctx, admin, NewAccount{Name: bad, Roles: []access.Role{access.Auditor}})
			wantErr(t, err, ErrInvalid)
		}
		_, err = s.CreateAccount(ctx, admin, NewAccount{Name: "robot", Roles: []access.Role{access.Service}})
		wantErr(t, err, ErrInvalid)
		one := must[Account](t)(s.CreateAccount(ctx, admin, NewAccount{Name: "sso", Roles: []access.Role{access.Auditor}, Issuer: "https://idp", Subject: "4711"}))
		_, err = s.CreateAccount(ctx, admin, NewAccount{Name: "sso2", Roles: []access.Role{access.Auditor}, Issuer: "https://idp", Subject: "4711"})
		wantErr(t, err, ErrTaken)
		if b := must[Account](t)(s.AccountBySubject(ctx, "https://idp", "4711")); b.ID != one.ID {
			t.Errorf("%+v", b)
		}
		_, err = s.AccountBySubject(ctx, "", "")
		wantErr(t, err, ErrNotFound)
		for _, e := range actions(t, s) {
			if strings.Contains(e, "vera") || strings.Contains(e, "4711") {
				t.Errorf("the log names people: %s", e)
			}
		}
	})
}

func TestALoginEndsByIdlenessByAgeByLogoutAndWithItsAccount(t *testing.T) {
	const idle, life = 30 * time.Minute, 12 * time.Hour
	each(t, func(t *testing.T, s *Store, c *testClock) {
		a := newAccount(t, s, "vera", access.Reviewer)
		begin := func() (Login, string) {
			l, secret, err := s.BeginLogin(ctx, a.ID, "password", life)
			ok(t, err)
			return l, secret
		}
		_, secret := begin()
		for range 20 { // used every 29 minutes, it lives
			c.add(29 * time.Minute)
			if _, who, err := s.Login(ctx, secret, idle); err != nil || who.ID != a.ID {
				t.Fatal(err)
			}
		}
		c.add(29 * time.Minute * 5)
		_, _, err := s.Login(ctx, secret, idle)
		wantErr(t, err, ErrTokenExpired)

		_, secret = begin()
		c.add(31 * time.Minute)
		_, _, err = s.Login(ctx, secret, idle)
		wantErr(t, err, ErrTokenExpired)

		l, secret := begin()
		ok(t, s.EndLogin(ctx, staff(a.ID), "usr_other", l.ID)) // somebody else's: nothing
		if _, _, err := s.Login(ctx, secret, idle); err != nil {
			t.Error(err)
		}
		ok(t, s.EndLogin(ctx, staff(a.ID), a.ID, l.ID))
		_, _, err = s.Login(ctx, secret, idle)
		wantErr(t, err, ErrTokenInvalid)

		for what, change := range map[string]func() error{
			"roles":    func() error { return s.SetRoles(ctx, admin, a.ID, []access.Role{access.Auditor}) },
			"password": func() error { return s.SetPassword(ctx, admin, a.ID, "$argon2id$y") },
			"disabled": func() error { return s.DisableAccount(ctx, admin, a.ID) },
		} {
			ok(t, s.EnableAccount(ctx, admin, a.ID))
			_, secret := begin()
			ok(t, change())
			if _, _, err := s.Login(ctx, secret, idle); !errors.Is(err, ErrTokenInvalid) {
				t.Errorf("after a change of %s: %v", what, err)
			}
		}
		ok(t, s.DisableAccount(ctx, admin, a.ID))
		_, _, err = s.BeginLogin(ctx, a.ID, "password", life)
		wantErr(t, err, ErrNotFound)
		for _, bad := range []string{"", "pls_x", secret[:len(secret)-1] + "0", "plk" + secret[3:]} {
			_, _, err := s.Login(ctx, bad, idle)
			wantErr(t, err, ErrTokenInvalid)
		}
		ok(t, s.PruneLogins(ctx, c.Now().Add(24*time.Hour)))
		if ls := must[[]Login](t)(s.Logins(ctx, a.ID)); len(ls) != 0 {
			t.Errorf("%d logins are left", len(ls))
		}
	})
}

func TestTriesAreForgottenButForThoseOfAnAccount(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		must[Account](t)(s.CreateAccount(ctx, admin, NewAccount{Name: "vera.example", Roles: []access.Role{access.Auditor}, PasswordHash: "$argon2id$x"}))
		wrong := func(subject string) int {
			t.Helper()
			_, n, err := s.TryLogin(ctx, subject, 0, func(int) time.Duration { return 0 })
			ok(t, err)
			return n
		}
		subjects := map[string]int{TriesOfAccount("vera.example"): 2, TriesOfAccount("nobody"): 1, TriesOfAddress("192.0.2.1"): 1}
		for x := range subjects {
			wrong(x)
		}
		ok(t, s.PruneLogins(ctx, c.Now()))
		c.add(time.Hour)
		recent := TriesOfAccount("somebody else")
		wrong(recent)
		ok(t, s.PruneLogins(ctx, c.Now()))
		subjects[recent] = 2
		for x, want := range subjects {
			if n := wrong(x); n != want {
				t.Errorf("%s: the next try is number %d, want %d", x[:8], n, want)
			}
		}
	})
}

func TestManyTriesAtOnceAreAllCounted(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		subject := TriesOfAccount("vera")
		var mu sync.Mutex
		made := 0
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				wait, _, err := s.TryLogin(ctx, subject, 0, access.Backoff)
				if err != nil {
					t.Error(err)
				}
				if wait == 0 {
					mu.Lock()
					made++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if made != access.FreeTries+1 {
			t.Errorf("%d tries at once, %d are free", made, access.FreeTries)
		}
		c.add(3 * time.Second)
		wait, wrong, err := s.TryLogin(ctx, subject, 0, access.Backoff)
		if wait != 0 || wrong != access.FreeTries+2 || err != nil {
			t.Errorf("wait %v, %d wrong, %v", wait, wrong, err)
		}
		ok(t, s.ClearTries(ctx, subject))
		if wait, wrong, _ := s.TryLogin(ctx, subject, 0, access.Backoff); wait != 0 || wrong != 1 {
			t.Errorf("after a right one: wait %v, %d wrong", wait, wrong)
		}
		c.add(25 * time.Hour)
		if _, wrong, _ := s.TryLogin(ctx, subject, 24*time.Hour, access.Backoff); wrong != 1 {
			t.Errorf("a day later: %d wrong", wrong)
		}
	})
}

func TestATimeStepWorksOnce(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		a := newAccount(t, s, "vera", access.Reviewer)
		ok(t, s.SetTOTP(ctx, staff(a.ID), a.ID, []byte("sealed")))
		for i, want := range []bool{true, false} {
			if fresh := must[bool](t)(s.UseTOTPStep(ctx, a.ID, 77)); fresh != want {
				t.Errorf("use %d: %v", i, fresh)
			}
		}
		if fresh := must[bool](t)(s.UseTOTPStep(ctx, a.ID, 76)); fresh {
			t.Error("an older step works")
		}
		_, x, err := s.AccountByName(ctx, "vera")
		if err != nil || string(x.TOTP) != "sealed" {
			t.Error(err)
		}
	})
}

func toReview(t *testing.T, s *Store) *Session {
	t.Helper()
	ses := must[*Session](t)(s.Create(ctx, newSession()))
	toSubmitted(t, s, ses.ID)
	return must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(worker, 1, decision(policy.PendingReview, "consistency.name_mismatch")), nil))
}

func TestEvidenceOpensUnderItsOwnGrantOnlyAndEverythingIsLogged(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses, other := toReview(t, s), toReview(t, s)
		vera, max := newAccount(t, s, "vera", access.Reviewer), newAccount(t, s, "max", access.Reviewer)
		g := must[Grant](t)(s.AskGrant(ctx, NewGrant{Session: ses.ID, Account: vera.ID, Purpose: "complaint", Text: "Erika CANARY wrote", Life: 15 * time.Minute}))
		if g.State(c.Now()) != "active" || !g.Expires.Equal(c.Now().Add(15*time.Minute)) {
			t.Fatalf("%+v", g)
		}
		if g := must[Grant](t)(s.UseGrant(ctx, vera.ID, g.ID, ses.ID, "obj_1", "selfie")); g.Openings != 1 {
			t.Errorf("%+v", g)
		}
		for what, try := range map[string]func() (Grant, error){
			"somebody else's grant": func() (Grant, error) { return s.UseGrant(ctx, max.ID, g.ID, ses.ID, "obj_1", "selfie") },
			"another session":       func() (Grant, error) { return s.UseGrant(ctx, vera.ID, g.ID, other.ID, "obj_1", "selfie") },
			"no such grant":         func() (Grant, error) { return s.UseGrant(ctx, vera.ID, "grt_x", ses.ID, "obj_1", "selfie") },
		} {
			if _, err := try(); !errors.Is(err, ErrNoGrant) {
				t.Errorf("%s: %v", what, err)
			}
		}
		c.add(15 * time.Minute)
		_, err := s.UseGrant(ctx, vera.ID, g.ID, ses.ID, "obj_1", "selfie")
		wantErr(t, err, ErrNoGrant)
		for range 2 {
			must[int](t)(s.ExpireGrants(ctx, 10))
		}
		if g := must[[]Grant](t)(s.Grants(ctx, GrantFilter{Session: ses.ID})); len(g) != 1 || g[0].State(c.Now()) != "expired" || g[0].Openings != 1 {
			t.Errorf("%+v", g)
		}
		if asked, opened, over := logged(t, s, "evidence.ask"), logged(t, s, "evidence.open"), logged(t, s, "evidence.grant_over"); asked != 1 || opened != 5 || over != 1 {
			t.Errorf("the log has %d requests, %d openings and refusals, %d ends", asked, opened, over)
		}
		for _, e := range actions(t, s) {
			if strings.Contains(e, "CANARY") {
				t.Errorf("the log holds the words: %s", e)
			}
		}
		_, err = s.AskGrant(ctx, NewGrant{Session: ses.ID, Account: vera.ID, Purpose: "curiosity", Life: time.Minute})
		wantErr(t, err, ErrInvalid)
		_, err = s.AskGrant(ctx, NewGrant{Session: "ses_x", Account: vera.ID, Purpose: "review", Life: time.Minute})
		wantErr(t, err, ErrNotFound)
	})
}

func TestAGrantWithFourEyesWaitsForAnotherPerson(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		ses := toReview(t, s)
		vera, max := newAccount(t, s, "vera", access.Reviewer), newAccount(t, s, "max", access.PrivacyOfficer)
		ask := func() Grant {
			return must[Grant](t)(s.AskGrant(ctx, NewGrant{Session: ses.ID, Account: vera.ID, Purpose: "review", Life: time.Minute, Second: true}))
		}
		g := ask()
		_, err := s.UseGrant(ctx, vera.ID, g.ID, ses.ID, "obj_1", "selfie")
		wantErr(t, err, ErrNoGrant)
		_, err = s.ApproveGrant(ctx, vera.ID, g.ID)
		wantErr(t, err, ErrSamePerson)
		c.add(time.Hour)
		g = must[Grant](t)(s.ApproveGrant(ctx, max.ID, g.ID))
		if !g.Expires.Equal(c.Now().Add(time.Minute)) || g.Approver != max.ID {
			t.Errorf("%+v", g)
		}
		must[Grant](t)(s.UseGrant(ctx, vera.ID, g.ID, ses.ID, "obj_1", "selfie"))
		must[Grant](t)(s.EndGrant(ctx, max.ID, g.ID))
		_, err = s.UseGrant(ctx, vera.ID, g.ID, ses.ID, "obj_1", "selfie")
		wantErr(t, err, ErrNoGrant)
		g = ask()
		c.add(25 * time.Hour)
		_, err = s.ApproveGrant(ctx, max.ID, g.ID)
		wantErr(t, err, ErrNoGrant)
	})
}
