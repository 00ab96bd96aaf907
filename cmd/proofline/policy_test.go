package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

func TestTheSchemaAcceptsTheShippedPolicyAndRefusesMistakes(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(policySchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("policy.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("policy.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	check := func(text string) error {
		j, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	shipped := string(policy.DefaultYAML())
	if err := check(shipped); err != nil {
		t.Error(err)
	}
	for old, broken := range map[string]string{
		"resubmissions: 3":             "resubmissions: three",
		"capture_image: 30d":           "capture_image: 30 days",
		"code: capture.blank":          "code: capture.blurry",
		"capture.shadow: note":         "capture.shadow: ignore",
		"checks: [quality":             "checks: [magic",
		"evidence: [document_front":    "evidence: [fingerprint",
		"name: default":                "title: default",
		"expires: 24h":                 "expires: 24h\n  colour: blue",
		"measure: document.sharpness,": "meassure: document.sharpness,",
	} {
		if !strings.Contains(shipped, old) {
			t.Fatalf("the shipped policy has no %q", old)
		}
		if check(strings.Replace(shipped, old, broken, 1)) == nil {
			t.Errorf("accepted: %s", broken)
		}
	}
}

func TestPastCasesAreDecidedAgainByAnotherPolicy(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	store, err := session.Open(ctx, "sqlite:"+filepath.Join(dir, "proofline.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	need := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	p := policy.Default()
	client := session.Actor{Role: session.Client, ID: "tok_1"}
	worker := session.Actor{Role: session.Worker, ID: "w1"}
	for i, similarity := range []float64{0.30, 0.37, 0.5} { // uncertain, close, good
		ses, err := store.Create(ctx, session.New{Tenant: defaultTenant, PolicyName: p.Name, PolicyVersion: p.Version, PolicyHash: p.Hash(), Actor: operator})
		need(err)
		for _, ev := range []session.Event{
			{Kind: session.ConsentGiven, Actor: client, Consent: &session.Consent{TextHash: "h", Scope: []string{"document", "biometric"}}},
			{Kind: session.Submit, Actor: client},
		} {
			_, err := store.Apply(ctx, ses.ID, session.AnyVersion, ev, nil)
			need(err)
		}
		in := policy.Input{Attempt: 1}
		basis := &session.Basis{Input: in, Evidence: []string{}}
		for _, stage := range p.Cell(policy.Context{}).Checks {
			f := policy.Finding{Stage: stage, Subject: "case"}
			if stage == "face" {
				f.Measures = []policy.Measure{{Name: "face.similarity", Value: similarity}}
			}
			in.Findings = append(in.Findings, f)
			body, err := json.Marshal(map[string]any{"findings": []policy.Finding{f}})
			need(err)
			_, err = store.PutStage(ctx, session.StageResult{Session: ses.ID, Attempt: 1, Stage: stage, InputHash: "h", Body: body})
			need(err)
			basis.Stages = append(basis.Stages, session.StageRef{Stage: stage, InputHash: "h"})
		}
		ev := session.Decided(worker, 1, p.Decide(in))
		ev.Basis = basis
		_, err = store.Apply(ctx, ses.ID, session.AnyVersion, ev, nil)
		need(err)
		if i == 0 { // the uncertain one went to a person
			d := p.Decide(in)
			d.Outcome = policy.Rejected
			_, err = store.Apply(ctx, ses.ID, session.AnyVersion, session.Decided(session.Actor{Role: session.Reviewer, ID: "acc_1"}, 1, d), nil)
			need(err)
		}
	}
	file := filepath.Join(dir, "stricter.yaml")
	need(os.WriteFile(file, []byte(strings.Replace(string(policy.DefaultYAML()), "face_mismatch:\n      {measure: face.similarity, subjects: [case], target_fmr: 0.03", "face_mismatch:\n      {measure: face.similarity, subjects: [case], min: 0.32", 1)), 0o600))
	run := func(args ...string) (string, string, int) {
		var out, said bytes.Buffer
		cmd := program(append([]string{"policy"}, args...)...)
		cmd.Stdout, cmd.Stderr = &out, &said
		_ = cmd.Run()
		return out.String(), said.String(), cmd.ProcessState.ExitCode()
	}
	out, said, code := run("simulate", file, "--json", "--data-dir", dir)
	var sim policy.Simulation
	if err := json.Unmarshal([]byte(out), &sim); err != nil || code != 0 {
		t.Fatalf("%d %s %s %v", code, out, said, err)
	}
	if sim.Cases != 3 || sim.Flipped != 1 || sim.Flips[0].To != policy.Rejected || sim.Reviewed != 1 || sim.Then.ToPeople != 1 || sim.Now != (policy.Agreement{}) {
		t.Errorf("%+v", sim)
	}
	if _, said, code := run("simulate", "-", "--data-dir", dir, "--limit", "0"); code != 2 {
		t.Errorf("%d %s", code, said)
	}
	if out, _, code := run("diff", "-", file); code != 3 || !strings.Contains(out, "thresholds.face_mismatch (stricter)") {
		t.Errorf("%d %s", code, out)
	}
	if _, said, code := run("diff", "-", "-"); code != 0 || !strings.Contains(said, "0 rules differ") {
		t.Errorf("%d %s", code, said)
	}
}
