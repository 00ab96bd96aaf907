package capacity

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
)

// Simulated is what a simulated queue did.
type Simulated struct {
	WaitMean, WaitP95         float64 // seconds until a worker begins
	DecisionMean, DecisionP95 float64 // seconds until the decision
	Use                       float64 // share of time that servers work
}

type freeTimes []float64

func (f freeTimes) Len() int           { return len(f) }
func (f freeTimes) Less(i, j int) bool { return f[i] < f[j] }
func (f freeTimes) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *freeTimes) Push(x any)        { *f = append(*f, x.(float64)) }
func (f *freeTimes) Pop() any          { panic("servers do not leave") }

// Simulate runs n cases through servers that take them in order. Service times
// are log-normal with the measured mean and spread: they are never negative and
// have the long right tail that measured ones have. The first tenth fills the
// queue and is not counted.
func Simulate(rate float64, servers int, c Cost, n int, seed uint64) Simulated {
	rng := rand.New(rand.NewPCG(seed, 0x6361706163697479))
	sigma2 := math.Log(1 + c.ServiceCV*c.ServiceCV)
	mu := math.Log(c.ServiceSeconds) - sigma2/2
	free := make(freeTimes, servers)
	waits, decisions := make([]float64, 0, n), make([]float64, 0, n)
	now, busy := 0.0, 0.0
	for i := range n {
		now += rng.ExpFloat64() / rate
		start := max(now, free[0])
		service := math.Exp(mu + math.Sqrt(sigma2)*rng.NormFloat64())
		free[0] = start + service
		heap.Fix(&free, 0)
		busy += service
		if i >= n/10 {
			waits, decisions = append(waits, start-now), append(decisions, start-now+service)
		}
	}
	mean := func(xs []float64) float64 {
		sum := 0.0
		for _, x := range xs {
			sum += x
		}
		return sum / float64(len(xs))
	}
	out := Simulated{WaitMean: mean(waits), DecisionMean: mean(decisions), Use: busy / now / float64(servers)}
	slices.Sort(waits)
	slices.Sort(decisions)
	out.WaitP95, out.DecisionP95 = waits[len(waits)*95/100], decisions[len(decisions)*95/100]
	return out
}
