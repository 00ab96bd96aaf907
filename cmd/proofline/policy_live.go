package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// policyInterval is how soon a process takes over what was activated elsewhere.
const policyInterval = 2 * time.Second

// livePolicy is the policy for new sessions: the configured one, until people
// activate another on the console. Sessions keep the policy that they began with.
type livePolicy struct {
	archive *archive
	vault   *storage.Vault
	now     atomic.Pointer[policy.Policy]
}

// live makes the configured policy the active one where it has to be, and returns
// what is active. Only processes that make sessions configure: a worker that
// somebody started without the file must not change the policy of all.
func (s settings) live(ctx context.Context, n *node, a *archive, configures bool) (*livePolicy, error) {
	configured, err := s.current(ctx, a)
	if err != nil {
		return nil, err
	}
	if err := checkResidency(configured, n.vault); err != nil {
		return nil, err
	}
	l := &livePolicy{archive: a, vault: n.vault}
	r := session.Rules{Hash: configured.Hash(), Kind: session.PolicyRules, Name: configured.Name, Version: configured.Version}
	var active session.PolicyChange
	if configures {
		active, err = a.store.ConfigurePolicy(ctx, configActor, r, s.Policy.File != "" || s.Policy.Calibration != "")
	} else if active, err = a.store.ActivePolicy(ctx); errors.Is(err, session.ErrNotFound) {
		active, err = session.PolicyChange{Hash: r.Hash}, nil // before the first server; it follows that one
	}
	if err != nil {
		return nil, err
	}
	if active.Hash != configured.Hash() {
		n.log.Info("new sessions follow another policy than the one that is configured here: activated on the console, or named on another server", "policy", active.Name, "policy_version", active.Version, "by", active.DecidedBy)
	}
	if err := l.take(ctx, active.Hash); err != nil {
		// A release whose rules can not read the active policy must not start
		// quietly under another one.
		return nil, fmt.Errorf("the active policy: %w", err)
	}
	return l, nil
}

// Current is the policy for new sessions.
func (l *livePolicy) Current() *policy.Policy { return l.now.Load() }

// take makes an archived policy the current one of this process.
func (l *livePolicy) take(ctx context.Context, hash string) error {
	p, err := l.archive.find(ctx, hash)
	if err != nil {
		return err
	}
	if err := l.check(p); err != nil {
		return err
	}
	l.now.Store(p)
	return nil
}

// check says whether this server can work by a policy.
func (l *livePolicy) check(p *policy.Policy) error { return checkResidency(p, l.vault) }

// refresh takes over what was activated.
func (l *livePolicy) refresh(ctx context.Context) error {
	c, err := l.archive.store.ActivePolicy(ctx)
	if errors.Is(err, session.ErrNotFound) || err == nil && c.Hash == l.Current().Hash() {
		return nil
	}
	if err != nil {
		return err
	}
	return l.take(ctx, c.Hash)
}

// follow refreshes until it is stopped.
func (l *livePolicy) follow(n *node) (stop func()) {
	return n.every(policyInterval, "follow the active policy", l.refresh)
}

// countInterval is how often figures are counted; one of all processes does it.
const countInterval = 30 * time.Second

// countFigures keeps the console's figures up to date.
func (n *node) countFigures() (stop func()) {
	return n.every(countInterval/3, "count figures", func(ctx context.Context) error {
		mine, err := n.store.ClaimDue(ctx, "figures", countInterval)
		if err != nil || !mine {
			return err
		}
		_, err = n.store.CountFigures(ctx)
		return err
	})
}

// every runs f at once and then so often until it is stopped. An error is logged
// once until it goes away.
func (n *node) every(interval time.Duration, what string, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for failed := false; ; {
			err := f(ctx)
			if err != nil && !failed && ctx.Err() == nil {
				n.log.Warn(what, "error", err)
			}
			failed = err != nil
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return func() { cancel(); <-done }
}
