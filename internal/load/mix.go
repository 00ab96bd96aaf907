package load

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kinds of cases, in the order in which a mix is shown.
const (
	Passport     = "passport"      // good photos of a passport
	IDCard       = "id_card"       // good photos of both sides of a card
	Refused      = "refused"       // a blurred passport is refused at upload, then taken again
	OtherPerson  = "other_person"  // the selfie shows somebody else
	ScreenReplay = "screen_replay" // the selfie is shown on a screen
)

// Kinds lists all kinds.
var Kinds = []string{Passport, IDCard, Refused, OtherPerson, ScreenReplay}

// Mix says how many cases of each kind there are, as weights.
type Mix map[string]int

// ParseMix reads "passport=6,id_card=2,refused=1".
func ParseMix(s string) (Mix, error) {
	m := Mix{}
	for part := range strings.SplitSeq(s, ",") {
		kind, weight, ok := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.Atoi(weight)
		if !ok || err != nil || n < 0 || n > 1000 {
			return nil, fmt.Errorf("mix: %q is not KIND=WEIGHT with a weight of 0 to 1000", part)
		}
		if !slices.Contains(Kinds, kind) {
			return nil, fmt.Errorf("mix: there are the kinds %s, not %q", strings.Join(Kinds, ", "), kind)
		}
		if _, twice := m[kind]; twice {
			return nil, fmt.Errorf("mix: %s is named twice", kind)
		}
		m[kind] = n
	}
	if m.total() == 0 {
		return nil, fmt.Errorf("mix: every weight is 0")
	}
	return m, nil
}

func (m Mix) total() int {
	n := 0
	for _, w := range m {
		n += w
	}
	return n
}

func (m Mix) String() string {
	var parts []string
	for _, k := range Kinds {
		if m[k] > 0 {
			parts = append(parts, fmt.Sprintf("%s=%d", k, m[k]))
		}
	}
	return strings.Join(parts, ",")
}

// Sequence spreads the kinds evenly over one round of the mix: short runs have
// the same mix as long ones.
func (m Mix) Sequence() []string {
	out := make([]string, 0, m.total())
	owed := map[string]int{}
	for range m.total() {
		best := ""
		for _, k := range Kinds {
			owed[k] += m[k]
			if best == "" || owed[k] > owed[best] {
				best = k
			}
		}
		owed[best] -= m.total()
		out = append(out, best)
	}
	return out
}
