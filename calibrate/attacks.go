package calibrate

import (
	"math"
	"sort"
)

// Presentation is one attempt shown to presentation attack detection.
type Presentation struct {
	// Score grows with liveness. Inconclusive attempts have none.
	Score        float64
	Inconclusive bool
	// Species names the attack instrument ("print", "screen", …); empty for a
	// bona fide presentation.
	Species string
}

// Attacks holds presentations sorted for queries. A presentation is taken for
// live when its score is at or above the threshold.
type Attacks struct {
	bonafide  group
	bySpecies map[string]*group
}

type group struct {
	scores       []float64
	inconclusive int
}

func (g *group) total() int { return len(g.scores) + g.inconclusive }

// AttacksOf sorts presentations. Scores that are not a number count as
// inconclusive.
func AttacksOf(ps []Presentation) *Attacks {
	a := &Attacks{bySpecies: map[string]*group{}}
	for _, p := range ps {
		g := &a.bonafide
		if p.Species != "" {
			if a.bySpecies[p.Species] == nil {
				a.bySpecies[p.Species] = &group{}
			}
			g = a.bySpecies[p.Species]
		}
		if p.Inconclusive || math.IsNaN(p.Score) {
			g.inconclusive++
		} else {
			g.scores = append(g.scores, p.Score)
		}
	}
	sort.Float64s(a.bonafide.scores)
	for _, g := range a.bySpecies {
		sort.Float64s(g.scores)
	}
	return a
}

// Species lists the attack species in alphabetical order.
func (a *Attacks) Species() []string {
	var out []string
	for s := range a.bySpecies {
		out = append(out, s)
	}
	sort.Strings(out)
	return out
}

// APCER is the attack presentation classification error rate of one species:
// attacks taken for live among those that got a score. Inconclusive ones are
// non-responses (see NonResponse), which ISO/IEC 30107-3 reports apart.
func (a *Attacks) APCER(species string, threshold float64) Rate {
	g := a.bySpecies[species]
	if g == nil {
		return Rate{}
	}
	return Rate{len(g.scores) - sort.SearchFloat64s(g.scores, threshold), len(g.scores)}
}

// WorstAPCER is the highest APCER over the species, which is the one that the
// standard has reported, with its species. Averages over species hide it.
func (a *Attacks) WorstAPCER(threshold float64) (species string, worst Rate) {
	for _, s := range a.Species() {
		r := a.APCER(s, threshold)
		if r.Trials > 0 && (worst.Trials == 0 || r.Value() > worst.Value()) {
			species, worst = s, r
		}
	}
	return species, worst
}

// BPCER is the bona fide presentation classification error rate: live people
// taken for an attack among those that got a score.
func (a *Attacks) BPCER(threshold float64) Rate {
	return Rate{sort.SearchFloat64s(a.bonafide.scores, threshold), len(a.bonafide.scores)}
}

// NonResponse is the share of presentations that got no score: of a species
// (APNRR), or of the bona fide ones (BPNRR) when species is empty.
func (a *Attacks) NonResponse(species string) Rate {
	g := &a.bonafide
	if species != "" {
		if g = a.bySpecies[species]; g == nil {
			return Rate{}
		}
	}
	return Rate{g.inconclusive, g.total()}
}

// AUC is the probability that a bona fide score lies above the score of an
// attack of one species, or of any when species is empty.
func (a *Attacks) AUC(species string) float64 {
	s := &Scores{genuine: a.bonafide.scores}
	for _, name := range a.Species() {
		if species == "" || species == name {
			s.impostor = append(s.impostor, a.bySpecies[name].scores...)
		}
	}
	sort.Float64s(s.impostor)
	return s.AUC()
}

// AtBPCER gives the highest threshold whose observed BPCER is at most target.
// ok is false without bona fide scores.
func (a *Attacks) AtBPCER(target float64) (threshold float64, ok bool) {
	n := len(a.bonafide.scores)
	if n == 0 {
		return 0, false
	}
	allowed := min(int(math.Floor(target*float64(n)+1e-9)), n-1)
	return a.bonafide.scores[allowed], true
}
