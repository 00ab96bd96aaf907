package calibrate

import (
	"math"
	"sort"
)

// Trial is one comparison of two samples.
type Trial struct {
	Score float64
	// Same is the truth: both samples are of one person.
	Same bool
	// Failed: no score could be made, for example because no face was found.
	Failed bool
	// Quality is any measure of how good the samples are, for tables by band.
	Quality float64
	// A and B name the subjects of the two samples (equal when Same).
	A, B string
}

// Scores holds trials sorted for queries. A comparison matches when its score
// is at or above the threshold. A failed genuine trial counts as a non-match
// at every threshold, as the person was turned away all the same; a failed
// impostor trial is no match. Failures are also reported by themselves.
type Scores struct {
	genuine, impostor             []float64 // ascending
	failedGenuine, failedImpostor int
}

// Of sorts trials. Scores that are not a number count as failed.
func Of(trials []Trial) *Scores {
	s := &Scores{}
	for _, t := range trials {
		failed := t.Failed || math.IsNaN(t.Score)
		switch {
		case t.Same && failed:
			s.failedGenuine++
		case t.Same:
			s.genuine = append(s.genuine, t.Score)
		case failed:
			s.failedImpostor++
		default:
			s.impostor = append(s.impostor, t.Score)
		}
	}
	sort.Float64s(s.genuine)
	sort.Float64s(s.impostor)
	return s
}

// Genuine counts the trials of two samples of one person, failed ones included.
func (s *Scores) Genuine() int { return len(s.genuine) + s.failedGenuine }

// Impostor counts the trials of two people, failed ones included.
func (s *Scores) Impostor() int { return len(s.impostor) + s.failedImpostor }

// Failures is the share of trials that gave no score.
func (s *Scores) Failures() Rate {
	return Rate{s.failedGenuine + s.failedImpostor, s.Genuine() + s.Impostor()}
}

// FMR is the false match rate: impostor trials at or above the threshold.
func (s *Scores) FMR(threshold float64) Rate {
	below := sort.SearchFloat64s(s.impostor, threshold)
	return Rate{len(s.impostor) - below, s.Impostor()}
}

// FNMR is the false non-match rate: genuine trials below the threshold or
// failed.
func (s *Scores) FNMR(threshold float64) Rate {
	return Rate{sort.SearchFloat64s(s.genuine, threshold) + s.failedGenuine, s.Genuine()}
}

// AUC is the probability that a genuine score lies above an impostor score
// (ties count half): the area under the ROC curve, by the rank sum of Mann and
// Whitney. Failed trials are left out. It is not a number when either kind has
// no scores.
func (s *Scores) AUC() float64 {
	if len(s.genuine) == 0 || len(s.impostor) == 0 {
		return math.NaN()
	}
	var wins float64
	for _, g := range s.genuine {
		below := sort.SearchFloat64s(s.impostor, g)
		upTo := below + sort.Search(len(s.impostor)-below, func(i int) bool { return s.impostor[below+i] > g })
		wins += float64(below) + float64(upTo-below)/2
	}
	return wins / float64(len(s.genuine)) / float64(len(s.impostor))
}

// Point is one operating point of a DET curve.
type Point struct {
	Threshold float64 `json:"threshold"`
	FMR       float64 `json:"fmr"`
	FNMR      float64 `json:"fnmr"`
}

// DET lists the operating points at every threshold where a rate changes, from
// the most lenient to the strictest.
func (s *Scores) DET() []Point {
	all := append(append([]float64(nil), s.genuine...), s.impostor...)
	sort.Float64s(all)
	var out []Point
	for i, t := range all {
		if i > 0 && t == all[i-1] {
			continue
		}
		out = append(out, Point{t, s.FMR(t).Value(), s.FNMR(t).Value()})
	}
	if len(all) > 0 {
		t := math.Nextafter(all[len(all)-1], math.Inf(1))
		out = append(out, Point{t, s.FMR(t).Value(), s.FNMR(t).Value()})
	}
	return out
}

// EER is the equal error rate: where FMR and FNMR cross, taken as the mean of
// the two at the threshold where they are closest.
func (s *Scores) EER() float64 {
	best, eer := math.Inf(1), math.NaN()
	for _, p := range s.DET() {
		if d := math.Abs(p.FMR - p.FNMR); d < best {
			best, eer = d, (p.FMR+p.FNMR)/2
		}
	}
	return eer
}

// Operating is a threshold chosen for a target false match rate.
type Operating struct {
	Target    float64 `json:"target_fmr"`
	Threshold float64 `json:"threshold"`
	FMR       Rate    `json:"fmr"`
	FNMR      Rate    `json:"fnmr"`
	// Supported: there are enough impostor trials (at least 3/Target) for the
	// rule of 3 to prove the target. Otherwise the threshold merely lies above
	// every impostor score seen or counts too few of them.
	Supported bool `json:"supported"`
}

// AtFMR gives the lowest threshold whose observed false match rate is at most
// target. When that means no false match at all, the threshold stands just
// above the highest impostor score. ok is false without impostor scores.
func (s *Scores) AtFMR(target float64) (o Operating, ok bool) {
	n := len(s.impostor)
	if n == 0 {
		return Operating{}, false
	}
	allowed := int(math.Floor(target*float64(s.Impostor()) + 1e-9))
	var t float64
	if allowed >= n {
		t = s.impostor[0]
	} else {
		// Just above the (allowed+1)-th highest impostor score, so that ties
		// with it do not slip in.
		t = math.Nextafter(s.impostor[n-1-allowed], math.Inf(1))
	}
	return Operating{
		Target: target, Threshold: t, FMR: s.FMR(t), FNMR: s.FNMR(t),
		Supported: float64(s.Impostor())*target >= 3,
	}, true
}

// DETAt is the DET curve at n thresholds spread evenly over the ranks of the
// errors, for drawing sets that are too large for every point.
func (s *Scores) DETAt(n int) []Point {
	var out []Point
	add := func(sorted []float64) {
		for i := range n {
			if len(sorted) == 0 {
				return
			}
			// Ranks thin out towards the tail that matters.
			out = append(out, Point{Threshold: sorted[min(len(sorted)-1, int(math.Pow(float64(len(sorted)), float64(i)/float64(n-1)))-1)]})
		}
	}
	highest := make([]float64, len(s.impostor))
	for i, v := range s.impostor {
		highest[len(highest)-1-i] = v
	}
	add(highest)
	add(s.genuine)
	for i := range out {
		out[i].FMR, out[i].FNMR = s.FMR(out[i].Threshold).Value(), s.FNMR(out[i].Threshold).Value()
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Threshold < out[j].Threshold })
	return out
}
