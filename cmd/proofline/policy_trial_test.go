package main

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// decidedUnder makes a session under a policy and decides it.
func decidedUnder(t *testing.T, s *session.Store, p *policy.Policy, o policy.Outcome) {
	t.Helper()
	ctx := context.Background()
	by := session.Actor{Role: session.Service, ID: "key_t"}
	ses, err := s.Create(ctx, session.New{Tenant: "acme", PolicyName: p.Name, PolicyVersion: p.Version, PolicyHash: p.Hash(), Actor: by})
	for _, ev := range []session.Event{
		{Kind: session.ConsentGiven, Actor: by, Consent: &session.Consent{TextHash: "c0", Scope: []string{"document"}}},
		{Kind: session.Submit, Actor: by},
		session.Decided(session.Actor{Role: session.Worker, ID: "w"}, 1, policy.Decision{Outcome: o, Codes: []policy.Code{}, PolicyHash: p.Hash()}),
	} {
		if err == nil {
			_, err = s.Apply(ctx, ses.ID, session.AnyVersion, ev, nil)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestACanaryThatDoesHarmGetsNoMoreSessionsAlsoAfterARestart(t *testing.T) {
	ctx := context.Background()
	s, err := session.Open(ctx, "sqlite:"+filepath.Join(t.TempDir(), "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	live := policy.Default()
	strict, err := policy.Parse([]byte(strings.Replace(string(policy.DefaultYAML()), "  expires: 24h\n", "  expires: 23h\n", 1)))
	if err != nil || strict.Hash() == live.Hash() {
		t.Fatal(err)
	}
	newChooser := func() *chooser {
		return &chooser{live: func() *policy.Policy { return live }, store: s,
			canary: &policy.Canary{Policy: strict, Share: 0.5, Stop: policy.StopRules{MinCases: 20, MaxRise: 0.1}}}
	}
	c := newChooser()
	share := func(c *chooser) int {
		n := 0
		for range 200 {
			if c.choose(s.NewID()).Hash() == strict.Hash() {
				n++
			}
		}
		return n
	}
	if n := share(c); n < 60 || n > 140 {
		t.Errorf("%d of 200 at one half", n)
	}
	for i := range 60 {
		decidedUnder(t, s, strict, policy.Approved)
		o := policy.Approved
		if i%10 == 0 {
			o = policy.Rejected
		}
		decidedUnder(t, s, live, o)
	}
	if why, err := c.look(ctx); err != nil || why != "" {
		t.Errorf("stopped early: %q, %v", why, err)
	}
	for range 40 {
		decidedUnder(t, s, strict, policy.Rejected)
	}
	why, err := c.look(ctx)
	if err != nil || !strings.Contains(why, "rejected rose") {
		t.Fatalf("%q, %v", why, err)
	}
	if n := share(c); n != 0 {
		t.Errorf("a stopped canary took %d sessions", n)
	}
	again := newChooser()
	if _, err := again.look(ctx); err != nil || share(again) != 0 {
		t.Errorf("a restart forgot the stop: %v", err)
	}
	if err := s.ResumeCanary(ctx, operator, strict.Hash()); err != nil {
		t.Fatal(err)
	}
	st, err := again.state(ctx, again.live().Hash())
	if err != nil || st.Stopped != "" || st.Canary.Cases() != 100 || st.Live.Cases() != 60 {
		t.Errorf("%+v, %v", st, err)
	}
}
