package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/session"
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Detect any changed, missing or reordered entry of the log."`
	Export auditExportCmd `cmd:"" help:"Write the log with its signed checkpoints as JSON lines, for an auditor."`
}

type auditVerifyCmd struct {
	Key    string `help:"The log's public key: a file or the key itself. Default: audit.key.pub beside the keyring." placeholder:"KEY"`
	Export string `arg:"" optional:"" help:"An exported log; the running system's own store when absent." type:"existingfile"`
	JSON   bool   `name:"json" help:"Write the result as JSON."`
	settings
}

func (auditVerifyCmd) Help() string {
	return "Needs nothing but the log and the public key. Exit status: 0 when the log is intact, 3 when it was changed."
}

func (c *auditVerifyCmd) Run(ctx context.Context) error {
	key, err := c.publicKey()
	if err != nil {
		return err
	}
	r, err := c.verify(ctx, key)
	var tampered *audit.TamperError
	if errors.As(err, &tampered) {
		if c.JSON {
			_ = writeJSON(os.Stdout, map[string]any{"intact": false, "kind": tampered.Kind, "from": tampered.From, "to": tampered.To})
		}
		return exitError{code: 3, msg: "the log was changed: " + err.Error()}
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(os.Stdout, map[string]any{"intact": true, "report": r})
	}
	fmt.Printf("intact: %d entries, %d of them under %d signed checkpoints, root %s\n", r.Entries, r.Signed, r.Checkpoints, r.Root)
	return nil
}

func (c *auditVerifyCmd) verify(ctx context.Context, key string) (audit.Report, error) {
	if c.Export != "" {
		f, err := os.Open(c.Export)
		if err != nil {
			return audit.Report{}, fmt.Errorf("open exported log: %w", err)
		}
		defer f.Close()
		checkpoints, entries, err := audit.ReadExport(f)
		if err != nil {
			return audit.Report{}, err
		}
		return audit.Verify(entries, checkpoints, key, nil)
	}
	store, err := c.existingStore(ctx)
	if err != nil {
		return audit.Report{}, err
	}
	defer store.Close()
	return store.VerifyAudit(ctx, key)
}

// existingStore opens the store that is configured, and makes none: an empty log
// would be intact.
func (s settings) existingStore(ctx context.Context) (*session.Store, error) {
	if path, ok := strings.CutPrefix(s.storeDSN(), "sqlite:"); ok {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("open session store: %w", err)
		}
	}
	store, err := session.Open(ctx, s.storeDSN())
	if err != nil {
		return nil, fmt.Errorf("open session store: %w", err)
	}
	return store, nil
}

func (c *auditVerifyCmd) publicKey() (string, error) {
	path := c.Key
	if path == "" {
		path = filepath.Join(filepath.Dir(c.keyringFile()), auditKeyName+".pub")
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) && c.Key != "" {
		return c.Key, nil // the key itself
	}
	if err != nil {
		return "", fmt.Errorf("read the log's public key: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", fmt.Errorf("read the log's public key: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

type auditExportCmd struct {
	Out string `arg:"" help:"File to write."`
	settings
}

func (c *auditExportCmd) Run(ctx context.Context) error {
	store, err := c.existingStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	checkpoints, err := store.Checkpoints(ctx)
	if err != nil {
		return err
	}
	head, err := store.AuditHead(ctx)
	if err != nil {
		return err
	}
	f, err := os.Create(c.Out)
	if err != nil {
		return fmt.Errorf("export log: %w", err)
	}
	if err := errors.Join(audit.Export(f, checkpoints, store.AuditLog(ctx, 0, head.Size())), f.Close()); err != nil {
		return fmt.Errorf("export log: %w", err)
	}
	fmt.Fprintf(os.Stderr, "%d entries written to %s\n", head.Size(), c.Out)
	return nil
}
