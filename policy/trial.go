package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
)

// Canary decides a share of new sessions for real, while the others stay with
// the policy in force. A session keeps the policy that it began with, also when
// the canary is stopped.
type Canary struct {
	Policy *Policy
	Share  float64 // 0 to 1
	Stop   StopRules
}

// Takes reports whether a session falls to the canary: by its id alone, so that
// every machine says the same, and a larger share contains every smaller one.
func (c Canary) Takes(session string) bool {
	h := sha256.Sum256([]byte("canary\n" + c.Policy.Hash() + "\n" + session))
	return float64(binary.BigEndian.Uint64(h[:])>>11)/(1<<53) < c.Share
}

// StopRules end a canary that does harm. A share counts as risen when it lies
// above the live one by more than MaxRise and by more than chance explains
// (one-sided test of two proportions at 1 %).
type StopRules struct {
	MinCases int     `json:"min_cases"` // of the canary, before anything is concluded
	MaxRise  float64 `json:"max_rise"`  // 0.1: ten percentage points
}

// Arm counts the automatic decisions under one policy.
type Arm struct {
	Approved          int `json:"approved"`
	Rejected          int `json:"rejected"`
	PendingReview     int `json:"pending_review"`
	NeedsResubmission int `json:"needs_resubmission"`
}

// Cases is how many decisions there are.
func (a Arm) Cases() int { return a.Approved + a.Rejected + a.PendingReview + a.NeedsResubmission }

// z99 is the 99 % quantile of the normal distribution.
const z99 = 2.3263

// Check is one stop condition as it stands.
type Check struct {
	What   string  `json:"what"` // rejected, pending_review, needs_resubmission, approved
	Live   float64 `json:"live"` // shares
	Canary float64 `json:"canary"`
	Z      float64 `json:"z"` // standard errors apart
	Stop   bool    `json:"stop"`
}

// String says why a canary is stopped.
func (c Check) String() string {
	return fmt.Sprintf("%s rose from %.1f %% to %.1f %%", c.What, 100*c.Live, 100*c.Canary)
}

// Checks compares the canary with the live policy: more rejections, reviews or
// resubmissions burden people; more approvals may let somebody through. Of a thin
// canary nothing is concluded.
func (s StopRules) Checks(live, canary Arm) []Check {
	var out []Check
	for _, x := range []struct {
		what string
		l, c int
	}{
		{"approved", live.Approved, canary.Approved}, {"rejected", live.Rejected, canary.Rejected},
		{"pending_review", live.PendingReview, canary.PendingReview}, {"needs_resubmission", live.NeedsResubmission, canary.NeedsResubmission},
	} {
		k := Check{What: x.what}
		n, m := float64(live.Cases()), float64(canary.Cases())
		if n > 0 && m > 0 {
			k.Live, k.Canary = float64(x.l)/n, float64(x.c)/m
			pooled := float64(x.l+x.c) / (n + m)
			if sd := math.Sqrt(pooled * (1 - pooled) * (1/n + 1/m)); sd > 0 {
				k.Z = (k.Canary - k.Live) / sd
			}
			k.Stop = canary.Cases() >= s.MinCases && k.Canary-k.Live > s.MaxRise && k.Z > z99
		}
		out = append(out, k)
	}
	return out
}
