package main

import (
	"context"
	"strings"
	"testing"

	"github.com/proofline/proofline/session"
)

func TestDemoDataFillsAnEmptyStoreOnlyAndGoesAgain(t *testing.T) {
	dir := t.TempDir()
	run := func(args ...string) (string, int) {
		cmd := program(append([]string{"demo-data", "--data-dir", dir}, args...)...)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := run("--cases", "40"); code != 0 || !strings.Contains(out, "40 simulated cases") {
		t.Fatalf("%d: %s", code, out)
	}
	if out, code := run("--cases", "40"); code != 2 || !strings.Contains(out, "--remove") {
		t.Errorf("%d: %s", code, out)
	}
	if out, code := run("--remove"); code != 0 || !strings.Contains(out, "40 simulated cases removed") {
		t.Errorf("%d: %s", code, out)
	}
	store, err := session.Open(context.Background(), settings{DataDir: dir}.storeDSN())
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Create(context.Background(), session.New{Tenant: "default", PolicyName: "p", PolicyVersion: "1", PolicyHash: "h", Actor: operator})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if out, code := run("--cases", "5"); code != 2 || !strings.Contains(out, "1 real cases") {
		t.Errorf("a store with a real case: %d: %s", code, out)
	}
	if out, code := run("--cases", "5", "--force", "--json"); code != 0 || !strings.Contains(out, `"cases":5`) {
		t.Errorf("%d: %s", code, out)
	}
	if out, code := run("--remove", "--json"); code != 0 || !strings.Contains(out, `"removed":5`) {
		t.Errorf("%d: %s", code, out)
	}
}
