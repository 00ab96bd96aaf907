package api

import (
	"context"
	"net/http"

	"github.com/go-chi/chi/v5"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// startSpan begins the request's trace. A caller's own trace is linked, not
// continued: anyone can send the header, and must not choose what is sampled
// here.
func startSpan(r *http.Request) (*http.Request, trace.Span) {
	o := []trace.SpanStartOption{trace.WithSpanKind(trace.SpanKindServer)}
	caller := propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(r.Header))
	if l := trace.LinkFromContext(caller); l.SpanContext.IsValid() {
		o = append(o, trace.WithLinks(l))
	}
	ctx, span := otel.Tracer("github.com/proofline/proofline/api").Start(r.Context(), "request", o...)
	return r.WithContext(ctx), span
}

// endSpan names the span by its route, as the metrics do, and adds ids; the
// path, the query and the caller's address stay out.
func endSpan(span trace.Span, r *http.Request, rec *record, status int) {
	if status == 0 {
		status = http.StatusOK
	}
	if span.IsRecording() {
		route := chi.RouteContext(r.Context()).RoutePattern()
		if route == "" {
			route = "none"
		}
		span.SetName(r.Method + " " + route)
		span.SetAttributes(attribute.String("http.route", route), attribute.Int("http.response.status_code", status), attribute.String("proofline.request_id", rec.id))
		for k, v := range map[string]string{"proofline.session": rec.session, "proofline.correlation_id": rec.correl} {
			if v != "" {
				span.SetAttributes(attribute.String(k, v))
			}
		}
		if p := rec.problem; p != nil {
			span.SetAttributes(attribute.String("proofline.problem", p.Code))
		}
		if status >= 500 {
			span.SetStatus(codes.Error, "")
		}
	}
	span.End()
}
