package console

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/session"
)

type thresholdsData struct {
	Now      time.Time
	Windows  []window
	Window   window
	Measures []session.ScoredMeasure
	Measure  session.ScoredMeasure
	Policy   struct{ Name, Version, Hash string }
	Rules    []rule

	Cases, Genuine, Impostor int
	Sampled, Waits           int     // of the judged ones, by the blind sample; drawn and not judged yet
	Stands                   float64 // how many cases a sampled one stands for
	Low, High, Step          float64
	From, To                 calibrate.Band
	Was, Would               calibrate.Effect
	Flipped                  int
	Flips                    []flip
	Moved                    bool // another band than the policy's is asked about
	Grid                     grid

	Judged, All  []bar
	Axis         []tick
	JudgedTop    int
	AllTop       int
	FromX, ToX   [2]float64
	DET          *det
	Target, Cost string
	Simulated    bool // no case is real
	Advice       *calibrate.Recommendation
	Refused      string

	Drift      *calibrate.Drift
	DriftThin  bool
	Recent     string
	Kappa      *calibrate.Kappa
	Referred   int // cases that the policy sent to people and these judged
	Confirmed  ratio
	CapReached bool
}

const flipRows = 40

func (x *Console) thresholds(w http.ResponseWriter, r *http.Request) {
	q, now := r.URL.Query(), x.c.Now()
	d := thresholdsData{Now: now, Windows: windows[1:], Window: windowOf(q.Get("window")), Measures: session.ScoredMeasures, Measure: session.ScoredMeasures[0]}
	if q.Get("window") == "" || d.Window.Code == "24h" {
		d.Window = windowOf("30d")
	}
	for _, m := range d.Measures {
		if m.Name == q.Get("measure") {
			d.Measure = m
		}
	}
	p := x.c.Rules.Current()
	d.Policy.Name, d.Policy.Version, d.Policy.Hash = p.Name, p.Version, p.Hash()
	d.Rules = rulesOn(p, d.Measure)
	l, err := x.lab(r.Context(), d.Measure.Name, d.Window)
	if err != nil {
		x.fail(w, r, Path, err)
		return
	}
	if d.Simulated, err = x.c.Store.OnlySimulated(r.Context()); err != nil {
		x.fail(w, r, Path, err)
		return
	}
	d.Cases, d.Genuine, d.Impostor, d.CapReached = len(l.cases), len(l.genuine), len(l.impostor), len(l.cases) == maxLabCases
	d.Sampled, d.Waits, d.Stands = l.sampled, l.waits, l.stands
	d.span(l)
	d.From = bandOf(d.Rules, d.Low)
	d.To = d.From
	number := func(name string, into *float64) {
		if v, err := strconv.ParseFloat(q.Get(name), 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
			*into = math.Min(d.High, math.Max(d.Low, v))
		}
	}
	number("reject", &d.To.Reject)
	number("approve", &d.To.Approve)
	d.To.Reject = math.Min(d.To.Reject, d.To.Approve)
	// A bound of the policy need not be on a step of the slider.
	same := func(a, b float64) bool { return math.Abs(a-b) <= d.Step/2+1e-9 }
	if same(d.To.Reject, d.From.Reject) {
		d.To.Reject = d.From.Reject
	}
	if same(d.To.Approve, d.From.Approve) {
		d.To.Approve = d.From.Approve
	}
	d.Moved = d.To != d.From
	d.Was, d.Would = l.WhatIf(d.From), l.WhatIf(d.To)
	d.Flipped = l.Flips(d.From, d.To)
	mine, err := x.c.Store.Judging(r.Context(), me(r))
	if err != nil {
		x.fail(w, r, Path, err)
		return
	}
	d.Flips = slices.DeleteFunc(l.flips(d.From, d.To, flipRows), func(f flip) bool { return mine[f.Session] })
	d.Grid = l.grid(d.Low, d.High, d.Step, d.From)
	d.histograms(l)
	d.DET = l.det(d.From.Approve, d.To.Approve)
	d.advise(l, q.Get("target"), q.Get("cost"))
	d.drift(l, now)
	if err := x.agreement(r, &d, now); err != nil {
		x.fail(w, r, Path, err)
		return
	}
	x.render(w, r, http.StatusOK, "thresholds", view{Title: "Thresholds", Data: d})
}

// span is the range of the axis: where the scores are, and the policy's bounds.
func (d *thresholdsData) span(l *lab) {
	d.Low, d.High = 0, 1
	if len(l.cases) > 0 {
		d.Low, d.High = math.Inf(1), math.Inf(-1)
		for _, c := range l.cases {
			d.Low, d.High = math.Min(d.Low, c.Score), math.Max(d.High, c.Score)
		}
	}
	for _, r := range d.Rules {
		d.Low, d.High = math.Min(d.Low, r.Min), math.Max(d.High, r.Min)
	}
	// To round numbers outwards, so that sliders stop at readable values.
	d.Low, d.High = math.Floor(d.Low*20)/20, math.Ceil(d.High*20)/20
	if d.High <= d.Low {
		d.High = d.Low + 0.05
	}
	for d.Step = 0.001; (d.High-d.Low)/d.Step > 2000; {
		d.Step *= 10
	}
}

var scorePlot = plot{W: 720, H: 170, Left: 46, Right: 12, Top: 8, Bottom: 22}

// Part is where a score lies on the axis.
func (d *thresholdsData) part(s float64) float64 {
	return math.Min(1, math.Max(0, (s-d.Low)/(d.High-d.Low)))
}

const scoreBins = 50

func (d *thresholdsData) histograms(l *lab) {
	var genuine, impostor, all [scoreBins]int
	for _, c := range l.cases {
		b := min(scoreBins-1, int(d.part(c.Score)*scoreBins))
		all[b]++
		switch {
		case c.Known && c.Genuine:
			genuine[b]++
		case c.Known:
			impostor[b]++
		}
	}
	for b := range all {
		d.JudgedTop, d.AllTop = max(d.JudgedTop, genuine[b]+impostor[b]), max(d.AllTop, all[b])
	}
	judged, every := niceTop(float64(d.JudgedTop)), niceTop(float64(d.AllTop))
	d.JudgedTop, d.AllTop = int(judged), int(every)
	p := scorePlot
	width := (p.W - p.Left - p.Right) / scoreBins
	for b := range all {
		at := fmt.Sprintf("%.3g to %.3g: ", d.Low+(d.High-d.Low)*float64(b)/scoreBins, d.Low+(d.High-d.Low)*float64(b+1)/scoreBins)
		x, below := p.Left+float64(b)*width, 0.0
		draw := func(into *[]bar, n int, top float64, class, name string) {
			if n == 0 {
				return
			}
			h := float64(n) / top
			y := p.y(below + h)
			*into = append(*into, bar{x + width*.08, y, width * .84, math.Max(1, p.y(below)-y), class, at + strconv.Itoa(n) + " " + name})
			below += h
		}
		draw(&d.Judged, impostor[b], judged, "c-bad", "that a person found not genuine")
		draw(&d.Judged, genuine[b], judged, "c-good", "that a person found genuine")
		below = 0
		draw(&d.All, all[b], every, "c-open", "cases")
	}
	for i := range 6 {
		part := float64(i) / 5
		d.Axis = append(d.Axis, tick{p.x(part), fmt.Sprintf("%.2f", d.Low+(d.High-d.Low)*part)})
	}
	d.FromX = [2]float64{p.x(d.part(d.From.Reject)), p.x(d.part(d.From.Approve))}
	d.ToX = [2]float64{p.x(d.part(d.To.Reject)), p.x(d.part(d.To.Approve))}
}

// det is a curve of the two error rates with its band.
type det struct {
	Line, Band   string
	XTicks       []tick
	YTicks       []tick
	From, To     [2]float64
	FromFMR, FNM string
	Plot         plot
	Words        string
}

var detPlot = plot{W: 420, H: 340, Left: 62, Right: 14, Top: 12, Bottom: 44}

// det draws the detection error tradeoff over what people judged: one threshold
// for both sides. The band is the 95 % interval of the false non-match rate
// (Wilson) at each threshold.
func (l *lab) det(from, to float64) *det {
	if len(l.genuine) < 10 || len(l.impostor) < 10 {
		return nil
	}
	p := detPlot
	axis := rateAxis{1e-3}
	if len(l.impostor) > 3000 || len(l.genuine) > 3000 {
		axis.low = 1e-4
	}
	var line, upper, lower [][2]float64
	all := slices.Concat(l.genuine, l.impostor)
	slices.Sort(all)
	const points = 120
	for i := range points + 1 {
		fmr, fnmr := l.Rates(all[i*(len(all)-1)/points])
		ci := fnmr.Wilson()
		x := p.x(axis.part(fmr.Value()))
		line = append(line, [2]float64{x, p.y(axis.part(fnmr.Value()))})
		upper = append(upper, [2]float64{x, p.y(axis.part(ci.High))})
		lower = append(lower, [2]float64{x, p.y(axis.part(ci.Low))})
	}
	slices.Reverse(lower)
	d := &det{Line: path(line), Band: path(slices.Concat(upper, lower)) + "Z", Plot: p}
	for _, t := range axis.ticks() {
		d.XTicks = append(d.XTicks, tick{p.x(t.At), t.Text})
		d.YTicks = append(d.YTicks, tick{p.y(t.At), t.Text})
	}
	at := func(t float64) [2]float64 {
		fmr, fnmr := l.Rates(t)
		return [2]float64{p.x(axis.part(fmr.Value())), p.y(axis.part(fnmr.Value()))}
	}
	d.From, d.To = at(from), at(to)
	fmr, fnmr := l.Rates(to)
	d.Words = fmt.Sprintf("At %.4g: false matches %s, false non-matches %s.", to, rateWords(fmr), rateWords(fnmr))
	return d
}

// rateWords is a rate with its interval.
func rateWords(r calibrate.WeightedRate) string {
	ci := r.Wilson()
	return fmt.Sprintf("%s (95 %% %s to %s)", percent(r.Value()), percent(ci.Low), percent(ci.High))
}

// adviseRounds is how often the bootstrap draws; fewer for many cases, whose
// interval is narrow anyway.
func adviseRounds(n int) int { return min(400, max(60, 400_000/max(1, n))) }

func (d *thresholdsData) advise(l *lab, target, cost string) {
	d.Target, d.Cost = target, cost
	var rec calibrate.Recommendation
	var err error
	rounds := adviseRounds(d.Genuine + d.Impostor)
	switch {
	case target != "":
		v, perr := strconv.ParseFloat(target, 64)
		if perr != nil {
			d.Refused = "The target is a number above 0 and below 1, such as 0.001."
			return
		}
		rec, err = l.ForFMR(v, rounds, 1)
	case cost != "":
		v, perr := strconv.ParseFloat(cost, 64)
		if perr != nil || !(v > 0) || math.IsInf(v, 0) {
			d.Refused = "The cost is a number above 0: how many false rejections one false approval is worth."
			return
		}
		rec, err = l.ForCosts(calibrate.Costs{FalseMatch: v, FalseNonMatch: 1}, rounds, 1)
	default:
		return
	}
	if err != nil {
		d.Refused = upper(err.Error()) + "."
		return
	}
	d.Advice = &rec
}

// drift holds the last quarter of the window against what was before.
func (d *thresholdsData) drift(l *lab, now time.Time) {
	since := now.Add(-d.Window.Length / 4)
	d.Recent = spell(d.Window.Length / 4)
	var before, recent []float64
	for _, c := range l.cases {
		if c.Began().Before(since) {
			before = append(before, c.Score)
		} else {
			recent = append(recent, c.Score)
		}
	}
	v, err := calibrate.DriftOf(before, recent)
	if err != nil {
		d.DriftThin = true
		return
	}
	d.Drift = &v
}

// agreement says how people agree with each other and with the policy.
func (x *Console) agreement(r *http.Request, d *thresholdsData, now time.Time) error {
	a, b, err := x.c.Store.ReviewerPairs(r.Context(), now.Add(-d.Window.Length), 5000)
	if err != nil {
		return err
	}
	if len(a) > 0 {
		k, err := calibrate.Agreement(a, b)
		if err != nil {
			return err
		}
		d.Kappa = &k
	}
	d.Confirmed = ratio{int64(d.Impostor), int64(d.Genuine + d.Impostor)}
	return nil
}

func upper(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}
