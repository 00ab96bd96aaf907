package casefile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// phrases say what an action of the audit log is, after the role.
var phrases = map[string]string{
	"session.create":               "created the session",
	"session.start_capture":        "began to take photos",
	"session.consent_given":        "gave consent",
	"session.consent_withdrawn":    "withdrew consent; everything kept is to be erased",
	"session.evidence_added":       "added a photo",
	"session.submit":               "submitted the photos",
	"session.approve":              "approved",
	"session.reject":               "rejected",
	"session.refer":                "sent the case to a person for review",
	"session.request_resubmission": "asked for new photos",
	"session.expire":               "ended the session: its time was up",
	"session.cancel":               "cancelled the session",
	"evidence.committed":           "stored a photo, encrypted",
	"evidence.erasure_requested":   "asked for everything kept to be erased",
	"evidence.erasure_refused":     "did not erase: a legal hold keeps the evidence",
	"evidence.erased":              "erased the evidence and certified it",
	"evidence.expired":             "erased evidence whose retention was over",
	"evidence.ask":                 "asked for access to the evidence",
	"evidence.approve":             "approved somebody's access to the evidence",
	"evidence.open":                "opened evidence",
	"evidence.end_grant":           "ended access to the evidence",
	"evidence.grant_over":          "ended access to the evidence: its time was up",
	"hold.placed":                  "placed a legal hold",
	"hold.lifted":                  "lifted a legal hold",
	"review.claim":                 "took the case to review",
	"review.release":               "gave the case back to the review queue",
	"review.vote":                  "gave a verdict on the case",
	"review.escalated":             "reviewers disagreed: another person decides",
	"sample.drawn":                 "drew the case for a blind check of automatic decisions",
	"sample.taken":                 "took the case to check it blindly",
	"sample.released":              "gave the case back unchecked",
	"sample.judged":                "checked the case blindly; the decision stays as it is",
	"screening.recorded":           "a screening result was recorded",
	"policy.canary_stopped":        "the canary policy got no more sessions",
	"policy.canary_resumed":        "the canary policy gets sessions again",
	"simulation.begun":             "simulated cases were begun",
	"simulation.ended":             "simulated cases were made",
	"simulation.removed":           "simulated cases were removed",
	"webhook.delivered":            "told the relying service",
	"webhook.given_up":             "could not tell the relying service and gave up",
	"outbox.dead":                  "gave up a piece of work",
	"outbox.replay":                "started a piece of work again",
	"outbox.drop":                  "took a webhook that was given up off the list",
	"client_token.issue":           "made a capture link",
	"client_token.redeem":          "opened a capture link",
	"client_token.revoke":          "ended a capture link",
	"policy.proposed":              "proposed another policy",
	"policy.activated":             "made another policy the active one",
	"policy.withdrawn":             "withdrew a proposed policy",
	"rules.archived":               "archived rules",
	"account.create":               "added an account",
	"account.set_roles":            "changed the roles of an account",
	"account.set_password":         "changed a password",
	"account.set_totp":             "switched an authenticator app on",
	"account.remove_totp":          "switched an authenticator app off",
	"account.disable":              "disabled an account",
	"account.enable":               "enabled an account",
	"login.begin":                  "logged in",
	"login.end":                    "logged out",
	"audit.verify":                 "had the audit log verified",
}

// roles as people call them.
var roles = map[string]string{
	"client": "The person", "service": "The relying service", "worker": "The automatic check", "reviewer": "A reviewer",
	"operator": "An operator", "system": "The system", "staff": "An employee",
}

func roleName(role string) string {
	if n := roles[role]; n != "" {
		return n
	}
	return "A " + strings.ReplaceAll(role, "_", " ")
}

// Words is one sentence for an entry of the log.
func Words(e audit.Entry) string { return words(e) }

func words(e audit.Entry) string {
	role, _, _ := strings.Cut(e.Actor, ":")
	what := phrases[e.Action]
	if what == "" {
		what = "did " + e.Action
	}
	switch {
	case e.Outcome == "noop":
		what = fmt.Sprintf("tried %s, which changed nothing", strings.TrimPrefix(e.Action, "session."))
	case e.Outcome == "refused":
		what += " and was refused"
	case e.Action == "evidence.committed" || e.Action == "session.evidence_added" || e.Action == "evidence.open":
		if kind := e.Refs["kind"]; kind != "" {
			what += " (" + noun(kind) + ")"
		}
	case e.Refs["class"] != "":
		what += " (" + noun(e.Refs["class"]) + ")"
	case e.Action == "session.request_resubmission" && e.To == string(session.PendingReview):
		what = "wanted new photos, but no attempt was left, and sent the case to a person for review"
	case e.Action == "session.request_resubmission" && e.To == string(session.Rejected):
		what = "wanted new photos, but no attempt was left, and rejected"
	}
	return roleName(role) + " " + what + "."
}

var nouns = map[string]string{
	"document_front": "front of the document", "document_back": "back of the document", "selfie": "selfie", "case": "the case as a whole",
	"capture_image": "photos", "biometric_template": "face data", "extracted_fields": "fields read from the document and stated data",
	"outcome": "outcome", "consent": "consent", "review_note": "notes of reviewers",
}

func noun(kind string) string {
	if n := nouns[kind]; n != "" {
		return n
	}
	return strings.ReplaceAll(kind, "_", " ")
}

// shown are the codes that the person or the relying service may be told.
func shown(codes []string) []string {
	var out []string
	for _, c := range codes {
		if i, ok := policy.Code(c).Info(); ok && (i.For("client") || i.For("service")) {
			out = append(out, c)
		}
	}
	return out
}

// why says in sentences what a decision rests on.
func (d Decision) why(v View) []string {
	out := []string{}
	add := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	for _, r := range d.Reasons {
		if !slices.Contains(d.Codes, r.Code) {
			continue
		}
		info, ok := r.Code.Info()
		if v == Support && !(ok && (info.For("client") || info.For("service"))) {
			continue
		}
		title := info.Title
		if !ok {
			title = string(r.Code)
		}
		if r.Code == "system.not_evaluated" {
			title += ": " + r.Stage
		}
		where := ""
		if r.Subject != "case" {
			where = " (" + noun(r.Subject) + ")"
		}
		if v == Support {
			add("%s%s.", title, where)
			continue
		}
		field := ""
		if r.Field != "" {
			field = ", field " + r.Field
		}
		add("%s%s: %s found it%s, and under cell %q of the policy it leads to: %s.", title, where, r.Stage, field, d.Cell, r.Action)
	}
	if v != Support && d.Err != nil {
		add("Not everything that it was computed from is there: %v.", d.Err)
	}
	if len(out) > 0 {
		return out
	}
	switch {
	case d.Outcome == policy.Approved && d.By == session.Worker:
		add("Every required check was made, and nothing stood against approval.")
	case d.By != session.Worker:
		add("A person decided.")
	default:
		add("The reasons are not shown here.")
	}
	return out
}

var states = map[session.State]string{
	session.Initiated:         "The session was created; the person has not begun.",
	session.CaptureInProgress: "The person is taking photos.",
	session.Submitted:         "The photos were sent; the checks are running.",
	session.PendingReview:     "A person has to look at the case.",
	session.Approved:          "The case was approved.",
	session.Rejected:          "The case was rejected.",
	session.Expired:           "The session ended before it was decided.",
	session.NeedsResubmission: "New photos were asked for.",
}

// summary is the short answer.
func (f *File) summary(a Account) []string {
	out := []string{states[f.Session.State]}
	if n := len(a.Decisions); n > 0 {
		last := a.Decisions[n-1]
		by := roleName(last.By)
		out = append(out, fmt.Sprintf("%s decided on %s, at attempt %d of %d:", by, day(last.At), last.Attempt, f.Session.MaxAttempts))
		out = append(out, last.Why...)
	}
	kept := 0
	for _, e := range a.Evidence {
		if e.Class == "outcome" || e.Class == "consent" {
			continue
		}
		switch {
		case !e.CertifiedAt.IsZero() && e.Kept == 0:
			out = append(out, fmt.Sprintf("%s: erased, certified on %s.", upper(noun(e.Class)), day(e.CertifiedAt)))
		case !e.ErasedAt.IsZero():
			out = append(out, fmt.Sprintf("%s: made unreadable on %s; the bytes are still being deleted.", upper(noun(e.Class)), day(e.ErasedAt)))
		case e.Kept > 0:
			kept++
			out = append(out, fmt.Sprintf("%s: kept until %s.", upper(noun(e.Class)), day(e.RetainUntil)))
		}
	}
	if f.Held {
		out = append(out, "A legal hold keeps the evidence whatever its retention says.")
	} else if kept == 0 && len(a.Evidence) == 0 {
		out = append(out, "No evidence was stored.")
	}
	return out
}

// advice is what support can tell a person to do.
func (f *File) advice() []string {
	var out []string
	add := func(s string) {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	s := f.Session
	d := s.Decision
	switch s.State {
	case session.Initiated:
		add("Ask the person to open the link and to agree. A new link can be made at any time before " + moment(s.ExpiresAt) + ".")
	case session.CaptureInProgress:
		add("Ask the person to finish and send the photos before " + moment(s.ExpiresAt) + ".")
	case session.Submitted:
		add("Nothing: a decision follows by itself. Should it take long, an operator can look at the queue.")
	case session.PendingReview:
		add("Nothing: a reviewer decides. New photos do not help before that.")
	case session.NeedsResubmission:
		for _, r := range d.Reasons {
			if info, ok := r.Code.Info(); ok && slices.Contains(d.Codes, r.Code) && info.For("client") && info.Hint != "" {
				add(upper(noun(r.Subject)) + ": " + strings.ReplaceAll(info.Hint, "{field}", r.Field))
			}
		}
		left := "this is the last attempt"
		if n := s.MaxAttempts - s.Attempt; n > 1 {
			left = fmt.Sprintf("%d attempts are left", n)
		}
		add(fmt.Sprintf("A capture link takes the new photos until %s; %s.", moment(s.ExpiresAt), left))
	case session.Rejected:
		for _, c := range d.Codes {
			if info, ok := c.Info(); ok && info.For("client") {
				add(info.Hint)
			}
		}
		add("The decision is final for this session. The person can be invited to a new one.")
	case session.Expired:
		add("The person can be invited to a new session.")
	}
	return out
}

func day(t time.Time) string    { return t.UTC().Format("2 January 2006") }
func moment(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
