package session

import (
	"testing"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
)

func TestAShadowDecisionIsKeptAndActsOnNothing(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		end := must[Endpoint](t)(s.PutEndpoint(ctx, service, Endpoint{Tenant: "acme", URL: "https://relying.example/hook"}))
		ses := must[*Session](t)(s.Create(ctx, newSession()))
		toSubmitted(t, s, ses.ID)
		shadow := decision(policy.Rejected)
		shadow.PolicyHash = "shadow"
		ses = must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(worker, 1, decision(policy.Approved)), func(tx *Tx) error { return tx.PutShadow(shadow) }))
		if ses.State != Approved || ses.Decision.Outcome != policy.Approved {
			t.Errorf("%+v", ses)
		}
		if ds := must[[]Decision](t)(s.Decisions(ctx, ses.ID)); len(ds) != 1 || ds[0].Outcome != policy.Approved {
			t.Errorf("%+v", ds)
		}
		for _, d := range must[[]Delivery](t)(s.Deliveries(ctx, ses.ID)) {
			if d.Endpoint.ID == end.ID && string(d.Body) != "" && containsText(d.Body, "rejected") {
				t.Error("a webhook tells of the shadow")
			}
		}
		for _, e := range must[[]audit.Entry](t)(s.Timeline(ctx, ses.ID)) {
			if e.Outcome == "rejected" {
				t.Errorf("%+v", e)
			}
		}
		n := 0
		for x, err := range s.ShadowCases(ctx, "shadow", time.Time{}) {
			ok(t, err)
			n++
			if x.Live != policy.Approved || x.Shadow.Outcome != policy.Rejected || x.Reviewed != "" {
				t.Errorf("%+v", x)
			}
		}
		if n != 1 {
			t.Errorf("%d shadow decisions", n)
		}
		if a := must[policy.Arm](t)(s.Arm(ctx, "abc", time.Time{})); a.Approved != 1 || a.Cases() != 1 {
			t.Errorf("%+v", a)
		}
		if a := must[policy.Arm](t)(s.Arm(ctx, "abc", c.Now().Add(time.Hour))); a.Cases() != 0 {
			t.Errorf("%+v", a)
		}
	})
}

func containsText(b []byte, text string) bool {
	for i := 0; i+len(text) <= len(b); i++ {
		if string(b[i:i+len(text)]) == text {
			return true
		}
	}
	return false
}

func TestAStoppedCanaryStaysStoppedUntilSomebodyResumesIt(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		if why, _, err := s.CanaryStopped(ctx, "h"); why != "" || err != nil {
			t.Error(why, err)
		}
		ok(t, s.StopCanary(ctx, worker, "h", "rejected"))
		ok(t, s.StopCanary(ctx, worker, "h", "another reason"))
		if why, at, err := s.CanaryStopped(ctx, "h"); why != "rejected" || at.IsZero() || err != nil {
			t.Error(why, at, err)
		}
		ok(t, s.ResumeCanary(ctx, worker, "h"))
		if why, _, err := s.CanaryStopped(ctx, "h"); why != "" || err != nil {
			t.Error(why, err)
		}
		verifyLog(t, s)
	})
}
