package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/storage"
)

func TestEvidenceGoesToTheRegionOfTheCellAndNoSessionIsMadeWithoutIt(t *testing.T) {
	text := string(policy.DefaultYAML()) + "\ncells:\n  - {name: swiss, match: {jurisdiction: CH}, residency: ch-1}\n  - {name: us, match: {jurisdiction: US}, residency: us-9}\n"
	rules, err := policy.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	region, err := storage.OpenFS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { region.Close() })
	s := newServer(t, func(d *api.Deps) {
		d.Policy = rules
		d.Vault = d.Vault.(*storage.Vault).WithRegion("ch-1", region)
	})
	ctx := context.Background()
	made, err := s.service.CreateSession(ctx, client.NewSession{Jurisdiction: "CH", Claims: map[string]string{"surname": "Muster"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	here, err := region.List(ctx, "", "", 10)
	if err != nil || len(here) != 1 {
		t.Fatalf("in the region: %v, %v", here, err)
	}
	elsewhere, err := s.blobs.List(ctx, "", "", 10)
	if err != nil || len(elsewhere) != 0 {
		t.Fatalf("outside of the region: %v, %v", elsewhere, err)
	}
	rows, err := s.store.ListObjects(ctx, made.Session.ID, "")
	if err != nil || len(rows) != 1 || rows[0].Region != "ch-1" {
		t.Fatalf("rows: %+v, %v", rows, err)
	}
	resp, body := s.send("POST", "/v1/sessions", s.key, "application/json", `{"jurisdiction":"US"}`, map[string]string{"Idempotency-Key": "k-us-1"})
	if resp.StatusCode != http.StatusUnprocessableEntity || code(body) != client.CodeRegion || resp.Header.Get("Retry-After") != "" || strings.Contains(body, "us-9") {
		t.Fatalf("%d: %s", resp.StatusCode, body)
	}
	page, err := s.service.List(ctx, client.Filter{})
	if err != nil || len(page.Sessions) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	if !strings.Contains(s.log.String(), "us-9") {
		t.Error("the log does not say which region is missing")
	}
}
