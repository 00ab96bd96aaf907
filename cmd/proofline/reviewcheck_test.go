package main

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

func TestABlindCheckIsWorkedFromTheCommandLine(t *testing.T) {
	ctx := context.Background()
	_, store, url := desk(t)
	account, err := store.CreateAccount(ctx, operator, session.NewAccount{Name: "vera", Roles: []access.Role{access.Reviewer}})
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := store.BeginLogin(ctx, account.ID, "password", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	check := func(code int, args ...string) string {
		t.Helper()
		cmd := program(append([]string{"review", "check"}, append(args, "--server", url)...)...)
		cmd.Env = append(cmd.Env, "PROOFLINE_TOKEN="+token)
		out, err := cmd.Output()
		var e *exec.ExitError
		if got := exitCode(err); got != code {
			t.Fatalf("%v: exit status %d, want %d (%v)\n%s", args, got, code, err, out)
		} else if errors.As(err, &e) {
			out = append(out, e.Stderr...)
		}
		return string(out)
	}
	if out := check(0, "next", "--json"); strings.TrimSpace(out) != "null" {
		t.Errorf("nothing waits: %q", out)
	}
	ses := decided(t, store, policy.Decision{Outcome: policy.Approved}, &policy.Triage{Queue: "default", Sample: 1, Within: time.Hour})
	if out := check(1, "show", ses.ID); !strings.Contains(out, client.CodeNotClaimed) {
		t.Errorf("a case that was not taken is shown: %s", out)
	}
	var b client.BlindCheck
	out := check(0, "next", "--json")
	if err := json.Unmarshal([]byte(out), &b); err != nil || b.Session != ses.ID || strings.Contains(out, "approved") {
		t.Fatalf("%s: %v", out, err)
	}
	check(0, "release", ses.ID)
	if out := check(0, "next"); !strings.Contains(out, ses.ID) || strings.Contains(out, "approved") {
		t.Errorf("%s", out)
	}
	check(2, "decide", ses.ID, "photos")
	if out := check(1, "decide", ses.ID, "reject"); !strings.Contains(out, "at least one reason") {
		t.Errorf("a rejection without a reason: %s", out)
	}
	if out := check(0, "decide", ses.ID, "reject", "--code", "document.expired"); strings.Contains(out, "approved") {
		t.Errorf("the answer tells: %s", out)
	}
	if p, err := store.Sample(ctx, ses.ID); err != nil || !p.Disagrees() || p.Account != account.ID {
		t.Errorf("%+v, %v", p, err)
	}
	if got, err := store.Get(ctx, ses.ID); err != nil || got.State != session.Approved {
		t.Errorf("%+v, %v", got, err)
	}
}
