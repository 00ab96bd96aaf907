package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/session"
)

type retentionCmd struct {
	Sweep retentionSweepCmd `cmd:"" help:"Erase evidence that is past its retention now, instead of waiting for the sweeper."`
	Hold  holdCmd           `cmd:"" help:"Legal holds: place, lift, list."`
}

type retentionSweepCmd struct {
	Batch int  `help:"Objects per batch." default:"500"`
	JSON  bool `name:"json" help:"Write the result as JSON."`
	settings
}

func (c *retentionSweepCmd) Run(ctx context.Context) error {
	n, err := c.openExisting(ctx)
	if err != nil {
		return err
	}
	defer n.Close()
	if c.Batch < 1 || c.Batch > 10_000 {
		return exitError{code: 2, msg: "batch must be 1 to 10000"}
	}
	var sum struct {
		Deleted      int `json:"deleted"`
		Certificates int `json:"certificates"`
		Failed       int `json:"failed"`
	}
	for last := time.Now(); ; {
		r, err := pipeline.SweepEvidence(ctx, n.store, n.vault, time.Now(), c.Batch)
		if err != nil {
			return err
		}
		sum.Deleted += r.Deleted
		sum.Failed += len(r.Failures)
		sum.Certificates += len(r.Certificates)
		if r.Expired < c.Batch {
			break
		}
		if time.Since(last) > 5*time.Second {
			last = time.Now()
			fmt.Fprintf(os.Stderr, "%d objects erased\n", sum.Deleted)
		}
	}
	if c.JSON {
		if err := writeJSON(os.Stdout, sum); err != nil {
			return err
		}
	} else {
		fmt.Printf("%d objects erased, %d deletion certificates, %d deletes failed and will be retried\n", sum.Deleted, sum.Certificates, sum.Failed)
	}
	if sum.Failed > 0 {
		return exitError{code: 1}
	}
	return nil
}

type holdCmd struct {
	Add  holdAddCmd  `cmd:"" help:"Keep a session's evidence until the hold is lifted."`
	Lift holdLiftCmd `cmd:"" help:"End a hold; retention and erasures that waited go on."`
	List holdListCmd `cmd:"" help:"List holds."`
}

type holdAddCmd struct {
	Session string `arg:"" help:"Session id."`
	Reason  string `required:"" help:"Why: a short code such as litigation, no personal data; it is in the audit log." placeholder:"CODE"`
	Matter  string `help:"Reference of the case that needs it." placeholder:"REF"`
	JSON    bool   `name:"json" help:"Write the hold as JSON."`
	settings
}

func (holdAddCmd) Help() string {
	return "Beats retention, erasure on request and withdrawal of consent. What was erased before is gone: the answer names it."
}

func (c *holdAddCmd) Run(ctx context.Context) error {
	store, err := c.existingStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	h, err := store.PlaceHold(ctx, operator, c.Session, c.Reason, c.Matter)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(os.Stdout, h)
	}
	fmt.Printf("%s holds session %s\n", h.ID, h.Session)
	if len(h.Erased) > 0 {
		fmt.Printf("it came too late for: %v\n", h.Erased)
	}
	return nil
}

type holdLiftCmd struct {
	Hold   string `arg:"" help:"Id of the hold."`
	Reason string `required:"" help:"Why: a short code such as case_closed." placeholder:"CODE"`
	JSON   bool   `name:"json" help:"Write the hold as JSON."`
	settings
}

func (c *holdLiftCmd) Run(ctx context.Context) error {
	store, err := c.existingStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	h, err := store.LiftHold(ctx, operator, c.Hold, c.Reason)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(os.Stdout, h)
	}
	held, err := store.Held(ctx, h.Session)
	if err != nil {
		return err
	}
	fmt.Printf("%s is lifted", h.ID)
	if held {
		fmt.Printf("; session %s is still held by another", h.Session)
	}
	fmt.Println()
	return nil
}

type holdListCmd struct {
	Session string `help:"Only of this session." placeholder:"ID"`
	All     bool   `help:"Lifted ones, too."`
	JSON    bool   `name:"json" help:"Write one JSON object per hold."`
	settings
}

func (c *holdListCmd) Run(ctx context.Context) error {
	store, err := c.existingStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	f := session.HoldFilter{Session: c.Session, Active: !c.All, Limit: 500}
	var cells [][]string
	for {
		holds, err := store.Holds(ctx, f)
		if err != nil {
			return err
		}
		for _, h := range holds {
			f.After = h.ID
			if c.JSON {
				if err := writeJSON(os.Stdout, h); err != nil {
					return err
				}
				continue
			}
			lifted := ""
			if !h.LiftedAt.IsZero() {
				lifted = h.LiftedAt.Format(time.RFC3339) + " " + h.LiftReason
			}
			cells = append(cells, []string{h.ID, h.Session, h.Reason, h.Matter, h.PlacedAt.Format(time.RFC3339), lifted})
		}
		if len(holds) < f.Limit {
			break
		}
	}
	if !c.JSON && len(cells) > 0 {
		table(os.Stdout, []string{"hold", "session", "reason", "matter", "placed", "lifted"}, cells)
	}
	return nil
}
