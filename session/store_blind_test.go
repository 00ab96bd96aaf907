package session

import (
	"testing"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
)

// Who is to judge apart from others must not see that they had the case open.
func TestWhoOpensACaseThatIsJudgedBlindlyIsHiddenFromOtherJudges(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		apart := referred(ctx, t, s, "acme", 0)
		plain := refer(t, s, policy.Triage{Queue: "default", SLA: time.Hour, BusySLA: time.Hour})
		drawn := sampled(t, s, policy.Approved, 1)
		must[Sample](t)(s.TakeSample(ctx, "ada", "", time.Hour))
		ask := func(ses *Session, purpose string, second bool) Grant {
			return must[Grant](t)(s.AskGrant(ctx, NewGrant{Session: ses.ID, Account: "ada", Purpose: purpose, Life: time.Hour, Second: second}))
		}
		for _, x := range []struct {
			of     *Session
			grant  Grant
			hidden bool
		}{
			{apart, ask(apart, ReviewPurpose, false), true},
			{apart, ask(apart, "complaint", false), false},
			{apart, ask(apart, ReviewPurpose, true), false}, // somebody has to approve it
			{plain, ask(plain, ReviewPurpose, false), false},
			{drawn, ask(drawn, SamplePurpose, false), true},
		} {
			for _, account := range []string{"ada", "bob"} {
				hidden, err := s.GrantsHiddenFrom(ctx, account)
				ok(t, err)
				if got := hidden(x.grant); got != (x.hidden && account == "bob") {
					t.Errorf("the grant to %s for %s is hidden from %s: %v", x.grant.Account, x.grant.Purpose, account, got)
				}
			}
		}
		g := must[[]Grant](t)(s.Grants(ctx, GrantFilter{Session: apart.ID}))
		must[Grant](t)(s.UseGrant(ctx, "ada", g[len(g)-1].ID, apart.ID, "obj", "selfie"))
		log := must[[]audit.Entry](t)(s.Timeline(ctx, apart.ID))
		for account, want := range map[string]int{"ada": 4, "bob": 1} { // three asked and one opened; the complaint
			hidden, err := s.HiddenFrom(ctx, account)
			ok(t, err)
			seen := 0
			for _, e := range log {
				if (e.Action == "evidence.ask" || e.Action == "evidence.open") && !hidden(e) {
					seen++
				}
			}
			if seen != want {
				t.Errorf("%s sees %d times in the log that evidence was asked for or opened, want %d", account, seen, want)
			}
		}
	})
}
