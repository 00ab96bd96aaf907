package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// parseArgs parses a command line as main does.
func parseArgs(t *testing.T, args ...string) (*commands, error) {
	t.Helper()
	var c commands
	p, err := kong.New(&c, append(options(context.Background()), kong.Exit(func(int) {}), kong.Writers(&bytes.Buffer{}, &bytes.Buffer{}))...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Parse(args)
	return &c, err
}

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "proofline.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFlagsWinOverTheEnvironmentAndThatOverTheFile(t *testing.T) {
	file := writeConfig(t, "listen: 127.0.0.1:1\nstorage: {driver: s3, s3: {bucket: from-file, region: from-file}}\nqueue: {limit: 7}\n")
	t.Setenv("PROOFLINE_STORAGE_S3_REGION", "from-env")
	t.Setenv("PROOFLINE_LISTEN", "127.0.0.1:2")
	c, err := parseArgs(t, "--config", file, "up", "--listen", "127.0.0.1:3")
	if err != nil {
		t.Fatal(err)
	}
	if c.Up.Listen != "127.0.0.1:3" || c.Up.Storage.S3.Region != "from-env" || c.Up.Storage.S3.Bucket != "from-file" || c.Up.Queue.Limit != 7 {
		t.Errorf("listen %s, region %s, bucket %s, limit %d", c.Up.Listen, c.Up.Storage.S3.Region, c.Up.Storage.S3.Bucket, c.Up.Queue.Limit)
	}
}

func TestAFaultInTheFileIsNamedWithoutTheLinesAroundIt(t *testing.T) {
	_, err := parseArgs(t, "--config", writeConfig(t, "operator:\n  token: hunter2-and-more\n bad: [\nkeys: {secret: k3y-of-all}\n"), "up")
	if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "k3y") || !strings.Contains(err.Error(), "[3:") {
		t.Errorf("%v", err)
	}
}

func TestAMisspeltKeyInTheFileIsAnErrorAtStart(t *testing.T) {
	for text, want := range map[string]string{
		"lisen: 127.0.0.1:1\n":           "lisen",
		"storage: {s3: {buckets: x}}\n":  "storage.s3.buckets",
		"storage: {driver: tape}\n":      "storage.driver",
		"listen: a\nlisten: b\n":         "already defined",
		"queue: {limit: many}\n":         "queue.limit",
		"- just\n- a list\n":             "configuration",
		strings.Repeat("#", 2<<20):       "larger",
		"webhook: {url: [a, b], no: x}}": "configuration",
	} {
		if _, err := parseArgs(t, "--config", writeConfig(t, text), "up"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: error %v, want one about %q", text, err, want)
		}
	}
}

func TestUnsafeCombinationsAreRefusedAtStart(t *testing.T) {
	many := []string{"--queue.address", "redis://r:6379", "--store.dsn", "postgres://db/x", "--storage.driver", "s3",
		"--storage.s3.endpoint", "s3:9000", "--storage.s3.bucket", "b", "--storage.s3.access-key", "a", "--storage.s3.secret-key", "s"}
	for name, tt := range map[string]struct {
		args []string
		want string // "" means that it is fine
	}{
		"one machine":                        {[]string{"up"}, ""},
		"many machines":                      {append([]string{"serve"}, many...), ""},
		"a worker without redis":             {append([]string{"worker"}, many[2:]...), "queue.address"},
		"serve with sqlite":                  {append([]string{"serve", "--store.dsn", "sqlite:x.db"}, append(many[:2:2], many[4:]...)...), "SQLite"},
		"serve with local files":             {append([]string{"serve"}, many[:4]...), "storage.driver is fs"},
		"s3 without a bucket":                {[]string{"up", "--storage.driver", "s3"}, "storage.s3.bucket"},
		"reachable from elsewhere":           {[]string{"up", "--listen", "0.0.0.0:80"}, "public-url"},
		"reachable from elsewhere, by proxy": {[]string{"up", "--listen", "0.0.0.0:80", "--public-url", "https://x.example"}, ""},
		"a webhook that can be forged":       {[]string{"up", "--webhook.url", "https://x.example"}, "webhook.secret"},
		"a test webhook that can be forged":  {[]string{"up", "--webhook.test-url", "https://x.example"}, "webhook.test-secret"},
		"a test webhook with the live key":   {[]string{"up", "--webhook.url", "https://x.example", "--webhook.secret", "whsec_bmV3\nwhsec_b2xk", "--webhook.test-url", "https://t.example", "--webhook.test-secret", "whsec_b2xk"}, "the live receiver"},
		"the live secret for tests alone":    {[]string{"up", "--webhook.test-url", "https://t.example", "--webhook.secret", "whsec_b2xk"}, "webhook.test-secret"},
		"both webhooks, each with its key":   {[]string{"up", "--webhook.url", "https://x.example", "--webhook.secret", "whsec_bmV3", "--webhook.test-url", "https://t.example", "--webhook.test-secret", "whsec_b2xk"}, ""},
		"a webhook that may hang for ever":   {[]string{"up", "--webhook.timeout=-1s"}, "webhook.timeout"},
		"no port":                            {[]string{"up", "--listen", "localhost"}, "host:port"},
		"an embedding page":                  {[]string{"up", "--capture.embed-origins", "https://shop.example.com:8443"}, ""},
		"an embedding wildcard":              {[]string{"up", "--capture.embed-origins", "https://*.example.com"}, "embed-origins"},
		"an embedding page by path":          {[]string{"up", "--capture.embed-origins", "https://example.com/shop"}, "embed-origins"},
		"an embedding page without TLS":      {[]string{"up", "--capture.embed-origins", "http://example.com"}, "embed-origins"},
		"a URL that is none":                 {[]string{"up", "--public-url", "verify.example.com"}, "public-url"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := parseArgs(t, tt.args...)
			if err != nil {
				t.Fatal(err)
			}
			s, alone := c.Up.settings, true
			switch tt.args[0] {
			case "serve":
				s, alone = c.Serve.settings, false
			case "worker":
				s, alone = c.Worker.settings, false
			}
			err = s.validate(alone)
			if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestEverySettingSaysWhatItIsFor(t *testing.T) {
	var c commands
	p := kong.Must(&c, options(context.Background())...)
	for _, n := range p.Model.Children {
		for _, f := range n.Flags {
			if len(f.Help) < 8 {
				t.Errorf("%s --%s has no help", n.Name, f.Name)
			}
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte("listen: a\nstorage: {s3: {bucket: x}}\nqueue: [1, 2]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxConfigBytes {
			return
		}
		_, _ = parseConfig(b)
	})
}
