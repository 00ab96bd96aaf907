package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/proofline/proofline/internal/load"
	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/session"
)

// stack is Redis, PostgreSQL and S3 for a test, as flags and environment.
func stack(t *testing.T) (flags, env []string) {
	t.Helper()
	r, pg, s3 := testserver.Redis(t), testserver.Postgres(t), testserver.S3(t)
	mc, err := minio.New(s3.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(s3.AccessKey, s3.SecretKey, ""), Region: s3.Region})
	if err != nil {
		t.Fatal(err)
	}
	if err := mc.MakeBucket(t.Context(), "evidence", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	return []string{
			"--queue.address", r.URL(), "--storage.driver", "s3",
			"--storage.s3.endpoint", s3.Endpoint, "--storage.s3.bucket", "evidence", "--storage.s3.path-style", "--storage.s3.insecure",
		}, []string{
			"PROOFLINE_STORE_DSN=" + pg.DSN,
			"PROOFLINE_STORAGE_S3_ACCESS_KEY=" + s3.AccessKey, "PROOFLINE_STORAGE_S3_SECRET_KEY=" + s3.SecretKey,
		}
}

func runBench(t *testing.T, env []string, args ...string) (r benchReport, stderr string) {
	t.Helper()
	cmd := program(append([]string{"bench", "--json"}, args...)...)
	cmd.Env = append(cmd.Env, env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("bench: %v\n%s\n%s", err, errs.String(), out)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return r, errs.String()
}

func TestBenchMeasuresAnAPIAndWorkersOnRedisPostgreSQLAndS3(t *testing.T) {
	needVision(t)
	flags, env := stack(t)
	r, _ := runBench(t, env, append(flags, "--workers", "2", "--cases", "3", "--clients", "3", "--mix", "id_card=1,refused=1,other_person=1")...)
	if r.Setup.Server != "redis+postgres+s3" || r.Result.Cases != 3 || r.Result.Failed != 0 || r.Result.PerMinute <= 0 {
		t.Fatalf("%+v %+v", r.Setup, r.Result)
	}
	steps := map[string]load.Latency{}
	for _, l := range r.Result.Latencies {
		steps[l.Step] = l
	}
	// Card: 3 photos, the other two cases: 2 each, and one photo is refused first.
	if steps[load.Upload].Count != 7 || steps[load.Refusal].Count != 1 || steps[load.Decision].Count != 3 || steps[load.Whole].MeanMS < steps[load.Decision].MeanMS {
		t.Errorf("%+v", r.Result.Latencies)
	}
	if r.Result.Outcomes["approved"] != 2 || r.Result.Outcomes["rejected"] != 1 || len(r.Result.Errors) != 0 {
		t.Errorf("%v, %v", r.Result.Outcomes, r.Result.Errors)
	}
	var names []string
	for _, p := range r.Processes {
		names = append(names, p.Name)
		if p.PeakMiB < 10 || p.CPUSeconds <= 0 {
			t.Errorf("%+v", p)
		}
	}
	if strings.Join(names, ",") != "serve,worker 1,worker 2" {
		t.Errorf("processes %v", names)
	}
	if len(r.Stages) < 6 || r.Stages[0].Count != 3 {
		t.Errorf("stages %+v", r.Stages)
	}
}

func TestABacklogIsWorkedOffByWorkersThatStartWhenAllIsSubmitted(t *testing.T) {
	needVision(t)
	flags, env := stack(t)
	r, _ := runBench(t, env, append(flags, "--backlog", "--workers", "1", "--cases", "6", "--photos", "1", "--mix", "passport=1")...)
	if r.Setup.Loop != "backlog" || r.Result.Cases != 6 || r.Result.Failed != 0 || r.Result.MaxInFlight != 6 || r.Result.PerMinute <= 0 {
		t.Errorf("%+v %+v", r.Setup, r.Result)
	}
	var names []string
	for _, p := range r.Processes {
		names = append(names, p.Name)
	}
	if strings.Join(names, ",") != "serve,worker 1" || r.Processes[1].CPUSeconds <= 0 || r.Generator.Name != "bench" {
		t.Errorf("%+v, %+v", r.Processes, r.Generator)
	}
}

func TestBenchSaysWhatWouldBeRightAndTouchesNoUsedStore(t *testing.T) {
	for want, args := range map[string][]string{
		"--cases or --duration": {"--cases", "0"},
		"is not KIND=WEIGHT":    {"--mix", "passport"},
		"--server needs --key":  {"--server", "http://127.0.0.1:1"},
		"--clients is for":      {"--rate", "5", "--clients", "2"},
		"is not NAME=PID":       {"--watch", "postgres"},
		"--backlog needs":       {"--backlog"},
	} {
		cmd := program(append([]string{"bench"}, args...)...)
		out, err := cmd.CombinedOutput()
		if exitCode(err) != 2 || !strings.Contains(string(out), want) {
			t.Errorf("%v: exit status %d: %s", args, exitCode(err), out)
		}
	}
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "used.db")
	store, err := session.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Create(t.Context(), session.New{Tenant: defaultTenant, PolicyName: "p", PolicyVersion: "1", PolicyHash: "h", Actor: operator})
	if err := errors.Join(err, store.Close()); err != nil {
		t.Fatal(err)
	}
	c := benchCmd{settings: settings{Store: storeSettings{DSN: dsn}}}
	if _, err := c.prepareStore(t.Context()); err == nil || !strings.Contains(err.Error(), "holds sessions already") {
		t.Errorf("a store with sessions: %v", err)
	}
	c.Used = true
	if keys, err := c.prepareStore(t.Context()); err != nil || len(keys) != benchKeys {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

func TestStageTimesAreTakenFromAllMetricsPages(t *testing.T) {
	page := func(seconds, count float64) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "# HELP x y\nproofline_stage_seconds_bucket{stage=\"ocr\",le=\"1\"} 9\nproofline_stage_seconds_sum{stage=\"ocr\"} %g\nproofline_stage_seconds_count{stage=\"ocr\"} %g\ngo_goroutines 7\n", seconds, count)
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	pages := []string{page(2, 4), page(4, 2), "http://127.0.0.1:1/none"}
	got := stageMeans(map[string][2]float64{"ocr": {1, 1}}, scrapeStages(t.Context(), pages))
	if len(got) != 1 || got[0] != (stageMean{"ocr", 5, 1000}) {
		t.Errorf("%+v", got)
	}
	if n := scrapeSum(t.Context(), pages, "go_goroutines"); n != 14 {
		t.Errorf("%g goroutines", n)
	}
}

func TestBenchHandsItsSettingsToTheServerWithoutShowingThem(t *testing.T) {
	var c commands
	k, err := kong.Must(&c, options(t.Context())...).Parse([]string{"bench", "--store.dsn", "postgres://u:geheim@h/d", "--capture.embed-origins", "https://a.example,https://b.example", "--cases", "5"})
	if err != nil {
		t.Fatal(err)
	}
	env := c.Bench.environment(k)
	for _, want := range []string{"PROOFLINE_STORE_DSN=postgres://u:geheim@h/d", "PROOFLINE_CAPTURE_EMBED_ORIGINS=https://a.example,https://b.example"} {
		if !slices.Contains(env, want) {
			t.Errorf("the server is not told %s:\n%s", want, strings.Join(env, "\n"))
		}
	}
	for _, kv := range env {
		if name, _, _ := strings.Cut(kv, "="); name == "PROOFLINE_CASES" || name == "PROOFLINE_DATA_DIR" || name == "PROOFLINE_LISTEN" {
			t.Errorf("the server is told %s", kv)
		}
	}
	if got := (&benchCmd{Server: "https://u:geheim@h/"}).where(); strings.Contains(got, "geheim") {
		t.Error(got)
	}
}
