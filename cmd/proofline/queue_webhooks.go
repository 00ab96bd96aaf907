package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/proofline/proofline/session"
)

type queueWebhooksCmd struct {
	Session string `arg:"" help:"Id of the session."`
	JSON    bool   `name:"json" help:"Write one JSON object per delivery."`
	settings
}

func (queueWebhooksCmd) Help() string {
	return "One row for each event and endpoint, oldest first. The id is what `proofline queue replay` takes."
}

// delivery is a webhook's row as it is shown: ids, codes and times.
type delivery struct {
	ID        string     `json:"id"`
	Event     string     `json:"event"`
	Type      string     `json:"type"`
	Endpoint  string     `json:"endpoint"`
	State     string     `json:"state"` // delivered, waiting, given_up
	Tries     int        `json:"tries"`
	Status    int        `json:"status,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	Created   time.Time  `json:"created_at"`
	Next      *time.Time `json:"next_at,omitempty"`
	Delivered *time.Time `json:"delivered_at,omitempty"`
}

func shownDelivery(d session.Delivery) delivery {
	v := delivery{ID: d.Outbox, Event: d.Event, Type: d.Type, Endpoint: d.Endpoint.ID, State: "given_up",
		Tries: d.Tries, Status: d.Status, Reason: d.Reason, Created: d.CreatedAt}
	switch {
	case !d.Delivered.IsZero():
		v.State, v.Delivered = "delivered", &d.Delivered
	case !d.NextAt.IsZero():
		v.State, v.Next = "waiting", &d.NextAt
	case d.Tries == 0:
		v.State = "waiting"
	}
	return v
}

func (c *queueWebhooksCmd) Run(ctx context.Context) error {
	store, err := c.openStore(ctx)
	if err != nil {
		return err
	}
	defer store.Close()
	if _, err := store.Get(ctx, c.Session); err != nil {
		return err
	}
	rows, err := store.Deliveries(ctx, c.Session)
	if err != nil {
		return err
	}
	var cells [][]string
	for _, d := range rows {
		v := shownDelivery(d)
		if c.JSON {
			if err := writeJSON(os.Stdout, v); err != nil {
				return err
			}
			continue
		}
		answer := v.Reason
		if v.Status != 0 {
			answer = cmp.Or(answer, strconv.Itoa(v.Status))
		}
		cells = append(cells, []string{v.ID, v.Type, v.Endpoint, v.State, strconv.Itoa(v.Tries), answer, v.Created.Format(time.RFC3339)})
	}
	if !c.JSON && len(cells) > 0 {
		table(os.Stdout, []string{"id", "event", "endpoint", "state", "tries", "answer", "since"}, cells)
	}
	fmt.Fprintf(os.Stderr, "%d webhooks\n", len(rows))
	return nil
}
