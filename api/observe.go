package api

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/policy"
)

// record is what a request leaves in the log: ids and codes, never a body, a
// query, an address or a token.
type record struct {
	id      string
	session string
	actor   string
	correl  string
	header  http.Header // of the answer; nil outside of a request
	problem *problem
}

type recordKey struct{}

func recordOf(ctx context.Context) *record {
	if r, ok := ctx.Value(recordKey{}).(*record); ok {
		return r
	}
	return &record{}
}

func requestID(ctx context.Context) string { return recordOf(ctx).id }

// note keeps the problem that a request is answered with, for its log line.
func note(ctx context.Context, p *problem) { recordOf(ctx).problem = p }

var acceptableID = regexp.MustCompile(`^[A-Za-z0-9_-]{8,64}$`)

// metrics are the HTTP layer's. Labels are bounded: routes, methods and
// statuses are those of the router, codes those of the catalogues.
type metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	problems *prometheus.CounterVec
	gate     *prometheus.CounterVec
	gateTime *prometheus.HistogramVec
	created  prometheus.Counter
	bytes    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "proofline_http_requests_total", Help: "Requests answered, by route and status.",
		}, []string{"method", "route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "proofline_http_request_seconds", Help: "Time from the request's header to the end of the answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 120},
		}, []string{"method", "route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "proofline_http_in_flight", Help: "Requests being answered.",
		}),
		problems: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "proofline_http_problems_total", Help: "Requests answered with a problem document, by code.",
		}, []string{"code"}),
		gate: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "proofline_gate_photos_total", Help: "Photos judged on upload; code is the first reason, or none.",
		}, []string{"kind", "accepted", "code"}),
		gateTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "proofline_gate_seconds", Help: "Time to judge an uploaded photo.",
			Buckets: []float64{.05, .1, .2, .4, .8, 1.5, 3, 6, 12},
		}, []string{"kind"}),
		created: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "proofline_sessions_created_total", Help: "Sessions created over the API.",
		}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "proofline_upload_bytes_total", Help: "Bytes of photos read.",
		}),
	}
	reg.MustRegister(m.requests, m.duration, m.inFlight, m.problems, m.gate, m.gateTime, m.created, m.bytes)
	return m
}

// judged counts a gate answer.
func (m *metrics) judged(kind string, a policy.GateAnswer, took time.Duration) {
	code := "none"
	if len(a.Codes) > 0 {
		if _, known := a.Codes[0].Info(); known {
			code = string(a.Codes[0])
		} else {
			code = "other"
		}
	}
	m.gate.WithLabelValues(kind, strconv.FormatBool(a.Accepted), code).Inc()
	m.gateTime.WithLabelValues(kind).Observe(took.Seconds())
}

// observe gives every request an id, one log line and its metrics, and turns a
// panic into a 500.
func observe(log *slog.Logger, m *metrics) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			id := r.Header.Get("X-Request-Id")
			if !acceptableID.MatchString(id) {
				id = "req_" + strings.ToLower(rand.Text())
			}
			rec := &record{id: id, header: w.Header()}
			r = r.WithContext(context.WithValue(r.Context(), recordKey{}, rec))
			w.Header().Set("X-Request-Id", id)
			ww := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
			r, span := startSpan(r)
			m.inFlight.Inc()
			defer func() {
				defer func() { endSpan(span, r, rec, ww.Status()) }()
				m.inFlight.Dec()
				if v := recover(); v != nil {
					if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
						panic(v)
					}
					// The value of a panic can quote its input; its type can not.
					log.ErrorContext(r.Context(), "panic in handler", "request_id", id, "panic", typeName(v))
					if ww.Status() == 0 {
						writeProblem(ww, r, newProblem("internal", ""))
					}
				}
				finish(log, m, r, rec, ww, began)
			}()
			next.ServeHTTP(ww, r)
		})
	}
}

func finish(log *slog.Logger, m *metrics, r *http.Request, rec *record, ww middleware.WrapResponseWriter, began time.Time) {
	route := chi.RouteContext(r.Context()).RoutePattern()
	if route == "" {
		route = "none"
	}
	method := r.Method
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodPut, http.MethodPatch, http.MethodOptions:
	default:
		method = "other"
	}
	status := ww.Status()
	if status == 0 {
		status = http.StatusOK
	}
	took := time.Since(began)
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(method, route).Observe(took.Seconds())
	attrs := []slog.Attr{
		slog.String("request_id", rec.id), slog.String("method", method), slog.String("route", route),
		slog.Int("status", status), slog.Int("bytes", ww.BytesWritten()), slog.Duration("took", took.Round(time.Microsecond)),
	}
	for k, v := range map[string]string{"session": rec.session, "actor": rec.actor, "correlation_id": rec.correl} {
		if v != "" {
			attrs = append(attrs, slog.String(k, v))
		}
	}
	level := slog.LevelInfo
	if p := rec.problem; p != nil {
		m.problems.WithLabelValues(p.Code).Inc()
		attrs = append(attrs, slog.String("code", p.Code))
		if p.cause != nil {
			attrs = append(attrs, slog.String("cause", p.cause.Error()))
		}
		if p.Status >= 500 || p.Code == client.CodeRegion {
			level = slog.LevelError
		}
	} else if strings.HasPrefix(route, "/healthz") || strings.HasPrefix(route, "/readyz") || strings.HasPrefix(route, "/metrics") {
		level = slog.LevelDebug
	}
	log.LogAttrs(r.Context(), level, "request", attrs...)
}
