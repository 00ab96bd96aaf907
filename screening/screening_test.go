package screening

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/proofline/proofline/policy"
)

var required = []string{"sanctions", "pep"}

func screened(t *testing.T) *policy.Policy {
	t.Helper()
	p, err := policy.Parse([]byte(strings.Replace(string(policy.DefaultYAML()), "  expires: 24h\n", "  expires: 24h\n  screening: [sanctions, pep]\n", 1)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// good are findings that the shipped policy approves.
func good(p *policy.Policy) []policy.Finding {
	var fs []policy.Finding
	for _, s := range p.Cell(policy.Context{}).Checks {
		fs = append(fs, policy.Finding{Stage: s, Subject: "case"})
	}
	return fs
}

func TestOnlyAClearAnswerOnEveryRequiredListPasses(t *testing.T) {
	p := screened(t)
	for _, c := range []struct {
		name    string
		answers []Answer
		want    policy.Outcome
		code    policy.Code
	}{
		{"nothing is known", nil, policy.PendingReview, "system.not_evaluated"},
		{"one list is missing", []Answer{{List: "sanctions", Result: Clear}}, policy.PendingReview, "system.not_evaluated"},
		{"a search failed", []Answer{{List: "sanctions", Result: Clear}, {List: "pep", Result: Failed}}, policy.PendingReview, "system.not_evaluated"},
		{"all clear", []Answer{{List: "sanctions", Result: Clear}, {List: "pep", Result: Clear}}, policy.Approved, ""},
		{"clear after a failure", []Answer{{List: "sanctions", Result: Failed}, {List: "sanctions", Result: Clear}, {List: "pep", Result: Clear}}, policy.Approved, ""},
		{"a possible match", []Answer{{List: "sanctions", Result: Possible}, {List: "pep", Result: Clear}}, policy.PendingReview, "compliance.sanctions_possible"},
		{"a match that another search did not see", []Answer{{List: "sanctions", Result: Match}, {List: "sanctions", Result: Clear}, {List: "pep", Result: Clear}}, policy.PendingReview, "compliance.sanctions_match"},
		{"a politically exposed person", []Answer{{List: "sanctions", Result: Clear}, {List: "pep", Result: Match}}, policy.PendingReview, "compliance.pep_match"},
		{"an answer on another list", []Answer{{List: "adverse_media", Result: Clear}}, policy.PendingReview, "system.not_evaluated"},
	} {
		d := p.Decide(policy.Input{Attempt: 9, Findings: append(good(p), Findings(required, c.answers)...)})
		if d.Outcome != c.want || c.code != "" && (len(d.Codes) == 0 || d.Codes[0] != c.code) {
			t.Errorf("%s: %s %v, want %s %s", c.name, d.Outcome, d.Codes, c.want, c.code)
		}
	}
	// A worker that knows nothing of screening can not pass a case by silence.
	if d := p.Decide(policy.Input{Attempt: 1, Findings: good(p)}); d.Outcome != policy.PendingReview {
		t.Errorf("without the stage: %s %v", d.Outcome, d.Codes)
	}
	if d := policy.Default().Decide(policy.Input{Attempt: 1, Findings: good(policy.Default())}); d.Outcome != policy.Approved {
		t.Errorf("where no list is required: %s %v", d.Outcome, d.Codes)
	}
}

func matcher(t *testing.T, h http.HandlerFunc) *HTTP { return patient(t, time.Minute, h) }

// patient is a matcher of whose server one waits so long for an answer.
func patient(t *testing.T, wait time.Duration, h http.HandlerFunc) *HTTP {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	m, err := NewHTTP(HTTPOptions{URL: s.URL, Token: "secret", AllowPrivate: true, Timeout: wait})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTheMatcherIsAskedAndItsFaultsAreTyped(t *testing.T) {
	ctx, who := context.Background(), Subject{Surname: "Eriksson", GivenNames: "Anna"}
	asked := 0
	ok := matcher(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if asked++; r.Header.Get("Authorization") != "Bearer secret" || !strings.Contains(string(b), `"surname":"Eriksson"`) {
			t.Errorf("%s", b)
		}
		_, _ = io.WriteString(w, `{"results":[{"list":"sanctions","result":"clear","reference":"q1"},{"list":"pep","result":"possible_match"}]}`)
	})
	as, err := ok.Screen(ctx, "ses_1", who, required)
	if err != nil || len(as) != 2 || as[1].Result != Possible || asked != 1 {
		t.Errorf("%v %v", as, err)
	}
	tries := 0
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   error
	}{
		"it is down": {func(w http.ResponseWriter, _ *http.Request) { tries++; w.WriteHeader(502) }, ErrUnavailable},
		"it refuses": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, ErrRefused},
		"it redirects": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.example/", http.StatusTemporaryRedirect)
		}, ErrRefused},
		"no JSON": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, ErrAnswer},
		"an unknown result": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"results":[{"list":"pep","result":"fine"}]}`)
		}, ErrAnswer},
		"an unasked list": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"results":[{"list":"x","result":"clear"}]}`)
		}, ErrAnswer},
		"more than it should": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat(" ", maxAnswer+2))
		}, ErrAnswer},
	} {
		if _, err := matcher(t, c.answer).Screen(ctx, "ses_1", who, required); !errors.Is(err, c.want) || strings.Contains(err.Error(), "Eriksson") {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if tries != 2 {
		t.Errorf("asked %d times while it was down", tries)
	}
	over := make(chan struct{})
	slow := patient(t, 50*time.Millisecond, func(http.ResponseWriter, *http.Request) { <-over })
	if _, err := slow.Screen(ctx, "ses_1", who, required); !errors.Is(err, ErrUnavailable) {
		t.Errorf("it never answers: %v", err)
	}
	close(over) // or the server would not close
}

func TestAMatcherInsideTheNetworkHasToBePermitted(t *testing.T) {
	for _, url := range []string{"http://127.0.0.1:9/", "https://10.0.0.7/match", "https://169.254.169.254/", "ftp://x.example/", "nonsense"} {
		if _, err := NewHTTP(HTTPOptions{URL: url}); err == nil {
			t.Errorf("%s is accepted", url)
		}
	}
	// A name that resolves into the network is refused at the connection.
	h, err := NewHTTP(HTTPOptions{URL: "https://localhost:9/"})
	if err == nil {
		_, err = h.Screen(context.Background(), "ses_1", Subject{Surname: "X"}, required)
	}
	if err == nil || errors.Is(err, ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(`{"results":[{"list":"pep","result":"clear"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		as, err := ParseAnswer(b, required)
		if err != nil && !errors.Is(err, ErrAnswer) {
			t.Error(err)
		}
		for _, a := range as {
			if !a.Result.Known() {
				t.Error("an unknown result passed")
			}
		}
	})
}
