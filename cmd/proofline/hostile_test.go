package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/proofline/proofline/webhook"
)

func TestShowingTheSettingsShowsNoPassword(t *testing.T) {
	for in, want := range map[string]string{
		"postgres://u:pa@ss:wörd@db:5432/x?sslmode=require": "postgres://u:(set)@db:5432/x?sslmode=require",
		"postgres://db/x?user=u&password=secret&a=b":        "postgres://db/x?user=u&password=(set)&a=b",
		"redis://:secret@h:6379/1":                          "redis://:(set)@h:6379/1",
		"https://x.example/hook?token=secret":               "https://x.example/hook?token=(set)",
		"sqlite:/var/lib/p.db":                              "sqlite:/var/lib/p.db",
		"http://127.0.0.1:8780":                             "http://127.0.0.1:8780",
		"redis://h:6379":                                    "redis://h:6379",
	} {
		if got := withoutPassword(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	out, _ := program("config", "--store.dsn", "postgres://u:HIDDEN1@h/db", "--queue.address", "redis://u:HIDDEN2@h:1/0",
		"--storage.s3.secret-key", "HIDDEN3", "--webhook.secret", "HIDDEN4", "--queue.sentinel-password", "HIDDEN5").CombinedOutput()
	if !bytes.Contains(out, []byte("postgres://u:")) || bytes.Contains(out, []byte("HIDDEN")) {
		t.Errorf("%s", out)
	}
}

func TestAnAuditLogThatIsNotThereIsNotIntact(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "elsewhere")
	key := "proofline-audit+11a1bd4c+ARMkGmUSxfw91nLCSLbZdTG+niXV7q6/eAkkY+DJPil+"
	for _, args := range [][]string{{"audit", "verify", "--key", key}, {"audit", "export", filepath.Join(t.TempDir(), "log")}} {
		out, err := program(append(args, "--data-dir", dir)...).CombinedOutput()
		if exitCode(err) != 1 || !strings.Contains(string(out), "no such file") {
			t.Errorf("%v: %v %s", args, err, out)
		}
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("a store was made")
	}
}

func TestAnEvaluationDoesNotOverwriteItsManifest(t *testing.T) {
	manifest := write(t, "m.jsonl", []byte(`{"file":"x.jpg","mrz":null,"set":"x"}`+"\n"))
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(manifest, link); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{manifest, link} {
		b, err := program("eval", "mrz", "--manifest", manifest, "--root", filepath.Dir(manifest), "--out", out).CombinedOutput()
		if exitCode(err) == 0 || !strings.Contains(string(b), "overwritten") {
			t.Errorf("%v %s", err, b)
		}
	}
	if b, err := os.ReadFile(manifest); err != nil || !strings.HasPrefix(string(b), `{"file":"x.jpg","mrz":null,"set":"x"}`) {
		t.Errorf("%q %v", b, err)
	}
}

func TestRecordsBeforeABrokenLineAreWritten(t *testing.T) {
	var out bytes.Buffer
	err := parseMRZRecords(strings.NewReader("{\"id\":\"1\",\"lines\":[\"P<UTO\"]}\nbroken\n{\"id\":\"3\"}\n"), &out)
	if err == nil || !strings.Contains(err.Error(), "line 2") || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("%v after %q", err, out.String())
	}
}

func TestTheConfigurationInTheDocumentationIsOne(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(doc), "```yaml\n")
	text, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("no example")
	}
	t.Setenv("PROOFLINE_STORAGE_S3_ACCESS_KEY", "a")
	t.Setenv("PROOFLINE_STORAGE_S3_SECRET_KEY", "s")
	t.Setenv("PROOFLINE_WEBHOOK_SECRET", "whsec_x")
	c, err := parseArgs(t, "--config", writeConfig(t, text), "serve")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Serve.validate(false); err != nil {
		t.Error(err)
	}
}

func TestAWebhookKeyThatCanNotSignIsRefusedAtStart(t *testing.T) {
	_, public := webhook.NewKeyPair()
	n, err := openNode(t, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for secret, fine := range map[string]bool{public: false, "whsec_short": false, webhook.NewSecret(): true} {
		s := settings{Webhook: webhookSettings{URL: "https://app.example.com/hook", Secret: secret}}
		if err := s.putEndpoint(context.Background(), n); (err == nil) != fine {
			t.Errorf("%.6s: %v", secret, err)
		}
	}
}
