package pipeline

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proofline/proofline/session"
)

// The queue lost the task and the worker that had the case is gone: the reconciler
// hands a test case over again like any other, and counts it nowhere.
func TestATestCaseThatACrashLeftIsHandedOverAgain(t *testing.T) {
	w := newWorld(t, "")
	id := w.testCase("test:review=approved")
	w.dispatch()
	o := w.row(id)
	if err := w.queue.inspector.DeleteTask(queueOf(o), o.TaskID()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.store.Claim(ctx, id, 1, "killed-worker", time.Microsecond); err != nil {
		t.Fatal(err)
	}
	if s := w.state(id); s != 0 {
		t.Fatalf("the queue still has the task: %v", s)
	}
	eventually(t, time.Minute, "the reconciler leaves the case where it is", func() bool {
		w.reconcile()
		return w.state(id) != 0
	})
	c, registry := w.config(), prometheus.NewRegistry()
	c.Metrics = NewMetrics(registry)
	w.start(c, stages)
	if ses := w.settled(id, session.Approved); ses.Decision.By != session.Reviewer {
		t.Errorf("it was decided by %s", ses.Decision.By)
	}
	if ds, err := w.store.Decisions(ctx, id); err != nil || len(ds) != 2 {
		t.Errorf("%d decisions, %v", len(ds), err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "proofline_case") || strings.HasPrefix(f.GetName(), "proofline_stage") || strings.HasPrefix(f.GetName(), "proofline_session") {
			t.Errorf("the live metric %s counted a test case: %v", f.GetName(), f)
		}
	}
}
