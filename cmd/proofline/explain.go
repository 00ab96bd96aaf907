package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/proofline/proofline/casefile"
	"github.com/proofline/proofline/session"
)

type explainCmd struct {
	Session string `arg:"" help:"Session id."`
	For     string `help:"Who asks: support (plain sentences and what to do), compliance (everything, with the relying service's own reference) or auditor (everything that can be checked against the log, no personal data)." enum:"support,compliance,auditor" default:"support"`
	JSON    bool   `name:"json" help:"Write the account as JSON."`
	settings
}

func (explainCmd) Help() string {
	return "Says what happened to a session, when and by whom, why the policy decided so, and what became of the evidence. It opens no picture and no field."
}

func (c *explainCmd) Run(ctx context.Context) error {
	f, err := c.caseFile(ctx, c.Session)
	if err != nil {
		return err
	}
	a, err := f.Explain(casefile.View(c.For))
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(os.Stdout, a)
	}
	return a.Print(os.Stdout)
}

// caseFile loads what is known of a session.
func (s settings) caseFile(ctx context.Context, id string) (*casefile.File, error) {
	if _, err := session.ParseID(session.SessionPrefix, id); err != nil {
		return nil, exitError{code: 2, msg: "not a session's id"}
	}
	store, err := s.existingStore(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	f, err := casefile.Load(ctx, store, newArchive(store, s.DataDir).findUnder, id, time.Now())
	if errors.Is(err, session.ErrNotFound) {
		return nil, exitError{code: 3, msg: "there is no such session"}
	}
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	return f, nil
}
