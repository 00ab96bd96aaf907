package main

import (
	"fmt"
	"os"

	"github.com/proofline/proofline/policy"
)

type policyCmd struct {
	Check policyCheckCmd `cmd:"" help:"Say whether a policy file can be used, and why not."`
	Show  policyShowCmd  `cmd:"" help:"Print the shipped policy, to start your own from."`
	Codes policyCodesCmd `cmd:"" help:"List the reason codes."`
}

type policyCheckCmd struct {
	File string `arg:"" help:"Policy file." type:"existingfile"`
}

func (c *policyCheckCmd) Run() error {
	p, err := policy.Load(c.File)
	if err != nil {
		return exitError{code: 3, msg: err.Error()}
	}
	guesses := 0
	for _, cell := range append([]policy.Cell{p.Defaults}, p.Cells...) {
		for _, t := range cell.Thresholds {
			if t.Basis == "guess" {
				guesses++
			}
		}
	}
	fmt.Printf("policy %s version %s is usable: %d cells besides the defaults, hash %s\n", p.Name, p.Version, len(p.Cells), p.Hash())
	if guesses > 0 {
		fmt.Printf("%d thresholds have no measured error rate (basis: guess)\n", guesses)
	}
	return nil
}

type policyShowCmd struct{}

func (policyShowCmd) Run() error {
	_, err := os.Stdout.Write(policy.DefaultYAML())
	return err
}

type policyCodesCmd struct {
	JSON bool `name:"json" help:"Write one JSON object per code."`
}

func (c *policyCodesCmd) Run() error {
	var rows [][]string
	for _, i := range policy.Codes() {
		if c.JSON {
			if err := writeJSON(os.Stdout, i); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, []string{string(i.Code), string(i.Action) + "  ", i.Title})
	}
	if !c.JSON {
		for _, r := range rows {
			fmt.Printf("%-40s %-10s %s\n", r[0], r[1], r[2])
		}
	}
	return nil
}
