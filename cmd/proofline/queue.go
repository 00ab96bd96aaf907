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
	Drop     queueDropCmd     `cmd:"" help:"Take webhooks that were given up off the list."`
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

// someLetters is what a command is to be done to.
type someLetters struct {
	All bool `help:"All dead letters that it can be done to."`
	settings
}

// each has do done to the dead letters named, or to all of them, and counts those
// that it was done to. not says what a named one is that it can not be done to;
// among all it is passed over: somebody else may just have started it.
func (c someLetters) each(ctx context.Context, ids []string, do func(*session.Store, string) error, not string) (n int, err error) {
	if (len(ids) == 0) == !c.All {
		return 0, exitError{code: 2, msg: "name dead letters by their ids, or all of them by --all"}
	}
	store, err := c.openStore(ctx)
	if err != nil {
		return 0, err
	}
	defer store.Close()
	for _, id := range ids {
		switch err := do(store, id); {
		case errors.Is(err, session.ErrNotFound):
			return n, exitError{code: 1, msg: fmt.Sprintf("%s %s (%d done before it)", id, not, n)}
		case err != nil:
			return n, err
		}
		n++
	}
	for after := ""; c.All; {
		rows, err := store.DeadLetters(ctx, after, 500)
		if err != nil || len(rows) == 0 {
			return n, err
		}
		for _, o := range rows {
			switch err := do(store, o.ID); {
			case err == nil:
				n++
			case !errors.Is(err, session.ErrNotFound):
				return n, err
			}
			after = o.ID
		}
	}
	return n, nil
}

type queueReplayCmd struct {
	ID []string `arg:"" optional:"" help:"Ids from proofline queue dead or webhooks; a finished webhook's row is delivered again under the same webhook-id."`
	someLetters
}

func (c *queueReplayCmd) Run(ctx context.Context) error {
	n, err := c.each(ctx, c.ID, func(s *session.Store, id string) error { return s.Replay(ctx, id, operator) }, "is no dead letter and no finished webhook")
	if err == nil {
		fmt.Fprintf(os.Stderr, "%d started again; each is in the audit log\n", n)
	}
	return err
}

type queueDropCmd struct {
	ID []string `arg:"" optional:"" help:"Ids from proofline queue dead."`
	someLetters
}

func (queueDropCmd) Help() string {
	return "For webhooks whose endpoint is gone for good: their case is decided and its answer stands in the API. Each is in the audit log, and proofline queue replay ID still delivers one. Cases and erasures are owed and can not be dropped."
}

func (c *queueDropCmd) Run(ctx context.Context) error {
	n, err := c.each(ctx, c.ID, func(s *session.Store, id string) error { return s.Drop(ctx, id, operator) }, "is no webhook that was given up")
	if err == nil {
		fmt.Fprintf(os.Stderr, "%d dropped; each is in the audit log\n", n)
	}
	return err
}
