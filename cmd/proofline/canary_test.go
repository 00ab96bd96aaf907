package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/proofline/proofline/casefile"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/internal/specimen"
	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/session"
)

// canary is personal data with every spelling that it could leak in.
type canary struct{ what, value string }

// spellings of a value: plain, lower and upper case, URL-encoded, hex, base64
// (standard and URL alphabet) wherever in a text it begins.
func (c canary) spellings() [][]byte {
	var out [][]byte
	add := func(s string) {
		if len(s) >= 6 && !slices.ContainsFunc(out, func(b []byte) bool { return string(b) == s }) {
			out = append(out, []byte(s))
		}
	}
	for _, v := range []string{c.value, strings.ToLower(c.value), strings.ToUpper(c.value)} {
		add(v)
		add(url.QueryEscape(v))
		add(url.PathEscape(v))
		j, _ := json.Marshal(v)
		add(strings.Trim(string(j), `"`))
		add(hex.EncodeToString([]byte(v)))
		add(strings.ToUpper(hex.EncodeToString([]byte(v))))
		for shift := range 3 {
			// The characters that share bits with what stands before and behind
			// are left out.
			e := base64.RawStdEncoding.EncodeToString(append(make([]byte, shift), v...))
			from := []int{0, 2, 3}[shift]
			to := (shift + len(v)) * 8 / 6
			add(e[from:to])
			add(strings.NewReplacer("+", "-", "/", "_").Replace(e[from:to]))
		}
	}
	return out
}

// leaks lists what of the canaries is in b.
func leaks(canaries []canary, b []byte) (found []string) {
	for _, c := range canaries {
		for _, s := range c.spellings() {
			if at := bytes.Index(b, s); at >= 0 {
				found = append(found, fmt.Sprintf("%s, as %q in …%q…", c.what, s, b[max(0, at-80):min(len(b), at+len(s)+40)]))
				break
			}
		}
	}
	return found
}

func TestEverySpellingOfACanaryIsFound(t *testing.T) {
	c := canary{"name", "Zwölf-Quaxer O'Neil"}
	for _, s := range []string{"x Zwölf-Quaxer O'Neil y", "zwölf-quaxer o'neil", url.QueryEscape("q=Zwölf-Quaxer O'Neil&"), "%s" + url.PathEscape("Zwölf-Quaxer O'Neil"),
		base64.StdEncoding.EncodeToString([]byte("Zwölf-Quaxer O'Neil")), base64.URLEncoding.EncodeToString([]byte("1Zwölf-Quaxer O'Neil and more")),
		base64.StdEncoding.EncodeToString([]byte("12ZWÖLF-QUAXER O'NEIL")), hex.EncodeToString([]byte("{Zwölf-Quaxer O'Neil}")), strings.ToUpper(hex.EncodeToString([]byte("Zwölf-Quaxer O'Neil")))} {
		if len(leaks([]canary{c}, []byte(s))) != 1 {
			t.Errorf("not found in %q", s)
		}
	}
	if got := leaks([]canary{c}, []byte("Zwölf Quaxer")); got != nil {
		t.Error(got)
	}
}

// marked puts a text into a JPEG as a comment, which no decoder shows, and gives
// it and some of the picture's own bytes as canaries.
func marked(kind string, jpeg []byte, n int) ([]byte, []canary) {
	text := fmt.Sprintf("CANARY-%s-%d-IN-THE-FILE", strings.ToUpper(kind), n)
	comment := append([]byte{0xff, 0xfe, 0, byte(len(text) + 2)}, text...)
	out := slices.Concat(jpeg[:2], comment, jpeg[2:])
	at := len(jpeg) / 2
	return out, []canary{{"a file's comment", text}, {"a file's bytes", string(jpeg[at : at+24])}}
}

// sink collects what is sent to it.
type sink struct {
	mu sync.Mutex
	b  bytes.Buffer
	n  int
}

func (s *sink) write(b ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	for _, x := range b {
		s.b.Write(x)
		s.b.WriteByte('\n')
	}
}

func (s *sink) count() int { s.mu.Lock(); defer s.mu.Unlock(); return s.n }

func (s *sink) bytes() []byte { s.mu.Lock(); defer s.mu.Unlock(); return bytes.Clone(s.b.Bytes()) }

// server answers every request with a status and keeps what it was sent.
func (s *sink) server(t *testing.T, status func() int) string {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		s.write([]byte(r.URL.String()), fmt.Append(nil, r.Header), b)
		w.WriteHeader(status())
	}))
	t.Cleanup(h.Close)
	return h.URL
}

// RoundTrip keeps what servers answer.
func (s *sink) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return resp, err
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	s.write(fmt.Append(nil, resp.Status, resp.Header), b)
	resp.Body = io.NopCloser(bytes.NewReader(b))
	return resp, err
}

// monitor keeps every command that a Redis gets from now on.
func (s *sink) monitor(t *testing.T, network, address string) {
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, "MONITOR\r\n"); err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			s.mu.Lock()
			s.n++
			s.b.Write(b[:n])
			s.mu.Unlock()
		}
	}()
}

func get(t *testing.T, address string) []byte {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v", address, resp.StatusCode, err)
	}
	return b
}

// tables is every row of a PostgreSQL database as text, bytes in hex.
func tables(t *testing.T, dsn string) []byte {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	strs := func(q string) (out []string) {
		rows, err := db.Query(q)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				t.Fatal(err)
			}
			out = append(out, s)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return out
	}
	var b bytes.Buffer
	for _, name := range strs("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'") {
		for _, row := range strs("SELECT t::text FROM " + name + " t") {
			fmt.Fprintln(&b, name, row)
		}
	}
	return b.Bytes()
}

// The whole system on real servers, with personal data that is marked in every
// place where there is some: an approved case, a rejected one and one that fails
// because its photo was damaged in the store, webhooks that are given up, and
// requests that are refused. Afterwards nothing but the vault has any of it.
func TestNoPersonalDataLeavesTheVault(t *testing.T) {
	ps := needVision(t)
	redis, pg, s3 := testserver.Redis(t), testserver.Postgres(t), testserver.S3(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	mc, err := minio.New(s3.Endpoint, &minio.Options{Creds: credentials.NewStaticV4(s3.AccessKey, s3.SecretKey, ""), Region: s3.Region})
	if err != nil {
		t.Fatal(err)
	}
	for bucket, lock := range map[string]bool{"evidence": false, "log": true} {
		if err := mc.MakeBucket(ctx, bucket, minio.MakeBucketOptions{ObjectLocking: lock}); err != nil {
			t.Fatal(err)
		}
	}
	var traces, hooks, answers, queue sink
	queue.monitor(t, redis.Network, redis.Addr)
	collector := traces.server(t, func() int { return http.StatusOK })
	hook := hooks.server(t, func() int {
		if hooks.count() > 6 {
			return http.StatusGone // what follows is given up
		}
		return http.StatusNoContent
	})
	dir := filepath.Join(t.TempDir(), "data")
	metrics := testserver.FreeAddress(t)
	config := write(t, "proofline.yaml", fmt.Appendf(nil, `
data-dir: %s
store: {dsn: %q}
queue: {address: %q}
storage: {driver: s3, s3: {endpoint: %q, bucket: evidence, region: %q, insecure: true, path-style: true}}
worker: {concurrency: 2, listen: %q}
webhook: {url: %q, allow-private: true}
audit: {bucket: log, keep: 2h}
log: {level: debug, format: json}
`, dir, pg.DSN, redis.URL(), s3.Endpoint, s3.Region, metrics, hook))
	env := []string{"PROOFLINE_STORAGE_S3_ACCESS_KEY=" + s3.AccessKey, "PROOFLINE_STORAGE_S3_SECRET_KEY=" + s3.SecretKey,
		"PROOFLINE_WEBHOOK_SECRET=whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("k"), 32)), "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector}
	front := startServer(t, env, "serve", "--config", config)
	back := &server{t: t, args: []string{"worker", "--config", config}, env: env, log: filepath.Join(t.TempDir(), "worker.log")}
	hc := &http.Client{Transport: &answers}
	service := client.NewService("http://"+front.address, apiKey(t, pg.DSN), hc)

	var canaries []canary
	const ref = "customer-CANARY-4711"
	send := func(kind specimen.CaseKind, n int) string {
		c := stageCase(t, ps, kind, int64(n))
		i := c.Truth.Identity
		canaries = append(canaries, canary{"surname", i.Surname}, canary{"given names", i.GivenNames}, canary{"document number", i.DocumentNumber},
			canary{"birth date", i.BirthDate}, canary{"expiry date", i.ExpiryDate}, canary{"personal number", i.PersonalNumber})
		for _, l := range c.Truth.Lines {
			canaries = append(canaries, canary{"MRZ line", l})
			for _, part := range strings.FieldsFunc(l, func(r rune) bool { return r == '<' }) {
				if len(part) >= 8 {
					canaries = append(canaries, canary{"part of an MRZ line", part})
				}
			}
		}
		claims := map[string]string{"surname": c.Claims["surname"], "given_names": c.Claims["given_names"], "birth_date": c.Claims["birth_date"], "document_number": c.Claims["document_number"]}
		created, err := service.CreateSession(ctx, client.NewSession{DocumentType: "passport", Claims: claims, ExternalRef: ref}, "")
		if err != nil {
			t.Fatal(err)
		}
		capture := client.NewCapture("http://"+front.address, created.ClientToken, hc)
		if _, err := capture.GiveConsent(ctx, "1", "en"); err != nil {
			t.Fatal(err)
		}
		for _, k := range []string{"document_front", "selfie"} {
			b, marks := marked(k, c.Files[k], n)
			canaries = append(canaries, marks...)
			if p, err := capture.Insist(ctx, k, "", b, "image/jpeg"); err != nil || !p.Kept {
				t.Fatalf("upload %s: %+v %v", k, p, err)
			}
			// Refused: cut off, and no photo at all.
			_, _ = capture.Upload(ctx, k, "", b[:len(b)/3], "image/jpeg")
			_, _ = capture.Upload(ctx, k, "", []byte(marks[0].value), "image/jpeg")
			_, _ = capture.Upload(ctx, marks[0].value, "", b, "text/plain")
		}
		if _, err := capture.Submit(ctx); err != nil {
			t.Fatal(err)
		}
		return created.Session.ID
	}
	ids := map[string]string{"approved": send(specimen.CaseGood, 1), "rejected": send(specimen.CaseOtherPerson, 2), "failed": send(specimen.CaseGood, 3)}
	wrong := []canary{{"a misspelt claim", "Canaryson-Wrongfield"}, {"a bad date", "31.12.1969-canary"}}
	canaries = append(canaries, wrong...)
	for _, body := range []string{
		`{"claims":{"surename":"Canaryson-Wrongfield"}}`, `{"claims":{"birth_date":"31.12.1969-canary"}}`, `{"claims":"Canaryson-Wrongfield"}`,
		`{"locale":"Canaryson-Wrongfield-` + strings.Repeat("x", 300) + `"}`, `Canaryson-Wrongfield`, `{"Canaryson-Wrongfield":1}`,
	} {
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+front.address+"/v1/sessions", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+apiKey(t, pg.DSN))
		req.Header.Set("Content-Type", "application/json")
		resp, err := hc.Do(req)
		if err != nil || resp.StatusCode/100 != 4 {
			t.Errorf("%s was answered with %v %v", body, resp, err)
		}
	}
	store, err := session.Open(ctx, pg.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	// The third case's document is damaged in the bucket before a worker sees it.
	es, err := store.Evidence(ctx, ids["failed"], 1)
	if err != nil {
		t.Fatal(err)
	}
	o, err := store.GetObject(ctx, es[0].Object)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mc.PutObject(ctx, "evidence", o.Key, strings.NewReader("damaged"), 7, minio.PutObjectOptions{SendContentMd5: true}); err != nil {
		t.Fatal(err)
	}
	back.launch()
	t.Cleanup(func() {
		back.end(syscall.SIGTERM)
		if t.Failed() {
			b, _ := os.ReadFile(back.log)
			t.Logf("worker log:\n%s", b[max(0, len(b)-6000):])
		}
	})
	want := map[string]string{"approved": "approved", "rejected": "rejected", "failed": "pending_review"}
	for name, id := range ids {
		for {
			ses, err := service.Get(ctx, id)
			if err != nil {
				t.Fatal(err)
			}
			if ses.State == want[name] {
				break
			}
			if ses.Decision != nil {
				t.Fatalf("the %s case is %s: %v", name, ses.State, ses.Decision.Codes)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		dead, err := store.DeadLetters(ctx, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(dead) > 0 || time.Now().After(deadline) {
			if len(dead) == 0 {
				t.Error("no webhook was given up")
			}
			break
		}
	}
	outputs := map[string][]byte{"metrics of serve": get(t, "http://"+front.address+"/metrics"), "metrics of worker": get(t, "http://"+metrics+"/metrics")}
	back.end(syscall.SIGTERM) // sends the last spans, signs and publishes the log
	front.end(syscall.SIGTERM)
	for name, path := range map[string]string{"output of serve": front.log, "output of worker": back.log} {
		if outputs[name], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	outputs["traces"], outputs["webhooks"], outputs["answers"], outputs["queue"] = traces.bytes(), hooks.bytes(), answers.bytes(), queue.bytes()
	outputs["database"] = tables(t, pg.DSN)
	run := func(name string, want int, args ...string) []byte {
		t.Helper()
		cmd := program(append(args, "--config", config)...)
		cmd.Env = append(cmd.Env, env...)
		b, err := cmd.CombinedOutput()
		if exitCode(err) != want {
			t.Errorf("%s: exit %d: %s", name, exitCode(err), b)
		}
		outputs[name] = b
		return b
	}
	// What the commands print, for every case and view; and, for some, the
	// commands themselves.
	var compliance []byte
	archive := newArchive(store, dir)
	for name, id := range ids {
		f, err := casefile.Load(ctx, store, archive.findUnder, id, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, view := range []casefile.View{casefile.Support, casefile.Auditor, casefile.Compliance} {
			a, err := f.Explain(view)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := errors.Join(a.Print(&out), writeJSON(&out, a)); err != nil {
				t.Fatal(err)
			}
			if view == casefile.Compliance { // names the relying service's reference
				compliance = out.Bytes()
				continue
			}
			outputs["explain "+name+" for "+string(view)] = out.Bytes()
		}
		r, err := f.Receipt(ctx, 0, store.ProveAudit, store.Rules, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if outputs["receipt of "+name], err = json.Marshal(r); err != nil {
			t.Fatal(err)
		}
	}
	run("explain", 0, "explain", ids["failed"], "--for", "auditor", "--json")
	file := filepath.Join(dir, "receipt")
	run("receipt", 0, "receipt", ids["rejected"], "--with-policy", "--out", file)
	if outputs["receipt file"], err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	if b, err := program("receipt", "verify", file, "--key", filepath.Join(dir, "audit.key.pub")).CombinedOutput(); err != nil || !bytes.Contains(b, []byte("computed again from the receipt alone: identical")) {
		t.Errorf("receipt: %v: %s", err, b)
	}
	if b := run("replay", 0, "replay", "--all"); !bytes.Contains(b, []byte("3 identical, 0 different")) {
		t.Errorf("replay: %s", b)
	}
	if b := run("verify", 0, "audit", "verify"); !bytes.Contains(b, []byte("published copies: ")) || bytes.Contains(b, []byte("no copy kept")) {
		t.Errorf("verify: %s", b)
	}
	locked := 0
	for o := range mc.ListObjects(ctx, "log", minio.ListObjectsOptions{Prefix: "audit-log/", Recursive: true, WithVersions: true}) {
		if err := mc.RemoveObject(ctx, "log", o.Key, minio.RemoveObjectOptions{VersionID: o.VersionID}); err == nil {
			t.Errorf("%s could be deleted", o.Key)
		}
		locked++
	}
	if locked == 0 {
		t.Error("no checkpoint was published")
	}
	run("dead letters", 0, "queue", "dead")
	export := filepath.Join(dir, "log.jsonl")
	run("export", 0, "audit", "export", export)
	if outputs["exported log"], err = os.ReadFile(export); err != nil {
		t.Fatal(err)
	}

	for name, b := range outputs {
		if len(b) == 0 && name != "export" && name != "receipt" {
			t.Errorf("%s is empty, so it shows nothing", name)
		}
		for _, l := range leaks(canaries, b) {
			t.Errorf("%s: %s", name, l)
		}
		// The relying service's own reference is its own in the answers that it
		// gets and in the row of its session, and nowhere else.
		if name != "webhooks" && name != "answers" && name != "database" {
			for _, l := range leaks([]canary{{"external reference", ref}}, b) {
				t.Errorf("%s: %s", name, l)
			}
		}
	}
	if !bytes.Contains(compliance, []byte(ref)) || !bytes.Contains(outputs["webhooks"], []byte(ref)) {
		t.Error("the reference is not where it belongs; the search would find nothing elsewhere")
	}
	if !bytes.Contains(outputs["traces"], []byte(ids["approved"])) || !bytes.Contains(outputs["queue"], []byte("asynq")) {
		t.Error("the traces or the queue were not seen")
	}
	// What lies in the bucket is encrypted.
	err = filepath.WalkDir(s3.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, l := range leaks(canaries, b) {
			t.Errorf("%s: %s", path, l)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d canaries in %d spellings each at most; %d outputs, %d bytes", len(canaries), len(canaries[0].spellings()), len(outputs), size(outputs))
}

func size(m map[string][]byte) (n int) {
	for _, b := range m {
		n += len(b)
	}
	return n
}
