package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/session"
)

type apiKeysCmd struct {
	Create apiKeyCreateCmd `cmd:"" help:"Create a key and show its secret once."`
	List   apiKeyListCmd   `cmd:"" help:"List the keys, without their secrets."`
	Revoke apiKeyRevokeCmd `cmd:"" help:"Revoke a key at once."`
}

// operator is who acts on the command line: whoever may read the data
// directory or the database's password is an operator.
var operator = session.Actor{Role: session.Operator, ID: "cli"}

type apiKeyCreateCmd struct {
	Name   string        `required:"" help:"What the key is for."`
	Tenant string        `help:"Tenant whose sessions the key may use." default:"default"`
	Scope  []string      `help:"What the key may do; all when absent." placeholder:"SCOPE"`
	TTL    time.Duration `name:"ttl" help:"Time until it expires; 0: never." default:"0"`
	settings
}

func (apiKeyCreateCmd) Help() string { return "Scopes: " + strings.Join(api.Scopes(), ", ") + "." }

func (c *apiKeyCreateCmd) Run(ctx context.Context) error {
	scopes := c.Scope
	if len(scopes) == 0 {
		scopes = api.Scopes()
	}
	for _, s := range scopes {
		if !contains(api.Scopes(), s) {
			return exitError{code: 2, msg: fmt.Sprintf("unknown scope %q; there are %s", s, strings.Join(api.Scopes(), ", "))}
		}
	}
	store, err := c.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	key, secret, err := store.CreateAPIKey(ctx, operator, c.Tenant, c.Name, scopes, c.TTL)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "key %s of tenant %s; the secret is shown this once:\n", key.ID, key.Tenant)
	fmt.Println(secret)
	return nil
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

func (s settings) openStore(ctx context.Context) (*session.Store, error) {
	if err := s.makeDataDir(); err != nil {
		return nil, err
	}
	store, err := session.Open(ctx, s.storeDSN())
	if err != nil {
		return nil, fmt.Errorf("open session store: %w", err)
	}
	return store, nil
}

type apiKeyListCmd struct {
	JSON bool `name:"json" help:"Write one JSON object per key."`
	settings
}

func (c *apiKeyListCmd) Run(ctx context.Context) error {
	store, err := c.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	keys, err := store.APIKeys(ctx, "")
	if err != nil {
		return err
	}
	var rows [][]string
	for _, k := range keys {
		if c.JSON {
			if err := writeJSON(os.Stdout, k); err != nil {
				return err
			}
			continue
		}
		state := "active"
		switch {
		case !k.RevokedAt.IsZero():
			state = "revoked"
		case !k.ExpiresAt.IsZero() && k.ExpiresAt.Before(time.Now()):
			state = "expired"
		}
		rows = append(rows, []string{k.ID, k.Name, k.Tenant, state, strings.Join(k.Scopes, " ")})
	}
	if !c.JSON {
		table(os.Stdout, []string{"id", "name", "tenant", "state", "scopes"}, rows)
	}
	return nil
}

type apiKeyRevokeCmd struct {
	ID string `arg:"" help:"Id of the key."`
	settings
}

func (c *apiKeyRevokeCmd) Run(ctx context.Context) error {
	store, err := c.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := store.RevokeAPIKey(ctx, operator, c.ID); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "key %s is revoked\n", c.ID)
	return nil
}
