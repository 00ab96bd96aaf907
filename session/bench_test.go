package session

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"encoding/json"

	"github.com/proofline/proofline/policy"
)

// runCase does all that one case asks of the store: created, consented, two
// photos, submitted, dispatched, claimed, nine stages, decided; one endpoint.
func runCase(b testing.TB, s *Store) {
	check := func(err error) {
		if err != nil {
			b.Error(err)
		}
	}
	ses, err := s.Create(ctx, newSession())
	check(err)
	id := ses.ID
	_, err = s.Apply(ctx, id, AnyVersion, consent(), nil)
	check(err)
	for _, kind := range []string{"document_front", "selfie"} {
		_, err = s.PutEvidence(ctx, client, Evidence{Session: id, Kind: kind, Object: "obj_" + kind, SHA256: "00", Size: 3})
		check(err)
	}
	var row string
	_, err = s.Apply(ctx, id, AnyVersion, Event{Kind: Submit, Actor: client}, func(tx *Tx) error {
		return tx.row("SELECT id FROM outbox WHERE kind = 'verify' AND session = ? AND attempt = 1", id).Scan(&row)
	})
	check(err)
	check(s.MarkDispatched(ctx, row))
	l, err := s.Claim(ctx, id, 1, "w1", time.Minute)
	check(err)
	for _, stage := range []string{"quality", "document", "mrz", "ocr", "barcode", "face", "liveness", "consistency", "decide"} {
		_, err = s.PutStage(ctx, StageResult{Session: id, Attempt: 1, Stage: stage, InputHash: "h", Body: json.RawMessage(`{"findings":[]}`)})
		check(err)
	}
	_, err = s.Apply(ctx, id, AnyVersion, Decided(worker, 1, decision(policy.Approved)), nil)
	check(err)
	check(s.Release(ctx, l))
}

// BenchmarkCase reports whole cases per second, one after another and with 32
// in flight.
func BenchmarkCase(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		for _, parallel := range []int{1, 32} {
			b.Run(kind+"/inflight="+map[int]string{1: "1", 32: "32"}[parallel], func(b *testing.B) {
				s := openTest(b, kind, time.Now)
				if _, err := s.PutEndpoint(ctx, service, Endpoint{Tenant: "acme", URL: "https://a.example/h"}); err != nil {
					b.Fatal(err)
				}
				b.ResetTimer()
				inFlight(b.N, parallel, func() { runCase(b, s) })
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "cases/s")
			})
		}
	}
}

// BenchmarkCreateAndSubmit is what a client waits for: from nothing to
// "received".
func BenchmarkCreateAndSubmit(b *testing.B) {
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			s := openTest(b, kind, time.Now)
			for range b.N {
				ses, err := s.Create(ctx, newSession())
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Apply(ctx, ses.ID, AnyVersion, consent(), nil); err != nil {
					b.Fatal(err)
				}
				if _, err := s.Apply(ctx, ses.ID, AnyVersion, Event{Kind: Submit, Actor: client}, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "sessions/s")
		})
	}
}

func inFlight(n, parallel int, f func()) {
	var wg sync.WaitGroup
	var left atomic.Int64
	left.Store(int64(n))
	for range parallel {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for left.Add(-1) >= 0 {
				f()
			}
		}()
	}
	wg.Wait()
}
