package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/proofline/proofline/audit"
)

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
	head, err := store.AuditHead(ctx)
	if err != nil {
		return err
	}
	seen, done := showEntries("export"), int64(0)
	entries := func(yield func([]byte, error) bool) {
		if head.Size() == 0 {
			return
		}
		for b, err := range store.AuditLog(ctx, 0, head.Size()) {
			done++
			seen(done, head.Size())
			if !yield(b, err) {
				return
			}
		}
	}
	// Checkpoints that are signed from now on are of entries that are not written.
	checkpoints := store.Checkpoints(ctx, head.Size())
	err = writeFile(c.Out, func(w io.Writer) error { return audit.Export(w, checkpoints, entries) })
	if err != nil {
		return fmt.Errorf("export log: %w", err)
	}
	fmt.Fprintf(os.Stderr, "%d entries written to %s\n", head.Size(), c.Out)
	return nil
}
