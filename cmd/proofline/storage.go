package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/storage"
)

type storageCmd struct {
	Check        storageCheckCmd     `cmd:"" help:"Compare rows and stored objects in both directions."`
	Lifecycle    storageLifecycleCmd `cmd:"" name:"apply-lifecycle" help:"Write the bucket's lifecycle rules: a second net below the sweeper."`
	RestoreCheck storageRestoreCmd   `cmd:"" help:"After a restore: carry out again every erasure that a newer audit log knows of."`
}

type storageCheckCmd struct {
	Repair bool          `help:"Remove stored objects that belong to nothing. After a restore run restore-check first, and look at the list before you repair."`
	Grace  time.Duration `help:"How old an object without a row must be to count." default:"24h"`
	JSON   bool          `name:"json" help:"Write one JSON object per problem, then the counts."`
	settings
}

func (storageCheckCmd) Help() string {
	return "Exit status: 0 when both agree, 3 when something is missing or left over. Each missing object is in the audit log. The same runs once a day in one of the running processes, without --repair."
}

func (c *storageCheckCmd) Run(ctx context.Context) error {
	if c.Grace < time.Hour {
		return exitError{code: 2, msg: "grace must be at least 1h: objects that are being written have no row that counts yet"}
	}
	n, err := c.openExisting(ctx)
	if err != nil {
		return err
	}
	defer n.Close()
	seen, last := 0, time.Now()
	rep, err := pipeline.CheckEvidence(ctx, n.store, n.vault, storage.CheckOptions{
		Repair: c.Repair, Grace: c.Grace,
		Found: func(p storage.Problem) {
			if c.JSON {
				_ = writeJSON(os.Stdout, p)
			} else {
				fmt.Printf("%s %s session=%s region=%s repaired=%v\n", p.Kind, p.Key, p.Session, p.Region, p.Repaired)
			}
		},
		Seen: func() {
			if seen++; time.Since(last) > 10*time.Second {
				last = time.Now()
				fmt.Fprintf(os.Stderr, "%d rows and objects looked at\n", seen)
			}
		},
	})
	if err != nil {
		return err
	}
	if c.JSON {
		if err := writeJSON(os.Stdout, rep); err != nil {
			return err
		}
	} else {
		fmt.Printf("%d rows, %d stored objects: %d missing or damaged, %d left over, %d removed\n", rep.Objects, rep.Blobs, rep.Missing, rep.Orphans, rep.Repaired)
	}
	if rep.Missing > 0 || rep.Orphans > rep.Repaired {
		return exitError{code: 3}
	}
	return nil
}

type storageLifecycleCmd struct {
	DryRun bool          `help:"Show the rules and write nothing."`
	Slack  time.Duration `help:"How long after the longest retention of a class the server deletes by itself." default:"720h"`
	settings
}

func (storageLifecycleCmd) Help() string {
	return "For every data class one rule: objects that carry Proofline's tag are deleted when they are older than the longest retention that the policy, or anything stored, has for the class, plus --slack. The sweeper, which knows each object's own time, is always earlier. A legal hold takes the tag away. Rules of others in the bucket are left alone."
}

func (c *storageLifecycleCmd) Run(ctx context.Context) error {
	if c.Slack < 7*24*time.Hour {
		return exitError{code: 2, msg: "slack must be at least 168h (7 days): legal holds need time to take the tag away"}
	}
	if c.Storage.Driver != "s3" || !c.Storage.S3.Lifecycle {
		return exitError{code: 2, msg: "lifecycle rules need storage.driver s3 and storage.s3.lifecycle, which tags the objects"}
	}
	n, err := c.openExisting(ctx)
	if err != nil {
		return err
	}
	defer n.Close()
	rules, err := c.rules(ctx, n)
	if err != nil {
		return err
	}
	regions, err := c.regions()
	if err != nil {
		return err
	}
	targets := []storage.Blobs{n.blobs}
	for _, r := range regions {
		if r.dir != "" {
			continue
		}
		b, err := storage.OpenS3(ctx, r.s3)
		if err != nil {
			return err
		}
		targets = append(targets, b)
	}
	for _, b := range targets {
		s3, ok := b.(*storage.S3)
		if !ok {
			continue
		}
		text, err := s3.LifecycleXML(ctx, rules)
		if errors.Is(err, storage.ErrNoLifecycle) && c.DryRun {
			fmt.Fprintf(os.Stderr, "note: %v\n", err)
			text, err = storage.RulesXML(s3, rules)
		}
		if err != nil {
			return err
		}
		fmt.Print(string(text))
		if c.DryRun {
			continue
		}
		if err := s3.ApplyLifecycle(ctx, rules); err != nil {
			return err
		}
		fmt.Fprintln(os.Stderr, "written and read back")
	}
	return nil
}

// rules are made from the policy, from what is stored already under older
// policies, and from how long certificates are kept.
func (c *storageLifecycleCmd) rules(ctx context.Context, n *node) ([]storage.LifecycleRule, error) {
	p, err := c.engineSettings.policy()
	if err != nil {
		return nil, err
	}
	longest, err := n.store.LongestRetention(ctx)
	if err != nil {
		return nil, err
	}
	for _, cell := range append([]policy.Cell{p.Defaults}, p.Cells...) {
		for class, d := range cell.Retention {
			longest[storage.Class(class)] = max(longest[storage.Class(class)], time.Duration(d))
		}
	}
	longest[storage.Outcome] = max(longest[storage.Outcome], pipeline.CertificateTime)
	var rules []storage.LifecycleRule
	for _, class := range storage.Classes {
		if d := longest[class]; d > 0 {
			rules = append(rules, storage.LifecycleRule{Class: class, After: d + c.Slack})
		}
	}
	return rules, nil
}
