package calibrate

import (
	"math"
	"testing"
)

func TestWilsonAgreesWithPublishedValues(t *testing.T) {
	// Newcombe (1998), Statistics in Medicine 17, table I, method 3.
	for _, c := range []struct {
		r    Rate
		want Interval
	}{
		{Rate{81, 263}, Interval{0.2553, 0.3662}},
		{Rate{15, 148}, Interval{0.0624, 0.1605}},
		{Rate{0, 20}, Interval{0, 0.1611}},
		{Rate{1, 29}, Interval{0.0061, 0.1718}},
	} {
		got := c.r.Wilson()
		if math.Abs(got.Low-c.want.Low) > 6e-5 || math.Abs(got.High-c.want.High) > 6e-5 {
			t.Errorf("%d/%d: %+v, want %+v", c.r.Errors, c.r.Trials, got, c.want)
		}
	}
}

func TestNoTrialsProveNothing(t *testing.T) {
	if w := (Rate{}).Wilson(); w != (Interval{0, 1}) {
		t.Errorf("interval %+v", w)
	}
	if (Rate{}).RuleOf3() != 1 || (Rate{0, 2}).RuleOf3() != 1 || (Rate{0, 3000}).RuleOf3() != 1e-3 {
		t.Error("rule of 3")
	}
}
