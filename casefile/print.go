package casefile

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Print writes the account for people.
func (a Account) Print(to io.Writer) error {
	w := &lines{w: to}
	w.line("Session %s, explained for %s as of %s", a.Session, a.View, a.At.Format(time.RFC3339))
	if a.Tenant != "" {
		w.line("Tenant %s, state %s", a.Tenant, a.State)
	}
	if a.ExternalRef != "" {
		w.line("Reference of the relying service: %s", a.ExternalRef)
	}
	w.line("")
	for _, s := range a.Summary {
		w.line("%s", s)
	}
	if len(a.Advice) > 0 {
		w.line("\nWhat can be done")
		for _, s := range a.Advice {
			w.line("- %s", s)
		}
	}
	w.line("\nWhat happened")
	for _, e := range a.Timeline {
		w.event(e)
	}
	if a.Dropped > 0 && a.View != Support {
		w.line("  … and %d more events that changed nothing; the audit log has them", a.Dropped)
	}
	if a.View == Support {
		return w.err
	}
	for _, d := range a.Decisions {
		w.decision(d)
	}
	if len(a.Evidence) > 0 {
		w.line("\nEvidence")
	}
	for _, e := range a.Evidence {
		w.evidence(e)
	}
	if a.Held {
		w.line("  under legal hold")
	}
	return w.err
}

// lines keeps the first error.
type lines struct {
	w   io.Writer
	err error
}

func (w *lines) line(format string, a ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.w, format+"\n", a...)
	}
}

func (w *lines) event(e Event) {
	codes := ""
	if len(e.Codes) > 0 {
		codes = " [" + strings.Join(e.Codes, ", ") + "]"
	}
	at := e.Time.UTC().Format("2006-01-02 15:04:05")
	if e.Entry == nil {
		w.line("  %s  %s%s", at, e.Words, codes)
		return
	}
	w.line("  %s  #%d %s  %s%s", at, *e.Entry, e.Actor, e.Words, codes)
}

func (w *lines) decision(d Explained) {
	w.line("\nDecision of attempt %d: %s by %s on %s, which led to %s", d.Attempt, d.Outcome, d.By, d.At.UTC().Format(time.RFC3339), d.State)
	if d.Policy != nil {
		w.line("  policy %s version %s, cell %q, SHA-256 %s", d.Policy.Name, d.Policy.Version, d.Cell, d.Policy.SHA256)
	}
	if len(d.StepUps) > 0 {
		w.line("  asked for more by: %s", strings.Join(d.StepUps, ", "))
	}
	if d.Replay != "" && d.Replay != ByPerson {
		w.line("  computed again from the stored findings: %s", strings.ReplaceAll(d.Replay, "_", " "))
	}
	for _, r := range d.Reasons {
		field := ""
		if r.Field != "" {
			field = " on " + r.Field
		}
		w.line("  %s leads to %s (%s): %s%s, by %s of %s", r.Code, r.Action, r.Rule, r.Title, field, r.Stage, r.Subject)
	}
	if len(d.Checks) > 0 {
		w.line("  measures that a threshold bounds")
	}
	for _, c := range d.Checks {
		rule := ""
		if c.Code != "" {
			rule = fmt.Sprintf(": %s by rule %s (%s)", c.Code, c.Rule, c.Basis)
		}
		unit := ""
		if c.Unit != "" {
			unit = " " + c.Unit
		}
		w.line("    %-13s %s of %s is %.4g%s, %s %.4g%s", c.Verdict, c.Measure, c.Subject, c.Value, unit, c.Bound, c.Limit, rule)
	}
	for _, m := range d.Models {
		w.line("  model %s: %s, SHA-256 %s", m.Role, m.Name, m.SHA256)
	}
}

func (w *lines) evidence(e EvidenceState) {
	s := fmt.Sprintf("  %s: %d kept", e.Class, e.Kept)
	if e.Deleted > 0 {
		s += fmt.Sprintf(", %d deleted", e.Deleted)
	}
	if e.Kept > 0 && !e.RetainUntil.IsZero() {
		s += ", until " + e.RetainUntil.UTC().Format(time.RFC3339)
	}
	if !e.ErasedAt.IsZero() {
		s += ", key destroyed " + e.ErasedAt.UTC().Format(time.RFC3339)
	}
	if c := e.Certificate; c != nil {
		s += fmt.Sprintf(", certificate %s with SHA-256 %s, entry #%d", c.Object, c.SHA256, c.Entry)
	}
	w.line("%s", s)
}
