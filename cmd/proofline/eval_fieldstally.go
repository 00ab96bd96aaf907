package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/proofline/proofline/calibrate"
	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/pipeline"
)

func tallyFields(results []fieldResult) *fieldTally {
	t := &fieldTally{Exact: map[string]map[string]*calibrate.Rate{}, Compared: map[string]map[string]*calibrate.Rate{},
		Caught: map[string]*calibrate.Rate{}, Unsure: map[string]*calibrate.Rate{}}
	for _, r := range results {
		t.Documents++
		if r.tamper == nil {
			t.fields(r)
		}
		t.tampering(r)
	}
	return t
}

// fields compares what was read of the print with what is printed.
func (t *fieldTally) fields(r fieldResult) {
	got := map[string]string{}
	for _, f := range r.report.Fields {
		if f.Source == "visual" {
			got[f.Name] = f.Value
		}
	}
	for _, want := range r.truth {
		if !slices.Contains(pipeline.PrintedFields, want.Name) {
			continue
		}
		text := want.Value
		if want.Name == "nationality" {
			text = want.Text // the word, where a word is printed
		}
		v := got[want.Name]
		exact := spaceless(v) == spaceless(text)
		compared := exact || pipeline.SameValue(want.Name, text, v)
		for _, layout := range []string{r.layout, "all"} {
			for _, field := range []string{want.Name, "all"} {
				hit(t.Exact, layout, field, exact)
				hit(t.Compared, layout, field, compared)
			}
		}
		if !exact {
			t.misses = append(t.misses, fmt.Sprintf("%s %s: %q, want %q", r.name, want.Name, v, text))
		}
	}
}

func hit(m map[string]map[string]*calibrate.Rate, layout, field string, ok bool) {
	if m[layout] == nil {
		m[layout] = map[string]*calibrate.Rate{}
	}
	count(m[layout], field, ok)
}

func count(m map[string]*calibrate.Rate, key string, ok bool) {
	if m[key] == nil {
		m[key] = &calibrate.Rate{}
	}
	m[key].Trials++
	if ok {
		m[key].Errors++
	}
}

// spaceless compares without case, spaces and the kind of apostrophe.
func spaceless(s string) string {
	return strings.NewReplacer(" ", "", "-", "", "'", "", "’", "", "—", "", "–", "").Replace(strings.ToUpper(s))
}

// tampering looks at the comparisons of zones.
func (t *fieldTally) tampering(r fieldResult) {
	sure, unsure := map[string]bool{}, map[string]bool{}
	for _, c := range r.report.Comparisons {
		if c.Result == pipeline.Mismatch {
			sure[c.Field] = sure[c.Field] || c.Sure
			unsure[c.Field] = unsure[c.Field] || !c.Sure
		}
	}
	if r.tamper == nil {
		t.Alarms.Trials++
		t.Doubts.Trials++
		if len(sure) > 0 && slices.Contains(values(sure), true) {
			t.Alarms.Errors++
			t.misses = append(t.misses, fmt.Sprintf("%s: false alarm: %s", r.name, differing(r.report.Comparisons)))
		}
		if slices.Contains(values(unsure), true) {
			t.Doubts.Errors++
		}
		return
	}
	for _, key := range []string{string(r.tamper.Zone), r.tamper.Field, "all"} {
		count(t.Caught, key, sure[r.tamper.Field])
		count(t.Unsure, key, !sure[r.tamper.Field] && unsure[r.tamper.Field])
	}
	if !sure[r.tamper.Field] {
		t.misses = append(t.misses, fmt.Sprintf("%s: altered %s in %s is not a sure mismatch: %s", r.name, r.tamper.Field, r.tamper.Zone, of(r.report.Comparisons, r.tamper.Field)))
	}
	delete(sure, r.tamper.Field)
	t.Wrong.Trials++
	if slices.Contains(values(sure), true) {
		t.Wrong.Errors++
	}
}

// differing are the comparisons in which two sources do not say the same.
func differing(cs []pipeline.Comparison) string {
	var out []string
	for _, c := range cs {
		if c.Result == pipeline.Mismatch {
			out = append(out, inWords(c))
		}
	}
	return strings.Join(out, "; ")
}

// of are the comparisons of one field.
func of(cs []pipeline.Comparison, field string) string {
	var out []string
	for _, c := range cs {
		if c.Field == field {
			out = append(out, inWords(c))
		}
	}
	if len(out) == 0 {
		return "not compared"
	}
	return strings.Join(out, "; ")
}

func inWords(c pipeline.Comparison) string {
	sure := "unsure"
	if c.Sure {
		sure = "sure"
	}
	return fmt.Sprintf("%s %s/%s %s (%s), likeness %.2f, confidence %.2f, of %d readings %d agree and %d match",
		c.Field, c.Sources[0], c.Sources[1], c.Result, sure, c.Likeness, c.Confidence, c.Readings, c.Agreeing, c.Matching)
}

func values(m map[string]bool) []bool {
	var out []bool
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

func (t *fieldTally) print() {
	if len(t.Exact) > 0 {
		fmt.Printf("Fields of the visual zone, %d documents, exact / as compared\n\n", t.Alarms.Trials)
		var layouts []string
		for l := range t.Exact {
			if l != "all" {
				layouts = append(layouts, l)
			}
		}
		slices.Sort(layouts)
		layouts = append(layouts, "all")
		var lines [][]string
		for _, field := range append(slices.Clone(pipeline.PrintedFields), "all") {
			if t.Exact["all"][field] == nil {
				continue
			}
			line := []string{field}
			for _, l := range layouts {
				cell := "–"
				if x := t.Exact[l][field]; x != nil {
					cell = fmt.Sprintf("%d / %d of %d", x.Errors, t.Compared[l][field].Errors, x.Trials)
				}
				line = append(line, cell)
			}
			lines = append(lines, line)
		}
		table(os.Stdout, append([]string{"field"}, layouts...), lines)
		fmt.Printf("\nexact %s, as compared %s (95 %% Wilson intervals)\n", t.Exact["all"]["all"], t.Compared["all"]["all"])
	}
	fmt.Printf("untouched: called altered %s, uncertain %s\n", t.Alarms, t.Doubts)
	if t.Caught["all"] == nil {
		return
	}
	fmt.Printf("\nOne altered field, %d documents\n\n", t.Caught["all"].Trials)
	var lines [][]string
	keys := append([]string{string(specimen.Visual), string(specimen.Machine), string(specimen.Barcode)}, specimen.TamperFields...)
	for _, key := range append(keys, "all") {
		if c := t.Caught[key]; c != nil {
			lines = append(lines, []string{key, c.String(), fmt.Sprintf("%d", t.Unsure[key].Errors)})
		}
	}
	table(os.Stdout, []string{"altered", "mismatch for sure", "uncertain"}, lines)
	fmt.Printf("\nanother field accused: %s\n", t.Wrong)
}
