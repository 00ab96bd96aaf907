package reader

import (
	"github.com/proofline/proofline/mrz"
)

// statePlaces are the columns where a state code begins, per line of a layout.
var statePlaces = map[mrz.Layout][][2]int{
	mrz.TD1:  {{0, 2}, {1, 15}},
	mrz.TD2:  {{0, 2}, {1, 10}},
	mrz.TD3:  {{0, 2}, {1, 10}},
	mrz.MRVA: {{0, 2}, {1, 10}},
	mrz.MRVB: {{0, 2}, {1, 10}},
}

// codes are all state codes as classes.
var codes = func() (all [][3]int) {
	for _, c := range mrz.StateCodes() {
		c = (c + "<<")[:3]
		all = append(all, [3]int{classOf(c[0]), classOf(c[1]), classOf(c[2])})
	}
	return all
}()

// unlisted is how likely a document is to print a code that is not in the
// table of 9303-3 §5.
const unlisted = 0.02

// states reads each state code as a whole: of the codes that exist, the one
// that the characters fit best, unless they fit none.
func (z *zone) states(layout mrz.Layout) {
	for _, at := range statePlaces[layout] {
		place := z.cells[at[0]][at[1] : at[1]+3]
		raw := 1.0
		for k := range place {
			_, p := place[k].best()
			raw *= p
		}
		var total, top float64
		var which [3]int
		var sums [3]cell
		for _, c := range codes {
			w := place[0][c[0]] * place[1][c[1]] * place[2][c[2]]
			total += w
			for k := range sums {
				sums[k][c[k]] += w
			}
			if w > top {
				top, which = w, c
			}
		}
		if total < unlisted*raw || total == 0 {
			continue
		}
		b := []byte(z.lines[at[0]])
		for k := range place {
			for m := range sums[k] {
				sums[k][m] /= total
			}
			place[k] = sums[k]
			if to := alphabet[which[k]]; b[at[1]+k] != to {
				z.repairs = append(z.repairs, Repair{Line: at[0] + 1, Column: at[1] + k + 1, From: string(b[at[1]+k]), To: string(to), Why: "state codes"})
				b[at[1]+k] = to
			}
		}
		z.lines[at[0]] = string(b)
	}
}
