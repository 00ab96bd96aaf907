package main

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/access/login"
	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// system is a data directory with a store, as the first start leaves it.
func system(t *testing.T) settings {
	t.Helper()
	s := settings{DataDir: t.TempDir()}
	store, err := session.Open(context.Background(), s.storeDSN())
	if err != nil {
		t.Fatal(err)
	}
	store.Close()
	return s
}

// typed has the commands read s from standard input.
func typed(t *testing.T, s string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stdin")
	if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdin
	os.Stdin = f
	t.Cleanup(func() { os.Stdin = old; f.Close() })
}

func TestAccountsAreKeptOnTheCommandLineAndPasswordsAreNoFlag(t *testing.T) {
	ctx := context.Background()
	s := system(t)
	const password = "correct horse battery staple"
	typed(t, password+"\n")
	if err := (&userAddCmd{Name: "Vera", Role: []string{"reviewer"}, settings: s}).Run(ctx); err != nil {
		t.Fatal(err)
	}
	var e exitError
	typed(t, password+"\n")
	if err := (&userAddCmd{Name: "vera", Role: []string{"auditor"}, settings: s}).Run(ctx); !errors.As(err, &e) || e.code != 1 {
		t.Errorf("the same name again: %v", err)
	}
	for what, c := range map[string]userAddCmd{
		"unknown role": {Name: "max", Role: []string{"boss"}}, "role of a program": {Name: "max", Role: []string{"service"}}, "bad name": {Name: "a b", Role: []string{"admin"}},
	} {
		typed(t, password+"\n")
		c.settings = s
		if err := c.Run(ctx); !errors.As(err, &e) || e.code != 2 {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, weak := range []string{"", "short\n", "aaaaaaaaaaaaaaaaaaaaaaa\n"} {
		typed(t, weak)
		if err := (&userAddCmd{Name: "max", Role: []string{"admin"}, settings: s}).Run(ctx); !errors.As(err, &e) || e.code != 2 {
			t.Errorf("password %q: %v", weak, err)
		}
	}
	store, err := s.openStore(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	door := login.New(login.Config{Store: store})
	in := func(p string) error {
		_, _, err := door.Password(ctx, "vera", p, "", "192.0.2.1")
		return err
	}
	if err := in(password); err != nil {
		t.Error(err)
	}
	if err := (&userRoleCmd{Name: "vera", Role: []string{"auditor", "operator"}, settings: s}).Run(ctx); err != nil {
		t.Fatal(err)
	}
	if a, _, err := store.AccountByName(ctx, "vera"); err != nil || a.Can(access.ReviewDecide) || !a.Can(access.QueueManage) {
		t.Errorf("%+v, %v", a, err)
	}
	if err := (&userDisableCmd{Name: "vera", settings: s}).Run(ctx); err != nil {
		t.Fatal(err)
	}
	if err := in(password); !errors.Is(err, login.ErrRefused) {
		t.Error(err)
	}
	if err := (&userEnableCmd{Name: "vera", settings: s}).Run(ctx); err != nil {
		t.Fatal(err)
	}
	typed(t, "a completely different phrase\n")
	if err := (&userResetCmd{Name: "vera", settings: s}).Run(ctx); err != nil {
		t.Fatal(err)
	}
	if err := in("a completely different phrase"); err != nil {
		t.Error(err)
	}
	if err := (&userDisableCmd{Name: "nobody", settings: s}).Run(ctx); !errors.As(err, &e) || e.code != 1 {
		t.Error(err)
	}
}

// desk is a server for people who work on cases, over a new store.
func desk(t *testing.T) (settings, *session.Store, string) {
	t.Helper()
	ctx := context.Background()
	s := system(t)
	store, err := s.openStore(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	blobs, err := storage.OpenFS(filepath.Join(s.DataDir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = blobs.Close() })
	keys, err := storage.OpenOrCreateKeyFile(filepath.Join(s.DataDir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	rules := policy.Default()
	vault := storage.NewVault(blobs, keys, store, time.Now)
	find := func(context.Context, string) (*policy.Policy, error) { return rules, nil }
	srv := httptest.NewServer(api.New(api.Deps{Store: store, Vault: vault, Policy: rules, PublicURL: "http://127.0.0.1",
		Door: login.New(login.Config{Store: store}), Desk: review.New(review.Config{Store: store, Vault: vault, Policy: find})}))
	t.Cleanup(srv.Close)
	return s, store, srv.URL
}

// decided makes a case that a worker has decided.
func decided(t *testing.T, store *session.Store, d policy.Decision, triage *policy.Triage) *session.Session {
	t.Helper()
	ctx := context.Background()
	rules := policy.Default()
	ses, err := store.Create(ctx, session.New{Tenant: "default", PolicyName: rules.Name, PolicyVersion: rules.Version, PolicyHash: rules.Hash(), Actor: operator})
	if err != nil {
		t.Fatal(err)
	}
	person, worker := session.Actor{Role: session.Client, ID: "tok"}, session.Actor{Role: session.Worker, ID: "w"}
	last := session.Decided(worker, 1, d)
	last.Triage = triage
	for _, ev := range []session.Event{
		{Kind: session.ConsentGiven, Actor: person, Consent: &session.Consent{TextHash: "h", Scope: []string{"document", "biometric"}}},
		{Kind: session.Submit, Actor: person}, last,
	} {
		if _, err := store.Apply(ctx, ses.ID, session.AnyVersion, ev, nil); err != nil {
			t.Fatal(err)
		}
	}
	return ses
}

func TestACaseIsDecidedFromTheCommandLine(t *testing.T) {
	ctx := context.Background()
	s, store, url := desk(t)
	ses := decided(t, store, policy.Decision{Outcome: policy.PendingReview, Codes: []policy.Code{"biometric.liveness_uncertain"},
		Reasons: []policy.Reason{{Code: "biometric.liveness_uncertain", Subject: "selfie", Stage: "liveness", Action: policy.Review}}}, nil)
	typed(t, "correct horse battery staple\n")
	if err := (&userAddCmd{Name: "vera", Role: []string{"reviewer"}, settings: s}).Run(ctx); err != nil {
		t.Fatal(err)
	}
	at := reviewServer{Server: url, User: "vera"}
	run := func(c interface{ Run(context.Context) error }) error {
		typed(t, "correct horse battery staple\n")
		return c.Run(ctx)
	}
	if err := run(&reviewListCmd{Limit: 10, reviewServer: at}); err != nil {
		t.Error(err)
	}
	if err := run(&reviewShowCmd{Case: ses.ID, JSON: true, reviewServer: at}); err != nil {
		t.Error(err)
	}
	if err := run(&reviewDecideCmd{Case: ses.ID, Outcome: "reject", reviewServer: at}); err == nil || !strings.Contains(err.Error(), "codes") {
		t.Errorf("a rejection without a reason: %v", err)
	}
	if err := run(&reviewDecideCmd{Case: ses.ID, Outcome: "approve", reviewServer: at}); err != nil {
		t.Error(err)
	}
	if got, err := store.Get(ctx, ses.ID); err != nil || got.State != session.Approved {
		t.Errorf("%s, %v", got.State, err)
	}
	var e exitError
	t.Setenv("PROOFLINE_TOKEN", "")
	if err := (&reviewListCmd{Limit: 1, reviewServer: reviewServer{Server: url}}).Run(ctx); !errors.As(err, &e) || e.code != 2 {
		t.Errorf("nobody: %v", err)
	}
}
