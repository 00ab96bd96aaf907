package session

import (
	"context"
	"encoding/json"
	"time"

	"github.com/proofline/proofline/policy"
)

// MaxScores bounds what ScoreStream reads.
const MaxScores = 20000

// ScoreStream returns what a stage measured in a time, newest first, at most MaxScores
// results. Simulated cases are left out unless they are asked for.
func (s *Store) ScoreStream(ctx context.Context, stage, measure string, from, to time.Time, simulated bool) ([]float64, error) {
	bodies, err := list(ctx, s, "read scores", scanString, `SELECT r.body FROM stage_results r JOIN sessions s ON s.id = r.session
		WHERE r.session >= ? AND r.session < ? AND r.stage = ? AND r.at >= ? AND r.at < ? AND (s.simulated = 0 OR ? = 1)
		ORDER BY r.session DESC LIMIT ?`,
		// Ids carry the time: the key's order finds the rows. A session lives at most
		// as long as its time to live.
		idBound(SessionPrefix, from.Add(-maxTTL)), idBound(SessionPrefix, to), stage, micros(from), micros(to), smallint(simulated), MaxScores)
	if err != nil {
		return nil, err
	}
	var out []float64
	for _, b := range bodies {
		var r struct {
			Findings []policy.Finding `json:"findings"`
		}
		if json.Unmarshal([]byte(b), &r) != nil {
			continue // of a release that wrote another form
		}
		for _, f := range r.Findings {
			if v, ok := f.Measured(measure); ok {
				out = append(out, v)
			}
		}
	}
	return out, nil
}

// Overrides counts, in a time, the verdicts that people gave, and those that went
// against a failed check.
func (s *Store) Overrides(ctx context.Context, from, to time.Time, simulated bool) (votes, overrides int64, err error) {
	err = s.queryRow(ctx, overridesQuery, idBound(VotePrefix, from), micros(from), micros(to), smallint(simulated)).Scan(&votes, &overrides)
	return votes, overrides, err
}

const overridesQuery = `SELECT COUNT(*), COALESCE(SUM(v.overrides), 0) FROM review_votes v JOIN sessions s ON s.id = v.session
	WHERE v.id >= ? AND v.at >= ? AND v.at < ? AND (s.simulated = 0 OR ? = 1)`
