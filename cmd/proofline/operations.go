package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/pipeline"
)

// What operators look at: traces, the worker's figures, the queues' page.

const (
	queuePagePath    = "/ops/queues"
	minOperatorToken = 24
)

// operatorToken reports whether a request carries the operators' token; nil
// without one in the settings.
func (s settings) operatorToken() func(*http.Request) bool {
	if s.Operator.Token == "" {
		return nil
	}
	want := sha256.Sum256([]byte(s.Operator.Token))
	return func(r *http.Request) bool {
		_, given, ok := r.BasicAuth()
		if !ok {
			given, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		}
		// Digests, so that the comparison takes the same time at any length.
		sum := sha256.Sum256([]byte(given))
		return subtle.ConstantTimeCompare(sum[:], want[:]) == 1
	}
}

// framedQueue gives asynqmon's page, whose first script and styles are inline,
// the policy that it needs.
func framedQueue(page http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		page.ServeHTTP(w, r)
	})
}

// checks are what has to answer for the process to be ready.
func (n *node) checks(q *pipeline.Queue) []api.Check {
	out := []api.Check{
		{Name: "store", Ping: n.store.Ping},
		{Name: "queue", Ping: q.Ping},
		{Name: "evidence", Ping: n.pingBlobs},
	}
	if n.disk != nil {
		out = append(out, api.Check{Name: "disk", Ping: n.disk})
	}
	if n.keyDB != nil {
		out = append(out, api.Check{Name: "keys", Ping: n.keyDB.Ping})
	}
	return out
}

// serveMetrics answers what a monitor asks a worker, where an address for it
// is set.
func (s settings) serveMetrics(n *node, q *pipeline.Queue, registry *prometheus.Registry) (stop func(), err error) {
	if s.Worker.Listen == "" {
		return func() {}, nil
	}
	l, err := net.Listen("tcp", s.Worker.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for monitors: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		for _, c := range n.checks(q) {
			if err := c.Ping(ctx); err != nil {
				n.log.Warn("not ready", "check", c.Name, "cause", err)
				http.Error(w, c.Name+" does not answer", http.StatusServiceUnavailable)
				return
			}
		}
		fmt.Fprintln(w, "ok")
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			n.log.Error("monitors are not answered", "error", err)
		}
	}()
	return func() { srv.Close() }, nil
}

// startTracing sends spans to the collector that the standard variables of
// OpenTelemetry name, and nowhere without one.
func startTracing(ctx context.Context, log *slog.Logger) (stop func(), err error) {
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return func() {}, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("start tracing: %w", err)
	}
	name := os.Getenv("OTEL_SERVICE_NAME")
	if name == "" {
		name = "proofline"
	}
	p := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(resource.NewSchemaless(
		attribute.String("service.name", name), attribute.String("service.version", version))))
	otel.SetTracerProvider(p)
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces are not delivered", "error", err) }))
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil {
			log.Warn("last traces were not delivered", "error", err)
		}
	}, nil
}
