package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
)

// archive finds every policy that was in force, by the hash of its rules. A
// session is decided by the policy that it began with, also when the file was
// changed in between, and a decision is computed again years later. The texts
// are in the session store, which every machine shares; catalogues of reason
// codes are beside them, since a code's default action is a rule as well.
type archive struct {
	store *session.Store
	old   string // where releases before kept policies as files

	mu    sync.Mutex
	known map[[2]string]*policy.Policy // by hashes of policy and catalogue
}

func newArchive(store *session.Store, dataDir string) *archive {
	return &archive{store: store, old: filepath.Join(dataDir, "policies"), known: map[[2]string]*policy.Policy{}}
}

// configActor is who archives what the configuration names.
var configActor = session.Actor{Role: session.System, ID: "config"}

// add keeps the text of p and today's catalogue. Both are committed before the
// first session can name them.
func (a *archive) add(ctx context.Context, p *policy.Policy, text []byte) error {
	err := errors.Join(
		a.store.PutRules(ctx, configActor, session.Rules{Hash: policy.CodesHash(), Kind: session.CodeRules, Text: policy.CodesYAML()}),
		a.store.PutRules(ctx, configActor, session.Rules{Hash: p.Hash(), Kind: session.PolicyRules, Name: p.Name, Version: p.Version, Text: text}))
	if err != nil {
		return fmt.Errorf("archive policy %s version %s: %w", p.Name, p.Version, err)
	}
	return nil
}

// find returns the policy with the hash under today's catalogue.
func (a *archive) find(ctx context.Context, hash string) (*policy.Policy, error) {
	return a.findUnder(ctx, hash, policy.CodesHash())
}

// findUnder returns the policy with the hash under the catalogue with the other
// hash.
func (a *archive) findUnder(ctx context.Context, hash, codes string) (*policy.Policy, error) {
	a.mu.Lock()
	p := a.known[[2]string{hash, codes}]
	a.mu.Unlock()
	if p != nil {
		return p, nil
	}
	p, err := a.load(ctx, hash, codes)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) > 256 { // a long replay over many policies
		clear(a.known)
	}
	a.known[[2]string{hash, codes}] = p
	return p, nil
}

func (a *archive) load(ctx context.Context, hash, codes string) (*policy.Policy, error) {
	text, err := a.text(ctx, hash)
	if err != nil {
		return nil, err
	}
	catalogue := policy.CodesYAML()
	if codes != policy.CodesHash() {
		r, err := a.store.Rules(ctx, codes)
		if errors.Is(err, session.ErrNotFound) {
			return nil, fmt.Errorf("catalogue of reason codes %s is not archived", codes)
		}
		if err != nil {
			return nil, err
		}
		catalogue = r.Text
	}
	p, err := policy.ParseUnder(text, catalogue)
	if err != nil {
		return nil, fmt.Errorf("archived policy %s: %w", hash, err)
	}
	if p.Hash() != hash || p.CodesHash() != codes {
		return nil, fmt.Errorf("archived policy %s was changed: its rules have the hash %s, its codes %s instead of %s", hash, p.Hash(), p.CodesHash(), codes)
	}
	return p, nil
}

func (a *archive) text(ctx context.Context, hash string) ([]byte, error) {
	r, err := a.store.Rules(ctx, hash)
	if err == nil {
		return r.Text, nil
	}
	if !errors.Is(err, session.ErrNotFound) {
		return nil, err
	}
	// The name of a file: only what a hash is made of.
	if len(hash) == 64 && filepath.IsLocal(hash) {
		if p, lerr := policy.Load(filepath.Join(a.old, hash+".yaml")); lerr == nil && p.Hash() == hash {
			return os.ReadFile(filepath.Join(a.old, hash+".yaml"))
		}
	}
	return nil, fmt.Errorf("policy with the hash %s is not archived: start a server with that policy once, and it is", hash)
}

// current is the configured policy, archived.
func (s settings) current(ctx context.Context, a *archive) (*policy.Policy, error) {
	text, err := s.policyText()
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", s.Policy.File, err)
	}
	return p, a.add(ctx, p, text)
}
