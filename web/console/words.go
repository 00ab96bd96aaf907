package console

import (
	"errors"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/access/login"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

type message struct {
	text string
	bad  bool
}

// said are the messages that a page can begin with; a code travels in the
// address, never a text.
var said = map[string]message{
	"claimed":       {"The case is yours.", false},
	"released":      {"The case is back in the queue.", false},
	"decided":       {"Decided. The relying service is told.", false},
	"voted":         {"Recorded. Another reviewer has to agree.", false},
	"checked":       {"Recorded. The case stays as it was decided.", false},
	"blind":         {"You are judging this case without knowing what was decided. Finish that first.", true},
	"empty":         {"No case is waiting that you can take.", false},
	"password":      {"The password is changed. Log in with the new one.", false},
	"authenticator": {"From now on the login asks for a code of your app.", false},
	"removed":       {"The login asks for no code any more.", false},
	"elsewhere":     {"You are logged out everywhere else.", false},
	"out":           {"You are logged out.", false},
	"approved":      {"Approved.", false},
	"ended":         {"The grant is ended.", false},
	"asked":         {"Somebody else has to approve before the evidence opens.", false},

	"again":       {"The case was changed meanwhile. Look at it again before you decide.", true},
	"not_review":  {"The case is not in review any more.", true},
	"other":       {"Another reviewer has the case.", true},
	"unclaimed":   {"The case is not yours, or not any more. Claim it first.", true},
	"judged":      {"You have judged this case. Another reviewer has to.", true},
	"no_grant":    {"Your access to the evidence is over. Ask again.", true},
	"same_person": {"Another person has to approve this.", true},
	"erased":      {"The evidence is erased.", true},
	"wrong":       {"That is not right. Nothing was changed.", true},
	"present":     {"The code of the app that you use now is needed as well. Nothing was changed.", true},
	"weak":        {fmt.Sprintf("A new password has at least %d characters, not the same few again and again, and not your name.", access.MinPassword), true},
	"wait":        {"Too many wrong tries. Wait a little.", true},
	"incomplete":  {"Something is missing. A rejection and a call for photos need a reason; an approval against a failed check needs the tick and a note.", true},
	"purpose":     {"This purpose needs a few words.", true},
	"provider":    {"The login at the provider did not work. Try again.", true},
	"no_role":     {"You are known to the provider, and have no role here. Ask an administrator.", true},
	"cancelled":   {"The session is cancelled. The relying service is told.", false},
	"erasing":     {"Everything kept of the session is being erased.", false},
	"held":        {"The hold is placed: nothing of the session is erased until it is lifted.", false},
	"lifted":      {"The hold is lifted.", false},
	"replayed":    {"Started again.", false},
	"proposed":    {"Proposed. Look at what it changes, then activate it.", false},
	"activated":   {"Active: new sessions follow it. Sessions that began before keep theirs.", false},
	"withdrawn":   {"The proposal is withdrawn.", false},
	"added":       {"The account is added.", false},
	"changed":     {"The account is changed. It is logged out everywhere.", false},

	"not_now":  {"The session is in another state by now. Nothing was changed.", true},
	"unsure":   {"Tick the box first: what is erased is gone.", true},
	"invalid":  {"That is not complete, or not in the right form. Nothing was changed.", true},
	"on_hold":  {"A legal hold keeps the evidence. Nothing was erased.", true},
	"moved":    {"Another policy was activated since this one was proposed. Propose it again, on top of that.", true},
	"unusable": {"This server can not work by that policy. Nothing was changed.", true},
	"taken":    {"There is an account of this name.", true},
	"account":  {"An account needs a name of letters, digits and . _ @ + -, and at least one role.", true},
	"yourself": {"Somebody else has to change your own account.", true},
	"no_roles": {"An account has at least one role. Disable it instead.", true},
	"session":  {"You were logged out, because you were away. Log in again.", true},
}

var errNotThere = session.ErrNotFound

// wordsFor is the message for an error that the reader can understand; "" for
// others.
func wordsFor(err error) string {
	var fault *review.FaultError
	var wait *login.WaitError
	switch {
	case errors.As(err, &fault) && (fault.Field == "text" || fault.Field == "purpose"):
		return "purpose"
	case errors.As(err, &fault):
		return "incomplete"
	case errors.As(err, &wait):
		return "wait"
	case errors.Is(err, login.ErrCode):
		return "present"
	case errors.Is(err, login.ErrRefused):
		return "wrong"
	case errors.Is(err, session.ErrConflict):
		return "again"
	case errors.Is(err, session.ErrPolicyMoved):
		return "moved"
	case errors.Is(err, errUnusable):
		return "unusable"
	case errors.Is(err, errSelf):
		return "yourself"
	case errors.Is(err, errNoRole):
		return "no_roles"
	case errors.Is(err, session.ErrTaken):
		return "taken"
	case errors.Is(err, session.ErrHeld):
		return "on_hold"
	case errors.Is(err, session.ErrNoTransition):
		return "not_now"
	case errors.Is(err, session.ErrInvalid):
		return "invalid"
	case errors.Is(err, session.ErrNotInReview):
		return "not_review"
	case errors.Is(err, session.ErrClaimed):
		return "other"
	case errors.Is(err, session.ErrNotClaimed):
		return "unclaimed"
	case errors.Is(err, session.ErrVoted):
		return "judged"
	case errors.Is(err, session.ErrNoGrant):
		return "no_grant"
	case errors.Is(err, session.ErrSamePerson):
		return "same_person"
	case errors.Is(err, storage.ErrErased):
		return "erased"
	}
	return ""
}

// functions are what templates can call.
var functions = template.FuncMap{
	"title": func(c policy.Code) string {
		if i, ok := c.Info(); ok {
			return i.Title
		}
		return string(c)
	},
	"words":    func(s any) string { return strings.ReplaceAll(fmt.Sprint(s), "_", " ") },
	"ago":      func(now, t time.Time) string { return spell(now.Sub(t)) },
	"stamp":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"clock":    func(t time.Time) string { return t.UTC().Format("2 Jan 15:04 UTC") },
	"can":      func(a session.Account, p string) bool { return a.Can(access.Permission(p)) },
	"short":    func(id string) string { return "…" + id[max(0, len(id)-6):] },
	"number":   func(v float64) string { return fmt.Sprintf("%.4g", v) },
	"join":     strings.Join,
	"purposes": access.Purposes,
	"day":      func(t time.Time) string { return t.UTC().Format("2 Jan 2006") },
	"moment":   func(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04:05 UTC") },
	"hash":     func(s string) string { return s[:min(12, len(s))] },
	"who":      func(names map[string]string, actor string) string { return names[actor] },
	"thousand": func(n any) string { return thousands(toInt(n)) },
	"percent": func(v float64) string {
		if math.IsNaN(v) {
			return "–"
		}
		return percent(v)
	},
	"hook": hookState,
	"has":  slices.Contains[[]access.Role],
	"mib":  func(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) },
	"add":  func(a, b float64) float64 { return a + b },
	"sub":  func(a, b float64) float64 { return a - b },
	"plural": func(n any, one, many string) string {
		if toInt(n) == 1 {
			return one
		}
		return many
	},
}

// toInt takes the integers that templates have.
func toInt(n any) int64 {
	switch n := n.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	case uint64:
		return int64(min(n, math.MaxInt64))
	}
	return 0
}

// spell is a length of time as people say it.
func spell(d time.Duration) string {
	switch {
	case d < 0:
		return "in " + spell(-d)
	case d < time.Minute:
		return "less than a minute"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
