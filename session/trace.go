package session

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
)

// traceparent is the trace that ctx is part of, as a W3C traceparent; empty
// outside of one. It holds random ids and a flag, nothing of the case.
func traceparent(ctx context.Context) string {
	m := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, m)
	return m["traceparent"]
}

// TraceContext continues the trace that the row was written in.
func (o Outbox) TraceContext(ctx context.Context) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": o.Traceparent})
}
