package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// measured stores what the face stage found at a time.
func measured(t *testing.T, path string, at time.Time, scores []float64) {
	t.Helper()
	ctx := context.Background()
	s, err := session.Open(ctx, "sqlite:"+path, session.WithClock(func() time.Time { return at }))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ses, err := s.Create(ctx, session.New{Tenant: "acme", PolicyName: "p", PolicyVersion: "1", PolicyHash: "h", Actor: operator})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range scores {
		b, _ := json.Marshal(map[string]any{"findings": []policy.Finding{{Stage: "face", Subject: "case", Measures: []policy.Measure{{Name: "face.similarity", Value: v}}}}})
		if _, err := s.PutStage(ctx, session.StageResult{Session: ses.ID, Attempt: 1, Stage: "face", InputHash: fmt.Sprint(i), Body: b}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDriftTellsAStreamThatMovedFromChanceAndFromTooLittle(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(n int, mean float64) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = mean + 0.1*r.NormFloat64()
		}
		return out
	}
	for _, c := range []struct {
		name        string
		recent      []float64
		moved, thin bool
	}{
		{"as before", draw(300, 0.6), false, false},
		{"another camera", draw(300, 0.45), true, false},
		{"a handful", draw(20, 0.2), false, true},
	} {
		path := filepath.Join(t.TempDir(), "s.db")
		measured(t, path, now.Add(-20*24*time.Hour), draw(600, 0.6))
		measured(t, path, now.Add(-2*24*time.Hour), c.recent)
		s, err := session.Open(context.Background(), "sqlite:"+path)
		if err != nil {
			t.Fatal(err)
		}
		rep, err := drift(context.Background(), s, now, 7*24*time.Hour, 30*24*time.Hour, false)
		if x := rep.Streams[0]; err != nil || x.Moved != c.moved || x.Thin != c.thin || rep.alarm() != c.moved || x.Recent != len(c.recent) {
			t.Errorf("%s: %+v, %v", c.name, x, err)
		}
		m := newReviewMetrics(s)
		m.last.Store(&rep)
		reg := prometheus.NewRegistry()
		reg.MustRegister(m)
		fams, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		seen := false
		for _, f := range fams {
			if f.GetName() == "proofline_score_moved" {
				for _, x := range f.GetMetric() {
					if x.GetLabel()[0].GetValue() == "face.similarity" {
						seen = x.GetGauge().GetValue() == 1 == c.moved
					}
				}
			}
		}
		if !seen {
			t.Errorf("%s: the metric says otherwise", c.name)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
