package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/web"
	"github.com/proofline/proofline/webhook"
)

// bodyTimeout is how long a request with its body may take to arrive.
const bodyTimeout = 20 * time.Second

// defaultTenant owns the API key that the first start makes and the webhook
// endpoint of the configuration.
const defaultTenant = "default"

type upCmd struct{ settings }

func (upCmd) Help() string {
	return "Needs nothing else to run. On first start it makes a keyring and an API key in the data directory; the key's secret is printed once. A worker that is killed costs nothing but time: unfinished cases go on at the next start."
}

func (c *upCmd) Run(ctx context.Context) error { return c.run(ctx, roles{api: true, worker: true}) }

type serveCmd struct{ settings }

func (serveCmd) Help() string {
	return "For several machines: PostgreSQL, Redis and S3 are shared with `proofline worker`."
}

func (c *serveCmd) Run(ctx context.Context) error { return c.run(ctx, roles{api: true}) }

type workerCmd struct{ settings }

func (c *workerCmd) Run(ctx context.Context) error { return c.run(ctx, roles{worker: true}) }

// roles are what a process does.
type roles struct{ api, worker bool }

// concurrency is how many cases this process works on at once.
func (s settings) concurrency(r roles) int {
	switch {
	case s.Worker.Concurrency > 0:
		return s.Worker.Concurrency
	case r.api:
		return min(2, runtime.NumCPU())
	}
	return runtime.NumCPU()
}

// run opens everything, serves until ctx ends, and closes in reverse order.
func (s settings) run(ctx context.Context, r roles) error {
	if err := s.validate(r.api && r.worker); err != nil {
		return fmt.Errorf("configuration:\n%w", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	metrics := pipeline.NewMetrics(registry)
	n, err := s.open(ctx, session.WithMoves(metrics.Moved))
	if err != nil {
		return err
	}
	defer func() {
		if err := n.Close(); err != nil {
			n.log.Error("close", "error", err)
		}
	}()
	n.vault = n.vault.Decorated(storageMetrics(registry, s.Storage.Concurrency))
	if s.keepsFiles() {
		n.disk = diskCheck(s.DataDir)
	}
	stopTracing, err := startTracing(ctx, n.log)
	if err != nil {
		return err
	}
	defer stopTracing()
	archive := newArchive(n.store, s.DataDir)
	live, err := s.live(ctx, n, archive, r.api)
	if err != nil {
		return err
	}
	current := live.Current()
	matcher, err := s.Screening.matcher()
	if err != nil {
		return err
	}
	shadows, err := s.shadows(ctx, archive)
	if err != nil {
		return err
	}
	stopCounting := n.countFigures()
	defer stopCounting()
	if s.keyStoreDSN() == "" {
		n.log.Warn("data keys are in the session store's own database: its backups can bring erased evidence back until they are deleted; set keys.store")
	}
	stopAnnouncing := n.announceKeys(holderInterval)
	defer stopAnnouncing()
	stopIsolating, err := s.Decode.isolate(n.log, registry)
	if err != nil {
		return err
	}
	defer stopIsolating()
	engines, err := s.openEngines(s.concurrency(r))
	if err != nil {
		return err
	}
	defer engines.Close()
	for stage, why := range engines.Missing {
		n.log.Warn("a check can not be made; no case that needs it is approved", "stage", stage, "reason", why)
	}
	queue, err := pipeline.OpenQueue(pipeline.QueueConfig{
		Address: s.Queue.Address, CAFile: s.Queue.CAFile, Log: n.log,
		SentinelUser: s.Queue.SentinelUser, SentinelPassword: s.Queue.SentinelPassword,
	})
	if err != nil {
		return err
	}
	defer queue.Close()
	if err := s.putEndpoint(ctx, n); err != nil {
		return err
	}

	registry.MustRegister(pipeline.NewDepths(n.store, queue))

	var wake func()
	if r.worker {
		deliverer := webhook.New(webhook.Options{Timeout: s.Webhook.Timeout, AllowHTTP: s.Webhook.AllowPrivate, AllowPrivate: s.Webhook.AllowPrivate})
		defer deliverer.Close()
		service, err := pipeline.NewService(pipeline.WorkerConfig{
			Store: n.store, Queue: queue, Vault: n.vault, Engines: engines, Policy: archive.find,
			Keyring: n.keys, Webhooks: deliverer, Concurrency: s.concurrency(r), Log: n.log,
			Metrics: metrics, Shadows: shadows, Matcher: matcher,
		})
		if err != nil {
			return err
		}
		if err := service.Start(); err != nil {
			return err
		}
		wake = service.Dispatcher.Wake
		defer func() {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
			defer cancel()
			if err := service.Shutdown(stop); err != nil {
				n.log.Error("stop background work", "error", err)
			}
		}()
	}
	copies, err := s.openPublisher(ctx, n)
	if err != nil {
		return err
	}
	stopSigning := n.signEvery(signInterval, copies)
	defer stopSigning()
	if !r.api {
		stopServing, err := s.serveMetrics(n, queue, registry)
		if err != nil {
			return err
		}
		defer stopServing()
		n.log.Info("working", "concurrency", s.concurrency(r), "policy", current.Name, "policy_version", current.Version)
		<-ctx.Done()
		n.log.Info("stopping")
		return nil
	}
	stopFollowing := live.follow(n)
	defer stopFollowing()
	return s.serve(ctx, n, live, archive, engines, queue, registry, wake)
}

func (s settings) serve(ctx context.Context, n *node, live *livePolicy, archive *archive, engines *pipeline.Engines, queue *pipeline.Queue, registry *prometheus.Registry, wake func()) error {
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	public := s.PublicURL
	if public == "" {
		public = "http://" + l.Addr().String()
	}
	if err := firstKey(ctx, n.store); err != nil {
		return err
	}
	trusted, err := parseProxies(s.TrustedProxies)
	if err != nil {
		return err
	}
	depth := n.watchDepth(ctx)
	figures := newReviewMetrics(n.store)
	registry.MustRegister(figures)
	figures.watch(ctx, n)
	choice := &chooser{live: live.Current, store: n.store}
	if choice.canary, err = s.canary(ctx, archive, n.vault); err != nil {
		return err
	}
	if err := choice.watch(ctx, n); err != nil {
		return err
	}
	door, err := s.door(n, public)
	if err != nil {
		return err
	}
	desk := s.desk(n, archive)
	stopExpiring := n.expireAccess()
	defer stopExpiring()
	handler := api.New(api.Deps{
		Store: n.store, Vault: n.vault, Policy: live.Current(), Current: live.Current, Choose: choice.choose, PolicyOf: archive.find, PublicURL: public, CapturePage: web.Handler(s.Capture.EmbedOrigins...),
		Gate: func(ctx context.Context, cell policy.Cell, kind string, photo []byte) (policy.GateAnswer, error) {
			return pipeline.GateIn(ctx, engines, cell, kind, photo)
		},
		Congested: func() (time.Duration, bool) { return 10 * time.Second, int(depth.Load()) > s.Queue.Limit },
		Submitted: wake, ClientAddress: trusted.client,
		OperatorToken: s.operatorToken(),
		QueuePage:     framedQueue(queue.Page(queuePagePath)),
		Door:          door, Desk: desk, Console: s.console(n, live, archive, door, desk, public, wake),
		Ready: n.checks(queue),
		Log:   n.log, Metrics: registry, Version: version,
	})
	srv := &http.Server{
		Handler: handler,
		// Package api sets a bound of its own for each body that it reads;
		// ReadTimeout ends connections whose body nobody asked for.
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: bodyTimeout, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	current := live.Current()
	n.log.Info("serving", "address", public, "policy", current.Name, "policy_version", current.Version)
	select {
	case err := <-done:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	n.log.Info("stopping: finishing requests and the stages under way")
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		return fmt.Errorf("stop serving: %w", err)
	}
	return nil
}

// firstKey makes an API key when there is none, and shows it once.
func firstKey(ctx context.Context, store *session.Store) error {
	keys, err := store.APIKeys(ctx, "")
	if err != nil || len(keys) > 0 {
		return err
	}
	_, secret, err := store.CreateAPIKey(ctx, operator, defaultTenant, "first start", api.Scopes(), 0)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "API key, shown this once (more with `proofline api-key create`):\n")
	fmt.Println(secret)
	return nil
}

// putEndpoint makes the configured webhook endpoint the one that is in force:
// an address that the configuration does not name any more gets nothing. What
// is in force already is left alone, so that a restart does not wake an endpoint
// that answered 410.
func (s settings) putEndpoint(ctx context.Context, n *node) error {
	if err := s.putEndpointOf(ctx, n, defaultTenant, s.Webhook.URL, s.Webhook.Secret); err != nil {
		return err
	}
	return s.putEndpointOf(ctx, n, session.TestTenant(defaultTenant), s.Webhook.TestURL, s.Webhook.TestSecret)
}

func (s settings) putEndpointOf(ctx context.Context, n *node, tenant, address, secret string) error {
	config := session.Actor{Role: session.System, ID: "config"}
	known, err := n.store.Endpoints(ctx, tenant)
	if err != nil {
		return err
	}
	for _, e := range known {
		if e.URL != address && e.DisabledAt.IsZero() {
			if err := n.store.DisableEndpoint(ctx, config, e.ID, "not_configured"); err != nil {
				return err
			}
		}
	}
	if address == "" {
		return nil
	}
	if err := s.checkWebhook(); err != nil {
		return err
	}
	for _, e := range known {
		if e.URL != address {
			continue
		}
		old, err := storage.OpenSecret(ctx, n.keys, pipeline.WebhookPurpose, e.Secrets)
		switch {
		case err != nil || string(old) != secret || e.DisabledReason == "not_configured":
		case !e.DisabledAt.IsZero():
			n.log.Warn("webhooks are off: the endpoint answered that it wants no more; give it another address or secret to turn them on", "endpoint", e.ID, "reason", e.DisabledReason)
			return nil
		default:
			return nil
		}
	}
	sealed, err := storage.SealSecret(ctx, n.keys, pipeline.WebhookPurpose, []byte(secret))
	if err != nil {
		return fmt.Errorf("seal webhook secret: %w", err)
	}
	_, err = n.store.PutEndpoint(ctx, config, session.Endpoint{Tenant: tenant, URL: address, Secrets: sealed})
	return err
}

// checkWebhook refuses an endpoint that nothing could be sent to, and a secret
// that can not sign.
func (s settings) checkWebhook() error {
	o := webhook.Options{AllowHTTP: s.Webhook.AllowPrivate, AllowPrivate: s.Webhook.AllowPrivate}
	for _, e := range []struct{ prefix, address, secret string }{
		{"webhook.", s.Webhook.URL, s.Webhook.Secret}, {"webhook.test-", s.Webhook.TestURL, s.Webhook.TestSecret},
	} {
		if e.address == "" {
			continue
		}
		if err := o.CheckURL(e.address); err != nil {
			return fmt.Errorf("%surl: %w", e.prefix, err)
		}
		keys, err := webhook.ParseKeys([]byte(e.secret))
		if err == nil {
			_, err = webhook.Headers("try", time.Now(), nil, keys...) // a public key only verifies
		}
		if err != nil {
			return fmt.Errorf("%ssecret: %w", e.prefix, err)
		}
	}
	return nil
}

// shareKey reports whether two settings of keys, one a line, have one in common. It
// compares what is behind the prefix without its padding, as receivers do.
func shareKey(a, b string) bool {
	known := map[string]bool{}
	for line := range strings.Lines(a) {
		known[keyBytes(line)] = true
	}
	for line := range strings.Lines(b) {
		if k := keyBytes(line); k != "" && known[k] {
			return true
		}
	}
	return false
}

func keyBytes(line string) string {
	_, body, _ := strings.Cut(strings.TrimSpace(line), "_")
	return strings.TrimRight(body, "=")
}

// watchDepth counts the cases that wait, once a second: uploads must not ask
// the database each.
func (n *node) watchDepth(ctx context.Context) *atomic.Int64 {
	var depth atomic.Int64
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			if by, err := n.store.OutboxDepth(ctx); err == nil {
				depth.Store(int64(by[session.KindVerify]))
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return &depth
}

// pingBlobs asks the evidence storage for an object that does not exist.
func (n *node) pingBlobs(ctx context.Context) error {
	_, err := n.blobs.Stat(ctx, "ready/probe")
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}
