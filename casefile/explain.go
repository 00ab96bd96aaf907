package casefile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/receipt"
)

// View is for whom a file is explained.
type View string

// The views. Support sees plain sentences and what to do, and nothing that would
// teach how to pass a check; an auditor sees everything that can be checked
// against the log; compliance sees that and the relying service's own
// reference, which may be personal data. Only the last has any.
const (
	Support    View = "support"
	Auditor    View = "auditor"
	Compliance View = "compliance"
)

// Account is a file explained. Fields that a view does not have are empty.
type Account struct {
	View    View      `json:"view"`
	Session string    `json:"session"`
	At      time.Time `json:"at"` // what is said holds at this time
	State   string    `json:"state"`
	Tenant  string    `json:"tenant,omitempty"`
	// ExternalRef is the relying service's own reference.
	ExternalRef string `json:"external_ref,omitempty"`
	// Summary is the answer in sentences; Advice what can be done now.
	Summary []string `json:"summary"`
	Advice  []string `json:"advice,omitempty"`

	Timeline  []Event         `json:"timeline"`
	Dropped   int             `json:"noops_not_shown,omitempty"` // further events that changed nothing
	Decisions []Explained     `json:"decisions"`
	Evidence  []EvidenceState `json:"evidence"`
	Held      bool            `json:"legal_hold"`
}

// Event is one thing that happened.
type Event struct {
	Entry   *int64            `json:"entry,omitempty"` // number in the audit log
	Time    time.Time         `json:"time"`
	Role    string            `json:"role"`
	Actor   string            `json:"actor,omitempty"` // role and id
	Action  string            `json:"action"`
	Words   string            `json:"words"`
	Attempt int               `json:"attempt,omitempty"`
	Codes   []string          `json:"codes,omitempty"`
	Refs    map[string]string `json:"refs,omitempty"`
	Hashes  map[string]string `json:"hashes,omitempty"`
}

// Explained is one decision and why it came out so.
type Explained struct {
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	By      string    `json:"by"`
	Outcome string    `json:"outcome"`
	State   string    `json:"state"` // where it led
	Why     []string  `json:"why"`

	Policy  *Rules   `json:"policy,omitempty"`
	Cell    string   `json:"cell,omitempty"`
	StepUps []string `json:"step_ups,omitempty"`
	Reasons []Reason `json:"reasons,omitempty"`
	Checks  []Check  `json:"checks,omitempty"`
	Replay  string   `json:"replay,omitempty"`
	// Models took part in the findings, as role, name and SHA-256.
	Models []policy.ModelRef `json:"models,omitempty"`
}

// Rules names the policy and the catalogue of reason codes of a decision.
type Rules struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
	Codes   string `json:"codes_sha256,omitempty"`
}

// Reason is one raised code with the rule that made it count.
type Reason struct {
	Code    string `json:"code"`
	Title   string `json:"title"`
	Subject string `json:"subject"`
	Stage   string `json:"stage"`
	Action  string `json:"action"`
	// Rule says where the action comes from.
	Rule  string `json:"rule"`
	Field string `json:"field,omitempty"` // a document field's name, never its value
}

// Check is one measure that a threshold bounds.
type Check struct {
	Stage   string  `json:"stage"`
	Subject string  `json:"subject"`
	Measure string  `json:"measure"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit,omitempty"`
	Bound   string  `json:"bound"` // min or max
	Limit   float64 `json:"limit"`
	Verdict string  `json:"verdict"`
	Code    string  `json:"code,omitempty"`
	Rule    string  `json:"rule,omitempty"`  // name of the threshold that failed
	Basis   string  `json:"basis,omitempty"` // where its number comes from
}

// EvidenceState is what is kept of a data class.
type EvidenceState struct {
	Class       string    `json:"class"`
	Kept        int       `json:"kept"`
	Deleted     int       `json:"deleted,omitempty"`
	RetainUntil time.Time `json:"retain_until,omitzero"` // the last of it
	ErasedAt    time.Time `json:"erased_at,omitzero"`    // when its erasure began: the key goes first
	CertifiedAt time.Time `json:"certified_at,omitzero"`
	// Certificate is the newest deletion certificate.
	Certificate *Certificate `json:"certificate,omitempty"`
	Objects     []string     `json:"objects,omitempty"`
}

// Certificate is where a deletion certificate is and what the log says of it.
type Certificate struct {
	Object string `json:"object,omitempty"` // vault object, class outcome
	SHA256 string `json:"sha256"`
	Entry  int64  `json:"entry"`
}

// Explain gives the account of the file for a view.
func (f *File) Explain(v View) (Account, error) {
	if !slices.Contains([]View{Support, Auditor, Compliance}, v) {
		return Account{}, fmt.Errorf("explain session: unknown view %q", v)
	}
	s := f.Session
	a := Account{View: v, Session: s.ID, At: f.At.UTC().Truncate(time.Second), State: string(s.State), Held: f.Held, Dropped: f.Dropped,
		Timeline: []Event{}, Decisions: []Explained{}, Evidence: f.evidenceStates(v)}
	if v != Support {
		a.Tenant = s.Tenant
	}
	if v == Compliance {
		a.ExternalRef = s.ExternalRef
	}
	for _, e := range f.Timeline {
		if v == Support && quiet(e) {
			continue
		}
		role, _, _ := strings.Cut(e.Actor, ":")
		ev := Event{Time: e.Time, Role: role, Action: e.Action, Words: words(e), Attempt: e.Attempt, Codes: e.Codes}
		if v == Support {
			ev.Codes = shown(e.Codes)
		} else {
			seq := e.Seq
			ev.Entry, ev.Actor, ev.Refs, ev.Hashes = &seq, e.Actor, e.Refs, e.Hashes
		}
		a.Timeline = append(a.Timeline, ev)
	}
	for _, d := range f.Decisions {
		a.Decisions = append(a.Decisions, d.explain(v))
	}
	a.Summary = f.summary(a)
	if v == Support {
		a.Advice = f.advice()
	}
	return a, nil
}

func (d Decision) explain(v View) Explained {
	out := Explained{Attempt: d.Attempt, At: d.At, By: string(d.By), Outcome: string(d.Outcome), State: string(d.State)}
	out.Why = d.why(v)
	if v == Support {
		return out
	}
	out.Policy = &Rules{Name: d.Decision.Policy, Version: d.PolicyVersion, SHA256: d.PolicyHash}
	out.Cell, out.Replay = d.Cell, d.replay().Verdict
	if d.Basis != nil {
		out.Policy.Codes = d.Basis.CodesHash
	}
	var cell policy.Cell
	if d.Policy != nil {
		cell = d.Policy.Cell(d.Input.Context)
		out.StepUps = cell.Fired
		out.Models = receipt.Models(d.Input.Findings)
	}
	for _, r := range d.Reasons {
		info, _ := r.Code.Info()
		x := Reason{Code: string(r.Code), Title: info.Title, Subject: r.Subject, Stage: r.Stage, Action: string(r.Action), Field: r.Field, Rule: "the code's default"}
		if d.Policy != nil {
			if _, ok := cell.Actions[r.Code]; ok {
				x.Rule = fmt.Sprintf("actions of cell %q", d.Cell)
			}
		}
		out.Reasons = append(out.Reasons, x)
	}
	if d.Policy == nil {
		return out
	}
	for _, f := range d.Input.Findings {
		out.Checks = append(out.Checks, checks(cell, cell.Judge(f))...)
	}
	return out
}

// checks lists the measures that a threshold bounds.
func checks(cell policy.Cell, f policy.Finding) []Check {
	var out []Check
	for _, m := range f.Measures {
		if m.Threshold == nil {
			continue
		}
		c := Check{Stage: f.Stage, Subject: f.Subject, Measure: m.Name, Value: m.Value, Unit: m.Unit, Bound: m.Bound, Limit: *m.Threshold,
			Verdict: string(m.Verdict), Code: string(m.Code)}
		for _, name := range slices.Sorted(maps.Keys(cell.Thresholds)) {
			t := cell.Thresholds[name]
			if m.Code != "" && t.Measure == m.Name && t.Code == m.Code && (len(t.Subjects) == 0 || slices.Contains(t.Subjects, f.Subject)) {
				c.Rule, c.Basis = name, t.Basis
				break
			}
		}
		out = append(out, c)
	}
	return out
}

// quiet: nothing that support has to tell anybody.
func quiet(e audit.Entry) bool {
	switch e.Action {
	case "session.evidence_added", "client_token.issue", "client_token.redeem", "client_token.revoke", "webhook.delivered", "webhook.given_up", "outbox.dead", "outbox.replay", "outbox.drop":
		return true
	}
	return e.Outcome == "noop"
}
