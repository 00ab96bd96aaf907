package reader

import "math"

// periodicity returns the pitch of the line in photo pixels and how strongly
// its ink repeats at that distance, from 0 to 1. Type of constant pitch
// repeats; proportional type and pictures do not.
func (l *levels) periodicity(n line) (pitch, strength float64, err error) {
	const cols = 768
	sx := n.length / cols
	m, err := l.cut(n, -n.length/2, sx, n.height/12, cols, 14)
	if err != nil {
		return 0, 0, err
	}
	defer m.Close()
	px, err := m.DataPtrUint8()
	if err != nil {
		return 0, 0, err
	}
	profile := make([]float64, cols)
	for i, v := range px {
		profile[i%cols] += float64(v)
	}
	highPass(profile, int(2*n.height/sx))
	lo, hi := int(0.45*n.height/sx), int(2.2*n.height/sx)
	lo, hi = max(lo, cols/60), min(hi, cols/10)
	best, at := 0.0, 0
	corr := func(lag int) float64 {
		var ab, aa, bb float64
		for i := lag; i < cols; i++ {
			ab += profile[i] * profile[i-lag]
			aa += profile[i] * profile[i]
			bb += profile[i-lag] * profile[i-lag]
		}
		return ab / (math.Sqrt(aa*bb) + 1e-9)
	}
	r := make([]float64, hi+3)
	for lag := max(1, lo-1); lag < len(r); lag++ {
		r[lag] = corr(lag)
	}
	for lag := lo; lag <= hi; lag++ {
		if r[lag] > best && r[lag] >= r[lag-1] && r[lag] >= r[lag+1] {
			best, at = r[lag], lag
		}
	}
	if at == 0 {
		return 0, 0, nil
	}
	// Two characters repeat as well as one does.
	for half := at / 2; half >= lo*2/3 && half > 3; half /= 2 {
		b, bl := 0.0, 0
		for lag := half - 1; lag <= half+2; lag++ {
			if c := corr(lag); c > b && c >= corr(lag-1) && c >= corr(lag+1) {
				b, bl = c, lag
			}
		}
		if b < 0.6*best {
			break
		}
		at = bl
	}
	// Sharpen with the highest multiple that still repeats.
	p := float64(at)
	for k := 2; k <= 12; k++ {
		mid := int(p*float64(k) + 0.5)
		b, bl := 0.0, 0
		for lag := mid - 2; lag <= mid+2 && lag < cols-40; lag++ {
			if c := corr(lag); c > b {
				b, bl = c, lag
			}
		}
		if bl == 0 || b < 0.3*best {
			break
		}
		p = float64(bl) / float64(k)
	}
	return p * sx, best, nil
}

// highPass subtracts the running mean over 2·half+1 values.
func highPass(v []float64, half int) {
	sum := make([]float64, len(v)+1)
	for i, x := range v {
		sum[i+1] = sum[i] + x
	}
	for i := range v {
		a, b := max(0, i-half), min(len(v), i+half+1)
		v[i] -= (sum[b] - sum[a]) / float64(b-a)
	}
}
