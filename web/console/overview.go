package console

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// window is a stretch of time that can be chosen.
type window struct {
	Code, Name string
	Length     time.Duration
	Span       time.Duration
}

var windows = []window{
	{"24h", "24 hours", 24 * time.Hour, session.Hour},
	{"7d", "7 days", 7 * session.Day, session.Hour},
	{"30d", "30 days", 30 * session.Day, session.Day},
	{"90d", "90 days", 90 * session.Day, session.Day},
}

func windowOf(code string) window {
	for _, w := range windows {
		if w.Code == code {
			return w
		}
	}
	return windows[1]
}

// ratio is a part of a whole.
type ratio struct{ Part, Whole int64 }

// Text is the ratio in per cent; a dash where there is nothing.
func (r ratio) Text() string {
	if r.Whole == 0 {
		return "–"
	}
	return percent(float64(r.Part) / float64(r.Whole))
}

func percent(v float64) string {
	switch {
	case v == 0:
		return "0 %"
	case v < 0.001:
		return fmt.Sprintf("%.2g %%", 100*v)
	case v < 0.1 || v > 0.9 && v < 1:
		return fmt.Sprintf("%.1f %%", 100*v)
	}
	return fmt.Sprintf("%.0f %%", 100*v)
}

// tile is one figure with what it was in the window before.
type tile struct {
	Name, Value, Note, Before string
	Bad                       bool
}

// step is a bar of the funnel.
type step struct {
	Name       string
	N          int64
	Share      ratio
	Left       int64 // went away after it
	LeftReason string
}

// Width is the bar's length, 0 to 100.
func (s step) Width() float64 {
	if s.Share.Whole == 0 {
		return 0
	}
	return 100 * float64(s.Share.Part) / float64(s.Share.Whole)
}

// split is the figures of one value of a dimension.
type split struct {
	Name, Link                         string
	Sessions                           int64
	Submitted, Approved, Again, Living ratio
	Median                             string
}

type overviewData struct {
	Now, Counted time.Time
	Windows      []window
	Window       window
	Filter       session.FigureFilter
	Tenants      []string
	Countries    []string
	Documents    []string
	Devices      []string
	Tiles        []tile
	Funnel       []step
	Open         int64
	Splits       []struct {
		Name string
		Rows []split
		Rest int
	}
	Causes    []cause
	Series    []bar
	Ticks     []tick
	Days      []tick
	Total     session.Figures
	Simulated int64
	Reviews   int64
	Late      string
	Dead      int
	Waiting   int
}

func (x *Console) overview(w http.ResponseWriter, r *http.Request) {
	q, now := r.URL.Query(), x.c.Now()
	d := overviewData{Now: now, Windows: windows, Window: windowOf(q.Get("window"))}
	d.Filter = session.FigureFilter{Span: d.Window.Span, Tenant: q.Get("tenant"), Jurisdiction: q.Get("country"), DocumentType: q.Get("document"), Device: q.Get("device")}
	from := now.Add(-d.Window.Length)
	f := d.Filter
	f.From, f.Before = from.Add(-d.Window.Length), now
	groups, err := x.c.Store.Figures(r.Context(), f)
	if err != nil {
		x.fail(w, r, Path, err)
		return
	}
	if d.Counted, err = x.c.Store.CountedAt(r.Context()); err != nil {
		x.fail(w, r, Path, err)
		return
	}
	counts, oldest, err := x.c.Store.OutboxCounts(r.Context())
	if err != nil {
		x.fail(w, r, Path, err)
		return
	}
	for _, states := range counts {
		d.Waiting += states[session.Pending] + states[session.Dispatched]
		d.Dead += states[session.Dead]
	}
	if oldest > 0 {
		d.Late = spell(oldest)
	}
	if d.Reviews, err = x.c.Store.CountInReview(r.Context()); err != nil {
		x.fail(w, r, Path, err)
		return
	}
	start := from.Truncate(d.Window.Span)
	var before session.Figures
	var own []session.FigureGroup
	causes := session.Causes{}
	for _, g := range groups {
		if g.Begins.Before(start) {
			before.Add(&g.Figures)
			continue
		}
		own = append(own, g)
		d.Total.Add(&g.Figures)
		causes.Add(g.Causes)
	}
	d.Simulated = d.Total[session.Made]
	d.tiles(&before)
	d.funnel()
	d.causes(causes)
	d.splits(own, r)
	d.series(own, start)
	x.render(w, r, http.StatusOK, "overview", view{Title: "Overview", Data: d})
}

func rateOf(f *session.Figures, part, whole session.Counter) ratio { return ratio{f[part], f[whole]} }

func (d *overviewData) tiles(before *session.Figures) {
	rate := func(name, note string, part, whole session.Counter) tile {
		t := tile{Name: name, Value: rateOf(&d.Total, part, whole).Text(), Note: note}
		if before[whole] > 0 {
			t.Before = rateOf(before, part, whole).Text()
		}
		return t
	}
	took := func(name, note string, k session.Timing) tile {
		t := tile{Name: name, Value: "–", Note: note}
		if v, ok := d.Total.Quantile(k, .5); ok {
			p95, _ := d.Total.Quantile(k, .95)
			t.Value, t.Note = seconds(v), "95 % within "+seconds(p95)
		}
		if v, ok := before.Quantile(k, .5); ok {
			t.Before = seconds(v)
		}
		return t
	}
	sessions := tile{Name: "Sessions", Value: thousands(d.Total[session.Created]), Note: "created"}
	if n := before[session.Created]; n > 0 {
		sessions.Before = thousands(n)
	}
	hooks := took("Webhook delivery", "", session.HookTime)
	if n := d.Total[session.HooksGivenUp]; n > 0 {
		hooks.Note, hooks.Bad = fmt.Sprintf("%s given up of %s", thousands(n), thousands(d.Total[session.HooksDue])), n*200 > d.Total[session.HooksDue]
	}
	system := rate("System causes", "of decisions: a check failed or was missing here", session.SystemCause, session.Judged)
	system.Bad = d.Total[session.SystemCause]*50 > d.Total[session.Judged]
	queue := tile{Name: "Queue", Value: thousands(int64(d.Waiting)), Note: "wait to be worked on now"}
	if d.Late != "" {
		queue.Note += ", the oldest for " + d.Late
	}
	if d.Dead > 0 {
		queue.Note, queue.Bad = fmt.Sprintf("waiting; %d given up", d.Dead), true
	}
	d.Tiles = []tile{
		sessions,
		rate("Submission success", "of those who agreed sent their photos", session.SentIn, session.Consented),
		rate("Approved", "of submitted sessions", session.EndApproved, session.SentIn),
		rate("Liveness pass", "of selfies that were judged", session.LivenessPassed, session.LivenessJudged),
		rate("Resubmission", "of decided sessions needed new photos", session.ResentAsked, session.Judged),
		rate("To a person", "of decided sessions", session.ToReview, session.Judged),
		took("Time to decision", "", session.DecideTime),
		took("Time to outcome", "", session.OutcomeTime),
		hooks, system, queue,
		{Name: "In review", Value: thousands(d.Reviews), Note: "cases wait for a person now"},
	}
}

func (d *overviewData) funnel() {
	t := &d.Total
	all := t[session.Created]
	add := func(name string, n session.Counter, left session.Counter, why string) {
		d.Funnel = append(d.Funnel, step{name, t[n], ratio{t[n], all}, t[left], why})
	}
	none := session.Made // never shown
	add("Created", session.Created, session.LeftAtStart, "never agreed")
	add("Agreed", session.Consented, session.LeftAtPhotos, "took no photo")
	add("Photo taken", session.Photographed, session.LeftAtSubmit, "did not submit")
	add("Submitted", session.SentIn, session.LeftAtResend, "did not take new photos")
	add("Decided", session.Judged, none, "")
	end := t[session.EndApproved] + t[session.EndRejected]
	d.Funnel = append(d.Funnel, step{Name: "Approved or rejected", N: end, Share: ratio{end, all}})
	for i := range d.Funnel {
		if d.Funnel[i].LeftReason == "" {
			d.Funnel[i].Left = 0
		}
	}
	d.Open = all - end - t[session.EndExpired]
}

// cause is a group of reason codes with the sessions that they spoke against.
type cause struct {
	Name, What string
	N          int64
	Share      ratio
	Codes      []causeCode
	Rest       int
}

// Width is the bar's length, 0 to 100.
func (c cause) Width() float64 { return step{Share: c.Share}.Width() }

type causeCode struct {
	Code policy.Code
	N    int64
}

// causeRows is how many codes of a cause are listed.
const causeRows = 5

func (d *overviewData) causes(counted session.Causes) {
	for _, c := range []struct{ name, what string }{
		{"capture", "the photo"}, {"document", "the document itself"}, {"biometric", "face and liveness"},
		{"consistency", "sources that differ"}, {"compliance", "rules and lists"}, {"system", "this server"},
	} {
		n := counted[policy.Code(c.name)]
		row := cause{Name: c.name, What: c.what, N: n, Share: ratio{n, d.Total[session.Judged]}}
		for code, n := range counted {
			if code.Category() == c.name && string(code) != c.name {
				row.Codes = append(row.Codes, causeCode{code, n})
			}
		}
		slices.SortFunc(row.Codes, func(a, b causeCode) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Code, b.Code)) })
		row.Rest = max(0, len(row.Codes)-causeRows)
		row.Codes = row.Codes[:len(row.Codes)-row.Rest]
		d.Causes = append(d.Causes, row)
	}
}

const splitRows = 8

func (d *overviewData) splits(groups []session.FigureGroup, r *http.Request) {
	for _, dim := range []struct {
		name, param string
		of          func(session.FigureGroup) string
		into        *[]string
	}{
		{"Country", "country", func(g session.FigureGroup) string { return g.Jurisdiction }, &d.Countries},
		{"Document", "document", func(g session.FigureGroup) string { return g.DocumentType }, &d.Documents},
		{"Device", "device", func(g session.FigureGroup) string { return g.Device }, &d.Devices},
		{"Tenant", "tenant", func(g session.FigureGroup) string { return g.Tenant }, &d.Tenants},
	} {
		sums := map[string]*session.Figures{}
		for _, g := range groups {
			v := dim.of(g)
			if sums[v] == nil {
				sums[v] = &session.Figures{}
			}
			sums[v].Add(&g.Figures)
		}
		var rows []split
		for v, f := range sums {
			s := split{Name: v, Sessions: f[session.Created], Submitted: rateOf(f, session.SentIn, session.Consented), Approved: rateOf(f, session.EndApproved, session.SentIn),
				Again: rateOf(f, session.ResentAsked, session.Judged), Living: rateOf(f, session.LivenessPassed, session.LivenessJudged), Median: "–"}
			if m, ok := f.Quantile(session.DecideTime, .5); ok {
				s.Median = seconds(m)
			}
			if v == "" {
				s.Name = "unknown"
			} else {
				q := r.URL.Query()
				q.Set(dim.param, v)
				s.Link = Path + "/overview?" + q.Encode()
				*dim.into = append(*dim.into, v)
			}
			rows = append(rows, s)
		}
		slices.Sort(*dim.into)
		slices.SortFunc(rows, func(a, b split) int {
			return cmp.Or(cmp.Compare(b.Sessions, a.Sessions), cmp.Compare(a.Name, b.Name))
		})
		if len(rows) == 0 || dim.name == "Tenant" && len(rows) < 2 {
			continue
		}
		rest := max(0, len(rows)-splitRows)
		d.Splits = append(d.Splits, struct {
			Name string
			Rows []split
			Rest int
		}{dim.name, rows[:len(rows)-rest], rest})
	}
}

var seriesPlot = plot{W: 560, H: 250, Left: 44, Right: 6, Top: 10, Bottom: 26}

// series draws how sessions ended, by when they began.
func (d *overviewData) series(groups []session.FigureGroup, start time.Time) {
	step := d.Window.Span
	if d.Window.Code == "7d" {
		step = 6 * time.Hour
	}
	n := int(d.Now.Sub(start)/step) + 1
	sums := make([]session.Figures, n)
	for _, g := range groups {
		if i := int(g.Begins.Sub(start) / step); i >= 0 && i < n {
			sums[i].Add(&g.Figures)
		}
	}
	most := int64(0)
	for _, f := range sums {
		most = max(most, f[session.Created])
	}
	top := niceTop(float64(most))
	p := seriesPlot
	width := (p.W - p.Left - p.Right) / float64(n)
	for i, f := range sums {
		ended := f[session.EndApproved] + f[session.EndRejected] + f[session.EndExpired]
		at, below := start.Add(time.Duration(i)*step), 0.0
		label := at.UTC().Format("2 Jan")
		if step < session.Day {
			label = at.UTC().Format("2 Jan 15:04")
		}
		for _, part := range []struct {
			class, name string
			n           int64
		}{{"c-good", "approved", f[session.EndApproved]}, {"c-bad", "rejected", f[session.EndRejected]}, {"c-gone", "ended without a decision", f[session.EndExpired]}, {"c-open", "under way or in review", f[session.Created] - ended}} {
			if part.n <= 0 {
				continue
			}
			h := float64(part.n) / top
			y := p.y(below + h)
			d.Series = append(d.Series, bar{p.Left + float64(i)*width + width*.1, y, width * .8, p.y(below) - y, part.class, fmt.Sprintf("%s: %d %s", label, part.n, part.name)})
			below += h
		}
	}
	for i := range 3 {
		v := top * float64(i) / 2
		d.Ticks = append(d.Ticks, tick{p.y(float64(i) / 2), fmt.Sprintf("%g", v)})
	}
	for i := range 5 {
		at := int(float64(n-1) * float64(i) / 4)
		d.Days = append(d.Days, tick{p.Left + (float64(at)+.5)*width, start.Add(time.Duration(at) * step).UTC().Format(map[bool]string{true: "15:04", false: "2 Jan"}[d.Window.Code == "24h"])})
	}
}

// thousands writes a number with spaces.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// seconds writes a length of time shortly.
func seconds(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 100*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 100*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.1f h", d.Hours())
	}
	return fmt.Sprintf("%.1f days", d.Hours()/24)
}
