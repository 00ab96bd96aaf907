package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/proofline/proofline/policy"
)

type policyCmd struct {
	Check    policyCheckCmd    `cmd:"" help:"Say whether a policy file can be used, why not, and what deserves a second look."`
	Show     policyShowCmd     `cmd:"" help:"Print the shipped policy, to start your own from."`
	Schema   policySchemaCmd   `cmd:"" help:"Print the JSON Schema of policy files, for editors."`
	Explain  policyExplainCmd  `cmd:"" help:"Say which cell and which step-up rules apply to a case."`
	Diff     policyDiffCmd     `cmd:"" help:"Compare the rules of two policies."`
	Simulate policySimulateCmd `cmd:"" help:"Decide past cases by another policy and compare."`
	Shadow   policyShadowCmd   `cmd:"" help:"Compare what a shadow policy said with what was decided."`
	Canary   policyCanaryCmd   `cmd:"" help:"Show, stop or resume the canary and its stop conditions."`
	Codes    policyCodesCmd    `cmd:"" help:"List the reason codes."`
}

type policyCheckCmd struct {
	File string `arg:"" help:"Policy file." type:"existingfile"`
	JSON bool   `name:"json" help:"Write one JSON object."`
}

func (c *policyCheckCmd) Run() error {
	p, err := policy.Load(c.File)
	if err != nil {
		return exitError{code: 3, msg: err.Error()}
	}
	remarks := p.Remarks()
	if c.JSON {
		return writeJSON(os.Stdout, struct {
			Name    string          `json:"name"`
			Version string          `json:"version"`
			Hash    string          `json:"sha256"`
			Cells   int             `json:"cells"`
			Remarks []policy.Remark `json:"remarks"`
		}{p.Name, p.Version, p.Hash(), len(p.Cells), remarks})
	}
	fmt.Printf("policy %s version %s is usable: %d cells besides the defaults, hash %s\n", p.Name, p.Version, len(p.Cells), p.Hash())
	fmt.Println("proved: every cell is selected for the cases it names, every data class has a retention, every reason code leads to an action, more risk never asks for less")
	for _, r := range remarks {
		fmt.Printf("%-15s %s: %s\n", strings.ReplaceAll(r.Kind, "_", " "), r.Where, r.Text)
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
