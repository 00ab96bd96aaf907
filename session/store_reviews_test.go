package session

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/policy"
)

func ballot(ses *Session, account string, o policy.Outcome, quorum int, codes ...policy.Code) Ballot {
	return Ballot{Vote: Vote{Session: ses.ID, Account: account, Outcome: o, Codes: codes}, Version: ses.Version, Decision: decision(o, codes...), Quorum: quorum}
}

func TestAClaimedCaseIsDecidedByItsReviewerAndTheWebhookFollows(t *testing.T) {
	each(t, func(t *testing.T, s *Store, c *testClock) {
		must[Endpoint](t)(s.PutEndpoint(ctx, service, Endpoint{Tenant: "acme", URL: "https://example.com/hook", Secrets: []byte("wrapped")}))
		ses := toReview(t, s)
		vera, max := newAccount(t, s, "vera", access.Reviewer).ID, newAccount(t, s, "max", access.Reviewer).ID
		_, _, err := s.CastVote(ctx, ballot(ses, vera, policy.Approved, 1))
		wantErr(t, err, ErrNotClaimed)
		claim, seen, err := s.ClaimReview(ctx, vera, ses.ID, time.Minute)
		if err != nil || seen.Version != ses.Version || !claim.Expires.Equal(c.Now().Add(time.Minute)) {
			t.Fatalf("%+v, %v", claim, err)
		}
		_, _, err = s.ClaimReview(ctx, max, ses.ID, time.Minute)
		wantErr(t, err, ErrClaimed)
		_, _, err = s.CastVote(ctx, ballot(ses, max, policy.Approved, 1))
		wantErr(t, err, ErrNotClaimed)
		c.add(61 * time.Second) // the claim runs out
		_, _, err = s.CastVote(ctx, ballot(ses, vera, policy.Approved, 1))
		wantErr(t, err, ErrNotClaimed)
		if _, _, err := s.ClaimReview(ctx, max, ses.ID, time.Minute); err != nil {
			t.Fatal(err)
		}
		ok(t, s.ReleaseReview(ctx, vera, ses.ID)) // not hers: nothing
		if c := must[*Claim](t)(s.ReviewClaim(ctx, ses.ID)); c == nil || c.Account != max {
			t.Errorf("claim %+v", c)
		}
		stale := ballot(ses, max, policy.Rejected, 1, "document.expired")
		stale.Version--
		_, _, err = s.CastVote(ctx, stale)
		wantErr(t, err, ErrConflict)
		g := must[Grant](t)(s.AskGrant(ctx, NewGrant{Session: ses.ID, Account: max, Purpose: "review", Life: time.Hour}))
		c.add(20 * time.Second)
		b := ballot(ses, max, policy.Rejected, 1, "document.expired")
		b.Note = "obj_note"
		got, settled, err := s.CastVote(ctx, b)
		if err != nil || !settled || got.State != Rejected || got.Decision.By != Reviewer || got.Version != ses.Version+1 {
			t.Fatalf("%+v, %v, %v", got, settled, err)
		}
		if again := must[*Session](t)(s.Get(ctx, ses.ID)); again.State != Rejected {
			t.Errorf("stored as %s", again.State)
		}
		events := must[[]Outbox](t)(s.Pending(ctx, 100))
		n := 0
		for _, o := range events {
			if o.Kind == KindWebhook && o.Session == ses.ID {
				n++
			}
		}
		if n != 5 { // created, capture started, submitted, review required, decided
			t.Errorf("%d webhooks", n)
		}
		vs := must[[]Vote](t)(s.Votes(ctx, ses.ID))
		if len(vs) != 1 || vs[0].Account != max || vs[0].Note != "obj_note" || vs[0].Took != 20*time.Second || vs[0].Codes[0] != "document.expired" {
			t.Errorf("votes %+v", vs)
		}
		if _, err := s.UseGrant(ctx, max, g.ID, ses.ID, "obj", "selfie"); !errors.Is(err, ErrNoGrant) {
			t.Errorf("the grant outlives the review: %v", err)
		}
		_, _, err = s.ClaimReview(ctx, vera, ses.ID, time.Minute)
		wantErr(t, err, ErrNotInReview)
		for action, want := range map[string]int{"review.claim": 2, "review.vote": 1, "session.reject": 1, "review.release": 0} {
			if got := logged(t, s, action); got != want {
				t.Errorf("%s is logged %d times, not %d", action, got, want)
			}
		}
	})
}

func TestWithFourEyesACaseIsDecidedWhenTwoAgree(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		ses := toReview(t, s)
		people := []string{newAccount(t, s, "vera", access.Reviewer).ID, newAccount(t, s, "max", access.Reviewer).ID, newAccount(t, s, "kim", access.Reviewer).ID}
		says := []policy.Outcome{policy.Approved, policy.Rejected, policy.Approved}
		for i, who := range people {
			if _, _, err := s.ClaimReview(ctx, who, ses.ID, time.Minute); err != nil {
				t.Fatal(err)
			}
			var codes []policy.Code
			if says[i] == policy.Rejected {
				codes = []policy.Code{"document.expired"}
			}
			got, settled, err := s.CastVote(ctx, ballot(ses, who, says[i], 2, codes...))
			if err != nil || settled != (i == 2) || (got.State == Approved) != settled {
				t.Fatalf("vote %d: %v, %s, %v", i, settled, got.State, err)
			}
			if i < 2 {
				_, _, err := s.ClaimReview(ctx, who, ses.ID, time.Minute)
				wantErr(t, err, ErrVoted)
				free := must[[]Waiting](t)(s.Reviews(ctx, ReviewFilter{Free: true, Account: who}))
				others := must[[]Waiting](t)(s.Reviews(ctx, ReviewFilter{Free: true, Account: people[2]}))
				if len(free) != 0 || len(others) != 1 || others[0].Votes != i+1 {
					t.Errorf("after vote %d: %d for the voter, %+v for others", i, len(free), others)
				}
			}
		}
	})
}

func TestAskingForPhotosOpensTheNextAttemptWhoseReviewIsNew(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		ses := toReview(t, s)
		vera := newAccount(t, s, "vera", access.Reviewer).ID
		if _, _, err := s.ClaimReview(ctx, vera, ses.ID, time.Minute); err != nil {
			t.Fatal(err)
		}
		got, settled, err := s.CastVote(ctx, ballot(ses, vera, policy.NeedsResubmission, 1, "capture.glare"))
		if err != nil || !settled || got.State != NeedsResubmission {
			t.Fatalf("%+v %v", got, err)
		}
		toSubmitted(t, s, ses.ID)
		must[*Session](t)(s.Apply(ctx, ses.ID, AnyVersion, Decided(worker, 2, decision(policy.PendingReview, "consistency.name_mismatch")), nil))
		if _, _, err := s.ClaimReview(ctx, vera, ses.ID, time.Minute); err != nil {
			t.Errorf("the second attempt can not be claimed: %v", err)
		}
	})
}

func TestOfManyReviewersOneGetsTheCase(t *testing.T) {
	each(t, func(t *testing.T, s *Store, _ *testClock) {
		ses := toReview(t, s)
		var won atomic.Int64
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				_, _, err := s.ClaimReview(ctx, "usr_"+string(rune('a'+i)), ses.ID, time.Minute)
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, ErrClaimed) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d reviewers have the case", won.Load())
		}
	})
}

// However many cases arrive while reviewers work the queue from its head, a
// case is reached after at most as many decisions as stood before it.
func TestNoCaseStarvesInTheQueue(t *testing.T) {
	s := openTest(t, "sqlite", time.Now)
	vera := newAccount(t, s, "vera", access.Reviewer).ID
	rapid.Check(t, func(rt *rapid.T) {
		before := map[string]int{}
		decided := 0
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			for range rapid.IntRange(0, 2).Draw(rt, "arrivals") {
				queue, err := s.Reviews(ctx, ReviewFilter{Limit: 200})
				if err != nil {
					rt.Fatal(err)
				}
				before[toReview(t, s).ID] = decided + len(queue)
			}
			queue, err := s.Reviews(ctx, ReviewFilter{Free: true, Account: vera, Limit: 1})
			if err != nil {
				rt.Fatal(err)
			}
			if len(queue) == 0 {
				continue
			}
			head := queue[0].Session
			if _, _, err := s.ClaimReview(ctx, vera, head.ID, time.Minute); err != nil {
				rt.Fatal(err)
			}
			if _, _, err := s.CastVote(ctx, ballot(&head, vera, policy.Approved, 1)); err != nil {
				rt.Fatal(err)
			}
			if at, ours := before[head.ID]; ours && decided != at {
				rt.Fatalf("a case with %d before it was reached after %d", at, decided)
			}
			decided++
		}
		queue, err := s.Reviews(ctx, ReviewFilter{Limit: 200})
		if err != nil {
			rt.Fatal(err)
		}
		for _, w := range queue { // leave nothing to the next round
			if _, _, err := s.ClaimReview(ctx, vera, w.Session.ID, time.Minute); err != nil {
				rt.Fatal(err)
			}
			if _, _, err := s.CastVote(ctx, ballot(&w.Session, vera, policy.Approved, 1)); err != nil {
				rt.Fatal(err)
			}
		}
	})
}
