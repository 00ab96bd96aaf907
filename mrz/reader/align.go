package reader

import "math"

// track is a chain of columns, one per character, about evenly spaced.
type track struct {
	at    []int
	score float64 // sum of gains
}

// The distance of neighbouring characters is four columns when the strip is
// at its pitch; the recogniser was trained for 0.8 to 1.2 of that.
const (
	minStep, maxStep = 3, 5
	stepCost         = 0.8
	maxGain          = 3.5
)

// gains are log odds of "this character" against "none": the gap between
// characters, or a smudge that is as much like one character as another.
func gains(c columns) []float64 {
	g := make([]float64, c.n)
	for i := range g {
		p := c.at(i)
		_, top := best(p)
		yes, no := math.Exp(float64(top)), math.Exp(float64(p[gap]))
		other := math.Max(0, 1-yes-no)
		g[i] = math.Max(-6, math.Min(maxGain, math.Log((yes+1e-4)/(no+0.5*other+0.02))))
	}
	return g
}

// free finds the best chain of any length.
func free(c columns) track {
	g := gains(c)
	score, from := make([]float64, c.n), make([]int, c.n)
	end := 0
	for i := range score {
		score[i], from[i] = g[i], -1
		for s := minStep; s <= maxStep && s <= i; s++ {
			v := score[i-s] + g[i]
			if s != 4 {
				v -= stepCost
			}
			if v > score[i] && score[i-s] > 0 {
				score[i], from[i] = v, i-s
			}
		}
		if score[i] > score[end] {
			end = i
		}
	}
	t := track{score: score[end]}
	for i := end; i >= 0; i = from[i] {
		t.at = append(t.at, i)
	}
	reverse(t.at)
	return t
}

// fixed finds the best chain of exactly n characters whose first lies in
// columns lo to hi, with ends that look like ends: what continues beyond them
// costs.
func fixed(c columns, n, lo, hi int) track {
	g := gains(c)
	const none = -1e18
	score := make([][]float64, n)
	from := make([][]int8, n)
	outside := func(i int) float64 { // the next character's place should be empty
		v := none
		for j := i - 1; j <= i+1; j++ {
			if j >= 0 && j < c.n {
				v = math.Max(v, g[j])
			}
		}
		if v == none || v < 0 {
			return 0
		}
		return v
	}
	for k := range n {
		score[k], from[k] = make([]float64, c.n), make([]int8, c.n)
		for i := range c.n {
			score[k][i] = none
			if k == 0 {
				if i >= lo && i <= hi {
					score[k][i] = g[i] - outside(i-4)
				}
				continue
			}
			for s := minStep; s <= maxStep && s <= i; s++ {
				v := score[k-1][i-s] + g[i]
				if s != 4 {
					v -= stepCost
				}
				if v > score[k][i] {
					score[k][i], from[k][i] = v, int8(s)
				}
			}
		}
	}
	end, top := 0, math.Inf(-1)
	for i := range c.n {
		if v := score[n-1][i] - outside(i+4); v > top {
			end, top = i, v
		}
	}
	t := track{score: top, at: make([]int, n)}
	for k, i := n-1, end; k >= 0; k-- {
		t.at[k] = i
		i -= int(from[k][i])
	}
	return t
}

func reverse(v []int) {
	for i, j := 0, len(v)-1; i < j; i, j = i+1, j-1 {
		v[i], v[j] = v[j], v[i]
	}
}

// cell is the probability of each character at one place.
type cell [gap]float64

func (c *cell) best() (int, float64) {
	at := 0
	for k, p := range c {
		if p > c[at] {
			at = k
		}
	}
	return at, c[at]
}

// cells averages, at each place of the track, the log probabilities of the
// column and its neighbours, weighted by how little they are a gap, and
// leaves the gap out.
func cells(c columns, t track) []cell {
	out := make([]cell, len(t.at))
	for k, i := range t.at {
		var logs [gap]float64
		var sum float64
		for j := i - 1; j <= i+1; j++ {
			if j < 0 || j >= c.n {
				continue
			}
			p := c.at(j)
			w := 1 - math.Exp(float64(p[gap]))
			if j != i {
				w *= 0.5
			}
			w += 1e-6
			sum += w
			for m := range gap {
				logs[m] += w * float64(p[m])
			}
		}
		var total float64
		for m := range gap {
			out[k][m] = math.Exp(logs[m] / sum)
			total += out[k][m]
		}
		for m := range gap {
			out[k][m] /= total
		}
	}
	return out
}

// confidence is the mean probability of the best character along a track,
// counting the gap as an answer too.
func confidence(c columns, t track) float64 {
	if len(t.at) == 0 {
		return 0
	}
	var sum float64
	for _, i := range t.at {
		_, top := best(c.at(i))
		sum += math.Exp(float64(top))
	}
	return sum / float64(len(t.at))
}
