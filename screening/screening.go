// Package screening is the port to sanctions, PEP and adverse-media lists. It holds
// no list and no matching of its own: a relying service posts what its screening
// said (package api), or a [Matcher] asks a service that the company runs itself,
// such as [HTTP] does.
//
// A list that a policy requires and of which nothing is known counts as not
// evaluated: a person looks, and the case never passes by that.
package screening

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/proofline/proofline/policy"
)

// Result is what a screening of one list said.
type Result string

// The results. Possible is a candidate that a person has to tell from the
// subject; Match is one that was confirmed.
const (
	Clear    Result = "clear"
	Possible Result = "possible_match"
	Match    Result = "match"
	Failed   Result = "error" // it was tried and gave no answer
)

// Results lists them all.
var Results = []Result{Clear, Possible, Match, Failed}

// Known reports whether r is one of Results.
func (r Result) Known() bool { return slices.Contains(Results, r) }

// Subject is what is known of a person, by the names of document fields. It is
// personal data: it goes to the matcher and nowhere else.
type Subject struct {
	Surname     string `json:"surname,omitempty"`
	GivenNames  string `json:"given_names,omitempty"`
	BirthDate   string `json:"birth_date,omitempty"` // 2006-01-02
	Nationality string `json:"nationality,omitempty"`
}

// Empty reports that there is nothing to search for.
func (s Subject) Empty() bool { return strings.TrimSpace(s.Surname+s.GivenNames) == "" }

// Answer is what a matcher said of one list.
type Answer struct {
	List      string `json:"list"`
	Result    Result `json:"result"`
	Reference string `json:"reference,omitempty"` // the matcher's own id of the search
	Lists     string `json:"lists,omitempty"`     // version of the lists that were searched
}

// Known is an answer that is on record, and whom it is about.
type Known struct {
	Answer
	// Posted: the relying service searched, and not the matcher.
	Posted bool
	// Attempt whose person was searched for.
	Attempt int
	// Subject is a keyed hash of who was searched for; empty: nobody knows.
	Subject string
}

// Counting are the answers that count for the person of an attempt, whose keyed hash
// is subject (empty when nothing names the person). about are those that are of this
// person: what a matcher said of the same subject, and what the relying service
// posted in this attempt or of the same subject. counts has what was found of anybody
// in the session besides: another document in the next attempt undoes no hit.
func Counting(known []Known, attempt int, subject string) (about, counts []Answer) {
	for _, k := range known {
		switch mine := subject != "" && k.Subject == subject; {
		case mine, k.Posted && k.Attempt == attempt:
			about, counts = append(about, k.Answer), append(counts, k.Answer)
		case k.Result == Possible, k.Result == Match:
			counts = append(counts, k.Answer)
		}
	}
	return about, counts
}

// Errors of matchers, for those who decide by them.
var (
	// ErrUnavailable: the matcher did not answer; later it may.
	ErrUnavailable = errors.New("the matcher does not answer")
	// ErrAnswer: it answered what is no answer. Asking again is no use.
	ErrAnswer = errors.New("the matcher's answer can not be used")
	// ErrRefused: it refuses the request (credentials, form).
	ErrRefused = errors.New("the matcher refuses the request")
)

// Matcher searches lists for a person.
type Matcher interface {
	// Screen returns one answer per list. The session's id is for the matcher's own
	// records; asking twice for the same session has to be harmless.
	Screen(ctx context.Context, session string, s Subject, lists []string) ([]Answer, error)
}

// codes that a result raises, by list.
var codes = map[string]map[Result]policy.Code{
	"sanctions":     {Match: "compliance.sanctions_match", Possible: "compliance.sanctions_possible"},
	"pep":           {Match: "compliance.pep_match", Possible: "compliance.pep_possible"},
	"adverse_media": {Match: "compliance.adverse_media", Possible: "compliance.adverse_media"},
}

// Findings turns results into one finding per required list, in the policy's
// order. Of several results of a list the worst counts: what one search found,
// another one's silence does not undo. A failed or absent one is not evaluated.
func Findings(required []string, results []Answer) []policy.Finding {
	var out []policy.Finding
	for _, list := range required {
		f := policy.Finding{Stage: policy.ScreeningStage, Subject: list}
		worst := -1
		for _, r := range results {
			if r.List == list {
				worst = max(worst, slices.Index([]Result{Failed, Clear, Possible, Match}, r.Result))
			}
		}
		switch worst {
		case 3:
			f.Assert(codes[list][Match], "")
		case 2:
			f.Assert(codes[list][Possible], "")
		case 1:
		default:
			f.Assert("system.not_evaluated", list)
		}
		out = append(out, f)
	}
	return out
}

// Missing lists what is required and was not answered.
func Missing(required []string, results []Answer) []string {
	return slices.DeleteFunc(slices.Clone(required), func(list string) bool {
		return slices.ContainsFunc(results, func(a Answer) bool { return a.List == list && a.Result != Failed })
	})
}

// checked refuses answers that say nothing or of what was not asked.
func checked(as []Answer, lists []string) ([]Answer, error) {
	if len(as) > 64 {
		return nil, fmt.Errorf("%w: %d results", ErrAnswer, len(as))
	}
	for _, a := range as {
		if !slices.Contains(lists, a.List) || !a.Result.Known() || len(a.Reference) > 128 || len(a.Lists) > 128 {
			return nil, fmt.Errorf("%w: an unknown list or result", ErrAnswer)
		}
	}
	return as, nil
}
