package receipt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
)

// Shown is what a checked receipt shows.
type Shown struct {
	Checkpoint audit.Checkpoint
	Decided    []Decided
	Findings   int
	Evidence   int
	// Replayed: the receipt holds the rules' texts, and the machine's decision
	// was computed again from them, byte for byte the same.
	Replayed bool
}

// Decided is one decision with its place in the log.
type Decided struct {
	Entry   int64     `json:"entry"`
	At      time.Time `json:"at"`
	By      string    `json:"by"` // role
	State   string    `json:"state"`
	Outcome string    `json:"outcome"`
	Codes   []string  `json:"codes"`
}

// recorded is what a receipt needs of a stored decision.
type recorded struct {
	policy.Decision
	By    string `json:"by"`
	State string `json:"state"`
}

func (r Receipt) check(verifier string) (Shown, error) {
	var out Shown
	proven, err := r.Proof.Check(verifier)
	if err != nil {
		return out, err
	}
	out.Checkpoint = proven.Checkpoint
	if len(r.Decisions) == 0 {
		return out, errors.New("receipt without a decision")
	}
	for _, raw := range r.Decisions {
		d, machine, err := r.checkDecision(raw, proven.Entries)
		if err != nil {
			return out, err
		}
		out.Decided = append(out.Decided, d)
		if machine == nil {
			continue
		}
		if out.Findings, out.Replayed, err = r.checkInput(*machine); err != nil {
			return out, err
		}
	}
	for _, e := range r.Evidence {
		at := slices.IndexFunc(proven.Entries, func(p audit.Entry) bool {
			return p.Action == "evidence.committed" && p.Session == r.Session && p.Refs["evidence"] == e.ID
		})
		if at < 0 {
			return out, fmt.Errorf("receipt: the log's entry of evidence %s is not proven", e.ID)
		}
		if p := proven.Entries[at]; p.Hashes["evidence"] != e.Commitment || e.Commitment == "" || p.Refs["kind"] != e.Kind || p.Attempt != e.Attempt {
			return out, fmt.Errorf("receipt: evidence %s is not what the log has under entry %d", e.ID, p.Seq)
		}
		out.Evidence++
	}
	return out, nil
}

// checkDecision finds the log's entry of a decision; machine is set for the one
// that was computed.
func (r Receipt) checkDecision(raw []byte, entries []audit.Entry) (_ Decided, machine *recorded, err error) {
	var d recorded
	if err := json.Unmarshal(raw, &d); err != nil {
		return Decided{}, nil, fmt.Errorf("decode decision of receipt: %w", err)
	}
	sum := Digest(raw)
	at := slices.IndexFunc(entries, func(p audit.Entry) bool { return p.Hashes["decision"] == sum })
	if at < 0 {
		return Decided{}, nil, errors.New("receipt: no proven entry of the log has the hash of this decision")
	}
	e := entries[at]
	role, _, _ := strings.Cut(e.Actor, ":")
	switch {
	case e.Session != r.Session, d.Attempt != r.Attempt:
		return Decided{}, nil, fmt.Errorf("receipt: entry %d is of another session or attempt", e.Seq)
	case e.Outcome != string(d.Outcome), e.To != d.State, role != d.By:
		return Decided{}, nil, fmt.Errorf("receipt: the decision is not what entry %d says", e.Seq)
	case d.PolicyHash != e.Hashes["policy"]:
		return Decided{}, nil, fmt.Errorf("receipt: the decision's policy is not what entry %d says", e.Seq)
	}
	out := Decided{Entry: e.Seq, At: e.Time, By: role, State: d.State, Outcome: string(d.Outcome), Codes: []string{}}
	for _, c := range d.Codes {
		out.Codes = append(out.Codes, string(c))
	}
	if e.Hashes["input"] == "" {
		return out, nil, nil
	}
	if e.Hashes["input"] != Digest(r.Input) {
		return Decided{}, nil, fmt.Errorf("receipt: the findings are not those that entry %d commits to", e.Seq)
	}
	if e.Hashes["codes"] != r.Codes.SHA256 || d.PolicyHash != r.Policy.SHA256 {
		return Decided{}, nil, fmt.Errorf("receipt: the rules are not those that entry %d commits to", e.Seq)
	}
	return out, &d, nil
}

// checkInput reads the input, compares the list of models with it, and computes
// the decision again where the receipt holds the rules.
func (r Receipt) checkInput(d recorded) (findings int, replayed bool, err error) {
	var in policy.Input
	if err := json.Unmarshal(r.Input, &in); err != nil {
		return 0, false, fmt.Errorf("decode input of receipt: %w", err)
	}
	if !slices.Equal(r.Models, Models(in.Findings)) {
		return 0, false, errors.New("receipt: the models are not those of the findings")
	}
	if r.Policy.Text == "" || r.Codes.Text == "" {
		return len(in.Findings), false, nil
	}
	p, err := policy.ParseUnder([]byte(r.Policy.Text), []byte(r.Codes.Text))
	if err != nil {
		return 0, false, fmt.Errorf("policy of receipt: %w", err)
	}
	if p.Hash() != r.Policy.SHA256 || p.CodesHash() != r.Codes.SHA256 {
		return 0, false, errors.New("receipt: the text of the rules is not what the hash says")
	}
	then, err := json.Marshal(d.Decision)
	if err != nil {
		return 0, false, fmt.Errorf("encode decision: %w", err)
	}
	now, err := json.Marshal(p.Decide(in))
	if err != nil {
		return 0, false, fmt.Errorf("encode decision: %w", err)
	}
	if !bytes.Equal(then, now) {
		return 0, false, fmt.Errorf("receipt: computed again from its own findings and rules the decision is another: %s", now)
	}
	return len(in.Findings), true, nil
}

// Models lists the models that took part in findings, each once, in order.
func Models(fs []policy.Finding) []policy.ModelRef {
	out := []policy.ModelRef{}
	for _, f := range fs {
		for _, m := range f.Models {
			if !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
	}
	slices.SortFunc(out, func(a, b policy.ModelRef) int {
		return strings.Compare(a.Role+"\x00"+a.Name+"\x00"+a.SHA256, b.Role+"\x00"+b.Name+"\x00"+b.SHA256)
	})
	return out
}
