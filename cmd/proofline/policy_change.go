package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

type policyDiffCmd struct {
	A    string `arg:"" help:"Policy file, or - for the shipped one."`
	B    string `arg:"" help:"The other one."`
	JSON bool   `name:"json" help:"Write one JSON object per changed rule."`
}

func (policyDiffCmd) Help() string {
	return "Compares the rules that apply, not the texts: for every group of cases that either policy names, what is stricter, what is milder. Exit status 0 when the rules are the same, 3 when they differ."
}

func (c *policyDiffCmd) Run() error {
	a, err := readPolicy(c.A)
	if err != nil {
		return err
	}
	b, err := readPolicy(c.B)
	if err != nil {
		return err
	}
	changes := policy.Diff(a, b)
	var rows [][]string
	for _, ch := range changes {
		if c.JSON {
			if err := writeJSON(os.Stdout, ch); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{ch.Cell, ch.What, orNone(ch.From), orNone(ch.To), ch.Effect})
	}
	if len(rows) > 0 {
		for _, r := range rows {
			fmt.Printf("%s: %s%s\n  - %s\n  + %s\n", r[0], r[1], bracketed(r[4]), r[2], r[3])
		}
	}
	fmt.Fprintf(os.Stderr, "%s version %s → %s version %s: %d rules differ\n", a.Name, a.Version, b.Name, b.Version, len(changes))
	if len(changes) > 0 {
		return exitError{code: 3}
	}
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

func bracketed(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

// readPolicy reads a policy for a command; "-" is the shipped one.
func readPolicy(path string) (*policy.Policy, error) {
	if path == "-" {
		return policy.Default(), nil
	}
	p, err := policy.Load(path)
	if err != nil {
		return nil, exitError{code: 2, msg: err.Error()}
	}
	return p, nil
}

type policyExplainCmd struct {
	File         string             `arg:"" help:"Policy file, or - for the shipped one."`
	Segment      string             `help:"Segment of the case."`
	Jurisdiction string             `help:"Jurisdiction of the case."`
	DocumentType string             `help:"Kind of document of the case."`
	Signal       map[string]float64 `help:"Risk signals, such as amount=5000." placeholder:"NAME=VALUE"`
	JSON         bool               `name:"json" help:"Write one JSON object."`
}

func (policyExplainCmd) Help() string {
	return "Says which cell a case falls under and why, and which step-up rules its risk signals trigger."
}

func (c *policyExplainCmd) Run() error {
	p, err := readPolicy(c.File)
	if err != nil {
		return err
	}
	k := policy.Context{Segment: c.Segment, Jurisdiction: c.Jurisdiction, DocumentType: c.DocumentType, Signals: c.Signal}
	if err := k.Signals.Validate(); err != nil {
		return exitError{code: 2, msg: err.Error()}
	}
	cell, candidates := p.Cell(k), p.Explain(k)
	if c.JSON {
		return writeJSON(os.Stdout, struct {
			Context    policy.Context     `json:"context"`
			Candidates []policy.Candidate `json:"candidates"`
			StepUps    []string           `json:"step_ups"`
			Cell       policy.Cell        `json:"cell"`
		}{k, candidates, cell.Fired, cell})
	}
	for _, x := range candidates {
		switch {
		case x.Selected:
			fmt.Printf("→ %s: selected, names %d of segment, jurisdiction and document, more than any other that matches\n", x.Cell, x.Named)
		case x.Matches:
			fmt.Printf("  %s: matches, but names less\n", x.Cell)
		default:
			fmt.Printf("  %s: for other cases (%s)\n", x.Cell, x.Match)
		}
	}
	for _, s := range cell.StepUps {
		word := "not triggered"
		for _, f := range cell.Fired {
			if f == s.Name {
				word = "triggered"
			}
		}
		fmt.Printf("  step-up %q: %s\n", s.Name, word)
	}
	fmt.Printf("evidence: %s\nchecks: %s\nresubmissions: %d\n", strings.Join(cell.Evidence, ", "), strings.Join(cell.Checks, ", "), *cell.Resubmissions)
	return nil
}

type policySimulateCmd struct {
	File  string        `arg:"" help:"Policy file, or - for the shipped one."`
	Since time.Duration `help:"Only sessions created within this time." placeholder:"720h"`
	Limit int           `help:"At most so many cases, the newest first." default:"100000"`
	Flips int           `help:"How many flipped cases to list." default:"20"`
	JSON  bool          `name:"json" help:"Write one JSON object."`
	settings
}

func (policySimulateCmd) Help() string {
	return "Decides the stored cases again by another policy, from the findings that were stored with them: nothing is measured again, no evidence is opened, nothing is changed. Shows how many would end otherwise, which ones, and how both policies compare with what reviewers decided."
}

func (c *policySimulateCmd) Run(ctx context.Context) error {
	if c.Limit < 1 || c.Flips < 0 {
		return exitError{code: 2, msg: "--limit must be at least 1 and --flips at least 0"}
	}
	p, err := readPolicy(c.File)
	if err != nil {
		return err
	}
	store, err := c.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	f := session.Filter{}
	if c.Since > 0 {
		f.CreatedFrom = time.Now().Add(-c.Since)
	}
	skipped, n, start := 0, 0, time.Now()
	past := store.PastCases(ctx, f, func(string) { skipped++ })
	sim, err := p.Simulate(func(yield func(policy.PastCase, error) bool) {
		for pc, err := range past {
			if n++; err == nil && n > c.Limit {
				return
			}
			if n%1000 == 0 && time.Since(start) > time.Second {
				fmt.Fprintf(os.Stderr, "\r%d cases", n)
			}
			if !yield(pc, err) {
				return
			}
		}
	}, c.Flips)
	if n >= 1000 && time.Since(start) > time.Second {
		fmt.Fprint(os.Stderr, "\r")
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(os.Stdout, struct {
			Policy string `json:"policy_sha256"`
			policy.Simulation
			Skipped int `json:"skipped"`
		}{p.Hash(), sim, skipped})
	}
	printSimulation(sim, "was", "would be")
	if skipped > 0 {
		fmt.Fprintf(os.Stderr, "%d cases were left out: what they were decided from is not stored any more\n", skipped)
	}
	return nil
}

// printSimulation shows two policies' outcomes on the same cases.
func printSimulation(sim policy.Simulation, then, now string) {
	var rows [][]string
	for _, o := range []policy.Outcome{policy.Approved, policy.Rejected, policy.PendingReview, policy.NeedsResubmission} {
		rows = append(rows, []string{string(o), strconv.Itoa(sim.Before[o]), strconv.Itoa(sim.After[o])})
	}
	table(os.Stdout, []string{"outcome", then, now}, rows)
	fmt.Printf("\n%d cases, %d would end otherwise\n", sim.Cases, sim.Flipped)
	for _, fl := range sim.Flips {
		said := ""
		if fl.Reviewed != "" {
			said = "; a person decided " + string(fl.Reviewed)
		}
		fmt.Printf("  %s: %s → %s %v%s\n", fl.ID, fl.From, fl.To, fl.Codes, said)
	}
	if sim.Reviewed > 0 {
		fmt.Printf("\nof %d cases that a person decided:\n", sim.Reviewed)
		table(os.Stdout, []string{"", then, now}, [][]string{
			{"approved, a person rejected", strconv.Itoa(sim.Then.WrongApprovals), strconv.Itoa(sim.Now.WrongApprovals)},
			{"rejected, a person approved", strconv.Itoa(sim.Then.WrongRejections), strconv.Itoa(sim.Now.WrongRejections)},
			{"sent to a person", strconv.Itoa(sim.Then.ToPeople), strconv.Itoa(sim.Now.ToPeople)},
		})
	}
}
