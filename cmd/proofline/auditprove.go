package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/session"
)

type auditProveCmd struct {
	publicKeyFlag
	Entry   []int64 `help:"Show that the entry with this number is in the signed log; may be repeated." placeholder:"N"`
	Session string  `help:"Show all entries of a session." placeholder:"ID"`
	Since   []int64 `help:"Show that the log extends its signed state of so many entries; may be repeated." placeholder:"SIZE"`
	At      int64   `help:"Hold everything against the checkpoint of so many entries instead of the newest." placeholder:"SIZE"`
	Out     string  `help:"File to write; standard output when it is -." default:"-" placeholder:"FILE"`
	Verify  string  `help:"Check the proof in this file instead; needs nothing but the public key." type:"existingfile" placeholder:"FILE"`
	JSON    bool    `name:"json" help:"With --verify: write what was shown as JSON."`
	settings
}

func (auditProveCmd) Help() string {
	return "A proof is a small file that an auditor checks with `proofline audit prove --verify FILE --key KEY`, without the log and without this system. Exit status: 3 when a proof does not hold."
}

func (c *auditProveCmd) Run(ctx context.Context) error {
	if c.Verify != "" {
		return c.check()
	}
	if len(c.Entry) == 0 && c.Session == "" && len(c.Since) == 0 {
		return exitError{code: 2, msg: "say what to prove: --entry, --session or --since"}
	}
	store, err := c.existingStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	p, err := c.prove(ctx, store)
	if errors.Is(err, session.ErrNotFound) {
		return fmt.Errorf("%w: there is no such entry or checkpoint, or the entry is not signed yet (a running server signs every minute and when it stops)", err)
	}
	if err != nil {
		return err
	}
	return writeFile(c.Out, func(w io.Writer) error { return writeJSON(w, p) })
}

func (c *auditProveCmd) prove(ctx context.Context, store *session.Store) (audit.Proof, error) {
	var entries []audit.Entry
	for _, seq := range c.Entry {
		e, err := store.AuditEntry(ctx, seq)
		if err != nil {
			return audit.Proof{}, err
		}
		entries = append(entries, e)
	}
	if c.Session != "" {
		es, more, err := store.TimelinePage(ctx, c.Session, -1, session.TimelineLimit)
		if err != nil {
			return audit.Proof{}, err
		}
		if len(es) == 0 {
			return audit.Proof{}, fmt.Errorf("session %s: %w", c.Session, session.ErrNotFound)
		}
		if more {
			return audit.Proof{}, fmt.Errorf("session %s has too many entries for one proof; name those that matter with --entry", c.Session)
		}
		entries = append(entries, es...)
	}
	if c.At > 0 {
		return store.ProveAuditAt(ctx, c.At, entries, c.Since...)
	}
	return store.ProveAudit(ctx, entries, c.Since...)
}

func (c *auditProveCmd) check() error {
	key, err := c.publicKey(c.Key)
	if err != nil {
		return err
	}
	f, err := os.Open(c.Verify)
	if err != nil {
		return fmt.Errorf("open proof: %w", err)
	}
	defer f.Close()
	p, err := audit.ReadProof(f)
	if err != nil {
		return exitError{code: 3, msg: err.Error()}
	}
	shown, err := p.Check(key)
	if err != nil {
		return exitError{code: 3, msg: "the proof does not hold: " + err.Error()}
	}
	if c.JSON {
		earlier := []int64{}
		for _, e := range shown.Earlier {
			earlier = append(earlier, e.Size)
		}
		return writeJSON(os.Stdout, map[string]any{"holds": true, "log": shown.Checkpoint.Origin, "size": shown.Checkpoint.Size,
			"root": shown.Checkpoint.Root, "entries": shown.Entries, "extends": earlier})
	}
	fmt.Printf("holds, against the signed checkpoint of %d entries of %s\n", shown.Checkpoint.Size, shown.Checkpoint.Origin)
	for _, e := range shown.Entries {
		b, err := e.Canonical()
		if err != nil {
			return err
		}
		fmt.Printf("  entry %d is in the log: %s\n", e.Seq, b)
	}
	for _, e := range shown.Earlier {
		fmt.Printf("  the log extends its state of %d entries without a change\n", e.Size)
	}
	return nil
}
