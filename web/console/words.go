package console

import (
	"errors"
	"fmt"
	"html/template"
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
	"session":     {"You were logged out, because you were away. Log in again.", true},
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
