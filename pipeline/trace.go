package pipeline

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/proofline/proofline/session"
)

// Spans go to whatever provider the process has set; without one they cost
// next to nothing. Attributes are ids, names of stages and codes, and a failed
// span says no more than that it failed: errors can quote what they were about.
func tracer() trace.Tracer { return otel.Tracer("github.com/proofline/proofline/pipeline") }

// startTask continues the trace of the request, or of the task, that wrote the
// outbox row.
func startTask(ctx context.Context, o session.Outbox) (context.Context, trace.Span) {
	return tracer().Start(o.TraceContext(ctx), "task "+string(o.Kind), trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(
		attribute.String("proofline.session", o.Session), attribute.Int("proofline.attempt", o.Attempt),
		attribute.String("proofline.correlation_id", o.CorrelationID), attribute.String("proofline.outbox", o.ID),
		attribute.Int("proofline.tries", o.Tries), attribute.String("messaging.destination.name", queueOf(o))))
}

func startStage(ctx context.Context, name string) (context.Context, trace.Span) {
	return tracer().Start(ctx, "stage "+name)
}

func endSpan(s trace.Span, err error) {
	if err != nil {
		s.SetStatus(codes.Error, "")
	}
	s.End()
}

// traceDelivery notes on the task's span what an endpoint answered. The
// endpoint's address stays out: it can hold a secret.
func traceDelivery(ctx context.Context, d session.Delivery, r session.DeliveryResult) {
	s := trace.SpanFromContext(ctx)
	s.SetAttributes(attribute.String("proofline.event", d.Event), attribute.String("proofline.event_type", d.Type),
		attribute.String("proofline.endpoint", d.Endpoint.ID), attribute.Int("http.response.status_code", r.Status),
		attribute.Bool("proofline.delivered", r.Delivered))
	if !r.Delivered {
		s.SetStatus(codes.Error, r.Reason)
	}
}
