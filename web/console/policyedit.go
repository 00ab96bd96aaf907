package console

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

type editData struct {
	Base    archived
	Text    string
	Note    string
	Fault   string
	Line    int
	Lines   []numbered // around the fault
	Checked *policy.Policy
	Diff    []policy.Change
	Remarks []policy.Remark
	Moved   bool
	Hint    string
}

type numbered struct {
	N    int
	Text string
	Here bool
}

// editPolicy offers the active policy's text, or another version's, for a change.
func (x *Console) editPolicy(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	base, err := x.archived(r.Context(), x.c.Rules.Current().Hash())
	if err != nil {
		x.fail(w, r, Path+"/policies", err)
		return
	}
	d := editData{Base: base, Text: string(base.Text)}
	if from := q.Get("from"); from != "" && from != base.Hash {
		other, err := x.archived(r.Context(), from)
		if err != nil {
			x.fail(w, r, Path+"/policies", err)
			return
		}
		d.Text, d.Note = string(other.Text), "Back to version "+other.Version
		d.Hint = "This is version " + other.Version + " as it was."
	}
	if m := measure(q.Get("measure")); m != nil {
		d.withThresholds(base.Policy, *m, q.Get("reject"), q.Get("approve"))
	}
	x.render(w, r, http.StatusOK, "policyedit", view{Title: "Change the policy", Data: d})
}

func measure(name string) *session.ScoredMeasure {
	for _, m := range session.ScoredMeasures {
		if m.Name == name {
			return &m
		}
	}
	return nil
}

// withThresholds writes the bounds that the page of thresholds was asked for into
// the text: the highest rule that rejects, and the highest of the others.
func (d *editData) withThresholds(p *policy.Policy, m session.ScoredMeasure, reject, approve string) {
	rules := rulesOn(p, m)
	var rejects, others *rule
	for i := range rules {
		if rules[i].Action == policy.Reject {
			rejects = &rules[i]
		} else {
			others = &rules[i]
		}
	}
	var did, missed []string
	set := func(r *rule, to string) {
		v, err := strconv.ParseFloat(to, 64)
		// A slider rests on the step nearest to the policy's bound: that is no change.
		if r == nil || err != nil || math.Abs(v-r.Min) <= 0.0005+1e-9 {
			return
		}
		text, ok := setMin(d.Text, r.Name, v)
		if !ok {
			missed = append(missed, r.Name)
			return
		}
		d.Text = text
		did = append(did, fmt.Sprintf("%s from %.4g to %.4g", r.Name, r.Min, v))
	}
	if others == nil { // one rule that rejects is all there is
		set(rejects, approve)
	} else {
		set(rejects, reject)
		set(others, approve)
	}
	if len(did) > 0 {
		d.Text = nextVersion(d.Text)
		d.Note = "Threshold " + strings.Join(did, "; ")
		d.Hint = upper(d.Note) + ". Say in its basis where the number comes from."
	}
	if len(missed) > 0 {
		d.Hint += " Not found in the text, change it by hand: " + strings.Join(missed, ", ") + "."
	}
}

// setMin changes the min of a named threshold in a policy's text, in either of
// YAML's forms, and nothing else of it: comments stay. A target_fmr is replaced.
func setMin(text, name string, v float64) (string, bool) {
	n := regexp.QuoteMeta(name)
	for _, form := range []string{
		`(?ms)(^[ \t]+` + n + `:\s*\{[^}]*?\b)(?:min|target_fmr)(:[ \t]*)([0-9.eE+-]+)`,
		`(?m)(^[ \t]+` + n + `:[ \t]*(?:#.*)?\n(?:[ \t]+.*\n)*?[ \t]+)(?:min|target_fmr)(:[ \t]*)([0-9.eE+-]+)`,
	} {
		re := regexp.MustCompile(form)
		if at := re.FindStringSubmatchIndex(text); at != nil {
			return text[:at[3]] + "min" + text[at[4]:at[5]] + strconv.FormatFloat(v, 'g', -1, 64) + text[at[7]:], true
		}
	}
	return text, false
}

var versionLine = regexp.MustCompile(`(?m)^(version:[ \t]*["']?)([^"'\n#]*?)(\d+)(["']?[ \t]*)$`)

// nextVersion counts the last number of the version up.
func nextVersion(text string) string {
	m := versionLine.FindStringSubmatchIndex(text)
	if m == nil {
		return text
	}
	n, err := strconv.Atoi(text[m[6]:m[7]])
	if err != nil {
		return text
	}
	return text[:m[6]] + strconv.Itoa(n+1) + text[m[7]:]
}

// read takes a text from a form and says what is wrong with it.
func (x *Console) readPolicy(r *http.Request) (editData, []byte, error) {
	base, err := x.archived(r.Context(), r.PostFormValue("base"))
	if err != nil {
		return editData{}, nil, err
	}
	// Browsers send lines ended by CR LF.
	text := strings.ReplaceAll(r.PostFormValue("text"), "\r\n", "\n")
	d := editData{Base: base, Text: text, Note: strings.TrimSpace(r.PostFormValue("note"))}
	d.Moved = base.Hash != x.c.Rules.Current().Hash()
	full := []byte(text)
	if x.c.Rules.Prepare != nil {
		if full, err = x.c.Rules.Prepare(full); err != nil {
			d.blame(err)
			return d, nil, nil
		}
	}
	p, err := policy.Parse(full)
	if err == nil && x.c.Rules.Check != nil {
		err = x.c.Rules.Check(p)
	}
	if err == nil && p.Hash() == base.Hash {
		err = errors.New("the rules are the same as before: only comments or layout differ")
	}
	if err == nil && p.Version == base.Version && p.Name == base.Name {
		err = fmt.Errorf("version: the rules differ from version %s and need another number", base.Version)
	}
	if err != nil {
		d.blame(err)
		return d, nil, nil
	}
	d.Checked, d.Diff, d.Remarks = p, policy.Diff(base.Policy, p), p.Remarks()
	return d, full, nil
}

var (
	lineOf  = regexp.MustCompile(`(?:\[|line )(\d+)`)
	namedBy = regexp.MustCompile(`threshold ([\w.-]+)|actions: ([\w.-]+)|retention of (?:unknown data class )?"?([\w.-]+)|^(version):|unknown \w+ "([^"]+)"|"([^"]+)"`)
)

// blame finds the line that an error speaks of: the one it gives, or the one that
// has what it names.
func (d *editData) blame(err error) {
	d.Fault = err.Error()
	lines := strings.Split(d.Text, "\n")
	if m := lineOf.FindStringSubmatch(d.Fault); m != nil {
		d.Line, _ = strconv.Atoi(m[1])
	} else if m := namedBy.FindStringSubmatch(d.Fault); m != nil {
		for _, name := range m[1:] {
			for i, l := range lines {
				if name != "" && d.Line == 0 && strings.Contains(l, name) && !strings.HasPrefix(strings.TrimSpace(l), "#") {
					d.Line = i + 1
				}
			}
		}
	}
	// A parser's drawing of the place is shown below as lines.
	d.Fault, _, _ = strings.Cut(d.Fault, "\n")
	if d.Line < 1 || d.Line > len(lines) {
		d.Line = 0
		return
	}
	for i := max(1, d.Line-2); i <= min(len(lines), d.Line+2); i++ {
		l := lines[i-1]
		if len(l) > 200 {
			l = l[:200] + "…"
		}
		d.Lines = append(d.Lines, numbered{i, l, i == d.Line})
	}
}

func (x *Console) checkPolicy(w http.ResponseWriter, r *http.Request) {
	d, _, err := x.readPolicy(r)
	if err != nil {
		x.fail(w, r, Path+"/policies", err)
		return
	}
	status := http.StatusOK
	if d.Fault != "" {
		status = http.StatusUnprocessableEntity
	}
	x.render(w, r, status, "policyedit", view{Title: "Change the policy", Data: d})
}

// propose keeps a change for activation. What is wrong is refused with the line;
// what was compared with a policy that is not active any more, too.
func (x *Console) propose(w http.ResponseWriter, r *http.Request) {
	d, full, err := x.readPolicy(r)
	if err != nil {
		x.fail(w, r, Path+"/policies", err)
		return
	}
	if d.Fault != "" {
		x.render(w, r, http.StatusUnprocessableEntity, "policyedit", view{Title: "Change the policy", Data: d})
		return
	}
	s := api.StaffOf(r.Context())
	c, err := x.c.Store.ProposePolicy(r.Context(), session.Actor{Role: session.Operator, ID: s.Account.ID},
		session.Rules{Hash: d.Checked.Hash(), Kind: session.PolicyRules, Name: d.Checked.Name, Version: d.Checked.Version, Text: full}, d.Base.Hash, d.Note)
	if errors.Is(err, session.ErrPolicyMoved) {
		d.Moved = true
		x.render(w, r, http.StatusConflict, "policyedit", view{Title: "Change the policy", Data: d})
		return
	}
	if err != nil {
		x.fail(w, r, Path+"/policies", err)
		return
	}
	to(w, r, Path+"/policies/changes/"+c.ID, "proposed")
}
