package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proofline/proofline/access/login"
	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

type keysRotateCmd struct {
	To    string        `help:"The key to rotate to, from keys add. Empty: a new one." placeholder:"KEY"`
	Wait  time.Duration `help:"How long to wait until every running process holds the new key." default:"2m"`
	Batch int           `help:"Data keys per batch." default:"500"`
	JSON  bool          `name:"json" help:"Write the result as JSON."`
	settings
}

func (keysRotateCmd) Help() string {
	return "Safe while servers run: nothing is wrapped by the new key before every running process says that it holds it, and processes that share the keyring file read it again by themselves. It may be stopped at any time; run it again with --to and the same key."
}

func (c *keysRotateCmd) Run(ctx context.Context) error {
	if c.Batch < 1 || c.Batch > 10_000 {
		return exitError{code: 2, msg: "batch must be 1 to 10000"}
	}
	h, err := c.openKeyHouse(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	if _, fromFile := h.ring.(*storage.KeyFile); fromFile || c.To != "" {
		if err := c.promote(ctx, h); err != nil {
			return err
		}
	}
	moved, err := c.rewrap(ctx, h)
	if err != nil {
		return err
	}
	sealed, err := h.reseal(ctx)
	if err != nil {
		return err
	}
	id := h.ring.Primary()
	if err := h.store.AuditKeys(ctx, operator, "keys.rotated", map[string]string{"key": id, "moved": strconv.Itoa(moved), "secrets": strconv.Itoa(sealed)}); err != nil {
		return err
	}
	rows, holders, err := h.rows(ctx)
	if err != nil {
		return err
	}
	var behind, unused []string
	for _, p := range holders {
		if p.Primary != id {
			behind = append(behind, p.Node)
		}
	}
	for _, r := range rows {
		if r.InRing && !r.Primary && r.DataKeys+r.Secrets == 0 {
			unused = append(unused, r.ID)
		}
	}
	if c.JSON {
		return writeJSON(os.Stdout, map[string]any{"primary": id, "moved": moved, "secrets": sealed, "unused": unused, "behind": behind})
	}
	fmt.Printf("%s is the primary key; %d data keys and %d secrets were re-wrapped\n", id, moved, sealed)
	if len(behind) > 0 {
		fmt.Printf("These processes still wrap with another key until they have the changed keyring file: %s. Copy it, then run `proofline keys rotate --to %s` again.\n", strings.Join(behind, ", "), id)
	} else if len(unused) > 0 {
		fmt.Printf("No longer used: %s (proofline keys retire)\n", strings.Join(unused, ", "))
	}
	return nil
}

// promote makes the new key the primary one, once every running process has it.
func (c *keysRotateCmd) promote(ctx context.Context, h *keyHouse) error {
	f, err := h.file()
	if err != nil {
		return err
	}
	id := c.To
	if id == "" {
		if id, err = f.Add(ctx); err != nil {
			return err
		}
		if err := h.store.AuditKeys(ctx, operator, "keys.added", map[string]string{"key": id}); err != nil {
			return err
		}
	}
	told := 0
	for end := time.Now().Add(c.Wait); ; {
		holders, err := h.store.KeyHolders(ctx, silence)
		if err != nil {
			return err
		}
		var without []string
		for _, p := range holders {
			if !p.Holds(id) {
				without = append(without, p.Node)
			}
		}
		if len(without) == 0 {
			break
		}
		if time.Now().After(end) {
			return exitError{code: 1, msg: fmt.Sprintf("key %s is in %s, but these running processes do not hold it: %s. Nothing was re-wrapped. Copy the file to their machines, then run: proofline keys rotate --to %s", id, c.keyringFile(), strings.Join(without, ", "), id)}
		}
		if told != len(without) {
			told = len(without)
			fmt.Fprintf(os.Stderr, "waiting until %d running processes hold key %s\n", told, id)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(time.Second, c.Wait)):
		}
	}
	if err := f.Promote(ctx, id); err != nil {
		return err
	}
	return c.settle(ctx, h, id)
}

// settle gives processes that share the file the time to wrap with the new key;
// the others need the changed file first, and are named at the end.
func (c *keysRotateCmd) settle(ctx context.Context, h *keyHouse, id string) error {
	for end := time.Now().Add(min(c.Wait, 2*holderInterval)); time.Now().Before(end); {
		holders, err := h.store.KeyHolders(ctx, silence)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(holders, func(p session.KeyHolder) bool { return p.Primary != id }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(time.Second, c.Wait)):
		}
	}
	return nil
}

func (c *keysRotateCmd) rewrap(ctx context.Context, h *keyHouse) (int, error) {
	uses, err := h.index.KeysInUse(ctx)
	if err != nil {
		return 0, err
	}
	total := 0
	for _, u := range uses {
		if u.KeyID != h.ring.Primary() {
			total += int(u.Live)
		}
	}
	p := newProgress("re-wrapping", total)
	n, err := h.vault.Rewrap(ctx, c.Batch, p.add)
	if err != nil {
		return n, fmt.Errorf("%d of %d data keys are re-wrapped; run `proofline keys rotate --to %s` to go on: %w", n, total, h.ring.Primary(), err)
	}
	return n, nil
}

// reseal moves the secrets of webhook endpoints to the primary key.
func (h *keyHouse) reseal(ctx context.Context) (int, error) {
	all, err := h.store.Secrets(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, s := range all {
		if id, _, _ := bytes.Cut(s.Sealed, []byte{0}); string(id) == h.ring.Primary() {
			continue
		}
		purpose := pipeline.WebhookPurpose
		switch s.Kind {
		case session.AuthenticatorSecret:
			purpose = login.TOTPPurpose(s.ID)
		case session.TenantSecret:
			purpose = pipeline.TenantKeyPurpose(s.ID)
		}
		plain, err := storage.OpenSecret(ctx, h.ring, purpose, s.Sealed)
		if err != nil {
			return n, fmt.Errorf("%s secret of %s: %w", s.Kind, s.ID, err)
		}
		sealed, err := storage.SealSecret(ctx, h.ring, purpose, plain)
		clear(plain)
		if err != nil {
			return n, fmt.Errorf("%s secret of %s: %w", s.Kind, s.ID, err)
		}
		if err := h.store.ReplaceSecret(ctx, s, sealed); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

type keysRetireCmd struct {
	Key  string `arg:"" help:"Id of the key."`
	JSON bool   `name:"json" help:"Write the result as JSON."`
	settings
}

func (keysRetireCmd) Help() string {
	return "Refused while anything is wrapped by the key or a running process wraps with it. Delete the backups of the keyring that hold the key as well: from then on no backup of the data keys from before the rotation can be read by anyone, whoever was erased since."
}

func (c *keysRetireCmd) Run(ctx context.Context) error {
	h, err := c.openKeyHouse(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	f, err := h.file()
	if err != nil {
		return err
	}
	rows, holders, err := h.rows(ctx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.ID == c.Key && r.DataKeys+r.Secrets > 0 {
			return exitError{code: 3, msg: fmt.Sprintf("key %s still wraps %d data keys and %d secrets: run `proofline keys rotate` first", c.Key, r.DataKeys, r.Secrets)}
		}
	}
	for _, p := range holders {
		if p.Primary == c.Key {
			return exitError{code: 3, msg: fmt.Sprintf("process %s still wraps with key %s: give it the changed keyring first", p.Node, c.Key)}
		}
	}
	if err := f.Remove(ctx, c.Key); err != nil {
		return err
	}
	if err := h.store.AuditKeys(ctx, operator, "keys.retired", map[string]string{"key": c.Key}); err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(os.Stdout, map[string]any{"retired": c.Key})
	}
	fmt.Printf("%s was removed from %s. Remove it from the other machines and from every backup of the keyring, too.\n", c.Key, c.keyringFile())
	return nil
}
