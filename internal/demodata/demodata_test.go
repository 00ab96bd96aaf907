package demodata

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

func fill(t *testing.T, cases int, seed uint64) (*session.Store, Summary) {
	t.Helper()
	s, err := session.Open(context.Background(), "sqlite:"+filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	ended := 0
	sum, err := Fill(context.Background(), s, Options{Cases: cases, Seed: seed, Days: 60, Tenant: "default", Policy: policy.Default(),
		Until: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), Progress: func() { ended++ }})
	if err != nil {
		t.Fatal(err)
	}
	if ended != cases || sum.Cases != cases {
		t.Errorf("%d cases ended, %d counted, of %d", ended, sum.Cases, cases)
	}
	return s, sum
}

func TestTheCasesAreMarkedAndDecidedByThePolicyOnTheirMeasurements(t *testing.T) {
	ctx := context.Background()
	s, sum := fill(t, 400, 7)
	if genuine, simulated, err := s.CountCases(ctx); err != nil || genuine != 0 || simulated != 400 {
		t.Errorf("%d real, %d simulated, %v", genuine, simulated, err)
	}
	for _, st := range []session.State{session.Approved, session.Rejected, session.Expired} {
		if sum.States[st] == 0 {
			t.Errorf("no case is %s", st)
		}
	}
	if sum.Votes == 0 || sum.Resubmits == 0 || sum.Deliveries == 0 {
		t.Errorf("%+v", sum)
	}
	// What is stored of each decision gives the same decision again.
	sim, err := policy.Default().Simulate(s.PastCases(ctx, session.Filter{}, func(id string) { t.Errorf("%s is incomplete", id) }), 5)
	if err != nil || sim.Cases < 250 || sim.Flipped != 0 {
		t.Errorf("%+v, %v", sim, err)
	}
	last, unmarked := time.Time{}, 0
	for b, err := range s.AuditLog(ctx, 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		e, err := audit.ParseEntry(b)
		if err != nil {
			t.Fatal(err)
		}
		if e.Refs["simulated"] != "true" {
			unmarked++
		}
		if e.Time.Before(last) {
			t.Errorf("entry %d of %v comes after one of %v", e.Seq, e.Time, last)
		}
		last = e.Time
	}
	if unmarked > 0 {
		t.Errorf("%d entries carry no mark", unmarked)
	}
	page, err := s.List(ctx, session.Filter{Limit: 200})
	if err != nil {
		t.Fatal(err)
	}
	devices := map[string]int{}
	for _, ses := range page.Sessions {
		if !ses.Simulated {
			t.Errorf("%s is not marked", ses.ID)
		}
		devices[ses.Device]++
	}
	if devices["phone"] == 0 || devices["desktop"] == 0 {
		t.Errorf("devices %v", devices)
	}
	// Nothing is left for a dispatcher or a worker to send.
	if rows, err := s.Pending(ctx, 10); err != nil || len(rows) != 0 {
		t.Errorf("%d rows are due, %v", len(rows), err)
	}
}

func TestASeedMakesUpTheSameCases(t *testing.T) {
	_, a := fill(t, 60, 3)
	_, b := fill(t, 60, 3)
	_, c := fill(t, 60, 4)
	if a.Votes != b.Votes || a.Deliveries != b.Deliveries || a.Resubmits != b.Resubmits || a.States[session.Approved] != b.States[session.Approved] {
		t.Errorf("%+v and %+v", a, b)
	}
	if a.Deliveries == c.Deliveries && a.Resubmits == c.Resubmits {
		t.Errorf("another seed, the same cases: %+v", c)
	}
}
