package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/proofline/proofline/policy"
)

// Basis is what an automatic decision was computed from. With the stage results
// that it names and the policy of the decision it is computed again.
type Basis struct {
	AsOf time.Time `json:"as_of"` // the day that expiry and age were judged on
	// Input is the policy's whole input but for its findings, which are those of
	// Stages in that order.
	Input    policy.Input `json:"input"`
	Stages   []StageRef   `json:"stages"`
	Evidence []string     `json:"evidence"` // ids, by kind
	// InputHash is the hash of the input with its findings. It is in the audit
	// log as "input".
	InputHash string `json:"input_sha256"`
	// CodesHash is that of the catalogue of reason codes.
	CodesHash string `json:"codes_sha256"`
}

// StageRef names one stored stage result of the session and attempt.
type StageRef struct {
	Stage     string `json:"stage"`
	InputHash string `json:"input_hash"`
}

// Recorded is a decision with the bytes that were stored, whose SHA-256 is in
// the audit log as "decision".
type Recorded struct {
	Decision
	Body  []byte
	Basis *Basis // nil for a person's decision
}

// Recorded returns every decision on a session as it was stored, oldest first.
func (s *Store) Recorded(ctx context.Context, id string) ([]Recorded, error) {
	return list(ctx, s, "read decisions", func(r scanner) (Recorded, error) {
		var d Recorded
		var basis string
		if err := r.Scan(&d.Body, &basis); err != nil {
			return d, err
		}
		err := json.Unmarshal(d.Body, &d.Decision)
		if err == nil && basis != "" {
			err = json.Unmarshal([]byte(basis), &d.Basis)
		}
		return d, err
	}, "SELECT body, basis FROM decisions WHERE session = ? ORDER BY attempt, at, decider DESC", id)
}

// Findings reads the findings out of a stage's stored result.
func (r StageResult) Findings() ([]policy.Finding, error) {
	var b struct {
		Findings []policy.Finding `json:"findings"`
	}
	if err := json.Unmarshal(r.Body, &b); err != nil {
		return nil, fmt.Errorf("read result of stage %s: %w", r.Stage, err)
	}
	return b.Findings, nil
}

// ErrIncomplete tells that something a decision was computed from is not stored
// any more, or never was.
var ErrIncomplete = errors.New("what the decision was computed from is not stored")

// Input puts together what a decision was computed from.
func (s *Store) Input(ctx context.Context, session string, d Recorded) (policy.Input, error) {
	if d.Basis == nil {
		return policy.Input{}, ErrIncomplete
	}
	rows, err := s.Stages(ctx, session, d.Attempt)
	if err != nil {
		return policy.Input{}, err
	}
	stored := map[StageRef]StageResult{}
	for _, r := range rows {
		stored[StageRef{r.Stage, r.InputHash}] = r
	}
	in := d.Basis.Input
	in.Findings = nil
	for _, ref := range d.Basis.Stages {
		r, ok := stored[ref]
		if !ok {
			return policy.Input{}, fmt.Errorf("%w: the result of stage %s", ErrIncomplete, ref.Stage)
		}
		fs, err := r.Findings()
		if err != nil {
			return policy.Input{}, err
		}
		in.Findings = append(in.Findings, fs...)
	}
	return in, nil
}

// CountSessions counts the sessions created at a time or later; zero: all.
func (s *Store) CountSessions(ctx context.Context, since time.Time) (int64, error) {
	return s.number(ctx, "count sessions", "SELECT COUNT(*) FROM sessions WHERE id >= ?", idBound(SessionPrefix, since))
}
