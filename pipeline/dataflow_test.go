package pipeline

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// Each part of the page between <!-- generated: NAME --> and <!-- /generated -->
// is made from the tables that the program runs by.
func TestTheDataFlowPageShowsTheStagesQueuesAndClassesOfTheCode(t *testing.T) {
	const file = "../docs/data-flow.md"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for name, want := range map[string]string{
		"capture": captureDiagram(), "decision": decisionDiagram(), "after": afterDiagram(), "stages": stageDiagram(), "stage-table": stageTable(),
		"tasks": taskTable(), "classes": classTable(t),
	} {
		begin, end := "<!-- generated: "+name+" -->\n", "<!-- /generated -->"
		head, rest, ok := strings.Cut(text, begin)
		old, tail, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s has no place for %q", file, name)
		}
		if old != want && !*update {
			t.Errorf("%s: %s is not current; run: go test ./pipeline -run DataFlow -update", file, name)
		}
		text = head + begin + want + end + tail
	}
	if *update && text != string(b) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// captureDiagram is the way of a photo until it is stored.
func captureDiagram() string {
	return "```mermaid\nflowchart TB\n" +
		"  service(\"Relying service\") -->|\"session, claims\"| api\n" +
		"  person(\"Person:<br/>capture page or app\") -->|\"consent, photos\"| api\n" +
		"  api[\"API<br/>checks who asks\"] -->|\"photo\"| gate[\"Gate: decoded apart,<br/>quality judged at once\"]\n" +
		"  gate -->|\"refused: a hint,<br/>nothing kept\"| person\n" +
		"  gate -->|\"accepted:<br/>encrypted\"| vault[(\"Vault:<br/>evidence\")]\n" +
		"  api -->|\"one<br/>transaction\"| store[(\"Session store:<br/>state, audit log,<br/>outbox\")]\n```\n"
}

// decisionDiagram is the way of a submitted case; names of queues and stages are
// the code's.
func decisionDiagram() string {
	names := slices.SortedFunc(maps.Keys(queues), func(a, b string) int { return queues[b] - queues[a] })
	first, last := stages[0].Name, stages[len(stages)-1].Name
	return "```mermaid\nflowchart TB\n" +
		"  store[(\"Session store\")] -->|\"ids only\"| queue{{\"Queue:<br/>" + strings.Join(names, ",<br/>") + "\"}}\n" +
		"  queue --> worker[\"Worker: " + fmt.Sprint(len(stages)) + " stages,<br/>" + first + " to " + last + "\"]\n" +
		"  vault[(\"Vault\")] <-->|\"decrypted in<br/>memory only\"| worker\n" +
		"  worker -->|\"findings:<br/>codes, measures\"| policy[\"Policy decides\"]\n" +
		"  policy -->|\"decision,<br/>audit entry\"| store\n" +
		"  worker -->|\"signed webhook,<br/>no personal data\"| service(\"Relying service\")\n```\n"
}

// afterDiagram is what happens to a case and its evidence afterwards.
func afterDiagram() string {
	return "```mermaid\nflowchart TB\n" +
		"  store[(\"Session store\")] -->|\"cases<br/>in review\"| reviewer(\"Reviewer\")\n" +
		"  vault[(\"Vault\")] -->|\"under a<br/>logged grant\"| reviewer\n" +
		"  reviewer -->|\"decision\"| store\n" +
		"  sweeper[\"Sweeper: retention;<br/>erasure on request\"] -->|\"the key first,<br/>then objects\"| vault\n" +
		"  sweeper -->|\"certificate,<br/>audit entry\"| store\n```\n"
}

// stageDiagram leaves out an arrow that two others make.
func stageDiagram() string {
	var b strings.Builder
	b.WriteString("```mermaid\nflowchart TB\n")
	behind := map[string]map[string]bool{} // all that a stage uses, also through others
	used := map[string]bool{}
	for _, s := range stages {
		all := map[string]bool{}
		for _, n := range s.Needs {
			maps.Copy(all, behind[n])
		}
		for _, n := range s.Needs {
			used[n] = true
			if !all[n] {
				fmt.Fprintf(&b, "  %s --> %s\n", stageNode(n), stageNode(s.Name))
			}
		}
		for _, n := range s.Needs {
			all[n] = true
		}
		behind[s.Name] = all
	}
	for _, s := range stages {
		if !used[s.Name] {
			fmt.Fprintf(&b, "  %s --> decide{{\"policy decides\"}}\n", stageNode(s.Name))
		}
	}
	b.WriteString("```\n")
	return b.String()
}

func stageNode(name string) string {
	i := slices.IndexFunc(stages, func(s stage) bool { return s.Name == name })
	if stages[i].Biometric {
		return name + "[\"" + name + "<br/>(with consent)\"]"
	}
	return name
}

func stageTable() string {
	var b strings.Builder
	b.WriteString("\n| stage | uses the results of | time limit | without biometric consent | hands on, through the vault |\n| --- | --- | --- | --- | --- |\n")
	for _, s := range stages {
		consent, hands := "runs", ""
		if s.Biometric {
			consent = "does not run"
		}
		if s.Save != nil {
			hands = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", s.Name, strings.Join(s.Needs, ", "), limitText(s.Timeout), consent, hands)
	}
	return b.String() + "\n"
}

func taskTable() string {
	var b strings.Builder
	b.WriteString("\n| work | queue | share of a busy worker's attention |\n| --- | --- | --- |\n")
	for _, w := range []struct {
		what string
		row  session.Outbox
	}{
		{"decide a first submission", session.Outbox{Kind: session.KindVerify, Attempt: 1}},
		{"decide photos that were taken again", session.Outbox{Kind: session.KindVerify, Attempt: 2}},
		{"deliver a webhook", session.Outbox{Kind: session.KindWebhook}},
		{"erase evidence", session.Outbox{Kind: session.KindErase}},
	} {
		q := queueOf(w.row)
		fmt.Fprintf(&b, "| %s (`%s`) | `%s` | %d |\n", w.what, w.row.Kind, q, queues[q])
	}
	return b.String() + "\n"
}

// classContents says in words what a data class holds.
var classContents = map[storage.Class]string{
	storage.CaptureImage:      "photos as sent, straightened documents, films of the face, parts of uploads",
	storage.BiometricTemplate: "where the face is; a face template only where the policy compares faces (`duplicates`)",
	storage.ExtractedFields:   "what was read of the document, what the relying service stated of the person",
	storage.Outcome:           "signed deletion certificates, which have ten years of their own",
	storage.Consent:           "nothing yet: the record of consent is a row of the session store",
	storage.ReviewNote:        "what reviewers wrote, and why evidence was opened",
}

func classTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("\n| data class | what | kept, by the shipped policy | erased on request |\n| --- | --- | --- | --- |\n")
	for _, c := range policy.Classes {
		class := storage.Class(c)
		if classContents[class] == "" {
			t.Errorf("nothing says what the class %s holds", c)
		}
		erased := "no"
		if slices.Contains(erasable, class) {
			erased = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c, classContents[class], policy.Default().Defaults.Retention[c], erased)
	}
	return b.String() + "\n"
}

func limitText(d time.Duration) string {
	if d >= time.Minute {
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.0f s", d.Seconds())
}
