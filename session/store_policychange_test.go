package session

import (
	"errors"
	"sync"
	"testing"
)

func TestWhatPeopleActivatedOutlivesRestartsAndServersWithoutAFile(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		config := Actor{Role: System, ID: "config"}
		rules := func(hash string) Rules {
			return Rules{Hash: hash, Kind: PolicyRules, Name: "acme", Version: hash, Text: []byte("text of " + hash)}
		}
		for _, h := range []string{"bank", "shipped", "next", "people", "file"} {
			ok(t, s.PutRules(ctx, config, rules(h)))
		}
		starts := func(hash string, named bool, want string) {
			t.Helper()
			if c := must[PolicyChange](t)(s.ConfigurePolicy(ctx, config, rules(hash), named)); c.Hash != want {
				t.Errorf("started with %s (named: %v): %s is active, want %s", hash, named, c.Hash, want)
			}
		}
		activate := func(hash, base string) {
			t.Helper()
			c := must[PolicyChange](t)(s.ProposePolicy(ctx, boss, rules(hash), base, ""))
			must[PolicyChange](t)(s.ActivatePolicy(ctx, boss, c.ID, false))
		}
		starts("shipped", false, "shipped")
		starts("next", false, "next") // an upgrade that ships another
		starts("bank", true, "bank")
		starts("shipped", false, "bank") // another process, whose file was forgotten
		starts("bank", true, "bank")
		activate("people", "bank")
		starts("bank", true, "people")
		// The operator puts into the file what is active already; what people do
		// after that stays.
		starts("people", true, "people")
		activate("next", "people")
		starts("people", true, "next")
		starts("file", true, "file")
		verifyLog(t, s)
	})
}

func TestServersThatStartAtOnceAgreeOnThePolicy(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		config := Actor{Role: System, ID: "config"}
		r := Rules{Hash: "first", Kind: PolicyRules, Name: "acme", Version: "1", Text: []byte("text")}
		ok(t, s.PutRules(ctx, config, r))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := s.ConfigurePolicy(ctx, config, r, true); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if all := must[[]PolicyChange](t)(s.PolicyChanges(ctx, "", 10)); len(all) != 1 || all[0].State != PolicyActive {
			t.Errorf("%+v", all)
		}
	})
}

func TestASecondPersonActivatesAPolicyWhereThatIsAsked(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		r := Rules{Hash: "v1", Kind: PolicyRules, Name: "acme", Version: "1", Text: []byte("text")}
		c := must[PolicyChange](t)(s.ProposePolicy(ctx, boss, r, "", ""))
		if _, err := s.ActivatePolicy(ctx, boss, c.ID, true); !errors.Is(err, ErrSamePerson) {
			t.Errorf("who proposed it activates it: %v", err)
		}
		if c = must[PolicyChange](t)(s.ActivatePolicy(ctx, Actor{Role: Operator, ID: "another"}, c.ID, true)); c.State != PolicyActive {
			t.Errorf("%+v", c)
		}
	})
}
