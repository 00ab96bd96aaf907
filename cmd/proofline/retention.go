package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/proofline/proofline/pipeline"
)

type retentionCmd struct {
	Sweep retentionSweepCmd `cmd:"" help:"Erase evidence that is past its retention now, instead of waiting for the sweeper."`
}

type retentionSweepCmd struct {
	Batch int `help:"Objects per batch." default:"500"`
	settings
}

func (c *retentionSweepCmd) Run(ctx context.Context) error {
	n, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer n.Close()
	var deleted, failed, certificates int
	for {
		r, err := pipeline.SweepEvidence(ctx, n.store, n.vault, time.Now(), c.Batch)
		if err != nil {
			return err
		}
		deleted += r.Deleted
		failed += len(r.Failures)
		certificates += len(r.Certificates)
		if r.Deleted == 0 {
			break
		}
		fmt.Fprintf(os.Stderr, "%d objects erased\n", deleted)
	}
	fmt.Printf("%d objects erased, %d deletion certificates, %d deletes failed and will be retried\n", deleted, certificates, failed)
	if failed > 0 {
		return exitError{code: 1}
	}
	return nil
}
