package main

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/access/login"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
)

// Settings of people who work here: how they log in, review, open evidence.

type loginSettings struct {
	Idle time.Duration `help:"A login ends when it was not used for so long." default:"30m"`
	Life time.Duration `help:"A login ends after so long in any case." default:"12h"`
	OIDC oidcSettings  `embed:"" prefix:"oidc."`
}

type oidcSettings struct {
	Issuer       string   `help:"Issuer of your identity provider (OpenID Connect); with it people can log in there. Its redirect address here is PUBLIC-URL/console/login/oidc." placeholder:"URL"`
	Name         string   `help:"How the login page calls the provider." default:"company account"`
	ClientID     string   `help:"Client id at the provider." placeholder:"ID"`
	ClientSecret string   `help:"Client secret at the provider; better set through the environment." placeholder:"SECRET"`
	GroupsClaim  string   `help:"Claim of the id token that lists a person's groups." default:"groups"`
	Scopes       []string `help:"Scopes to ask for besides openid." default:"profile,email,groups"`
	Roles        []string `help:"What groups are here, as group=role or group=role+role; whoever is in none is not let in. Roles: reviewer, operator, auditor, privacy_officer, admin." placeholder:"GROUP=ROLE"`
}

type reviewSettings struct {
	Reviewers int           `help:"How many reviewers have to agree on a case; 2 is four eyes, and each judges without seeing what the other said." default:"1"`
	Claim     time.Duration `help:"How long a reviewer has a case to themselves without touching it." default:"15m"`
	Due       time.Duration `help:"How long a case may wait in review before it counts as late." default:"24h"`
}

type evidenceSettings struct {
	GrantTime    time.Duration `help:"How long evidence stays open for who was granted it." default:"15m"`
	SecondPerson bool          `help:"A second person has to approve each time that somebody opens evidence."`
}

func (s settings) validatePeople(add func(string, ...any)) {
	if s.Login.Idle < time.Minute || s.Login.Life < s.Login.Idle || s.Login.Life > 30*24*time.Hour {
		add("login.idle must be at least 1m, login.life at least that and at most 720h")
	}
	o := s.Login.OIDC
	if o.Issuer != "" {
		if u, err := url.Parse(o.Issuer); err != nil || u.Host == "" || u.Scheme != "https" && !loopback(u.Hostname()) {
			add("login.oidc.issuer: want https://host")
		}
		if o.ClientID == "" || len(o.Roles) == 0 {
			add("login.oidc.issuer is set, but login.oidc.client-id or login.oidc.roles is empty: nobody could come in")
		}
		if s.PublicURL == "" {
			add("login.oidc.issuer is set but public-url is empty: the provider sends people back to it")
		}
	}
	if _, err := access.ParseGroupRoles(o.Roles); err != nil {
		add("login.oidc.roles: %v", err)
	}
	if s.Review.Reviewers < 1 || s.Review.Reviewers > 5 {
		add("review.reviewers must be 1 to 5")
	}
	if s.Review.Claim < time.Minute || s.Review.Claim > 24*time.Hour || s.Review.Due < time.Minute {
		add("review.claim must be 1m to 24h, review.due at least 1m")
	}
	if s.Evidence.GrantTime < time.Minute || s.Evidence.GrantTime > 8*time.Hour {
		add("evidence.grant-time must be 1m to 8h")
	}
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// door is where people come in.
func (s settings) door(n *node, public string) (*login.Door, error) {
	c := login.Config{Store: n.store, Keyring: n.keys, Times: session.LoginTimes{Idle: s.Login.Idle, Life: s.Login.Life}}
	if o := s.Login.OIDC; o.Issuer != "" {
		roles, err := access.ParseGroupRoles(o.Roles)
		if err != nil {
			return nil, fmt.Errorf("login.oidc.roles: %w", err)
		}
		c.OIDC = &login.OIDC{
			Name: o.Name, Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret, Scopes: o.Scopes, GroupsClaim: o.GroupsClaim, Roles: roles,
			RedirectURL: strings.TrimRight(public, "/") + "/console/login/oidc",
		}
	}
	return login.New(c), nil
}

// desk is where they review cases and open evidence.
func (s settings) desk(n *node, archive *archive) *review.Desk {
	return review.New(review.Config{
		Store: n.store, Vault: n.vault, Policy: archive.find, Reviewers: s.Review.Reviewers, SecondForEvidence: s.Evidence.SecondPerson,
		ClaimLife: s.Review.Claim, GrantLife: s.Evidence.GrantTime, Due: s.Review.Due,
	})
}

// expireAccess logs the end of grants whose time is over, and forgets logins and
// tries that nobody needs any more.
func (n *node) expireAccess() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Minute)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := n.store.PruneLogins(ctx, time.Now().Add(-30*24*time.Hour)); err != nil && ctx.Err() == nil {
				n.log.Error("forget old logins", "error", err)
			}
		}
	}()
	return func() { cancel(); <-done }
}
