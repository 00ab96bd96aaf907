package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/photo/isolate"
	"github.com/proofline/proofline/session"
)

// The tests here run the real program: the test binary becomes `proofline`
// when this variable is set.
const beProofline = "PROOFLINE_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(beProofline) != "" || isolate.IsChild() {
		main()
		return
	}
	os.Exit(m.Run())
}

// program prepares a run of proofline.
func program(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), beProofline+"=1", "OMP_THREAD_LIMIT=1", "MALLOC_ARENA_MAX=2")
	return cmd
}

func exitCode(err error) int {
	var e *exec.ExitError
	if errors.As(err, &e) {
		return e.ExitCode()
	}
	if err != nil {
		return -1
	}
	return 0
}

// needVision skips the test unless models and portraits are installed.
func needVision(t *testing.T) *specimen.Portraits {
	t.Helper()
	if testing.Short() {
		t.Skip("long test")
	}
	st, err := models.Verify("", models.Default)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range st {
		if s.State != "ok" {
			testserver.Missing(t, "models", "run `proofline models fetch`")
		}
	}
	if testserver.Required("models") {
		if err := specimen.FetchPortraits(context.Background(), "", nil); err != nil {
			t.Fatal(err)
		}
	}
	ps, err := specimen.OpenPortraits("")
	if err != nil {
		testserver.Missing(t, "portraits", "run `proofline specimen --fetch`")
	}
	return ps
}

func stageCase(t *testing.T, ps *specimen.Portraits, kind specimen.CaseKind, seed int64) *specimen.Case {
	t.Helper()
	c, err := specimen.Stage(kind, seed, ps, specimen.CaseOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestVerifyDecidesACaseFromFiles(t *testing.T) {
	ps := needVision(t)
	for kind, want := range map[specimen.CaseKind]struct {
		outcome string
		code    int
	}{
		specimen.CaseGood:        {"approved", 0},
		specimen.CaseOtherPerson: {"rejected", 3},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			c := stageCase(t, ps, kind, 1)
			cmd := program("verify", "--json", "--document", write(t, "d.jpg", c.Files["document_front"]), "--selfie", write(t, "s.jpg", c.Files["selfie"]))
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			var r struct {
				Decision struct {
					Outcome string `json:"outcome"`
					Hash    string `json:"policy_hash"`
				} `json:"decision"`
				Findings []json.RawMessage `json:"findings"`
				Fields   []json.RawMessage `json:"fields"`
			}
			if jerr := json.Unmarshal(out, &r); jerr != nil {
				t.Fatalf("%v: %s%s", jerr, out, &stderr)
			}
			if r.Decision.Outcome != want.outcome || exitCode(err) != want.code || len(r.Decision.Hash) != 64 || len(r.Findings) < 6 {
				t.Errorf("outcome %s, exit %d: %s", r.Decision.Outcome, exitCode(err), out)
			}
			// Personal data is printed only when asked for.
			for _, secret := range c.Claims {
				if bytes.Contains(out, []byte(secret)) || bytes.Contains(stderr.Bytes(), []byte(secret)) {
					t.Errorf("a field's value was printed")
				}
			}
			if len(r.Fields) != 0 {
				t.Error("fields were printed without --fields")
			}
		})
	}
}

// server is a running `proofline` with an API.
type server struct {
	t       *testing.T
	args    []string
	env     []string
	address string
	cmd     *exec.Cmd
	log     string
}

func startServer(t *testing.T, env []string, args ...string) *server {
	t.Helper()
	s := &server{t: t, env: env, log: filepath.Join(t.TempDir(), "log")}
	s.address = testserver.FreeAddress(t)
	s.args = append(append([]string{}, args...), "--listen", s.address)
	s.start()
	t.Cleanup(func() {
		s.end(syscall.SIGTERM)
		if t.Failed() {
			b, _ := os.ReadFile(s.log)
			t.Logf("server log:\n%s", b[max(0, len(b)-6000):])
		}
	})
	return s
}

func (s *server) start() {
	s.t.Helper()
	s.launch()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		resp, err := http.Get("http://" + s.address + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			b, _ := os.ReadFile(s.log)
			s.t.Fatalf("server is not ready: %v\n%s", err, b)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (s *server) launch() {
	s.t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd = program(s.args...)
	s.cmd.Env = append(s.cmd.Env, s.env...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// end signals the process and waits until it is gone.
func (s *server) end(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig)
	_ = s.cmd.Wait()
	s.cmd = nil
}

// apiKey makes a key for the server's store.
func apiKey(t *testing.T, dsn string) string {
	t.Helper()
	store, err := session.Open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	_, secret, err := store.CreateAPIKey(context.Background(), operator, defaultTenant, "test", api.Scopes(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// send captures a case up to and including its submission.
func (s *server) send(ctx context.Context, service *client.Service, c *specimen.Case) string {
	s.t.Helper()
	created, err := service.CreateSession(ctx, client.NewSession{DocumentType: "passport", Claims: c.Claims}, "")
	if err != nil {
		s.t.Fatal(err)
	}
	capture := client.NewCapture("http://"+s.address, created.ClientToken, nil)
	if _, err := capture.GiveConsent(ctx, "1", "en"); err != nil {
		s.t.Fatal(err)
	}
	for _, kind := range []string{"document_front", "selfie"} {
		p, err := capture.Insist(ctx, kind, "", c.Files[kind], "image/jpeg")
		if err != nil || !p.Kept {
			s.t.Fatalf("upload %s: %+v %v", kind, p, err)
		}
	}
	if _, err := capture.Submit(ctx); err != nil {
		s.t.Fatal(err)
	}
	return created.Session.ID
}

func TestOneMachineDecidesTwoCasesAtOnceInBoundedMemory(t *testing.T) {
	ps := needVision(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "data")
	s := startServer(t, nil, "up", "--data-dir", dir, "--worker.concurrency", "2")
	service := client.NewService("http://"+s.address, apiKey(t, "sqlite:"+filepath.Join(dir, "proofline.db")), nil)

	var ids []string
	for seed := int64(1); seed <= 4; seed++ {
		ids = append(ids, s.send(ctx, service, stageCase(t, ps, specimen.CaseGood, seed)))
	}
	for _, id := range ids {
		ses, err := service.Wait(ctx, id)
		if err != nil || ses.State != "approved" {
			t.Fatalf("session %+v: %v", ses, err)
		}
	}
	if peak := peakMiB(t, s.cmd.Process.Pid); peak > 600 {
		t.Errorf("peak memory %d MiB, want at most 600 at concurrency 2", peak)
	} else {
		t.Logf("peak memory %d MiB", peak)
	}

	// What lies on disk is encrypted: no JPEG begins anywhere.
	err := filepath.WalkDir(filepath.Join(dir, "blobs"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte("\xff\xd8\xff\xe0\x00\x10JFIF")) {
			t.Errorf("%s holds a picture in clear", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	// A clean stop signs the log, and the log verifies with the public key.
	s.end(syscall.SIGTERM)
	out, err := program("audit", "verify", "--data-dir", dir).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "intact: ") {
		t.Errorf("audit verify: %v: %s", err, out)
	}
}

func peakMiB(t *testing.T, pid int) int {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		var kib int
		if n, _ := fmt.Sscanf(sc.Text(), "VmHWM: %d kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// The same on shared services, with API and worker as processes of their own.
// The worker is killed in the middle of a case and started again.
func TestManyMachinesFinishACaseWhoseWorkerWasKilled(t *testing.T) {
	ps := needVision(t)
	redis, pg, s3 := testserver.Redis(t), testserver.Postgres(t), testserver.S3(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	mc, err := minio.New(s3.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(s3.AccessKey, s3.SecretKey, ""), Region: s3.Region})
	if err != nil {
		t.Fatal(err)
	}
	if err := mc.MakeBucket(ctx, "evidence", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	config := write(t, "proofline.yaml", fmt.Appendf(nil, `
data-dir: %s
store: {dsn: %q}
queue: {address: %q}
storage: {driver: s3, s3: {endpoint: %q, bucket: evidence, region: %q, insecure: true, path-style: true}}
worker: {concurrency: 1}
`, dir, pg.DSN, redis.URL(), s3.Endpoint, s3.Region))
	env := []string{"PROOFLINE_STORAGE_S3_ACCESS_KEY=" + s3.AccessKey, "PROOFLINE_STORAGE_S3_SECRET_KEY=" + s3.SecretKey}
	front := startServer(t, env, "serve", "--config", config)
	back := &server{t: t, args: []string{"worker", "--config", config}, env: env, log: filepath.Join(t.TempDir(), "worker.log")}
	back.launch()
	t.Cleanup(func() {
		back.end(syscall.SIGTERM)
		if t.Failed() {
			b, _ := os.ReadFile(back.log)
			t.Logf("worker log:\n%s", b[max(0, len(b)-6000):])
		}
	})
	service := client.NewService("http://"+front.address, apiKey(t, pg.DSN), nil)

	id := front.send(ctx, service, stageCase(t, ps, specimen.CaseGood, 1))
	store, err := session.Open(ctx, pg.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	// In the middle: some stages are stored, the decision is not.
	for {
		rs, err := store.Stages(ctx, id, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(rs) >= 2 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	back.end(syscall.SIGKILL)
	if ses, err := store.Get(ctx, id); err != nil || ses.State != session.Submitted {
		t.Fatalf("the case was over before the worker was killed: %+v %v", ses, err)
	}
	back.launch()
	ses, err := service.Wait(ctx, id)
	if err != nil || ses.State != "approved" {
		t.Fatalf("session %+v: %v", ses, err)
	}
	if ds, err := store.Decisions(ctx, id); err != nil || len(ds) != 1 || ds[0].Attempt != 1 {
		t.Errorf("decisions %+v: %v", ds, err)
	}
}
