package casefile

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/proofline/proofline/receipt"
	"github.com/proofline/proofline/session"
)

func digest(b []byte) string { return receipt.Digest(b) }

// Verdicts of a replay.
const (
	Identical    = "identical"      // byte for byte the recorded decision
	Different    = "different"      // computed again it is another one
	Altered      = "altered"        // what is stored is not what the audit log commits to
	CanNotReplay = "can_not_replay" // findings or rules are not there
	ByPerson     = "by_person"      // a person decided; there is nothing to compute
)

// Replayed is one decision computed again.
type Replayed struct {
	Session string `json:"session"`
	Attempt int    `json:"attempt"`
	By      string `json:"by"`
	Outcome string `json:"outcome"`
	Verdict string `json:"verdict"`
	// Policy and Codes are the hashes of the rules that it was computed with.
	Policy string `json:"policy_sha256,omitempty"`
	Codes  string `json:"codes_sha256,omitempty"`
	Why    string `json:"why,omitempty"`
	// Recorded and Now are both decisions where they differ.
	Recorded json.RawMessage `json:"recorded,omitempty"`
	Now      json.RawMessage `json:"now,omitempty"`
}

// Replay computes every machine decision of the session again, with the policy
// and the catalogue that were in force then, and compares byte for byte.
func (f *File) Replay() []Replayed {
	out := make([]Replayed, 0, len(f.Decisions))
	for _, d := range f.Decisions {
		r := d.replay()
		r.Session, r.Attempt, r.By, r.Outcome = f.Session.ID, d.Attempt, string(d.By), string(d.Outcome)
		out = append(out, r)
	}
	return out
}

func (d Decision) replay() Replayed {
	if d.Entry == nil {
		return Replayed{Verdict: Altered, Why: "the audit log has no entry with the hash of the recorded decision"}
	}
	if d.By != session.Worker {
		return Replayed{Verdict: ByPerson}
	}
	if d.Err != nil {
		return Replayed{Verdict: CanNotReplay, Why: d.Err.Error()}
	}
	r := Replayed{Policy: d.PolicyHash, Codes: d.Basis.CodesHash}
	hash, err := d.Input.Hash()
	if err != nil {
		r.Verdict, r.Why = CanNotReplay, err.Error()
		return r
	}
	if hash != d.Entry.Hashes["input"] || d.Basis.CodesHash != d.Entry.Hashes["codes"] || d.PolicyHash != d.Entry.Hashes["policy"] {
		r.Verdict = Altered
		r.Why = fmt.Sprintf("the stored findings or rules are not those that entry %d of the audit log commits to", d.Entry.Seq)
		return r
	}
	// The whole record is made again, so that nothing of it is left out of the
	// comparison; who, when and where to are the store's, not the policy's.
	again := d.Decision
	again.Decision = d.Policy.Decide(d.Input)
	again.Attempt = d.Attempt
	now, err := json.Marshal(again)
	if err != nil {
		r.Verdict, r.Why = CanNotReplay, err.Error()
		return r
	}
	if bytes.Equal(now, d.Body) {
		r.Verdict = Identical
		return r
	}
	r.Verdict, r.Recorded, r.Now = Different, d.Body, now
	r.Why = "the same findings under the same rules give another decision: it was decided by a release that computes differently"
	return r
}
