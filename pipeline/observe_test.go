package pipeline

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/session"
)

func TestOneTraceLeadsFromTheRequestToTheWebhookWithoutPersonalData(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(provider)
	defer otel.SetTracerProvider(before)

	w := newWorld(t, "")
	w.endpoint(func(http.ResponseWriter, string, []byte, session.Notice, int) {})
	f := newFront(t, w, nil)
	ss, _ := passing()
	c := w.config()
	w.start(c, ss)
	t.Cleanup(c.Webhooks.Close)
	created, person := f.begin(client.NewSession{Claims: map[string]string{"surname": canary}, ExternalRef: "case-1"})
	f.capture(person)
	id := created.Session.ID
	w.decided(id, 10*time.Second)
	eventually(t, 10*time.Second, "the decision's webhook left no span", func() bool {
		return slices.ContainsFunc(spans.GetSpans(), func(s tracetest.SpanStub) bool {
			return attributeOf(s, "proofline.event_type") == session.NoticeDecided
		})
	})
	by := map[string]tracetest.SpanStub{}
	for _, s := range spans.GetSpans() {
		name := s.Name
		if e := attributeOf(s, "proofline.event_type"); e != "" {
			name += " " + e
		}
		by[name] = s
		for _, a := range s.Attributes {
			if strings.Contains(a.Value.String(), "Beeblebrox") {
				t.Errorf("span %s holds personal data in %s", s.Name, a.Key)
			}
		}
	}
	submit, verify, stage, hook := by["POST /v1/capture/submit"], by["task verify"], by["stage face"], by["task webhook "+session.NoticeDecided]
	for _, link := range []struct{ child, parent tracetest.SpanStub }{{verify, submit}, {stage, verify}, {hook, verify}} {
		if !link.parent.SpanContext.IsValid() || link.child.Parent.SpanID() != link.parent.SpanContext.SpanID() || link.child.SpanContext.TraceID() != submit.SpanContext.TraceID() {
			t.Errorf("%q does not follow from %q", link.child.Name, link.parent.Name)
		}
	}
	for _, s := range []tracetest.SpanStub{submit, verify, hook} {
		if attributeOf(s, "proofline.session") != id || attributeOf(s, "proofline.correlation_id") == "" {
			t.Errorf("%s: %v", s.Name, s.Attributes)
		}
	}
}

func attributeOf(s tracetest.SpanStub, key string) string {
	for _, a := range s.Attributes {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}

func TestQueuesStagesTransitionsAndWebhooksAreCounted(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	w := newWorld(t, "")
	registry.MustRegister(NewDepths(w.store, w.queue))
	w.endpoint(func(rw http.ResponseWriter, _ string, _ []byte, n session.Notice, _ int) {
		if n.Type == session.NoticeSubmitted {
			rw.WriteHeader(http.StatusGone)
		}
	})
	id := w.submit()
	w.dispatch()
	if n := gauge(t, registry, "proofline_queue_tasks", "queue", "verification", "state", "pending"); n != 1 {
		t.Errorf("%v tasks wait", n)
	}
	if n := gauge(t, registry, "proofline_outbox_rows", "kind", "webhook", "state", "dispatched"); n != 3 {
		t.Errorf("%v webhooks are on their way", n)
	}
	c := w.config()
	c.Metrics = m
	ss, _ := passing()
	w.start(c, ss)
	t.Cleanup(c.Webhooks.Close)
	w.decided(id, 10*time.Second)
	eventually(t, 10*time.Second, "webhooks are open", func() bool {
		d, err := w.store.OutboxDepth(ctx)
		return err == nil && d[session.KindWebhook] == 0
	})
	if n := gauge(t, registry, "proofline_outbox_rows", "kind", "webhook", "state", "dead"); n < 1 {
		t.Errorf("%v dead letters", n)
	}
	if n := gauge(t, registry, "proofline_webhook_tries_total", "reason", "gone", "result", "disabled"); n != 1 {
		t.Errorf("%v endpoints said gone", n)
	}
	for _, s := range ss {
		if n := gauge(t, registry, "proofline_stage_seconds", "stage", s.Name); n != 1 {
			t.Errorf("stage %s was timed %v times", s.Name, n)
		}
	}
	if gauge(t, registry, "proofline_case_wait_seconds", "queue", "verification") != 1 || gauge(t, registry, "proofline_case_seconds", "outcome", "approved") != 1 {
		t.Error("the case's time was not kept")
	}
	m.Moved(session.Move{To: session.Initiated, Event: "create", By: session.Service})
	if n := gauge(t, registry, "proofline_session_transitions_total", "actor", "service", "event", "create", "from", "none", "to", "initiated"); n != 1 {
		t.Errorf("%v creations", n)
	}
}

// gauge is the value of a series, or the count of a histogram's; labels stand
// in the order of their names.
func gauge(t *testing.T, r *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			got := []string{}
			for _, l := range m.GetLabel() {
				got = append(got, l.GetName(), l.GetValue())
			}
			if f.GetName() == name && slices.Equal(got, labels) {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	t.Fatalf("no %s %v", name, labels)
	return 0
}

func TestTheQueuesPageShowsTasksAndChangesNothing(t *testing.T) {
	onBothQueues(t, func(t *testing.T, w *world) {
		w.submit()
		w.dispatch()
		page := w.queue.Page("/ops/queues")
		get := func(method, path string) *httptest.ResponseRecorder {
			r := httptest.NewRecorder()
			page.ServeHTTP(r, httptest.NewRequest(method, path, nil))
			return r
		}
		if r := get("GET", "/ops/queues/api/queues"); r.Code != 200 || !strings.Contains(r.Body.String(), `"verification"`) {
			t.Errorf("%d %s", r.Code, r.Body)
		}
		if r := get("GET", "/ops/queues/"); r.Code != 200 || !strings.Contains(r.Body.String(), "<html") {
			t.Errorf("%d %s", r.Code, r.Body)
		}
		if r := get("POST", "/ops/queues/api/queues/verification:pause"); r.Code < 400 {
			t.Errorf("a queue was paused: %d", r.Code)
		}
		if i, err := w.queue.inspector.GetQueueInfo("verification"); err != nil || i.Paused || i.Pending != 1 {
			t.Errorf("%+v, %v", i, err)
		}
	})
}
