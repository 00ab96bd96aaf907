package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/proofline/proofline/casefile"
	"github.com/proofline/proofline/session"
)

type replayCmd struct {
	Session string        `arg:"" optional:"" help:"Session id."`
	All     bool          `help:"Compute the decisions of all sessions again."`
	Since   time.Duration `help:"With --all: only sessions created so long ago or later, such as 720h." placeholder:"TIME"`
	JSON    bool          `name:"json" help:"Write one JSON object per decision."`
	settings
}

func (replayCmd) Help() string {
	return "Computes decisions again from the stored findings, with the policy and the catalogue of reason codes that were in force then, and compares byte for byte with what was recorded and what the audit log commits to. Exit status: 0 when all are identical; 3 when one differs, was altered, or can not be computed any more."
}

// tally counts verdicts.
type tally map[string]int

func (c *replayCmd) Run(ctx context.Context) error {
	if (c.Session == "") != c.All {
		return exitError{code: 2, msg: "give either a session's id or --all"}
	}
	seen := tally{}
	if !c.All {
		f, err := c.caseFile(ctx, c.Session)
		if err != nil {
			return err
		}
		if len(f.Decisions) == 0 {
			return exitError{code: 3, msg: casefile.ErrUndecided.Error()}
		}
		if err := c.show(f, seen, true); err != nil {
			return err
		}
		return seen.verdict()
	}
	store, err := c.existingStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	if err := c.all(ctx, store, seen); err != nil {
		return err
	}
	if !c.JSON {
		fmt.Printf("%d identical, %d different, %d altered, %d can not be computed any more; %d decided by people\n",
			seen[casefile.Identical], seen[casefile.Different], seen[casefile.Altered], seen[casefile.CanNotReplay], seen[casefile.ByPerson])
	}
	return seen.verdict()
}

// all goes through the sessions, oldest first, a page at a time.
func (c *replayCmd) all(ctx context.Context, store *session.Store, seen tally) error {
	archive := newArchive(store, c.DataDir)
	filter := session.Filter{Limit: 200, OldestFirst: true}
	if c.Since > 0 {
		filter.CreatedFrom = time.Now().Add(-c.Since)
	}
	total, err := store.CountSessions(ctx, filter.CreatedFrom)
	if err != nil {
		return err
	}
	bar := newProgress("replay", int(total))
	for {
		page, err := store.List(ctx, filter)
		if err != nil {
			return err
		}
		for _, s := range page.Sessions {
			f, err := casefile.Load(ctx, store, archive.findUnder, s.ID, time.Now())
			if err != nil {
				return fmt.Errorf("read session %s: %w", s.ID, err)
			}
			if err := c.show(f, seen, false); err != nil {
				return err
			}
			bar.add()
		}
		if filter.Cursor = page.Next; page.Next == "" {
			return nil
		}
	}
}

// show writes what a replay found: all of it for one session, else only what is
// not in order.
func (c *replayCmd) show(f *casefile.File, seen tally, every bool) error {
	for _, r := range f.Replay() {
		seen[r.Verdict]++
		if c.JSON {
			if err := writeJSON(os.Stdout, r); err != nil {
				return err
			}
			continue
		}
		if !every && (r.Verdict == casefile.Identical || r.Verdict == casefile.ByPerson) {
			continue
		}
		switch r.Verdict {
		case casefile.Identical:
			fmt.Printf("%s attempt %d: identical: %s, under the policy with the SHA-256 %s\n", r.Session, r.Attempt, r.Outcome, r.Policy)
		case casefile.ByPerson:
			fmt.Printf("%s attempt %d: a person decided: %s; there is nothing to compute\n", r.Session, r.Attempt, r.Outcome)
		default:
			fmt.Printf("%s attempt %d: %s: %s\n", r.Session, r.Attempt, r.Verdict, r.Why)
			if r.Now != nil {
				fmt.Printf("  recorded: %s\n  now:      %s\n", r.Recorded, r.Now)
			}
		}
	}
	return nil
}

func (t tally) verdict() error {
	if t[casefile.Different]+t[casefile.Altered]+t[casefile.CanNotReplay] > 0 {
		return exitError{code: 3}
	}
	return nil
}
