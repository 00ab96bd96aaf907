package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/session"
)

type apiKeysCmd struct {
	Create apiKeyCreateCmd `cmd:"" help:"Create a key and show its secret once."`
	List   apiKeyListCmd   `cmd:"" help:"List the keys, without their secrets."`
	Rotate apiKeyRotateCmd `cmd:"" help:"Make a successor of a key; the old one goes on working for the overlap."`
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
	Test   bool          `help:"A key of the tenant's sandbox, plk_test_…: its sessions come to what their external_ref asks for, without photos, and never meet live ones."`
	settings
}

func (apiKeyCreateCmd) Help() string { return "Scopes: " + strings.Join(api.Scopes(), ", ") + "." }

func (c *apiKeyCreateCmd) Run(ctx context.Context) error {
	scopes := c.Scope
	if len(scopes) == 0 {
		scopes = api.Scopes()
	}
	for _, s := range scopes {
		if !slices.Contains(api.Scopes(), s) {
			return exitError{code: 2, msg: fmt.Sprintf("unknown scope %q; there are %s", s, strings.Join(api.Scopes(), ", "))}
		}
	}
	if session.IsTest(c.Tenant) && !c.Test {
		return exitError{code: 2, msg: fmt.Sprintf("%s is the sandbox of a tenant: name the tenant itself, with --test", c.Tenant)}
	}
	if c.Test {
		c.Tenant = session.TestTenant(c.Tenant)
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

// openStore opens the store of a system that is there. Only up, serve, worker
// and demo make one: a misspelt --data-dir would be an empty system, and its
// empty lists would be believed.
func (s settings) openStore(ctx context.Context) (*session.Store, error) {
	return s.existingStore(ctx)
}

type apiKeyRotateCmd struct {
	ID      string        `arg:"" help:"Id of the key, from proofline api-key list."`
	Overlap time.Duration `help:"How long the old key goes on working; 0 ends it now." default:"24h"`
	settings
}

func (apiKeyRotateCmd) Help() string {
	return "The successor has the old key's name, tenant and scopes, and lasts as long as that was made to. Put its secret into the relying service within the overlap."
}

func (c *apiKeyRotateCmd) Run(ctx context.Context) error {
	store, err := c.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	key, secret, err := store.RotateAPIKey(ctx, operator, c.ID, c.Overlap)
	switch {
	case errors.Is(err, session.ErrNotFound):
		return exitError{code: 1, msg: fmt.Sprintf("%s is no key in force; `proofline api-key list` shows them", c.ID)}
	case errors.Is(err, session.ErrInvalid):
		return exitError{code: 2, msg: "--overlap must be 0 to 2160h (90 days)"}
	case err != nil:
		return err
	}
	fmt.Fprintf(os.Stderr, "key %s follows %s, which works for %s more; the secret is shown this once:\n", key.ID, c.ID, c.Overlap)
	fmt.Println(secret)
	return nil
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
	if err := store.RevokeAPIKey(ctx, operator, c.ID); errors.Is(err, session.ErrNotFound) {
		return exitError{code: 1, msg: fmt.Sprintf("there is no key %s; `proofline api-key list` shows them", c.ID)}
	} else if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "key %s is revoked\n", c.ID)
	return nil
}
