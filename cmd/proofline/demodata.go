package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/proofline/proofline/internal/demodata"
	"github.com/proofline/proofline/session"
)

type demoDataCmd struct {
	Cases  int    `help:"How many cases." default:"5000"`
	Days   int    `help:"Over how many days they began; the last ends now." default:"60"`
	Seed   uint64 `help:"Another seed makes up other cases." default:"1"`
	Tenant string `help:"Tenant that the cases belong to." default:"default"`
	Force  bool   `help:"Also into a store that holds real cases."`
	Remove bool   `help:"Remove every simulated case instead. The audit log keeps its entries, which are marked."`
	JSON   bool   `name:"json" help:"Write what was made, or removed, as JSON."`
	settings
}

func (demoDataCmd) Help() string {
	return "Fills the store with made-up cases, so that the console, the reports and `policy simulate` have something to show: several countries, documents and devices, scores that fit the outcomes, resubmissions, abandonment, reviews with votes, blind second looks and overrides, blind checks of automatic decisions, webhook deliveries.\n\nThe cases go through the store's real transitions and the audit log, decided by the configured policy. Every session (\"simulated\": true) and every audit entry (refs.simulated) carries a mark, and nothing is sent anywhere: webhooks are recorded for " + session.SimulatedURL + ". No pictures are made. The numbers are chosen by hand and say nothing about error rates.\n\nExit status 2: the store holds real cases (--force fills it all the same)."
}

func (c *demoDataCmd) Run(ctx context.Context) error {
	if c.Cases < 1 || c.Cases > 1_000_000 || c.Days < 1 || c.Days > 3650 {
		return exitError{code: 2, msg: "--cases must be 1 to 1000000 and --days 1 to 3650"}
	}
	if c.Remove {
		return c.remove(ctx)
	}
	if err := c.makeDataDir(); err != nil {
		return err
	}
	store, err := session.Open(ctx, c.storeDSN())
	if err != nil {
		return fmt.Errorf("open session store: %w", err)
	}
	defer store.Close()
	genuine, simulated, err := store.CountCases(ctx)
	switch {
	case err != nil:
		return err
	case simulated > 0:
		return exitError{code: 2, msg: fmt.Sprintf("there are %d simulated cases already; remove them first: proofline demo-data --remove", simulated)}
	case genuine > 0 && !c.Force:
		return exitError{code: 2, msg: fmt.Sprintf("the store holds %d real cases; figures would mix them with simulated ones (--force does it all the same)", genuine)}
	}
	p, err := c.current(ctx, newArchive(store, c.DataDir))
	if err != nil {
		return err
	}
	start, bar := time.Now(), newProgress("cases", c.Cases)
	sum, err := demodata.Fill(ctx, store, demodata.Options{Cases: c.Cases, Seed: c.Seed, Days: c.Days, Until: start, Tenant: c.Tenant, Policy: p, Progress: bar.add})
	if err != nil {
		return errors.Join(err, errors.New("what was made so far is marked: proofline demo-data --remove takes it away"))
	}
	if c.JSON {
		return writeJSON(os.Stdout, sum)
	}
	var states []string
	for _, s := range session.States() {
		if n := sum.States[s]; n > 0 {
			states = append(states, fmt.Sprintf("%d %s", n, strings.ReplaceAll(string(s), "_", " ")))
		}
	}
	fmt.Printf("%d simulated cases in %s: %s; %d votes, %d overrides, %d blind checks, %d resubmissions, %d deliveries, %d given up\n", sum.Cases,
		time.Since(start).Round(100*time.Millisecond), strings.Join(states, ", "), sum.Votes, sum.Overrides, sum.Checks, sum.Resubmits, sum.Deliveries, sum.GivenUp)
	return nil
}

func (c *demoDataCmd) remove(ctx context.Context) error {
	store, err := c.existingStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	_, simulated, err := store.CountCases(ctx)
	if err != nil {
		return err
	}
	bar, removed := newProgress("removed", int(simulated)), 0
	for {
		n, err := store.RemoveSimulated(ctx, operator, 500)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		removed += n
		for range n {
			bar.add()
		}
	}
	_, left, err := store.CountCases(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeJSON(os.Stdout, map[string]int64{"removed": int64(removed), "left": left})
	} else {
		fmt.Printf("%d simulated cases removed\n", removed)
	}
	if left > 0 {
		return errors.Join(err, exitError{code: 1, msg: fmt.Sprintf("%d simulated cases hold real evidence; erase it first (proofline retention erase), then remove them", left)})
	}
	return err
}
