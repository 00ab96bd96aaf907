package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// trialSettings name policies that are tried beside the one in force.
type trialSettings struct {
	Shadow        []string `help:"Policy files that decide every case beside the policy in force. What they say is stored and compared (policy shadow) and never acts." placeholder:"FILE" sep:","`
	Canary        string   `help:"Policy file that decides a share of new sessions for real. A session keeps the policy that it began with." placeholder:"FILE"`
	CanaryShare   float64  `help:"Share of new sessions for the canary, 0 to 1; drawn by the session's id." default:"0.05"`
	CanaryMinimum int      `help:"Cases of the canary before anything is concluded from them; with fewer, chance alone looks like harm." default:"100"`
	CanaryMaxRise float64  `help:"How much the share of approvals, rejections, reviews or resubmissions may rise over the live policy's, beyond what chance explains, before the canary gets no more sessions." default:"0.1"`
}

func (p policySettings) validateTrial(add func(string, ...any)) {
	if len(p.Shadow) > 8 {
		add("policy.shadow: at most 8 policies, each decides every case")
	}
	if p.Canary == "" {
		return
	}
	if !(p.CanaryShare > 0 && p.CanaryShare <= 1) {
		add("policy.canary-share must be above 0 and at most 1")
	}
	if p.CanaryMinimum < 20 || p.CanaryMinimum > 1_000_000 {
		add("policy.canary-minimum must be 20 to 1000000")
	}
	if !(p.CanaryMaxRise >= 0 && p.CanaryMaxRise <= 1) {
		add("policy.canary-max-rise must be 0 to 1")
	}
}

// readTrial reads one of these files like the policy in force.
func (e engineSettings) readTrial(file string) (*policy.Policy, []byte, error) {
	e.Policy.File = file
	text, err := e.policyText()
	if err != nil {
		return nil, nil, err
	}
	p, err := policy.Parse(text)
	if err != nil {
		return nil, nil, fmt.Errorf("policy %s: %w", file, err)
	}
	return p, text, nil
}

// shadows are the policies that only watch, archived like every other.
func (s settings) shadows(ctx context.Context, a *archive) ([]*policy.Policy, error) {
	var out []*policy.Policy
	for _, file := range s.Policy.Shadow {
		p, text, err := s.readTrial(file)
		if err != nil {
			return nil, fmt.Errorf("policy.shadow: %w", err)
		}
		if err := a.add(ctx, p, text); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func (s settings) canary(ctx context.Context, a *archive, v *storage.Vault) (*policy.Canary, error) {
	if s.Policy.Canary == "" {
		return nil, nil
	}
	p, text, err := s.readTrial(s.Policy.Canary)
	if err != nil {
		return nil, fmt.Errorf("policy.canary: %w", err)
	}
	if err := checkResidency(p, v); err != nil {
		return nil, fmt.Errorf("policy.canary: %w", err)
	}
	c := &policy.Canary{Policy: p, Share: s.Policy.CanaryShare, Stop: policy.StopRules{MinCases: s.Policy.CanaryMinimum, MaxRise: s.Policy.CanaryMaxRise}}
	return c, a.add(ctx, p, text)
}

// chooser gives each new session its policy and watches the canary.
type chooser struct {
	live    func() *policy.Policy
	canary  *policy.Canary
	store   *session.Store
	stopped atomic.Bool
}

// canaryInterval is how often the stop conditions are looked at.
const canaryInterval = 30 * time.Second

// choose is api.Deps.Choose.
func (c *chooser) choose(id string) *policy.Policy {
	if c.canary != nil && !c.stopped.Load() && c.canary.Takes(id) {
		return c.canary.Policy
	}
	return c.live()
}

// canaryState is the canary with everything that speaks for and against it.
type canaryState struct {
	Policy  string         `json:"policy"`
	Version string         `json:"policy_version"`
	Hash    string         `json:"policy_hash"`
	Share   float64        `json:"share"`
	Since   time.Time      `json:"since,omitzero"`
	Live    policy.Arm     `json:"live"`
	Canary  policy.Arm     `json:"canary"`
	Checks  []policy.Check `json:"checks"`
	Stopped string         `json:"stopped,omitempty"`
	At      time.Time      `json:"stopped_at,omitzero"`
}

// state compares with the policy whose hash is live.
func (c *chooser) state(ctx context.Context, live string) (canaryState, error) {
	p := c.canary.Policy
	s := canaryState{Policy: p.Name, Version: p.Version, Hash: p.Hash(), Share: c.canary.Share}
	var err error
	if s.Stopped, s.At, err = c.store.CanaryStopped(ctx, p.Hash()); err != nil {
		return s, err
	}
	if s.Since, err = c.store.FirstUnder(ctx, p.Hash()); err != nil {
		return s, err
	}
	if !s.Since.IsZero() {
		if s.Canary, err = c.store.Arm(ctx, p.Hash(), s.Since); err != nil {
			return s, err
		}
		if s.Live, err = c.store.Arm(ctx, live, s.Since); err != nil {
			return s, err
		}
	}
	s.Checks = c.canary.Stop.Checks(s.Live, s.Canary)
	return s, nil
}

// look stops the canary when one of its conditions holds, on all machines and
// across restarts.
func (c *chooser) look(ctx context.Context) (why string, err error) {
	s, err := c.state(ctx, c.live().Hash())
	if err != nil {
		return "", err
	}
	for _, k := range s.Checks {
		if s.Stopped == "" && k.Stop {
			why = k.String()
			if err := c.store.StopCanary(ctx, session.Actor{Role: session.System, ID: "canary"}, s.Hash, k.What+"_rose"); err != nil {
				return "", err
			}
			s.Stopped = why
		}
	}
	c.stopped.Store(s.Stopped != "")
	return why, nil
}

// watch looks at once and then every interval.
func (c *chooser) watch(ctx context.Context, n *node) error {
	if c.canary == nil {
		return nil
	}
	if _, err := c.look(ctx); err != nil {
		return err
	}
	go func() {
		tick := time.NewTicker(canaryInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			switch why, err := c.look(ctx); {
			case err != nil && ctx.Err() == nil:
				n.log.Warn("the canary's stop conditions were not looked at", "error", err)
			case why != "":
				n.log.Warn("the canary was stopped: new sessions follow the live policy", "policy", c.canary.Policy.Name, "policy_version", c.canary.Policy.Version, "why", why)
			}
		}
	}()
	return nil
}

type policyShadowCmd struct {
	File  string        `arg:"" help:"Policy file that was named with --policy.shadow, or - for the shipped one."`
	Since time.Duration `help:"Only decisions of this time." placeholder:"720h"`
	Flips int           `help:"How many cases that differ to list." default:"20"`
	JSON  bool          `name:"json" help:"Write one JSON object."`
	settings
}

func (policyShadowCmd) Help() string {
	return "Compares what a shadow policy said with what the policies in force decided, case by case on the same findings, and both with what reviewers decided afterwards. What stages conclude by the case's own policy (the kinds of document it accepts, the evidence it asked for) was not measured again: a check that only the shadow requires counts as not evaluated, and so as a review."
}

func (c *policyShadowCmd) Run(ctx context.Context) error {
	file := c.File
	if file == "-" {
		file = ""
	}
	p, _, err := c.readTrial(file)
	if err != nil {
		return exitError{code: 2, msg: err.Error()}
	}
	store, err := c.existingStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	var since time.Time
	if c.Since > 0 {
		since = time.Now().Add(-c.Since)
	}
	s := policy.Simulation{Before: map[policy.Outcome]int{}, After: map[policy.Outcome]int{}, Flips: []policy.Flip{}}
	for x, err := range store.ShadowCases(ctx, p.Hash(), since) {
		if err != nil {
			return err
		}
		s.Count(policy.PastCase{ID: x.Session, Outcome: x.Live, Reviewed: x.Reviewed}, x.Shadow, c.Flips)
	}
	if s.Cases == 0 {
		return exitError{code: 3, msg: fmt.Sprintf("no case was decided beside %s version %s (%s)", p.Name, p.Version, p.Hash())}
	}
	if c.JSON {
		return writeJSON(os.Stdout, s)
	}
	printSimulation(s, "live", "shadow")
	return nil
}

type policyCanaryCmd struct {
	Stop   string `help:"Stop the canary, with this reason (a short word)." placeholder:"REASON"`
	Resume bool   `help:"Let a stopped canary have sessions again."`
	JSON   bool   `name:"json" help:"Write one JSON object."`
	settings
}

func (policyCanaryCmd) Help() string {
	return "Shows the canary that the settings name: its share, the decisions under it and under the live policy since it began, and its stop conditions. Needs the server's settings (--config). Exit status 3: it is stopped."
}

func (c *policyCanaryCmd) Run(ctx context.Context) error {
	if c.Policy.Canary == "" {
		return exitError{code: 2, msg: "no canary is configured: policy.canary names its file"}
	}
	if c.Stop != "" && c.Resume {
		return exitError{code: 2, msg: "--stop and --resume exclude each other"}
	}
	store, err := c.existingStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	live, err := store.ActivePolicy(ctx) // not the configured one: people may have activated another
	if err != nil && !errors.Is(err, session.ErrNotFound) {
		return err
	}
	can, _, err := c.readTrial(c.Policy.Canary)
	if err != nil {
		return err
	}
	switch {
	case c.Stop != "":
		err = store.StopCanary(ctx, operator, can.Hash(), c.Stop)
	case c.Resume:
		err = store.ResumeCanary(ctx, operator, can.Hash())
	}
	if err != nil {
		return err
	}
	ch := &chooser{store: store, canary: &policy.Canary{Policy: can, Share: c.Policy.CanaryShare,
		Stop: policy.StopRules{MinCases: c.Policy.CanaryMinimum, MaxRise: c.Policy.CanaryMaxRise}}}
	s, err := ch.state(ctx, live.Hash)
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeJSON(os.Stdout, s)
	} else {
		fmt.Printf("%s version %s, %.3g %% of new sessions, %d cases (live %d)\n\n", s.Policy, s.Version, 100*s.Share, s.Canary.Cases(), s.Live.Cases())
		var rows [][]string
		for _, k := range s.Checks {
			word := "within limits"
			if k.Stop {
				word = "STOP"
			}
			rows = append(rows, []string{k.What, fmt.Sprintf("%.1f %%", 100*k.Live), fmt.Sprintf("%.1f %%", 100*k.Canary), fmt.Sprintf("%+.1f", k.Z), word})
		}
		table(os.Stdout, []string{"share", "live", "canary", "standard errors", ""}, rows)
		if s.Stopped != "" {
			fmt.Printf("\nstopped at %s: %s\n", s.At.Format(time.RFC3339), s.Stopped)
		}
	}
	if s.Stopped != "" {
		return errors.Join(err, exitError{code: 3})
	}
	return err
}
