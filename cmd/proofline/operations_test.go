package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proofline/proofline/session"
)

func TestTheOperatorsTokenIsToldFromOthers(t *testing.T) {
	if (settings{}).operatorToken() != nil {
		t.Error("there is a token without one")
	}
	const token = "only-for-this-test-0123456789"
	is := settings{Operator: operatorSettings{Token: token}}.operatorToken()
	for header, want := range map[string]bool{"": false, "Bearer " + token: true, "Bearer " + token[1:]: false, "Bearer ": false, "basic": true, "basic wrong": false} {
		r := httptest.NewRequest("GET", queuePagePath, nil)
		switch header {
		case "basic":
			r.SetBasicAuth("anyone", token)
		case "basic wrong":
			r.SetBasicAuth(token, "x")
		default:
			r.Header.Set("Authorization", header)
		}
		if is(r) != want {
			t.Errorf("%q: %v", header, !want)
		}
	}
}

func TestDeadLettersAreListedAndStartedAgain(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	store, err := session.Open(ctx, "sqlite:"+filepath.Join(dir, "proofline.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if _, err := store.PutEndpoint(ctx, operator, session.Endpoint{Tenant: defaultTenant, URL: "https://a.example/h"}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := store.Create(ctx, session.New{Tenant: defaultTenant, PolicyName: "p", PolicyVersion: "1", PolicyHash: "h", Actor: operator}); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := store.Pending(ctx, 10)
	if err != nil || len(rows) != 2 {
		t.Fatalf("%+v, %v", rows, err)
	}
	for _, o := range rows {
		if err := store.MarkDead(ctx, o.ID, "status_500"); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, string) {
		var out, said bytes.Buffer
		cmd := program(append([]string{"queue"}, append(args, "--data-dir", dir)...)...)
		cmd.Stdout, cmd.Stderr = &out, &said
		_ = cmd.Run()
		return out.String(), said.String()
	}
	out, said := run("dead", "--json")
	var d deadLetter
	if err := json.NewDecoder(strings.NewReader(out)).Decode(&d); err != nil || d.ID != rows[0].ID || d.Reason != "status_500" || strings.Count(out, "\n") != 2 {
		t.Errorf("%s %s %v", out, said, err)
	}
	// A session's webhooks are found by the session, with the id that replay takes.
	out, said = run("webhooks", d.Session, "--json")
	var sent delivery
	if err := json.Unmarshal([]byte(out), &sent); err != nil || sent.ID != d.ID || sent.Type != "session.created" || sent.State != "waiting" {
		t.Errorf("%s %s %v", out, said, err)
	}
	if _, said := run("webhooks", "ses_none"); !strings.Contains(said, "not found") {
		t.Error(said)
	}
	if _, said := run("replay"); !strings.Contains(said, "--all") {
		t.Error(said)
	}
	if _, said := run("replay", "obx_none"); !strings.Contains(said, "no dead letter") {
		t.Error(said)
	}
	for _, args := range [][]string{{"replay", rows[0].ID}, {"replay", "--all"}} {
		if _, said := run(args...); !strings.Contains(said, "1 started again") {
			t.Error(said)
		}
	}
	if again, err := store.Pending(ctx, 10); err != nil || len(again) != 2 || again[0].Tries != 1 {
		t.Errorf("%+v, %v", again, err)
	}
	// The endpoint is gone for good.
	if _, said := run("drop", rows[0].ID); !strings.Contains(said, "no webhook that was given up (0 done") {
		t.Errorf("one that is to be delivered was dropped: %s", said)
	}
	for _, o := range rows {
		if err := store.MarkDead(ctx, o.ID, "gone"); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"drop", rows[0].ID}, {"drop", "--all"}} {
		if _, said := run(args...); !strings.Contains(said, "1 dropped") {
			t.Error(said)
		}
	}
	if _, said := run("drop"); !strings.Contains(said, "--all") {
		t.Error(said)
	}
	if _, said := run("dead"); !strings.Contains(said, "0 dead letters") {
		t.Error(said)
	}
	if _, said := run("replay", rows[0].ID); !strings.Contains(said, "1 started again") {
		t.Errorf("a dropped webhook can not be delivered any more: %s", said)
	}
}
