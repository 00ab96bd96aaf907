package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/policy"
)

type verifyCmd struct {
	Document string            `required:"" help:"Photo of the document's front, or of a passport's data page." placeholder:"FILE"`
	Back     string            `help:"Photo of the document's back." placeholder:"FILE"`
	Selfie   string            `required:"" help:"Photo of the person." placeholder:"FILE"`
	Claim    map[string]string `help:"What you already know of the person, to be compared, such as --claim surname=ERIKSSON." placeholder:"FIELD=VALUE"`

	Segment      string `help:"Policy segment of the case." placeholder:"NAME"`
	Jurisdiction string `help:"Jurisdiction of the case." placeholder:"CODE"`
	DocumentType string `help:"Document type of the case: passport, id_card, residence_permit or driving_licence. Another document is not approved." placeholder:"TYPE"`
	Date         string `help:"Day for which the case is decided (expiry, age); today when empty." placeholder:"YYYY-MM-DD"`

	Fields bool           `help:"Also print the fields read from the document. They are personal data."`
	JSON   bool           `name:"json" help:"Write one JSON object: findings, decision, and with --fields the fields."`
	Decode decodeSettings `embed:"" prefix:"decode."`
	engineSettings
}

func (verifyCmd) Help() string {
	return "Exit status: 0 when the case is approved, 3 when it is not."
}

func (c *verifyCmd) Run(ctx context.Context) error {
	if c.DocumentType != "" && !slices.Contains(policy.DocumentTypes, c.DocumentType) {
		return exitError{code: 2, msg: fmt.Sprintf("--document-type: %q is none of %s", c.DocumentType, strings.Join(policy.DocumentTypes, ", "))}
	}
	p, err := c.policy()
	if err != nil {
		return err
	}
	day := time.Now().UTC()
	if c.Date != "" {
		if day, err = time.Parse(time.DateOnly, c.Date); err != nil {
			return exitError{code: 2, msg: "--date: want YYYY-MM-DD"}
		}
	}
	files := map[string][]byte{}
	for kind, path := range map[string]string{"document_front": c.Document, "document_back": c.Back, "selfie": c.Selfie} {
		if path == "" {
			continue
		}
		if files[kind], err = readBounded(path); err != nil {
			return err
		}
	}
	stopIsolating, err := c.Decode.isolate(slog.New(slog.NewTextHandler(io.Discard, nil)), nil)
	if err != nil {
		return err
	}
	defer stopIsolating()
	engines, err := c.openEngines(1)
	if err != nil {
		return err
	}
	defer engines.Close()
	report, err := pipeline.Verify(ctx, engines, p, pipeline.Case{
		Documents: files, Claims: c.Claim, AsOf: day,
		Context: policy.Context{Segment: c.Segment, Jurisdiction: c.Jurisdiction, DocumentType: c.DocumentType},
	}, nil)
	if err != nil {
		return err
	}
	if !c.Fields {
		report.Fields = nil
	}
	if c.JSON {
		err = writeJSON(os.Stdout, report)
	} else {
		printReport(os.Stdout, report)
	}
	if err != nil {
		return err
	}
	if report.Decision.Outcome != policy.Approved {
		return exitError{code: 3}
	}
	return nil
}

func printReport(w *os.File, r pipeline.Report) {
	d := r.Decision
	fmt.Fprintf(w, "%s (policy %s version %s, cell %s)\n", d.Outcome, d.Policy, d.PolicyVersion, d.Cell)
	for _, why := range d.Reasons {
		info, _ := why.Code.Info()
		fmt.Fprintf(w, "  %-8s %-38s %s, %s: %s\n", why.Action, why.Code, why.Stage, why.Subject, info.Title)
	}
	if d.Hint != nil {
		fmt.Fprintf(w, "  say: %q; take again: %s\n", d.Hint.Text, strings.Join(d.Retake, ", "))
	}
	fmt.Fprintln(w)
	var rows [][]string
	for _, f := range r.Findings {
		rows = append(rows, []string{f.Stage, f.Subject, string(f.Verdict), fmt.Sprintf("%.0f ms", f.DurationMS), decisive(f)})
	}
	table(w, []string{"stage", "subject", "verdict", "time", "measured"}, rows)
	if len(r.Fields) > 0 {
		fmt.Fprintln(w)
		for _, f := range r.Fields {
			fmt.Fprintf(w, "  %-20s %-30s %s, confidence %.2f\n", f.Name, f.Value, f.Source, f.Confidence)
		}
	}
}

// decisive lists the measures that a threshold spoke about, those that did not
// pass first, and what was found without one.
func decisive(f policy.Finding) string {
	var parts []string
	measures := slices.Clone(f.Measures)
	slices.SortStableFunc(measures, func(a, b policy.Measure) int {
		return cmp.Compare(map[bool]int{true: 1}[a.Verdict == policy.Pass || a.Verdict == ""], map[bool]int{true: 1}[b.Verdict == policy.Pass || b.Verdict == ""])
	})
	for _, a := range f.Assertions {
		parts = append(parts, string(a.Code))
	}
	for _, m := range measures {
		if m.Threshold != nil && len(parts) < 4 {
			sign := map[string]string{"min": "≥", "max": "≤"}[m.Bound]
			parts = append(parts, fmt.Sprintf("%s %.3g (%s %.3g)", m.Name, m.Value, sign, *m.Threshold))
		}
	}
	return strings.Join(parts, ", ")
}
