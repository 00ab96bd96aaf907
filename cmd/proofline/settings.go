package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/policy"
)

// settings are what a running Proofline is configured by. Each is a flag, an
// environment variable and a key of the configuration file at once.
type settings struct {
	DataDir   string `help:"Directory of everything that the embedded defaults keep: database, encrypted evidence, keys (./proofline-data)." default:"./proofline-data" placeholder:"DIR"`
	Listen    string `help:"Address of the API and the pages. The default is reachable from this machine only: put a TLS proxy in front before you change it." default:"127.0.0.1:8780"`
	PublicURL string `help:"Address under which people reach the capture page, such as https://verify.example.com; made from --listen when empty." placeholder:"URL"`

	TrustedProxies []string `help:"Addresses or networks of your TLS proxies. Only their X-Forwarded-For is believed; without it everybody behind a proxy shares one rate limit." placeholder:"CIDR"`

	Store    storeSettings    `embed:"" prefix:"store."`
	Queue    queueSettings    `embed:"" prefix:"queue."`
	Storage  storageSettings  `embed:"" prefix:"storage."`
	Keys     keySettings      `embed:"" prefix:"keys."`
	Audit    auditSettings    `embed:"" prefix:"audit."`
	Worker   workerSettings   `embed:"" prefix:"worker."`
	Decode   decodeSettings   `embed:"" prefix:"decode."`
	Webhook  webhookSettings  `embed:"" prefix:"webhook."`
	Capture  captureSettings  `embed:"" prefix:"capture."`
	Operator operatorSettings `embed:"" prefix:"operator."`
	Login    loginSettings    `embed:"" prefix:"login."`
	Review   reviewSettings   `embed:"" prefix:"review."`
	Evidence evidenceSettings `embed:"" prefix:"evidence."`
	Log      logSettings      `embed:"" prefix:"log."`

	Screening screeningSettings `embed:"" prefix:"screening."`
	engineSettings
}

// engineSettings are those that the offline commands need as well.
type engineSettings struct {
	Models modelSettings  `embed:"" prefix:"models."`
	Policy policySettings `embed:"" prefix:"policy."`
}

type modelSettings struct {
	Dir     string `help:"Directory of the model files." placeholder:"DIR"`
	Profile string `help:"Models to use: default (from the npm registry) or zoo (from their public repositories)." enum:"default,zoo" default:"default"`
}

type policySettings struct {
	File         string `help:"Policy file; the shipped policy when empty." placeholder:"FILE"`
	SecondPerson bool   `help:"Another operator than the one who proposed it has to activate a policy on the console."`
	trialSettings
	Calibration string `help:"Calibration that the policy's target_fmr is resolved through, made by eval face --calibration; the one that ships for the installed models of the profile when empty." placeholder:"FILE.json"`
}

type storeSettings struct {
	DSN string `name:"dsn" help:"Session store: sqlite:PATH for one machine, postgres://… for several. Empty: sqlite in the data directory." placeholder:"DSN"`
}

type queueSettings struct {
	Address          string `help:"Redis or Valkey that workers on other machines share: redis://[user:password@]host:6379[/db], unix:///path, sentinel://h1,h2/master, cluster://h1,h2; rediss, sentinels and clusters speak TLS. Better set through the environment when it holds a password. Empty: a queue inside this process; nothing is lost with it, because the store is the truth." placeholder:"URL"`
	CAFile           string `name:"ca-file" help:"Authorities to trust over TLS (PEM); the system's when empty." placeholder:"FILE"`
	SentinelUser     string `help:"User for the Sentinels." placeholder:"NAME"`
	SentinelPassword string `help:"Password for the Sentinels; better set through the environment." placeholder:"SECRET"`
	Limit            int    `help:"Uploads are refused with 503 and Retry-After while more cases than this wait." default:"1000"`
}

type workerSettings struct {
	Listen      string `help:"Address on which proofline worker answers /metrics, /healthz and /readyz; none when empty. Nothing there is secret, nothing there asks for a login: keep it inside." placeholder:"HOST:PORT"`
	Concurrency int    `help:"Cases worked on at once; each needs about one core. 0: the number of cores, at most 2 in one process with the API." default:"0"`
}

type webhookSettings struct {
	URL          string        `name:"url" help:"Where decisions are posted (Standard Webhooks)." placeholder:"URL"`
	TestURL      string        `name:"test-url" help:"Where events of test sessions (sandbox) are posted, signed with webhook.test-secret; nowhere when empty, and never to webhook.url." placeholder:"URL"`
	Secret       string        `help:"Signing secret, whsec_…; better set through the environment." placeholder:"SECRET"`
	TestSecret   string        `name:"test-secret" help:"Signing secret of test sessions' events, another one than webhook.secret: who holds a test key chooses what they say, and a live receiver must not take them. Better set through the environment." placeholder:"SECRET"`
	AllowPrivate bool          `help:"Permit webhook addresses in private and loopback networks. Without it they are refused, because a webhook URL could point into your own network."`
	Timeout      time.Duration `help:"Time for one delivery." default:"15s"`
}

type captureSettings struct {
	EmbedOrigins []string `help:"Origins whose pages may show the capture page in a frame and are told of its events, such as https://shop.example.com. Empty: no page may, because whoever frames the page could draw over it." placeholder:"ORIGIN"`
}

type operatorSettings struct {
	Token string `help:"Password of the operators' pages (/ops/queues, /metrics), for any user name or as a bearer token; at least 24 characters, better set through the environment. People with an account and the role operator log in instead (proofline user add). Empty: /metrics is open to whoever reaches the address." placeholder:"SECRET"`
}

type logSettings struct {
	Level  string `help:"debug, info, warn or error." enum:"debug,info,warn,error" default:"info"`
	Format string `help:"text for people, json for machines." enum:"text,json" default:"text"`
}

// modelsDir is the configured directory or the user's own.
func (e engineSettings) modelsDir() string {
	if e.Models.Dir != "" {
		return e.Models.Dir
	}
	return models.DefaultDir()
}

func (e engineSettings) policy() (*policy.Policy, error) {
	text, err := e.policyText()
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", e.Policy.File, err)
	}
	return p, nil
}

// policyText is the configured policy with the calibration of its targets in
// it: the text that the archive keeps means the same under any later release.
func (e engineSettings) policyText() ([]byte, error) {
	text := policy.DefaultYAML()
	var err error
	if e.Policy.File != "" {
		if text, err = readPolicyFile(e.Policy.File); err != nil {
			return nil, fmt.Errorf("read policy: %w", err)
		}
	}
	return e.calibrated(text)
}

// calibrated writes the calibration of its targets into a policy's text.
func (e engineSettings) calibrated(text []byte) ([]byte, error) {
	if !bytes.Contains(text, []byte("target_fmr")) {
		return text, nil
	}
	var calibration []byte
	var err error
	if e.Policy.Calibration != "" {
		calibration, err = readPolicyFile(e.Policy.Calibration)
	} else {
		calibration, err = policy.ShippedCalibration(e.calibrationName())
	}
	if err != nil {
		return nil, fmt.Errorf("read calibration: %w", err)
	}
	return policy.WithCalibration(text, calibration)
}

// calibrationName names the shipped calibration of the scores that the installed
// models give. Where no face network is installed, as in a server without
// workers, the profile is taken to be complete elsewhere.
func (e engineSettings) calibrationName() string {
	name := firstNonEmpty(e.Models.Profile, models.Default)
	if dir := e.modelsDir(); models.Has(dir, "face-embed") && !models.Has(dir, "face-embed-dlib") {
		name += "-one"
	}
	return name
}

func readPolicyFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, policy.MaxFileBytes+1))
	if err == nil && len(b) > policy.MaxFileBytes {
		err = fmt.Errorf("%s is larger than %d bytes", path, policy.MaxFileBytes)
	}
	return b, err
}

func (s settings) storeDSN() string {
	if s.Store.DSN != "" {
		return s.Store.DSN
	}
	return "sqlite:" + filepath.Join(s.DataDir, "proofline.db")
}

// validate refuses combinations that would only fail, or lose something, at
// first use. alone says that this process is to hold the whole of Proofline.
func (s settings) validate(alone bool) error {
	var errs []error
	add := func(format string, a ...any) { errs = append(errs, fmt.Errorf(format, a...)) }
	if !alone && s.Queue.Address == "" {
		add("queue.address is empty, which means a queue inside one process: use `proofline up`, or name a Redis server")
	}
	if _, err := parseProxies(s.TrustedProxies); err != nil {
		errs = append(errs, err)
	}
	if s.Queue.Limit < 1 {
		add("queue.limit must be at least 1")
	}
	errs = append(errs, s.validateStorage(alone)...)
	if !alone && strings.HasPrefix(s.storeDSN(), "sqlite:") {
		add("the session store is SQLite, which other machines do not see: set store.dsn to postgres://…, or use `proofline up`")
	}
	if host, _, err := net.SplitHostPort(s.Listen); err != nil {
		add("listen: %q is not host:port", s.Listen)
	} else if ip := net.ParseIP(host); s.PublicURL == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		add("listen is reachable from other machines but public-url is empty: browsers give a page the camera only over https (or on localhost); set public-url to the address of your TLS proxy")
	}
	if s.PublicURL != "" {
		if u, err := url.Parse(s.PublicURL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			add("public-url: want https://host")
		}
	}
	if (s.Webhook.URL == "") != (s.Webhook.Secret == "") {
		add("webhook.url and webhook.secret belong together: an unsigned webhook can be forged")
	}
	if (s.Webhook.TestURL == "") != (s.Webhook.TestSecret == "") {
		add("webhook.test-url and webhook.test-secret belong together: an unsigned webhook can be forged")
	}
	if shareKey(s.Webhook.Secret, s.Webhook.TestSecret) {
		add("webhook.test-secret holds a key of webhook.secret: who has a test key could make events that the live receiver takes")
	}
	for _, o := range s.Capture.EmbedOrigins {
		if !isOrigin(o) {
			add("capture.embed-origins: %q is no origin; want https://host or https://host:port, without a path or a wildcard", o)
		}
	}
	if s.Webhook.Timeout < time.Second || s.Webhook.Timeout > time.Minute {
		add("webhook.timeout must be 1s to 1m")
	}
	if s.Audit.Publish < time.Second || s.Audit.Publish > 24*time.Hour {
		add("audit.publish must be 1s to 24h")
	}
	if s.Audit.Keep < time.Hour || s.Audit.Keep > 100*365*24*time.Hour {
		add("audit.keep must be 1h to 876000h (100 years): a locked checkpoint can not be deleted before")
	}
	if s.Audit.Bucket != "" && s.Storage.Driver != "s3" {
		add("audit.bucket is set but storage.driver is %s", s.Storage.Driver)
	}
	s.validatePeople(add)
	s.Policy.validateTrial(add)
	s.Screening.validate(add)
	if s.Worker.Concurrency < 0 || s.Worker.Concurrency > 256 {
		add("worker.concurrency must be 0 to 256")
	}
	if n := len(s.Operator.Token); n > 0 && n < minOperatorToken {
		add("operator.token has %d characters; it needs at least %d, for example from openssl rand -base64 24", n, minOperatorToken)
	}
	if s.Worker.Listen != "" {
		if _, _, err := net.SplitHostPort(s.Worker.Listen); err != nil {
			add("worker.listen: %q is not host:port", s.Worker.Listen)
		}
	}
	return errors.Join(errs...)
}

// makeDataDir makes the data directory, readable by its owner only.
func (s settings) makeDataDir() error {
	if err := os.MkdirAll(s.DataDir, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	return nil
}

// isOrigin reports whether s is the origin of a page: https, or http on this
// machine. It goes into a header and into the page, so nothing else passes.
func isOrigin(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || s != u.Scheme+"://"+u.Host || strings.ContainsAny(s, "*,; '\"") {
		return false
	}
	host := u.Hostname()
	return u.Scheme == "https" || u.Scheme == "http" && (host == "localhost" || host == "127.0.0.1")
}
