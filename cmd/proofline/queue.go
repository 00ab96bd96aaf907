package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/proofline/proofline/session"
)

type queueCmd struct {
	Dead     queueDeadCmd     `cmd:"" help:"List dead letters: work that was given up."`
	Webhooks queueWebhooksCmd `cmd:"" help:"List a session's webhooks: what was sent when, and what was answered."`
	Replay   queueReplayCmd   `cmd:"" help:"Start dead letters again, or deliver a webhook once more."`
}

type queueDeadCmd struct {
	After string `help:"Begin after this id." placeholder:"ID"`
	Limit int    `help:"How many at most." default:"100"`
	JSON  bool   `name:"json" help:"Write one JSON object per row."`
	settings
}

func (queueDeadCmd) Help() string {
	return "A webhook is given up when its schedule is over or its endpoint wants no more; a case never is. The list is the store's, so it is complete whatever happened to Redis."
}

// deadLetter is a row as it is shown: ids and codes.
type deadLetter struct {
	ID      string             `json:"id"`
	Kind    session.OutboxKind `json:"kind"`
	Session string             `json:"session"`
	Attempt int                `json:"attempt"`
	Ref     string             `json:"ref,omitempty"`
	Reason  string             `json:"reason"`
	Tries   int                `json:"tries"`
	Since   time.Time          `json:"since"`
}

func (c *queueDeadCmd) Run(ctx context.Context) error {
	if c.Limit < 1 || c.Limit > 10_000 {
		return exitError{code: 2, msg: "limit must be 1 to 10000"}
	}
	store, err := c.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	rows, err := store.DeadLetters(ctx, c.After, c.Limit)
	if err != nil {
		return err
	}
	var cells [][]string
	for _, o := range rows {
		if c.JSON {
			if err := writeJSON(os.Stdout, deadLetter{o.ID, o.Kind, o.Session, o.Attempt, o.Ref, o.Reason, o.Tries, o.UpdatedAt}); err != nil {
				return err
			}
			continue
		}
		cells = append(cells, []string{o.ID, string(o.Kind), o.Session, strconv.Itoa(o.Attempt), o.Reason, strconv.Itoa(o.Tries), o.UpdatedAt.Format(time.RFC3339)})
	}
	if !c.JSON && len(cells) > 0 {
		table(os.Stdout, []string{"id", "kind", "session", "attempt", "reason", "tries", "since"}, cells)
	}
	fmt.Fprintf(os.Stderr, "%d dead letters\n", len(rows))
	return nil
}

type queueReplayCmd struct {
	ID  []string `arg:"" optional:"" help:"Ids from proofline queue dead or webhooks; a finished webhook's row is delivered again under the same webhook-id."`
	All bool     `help:"Every dead letter."`
	settings
}

func (c *queueReplayCmd) Run(ctx context.Context) error {
	if (len(c.ID) == 0) == !c.All {
		return exitError{code: 2, msg: "name dead letters by their ids, or all of them by --all"}
	}
	store, err := c.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	n := 0
	replay := func(id string) error {
		err := store.Replay(ctx, id, operator)
		if errors.Is(err, session.ErrNotFound) {
			return exitError{code: 1, msg: fmt.Sprintf("%s is no dead letter and no finished webhook (%d started before it)", id, n)}
		}
		if err == nil {
			n++
		}
		return err
	}
	for _, id := range c.ID {
		if err := replay(id); err != nil {
			return err
		}
	}
	for after := ""; c.All; {
		rows, err := store.DeadLetters(ctx, after, 500)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			break
		}
		for _, o := range rows {
			// One that somebody else has just started is not there any more.
			if err := store.Replay(ctx, o.ID, operator); err == nil {
				n++
			} else if !errors.Is(err, session.ErrNotFound) {
				return err
			}
			after = o.ID
		}
	}
	fmt.Fprintf(os.Stderr, "%d started again; each is in the audit log\n", n)
	return nil
}
