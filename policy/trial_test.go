package policy

import (
	"fmt"
	"testing"
)

func TestACanaryTakesItsShareAndTheSameSessionsEachTime(t *testing.T) {
	small, large := Canary{Policy: Default(), Share: 0.1}, Canary{Policy: Default(), Share: 0.3}
	taken := 0
	for i := range 10000 {
		id := fmt.Sprintf("ses_%026d", i)
		if small.Takes(id) {
			taken++
			if !small.Takes(id) || !large.Takes(id) {
				t.Fatal("another answer the second time, or lost when the share grows")
			}
		}
	}
	if taken < 900 || taken > 1100 { // 3.3 standard deviations
		t.Errorf("%d of 10000 at 10 %%", taken)
	}
	if (Canary{Policy: Default()}).Takes("ses_x") {
		t.Error("a share of nothing took a session")
	}
}

func TestACanaryIsStoppedByWhatIsLargerThanItsLimitAndThanChance(t *testing.T) {
	rules := StopRules{MinCases: 50, MaxRise: 0.1}
	live := Arm{Approved: 800, Rejected: 50, PendingReview: 100, NeedsResubmission: 50}
	stopped := func(a Arm) string {
		out := ""
		for _, c := range rules.Checks(live, a) {
			if c.Stop {
				out += c.What + " "
			}
		}
		return out
	}
	for _, c := range []struct {
		name string
		arm  Arm
		want string
	}{
		{"the same", Arm{80, 5, 10, 5}, ""},
		{"few cases prove nothing", Arm{10, 20, 5, 5}, ""},
		{"many more reviews", Arm{55, 5, 35, 5}, "pending_review "},
		{"more rejections and resubmissions", Arm{50, 20, 10, 20}, "rejected needs_resubmission "},
		{"approves what was doubtful", Arm{97, 1, 1, 1}, "approved "},
		{"a rise below the limit", Arm{7300, 500, 1700, 500}, ""},
		{"nothing yet", Arm{}, ""},
	} {
		if got := stopped(c.arm); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
