package session

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
)

func TestASimulationIsMarkedEverywhereAndReachesNobody(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		genuine := must[Endpoint](t)(s.PutEndpoint(ctx, service, Endpoint{Tenant: "acme", URL: "https://relying.example/hook"}))
		past := c.Now().Add(-3 * time.Hour)
		var ses *Session
		ok(t, s.Simulate(ctx, func(ctx context.Context, m *Simulation) error {
			m.At(past)
			if _, err := s.PutEndpoint(ctx, service, Endpoint{Tenant: "acme", URL: SimulatedURL}); err != nil {
				return err
			}
			var err error
			if ses, err = s.Create(ctx, newSession()); err != nil {
				return err
			}
			m.At(past.Add(time.Minute))
			ev := consent()
			ev.Device = "phone"
			if _, err := s.Apply(ctx, ses.ID, AnyVersion, ev, nil); err != nil {
				return err
			}
			ds, err := m.Deliveries(ses.ID)
			if err != nil || len(ds) != 2 {
				t.Errorf("%d deliveries, %v", len(ds), err)
			}
			for _, d := range ds {
				if d.Endpoint.URL != SimulatedURL {
					t.Errorf("a simulated event for %s", d.Endpoint.URL)
				}
				if err := s.RecordDelivery(ctx, d, DeliveryResult{Delivered: true, Status: 204}); err != nil {
					return err
				}
			}
			return nil
		}))
		got := must[*Session](t)(s.Get(ctx, ses.ID))
		if !got.Simulated || got.Device != "phone" || !got.CreatedAt.Equal(past) || !got.UpdatedAt.Equal(past.Add(time.Minute)) {
			t.Errorf("%+v", got)
		}
		es := must[[]audit.Entry](t)(s.Timeline(ctx, ses.ID))
		for _, e := range es {
			if e.Refs["simulated"] != "true" {
				t.Errorf("%s carries no mark", e.Action)
			}
		}
		if len(es) < 4 || !es[0].Time.Equal(past) {
			t.Errorf("%d entries, the first of %v", len(es), es[0].Time)
		}
		// What a person does to it afterwards is marked, and goes nowhere.
		must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: Cancel, Actor: Actor{Operator, "cli"}}, nil))
		es = must[[]audit.Entry](t)(s.Timeline(ctx, ses.ID))
		if last := es[len(es)-1]; last.Refs["simulated"] != "true" {
			t.Errorf("%+v", last)
		}
		for _, d := range must[[]Delivery](t)(s.Deliveries(ctx, ses.ID)) {
			if d.Endpoint.ID == genuine.ID {
				t.Error("a real receiver was told of a simulated case")
			}
		}
		// A real case is none of this.
		own := must[*Session](t)(s.Create(ctx, newSession()))
		ds := must[[]Delivery](t)(s.Deliveries(ctx, own.ID))
		if own.Simulated || len(ds) != 1 || ds[0].Endpoint.ID != genuine.ID {
			t.Errorf("%+v %v", own, ds)
		}
		verifyLog(t, s)
	})
}

func TestASimulationThatFailsLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		bang := errors.New("bang")
		err := s.Simulate(ctx, func(ctx context.Context, m *Simulation) error {
			must[*Session](t)(s.Create(ctx, newSession()))
			return bang
		})
		if !errors.Is(err, bang) {
			t.Errorf("%v", err)
		}
		if n, sim, err := s.CountCases(ctx); err != nil || n != 0 || sim != 0 {
			t.Errorf("%d real, %d simulated, %v", n, sim, err)
		}
	})
}

func TestRemovingSimulatedCasesLeavesRealOnesAndTheLog(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		own := must[*Session](t)(s.Create(ctx, newSession()))
		var ids []string
		ok(t, s.Simulate(ctx, func(ctx context.Context, _ *Simulation) error {
			_, err := s.CreateAccount(ctx, service, NewAccount{Name: "simulated-1", Roles: []access.Role{access.Reviewer}, Issuer: SimulatedIssuer, Subject: "1"})
			for range 3 {
				ses := must[*Session](t)(s.Create(ctx, newSession()))
				if _, err := s.Apply(ctx, ses.ID, AnyVersion, consent(), nil); err != nil {
					return err
				}
				if _, err := s.PutEvidence(ctx, client, Evidence{Session: ses.ID, Kind: "selfie", Object: "none", Size: 1}); err != nil {
					return err
				}
				if _, err := s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: Submit, Actor: client}, nil); err != nil {
					return err
				}
				if _, err := s.Apply(ctx, ses.ID, AnyVersion, Decided(worker, 1, decision(policy.PendingReview)), nil); err != nil {
					return err
				}
				ids = append(ids, ses.ID)
			}
			return err
		}))
		for _, want := range []int{2, 1, 0} {
			if n, err := s.RemoveSimulated(ctx, service, 2); err != nil || n != want {
				t.Errorf("removed %d, %v; expected %d", n, err, want)
			}
		}
		if n, sim, err := s.CountCases(ctx); err != nil || n != 1 || sim != 0 {
			t.Errorf("%d real, %d simulated, %v", n, sim, err)
		}
		must[*Session](t)(s.Get(ctx, own.ID))
		if len(must[[]audit.Entry](t)(s.Timeline(ctx, ids[0]))) == 0 {
			t.Error("the log forgot")
		}
		for _, table := range simulatedTables {
			if n := must[int64](t)(s.number(ctx, "count", "SELECT COUNT(*) FROM "+table+" WHERE session = ?", ids[0])); n != 0 {
				t.Errorf("%d rows left in %s", n, table)
			}
		}
		for _, a := range must[[]Account](t)(s.Accounts(ctx)) {
			if strings.HasPrefix(a.Name, "simulated") {
				t.Error("a simulated account is left")
			}
		}
		verifyLog(t, s)
	})
}
