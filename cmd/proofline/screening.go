package main

import (
	"time"

	"github.com/proofline/proofline/screening"
)

type screeningSettings struct {
	URL          string        `name:"url" help:"Self-hosted matcher that is asked for the lists that a policy requires and nobody posted a result for (docs/policy.md has its protocol). Empty: only posted results count." placeholder:"URL"`
	Token        string        `help:"Bearer token for the matcher; better set through the environment." placeholder:"SECRET"`
	AllowPrivate bool          `help:"Permit a matcher in a private network, and http. It has to be said, because the address could point at anything else inside."`
	Timeout      time.Duration `help:"Time for one request; after two the case goes to a person." default:"10s"`
}

// matcher is nil where none is configured.
func (s screeningSettings) matcher() (screening.Matcher, error) {
	if s.URL == "" {
		return nil, nil
	}
	return screening.NewHTTP(screening.HTTPOptions{URL: s.URL, Token: s.Token, AllowPrivate: s.AllowPrivate, Timeout: s.Timeout})
}

func (s screeningSettings) validate(add func(string, ...any)) {
	if _, err := s.matcher(); err != nil {
		add("screening.url: %v", err)
	}
	if s.Timeout < time.Second || s.Timeout > time.Minute {
		add("screening.timeout must be 1s to 1m")
	}
}
