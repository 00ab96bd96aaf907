package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/proofline/proofline/client"
)

// reviewCheckCmd is the blind check over the API: nobody chooses the case, and
// nothing here says what the policy decided of it.
type reviewCheckCmd struct {
	Next    checkNextCmd    `cmd:"" help:"Take the case that is due first, or keep the one that you have for longer."`
	Show    checkShowCmd    `cmd:"" help:"Show the case that you have, without what was decided."`
	Decide  checkDecideCmd  `cmd:"" help:"Judge the case that you have. It stays as it was decided."`
	Release checkReleaseCmd `cmd:"" help:"Give the case back unjudged."`
}

type checkNextCmd struct {
	JSON bool `name:"json" help:"Write the case as JSON; null when none waits."`
	reviewServer
}

func (c *checkNextCmd) Run(ctx context.Context) error {
	s, leave, err := c.staff(ctx)
	if err != nil {
		return err
	}
	defer leave()
	b, err := s.NextCheck(ctx)
	if errors.Is(err, &client.Problem{Code: client.CodeNothingWaits}) {
		if c.JSON {
			return writeJSON(os.Stdout, nil)
		}
		fmt.Fprintln(os.Stderr, "no case waits for a blind check")
		return nil
	}
	if err != nil {
		return err
	}
	return showCheck(b, c.JSON)
}

type checkShowCmd struct {
	Case string `arg:"" help:"Session id."`
	JSON bool   `name:"json" help:"Write the case as JSON."`
	reviewServer
}

func (c *checkShowCmd) Run(ctx context.Context) error {
	s, leave, err := c.staff(ctx)
	if err != nil {
		return err
	}
	defer leave()
	b, err := s.Check(ctx, c.Case)
	if err != nil {
		return err
	}
	return showCheck(b, c.JSON)
}

func showCheck(b *client.BlindCheck, asJSON bool) error {
	if asJSON {
		return writeJSON(os.Stdout, b)
	}
	what := strings.Join(strings.Fields(b.DocumentType+" "+b.Jurisdiction), ", ")
	if what != "" {
		what += ", "
	}
	fmt.Printf("%s  %sdue %s, yours until %s\n", b.Session, what, b.Due.UTC().Format(time.RFC3339), b.HeldUntil.UTC().Format(time.RFC3339))
	rows := make([][]string, len(b.Evidence))
	for i, e := range b.Evidence {
		state := ""
		if e.Erased {
			state = "erased"
		}
		rows[i] = []string{e.Kind, e.Object, state}
	}
	table(os.Stdout, []string{"picture", "object", ""}, rows)
	fmt.Fprintln(os.Stderr, "\npictures and fields: on the page /console/reviews/blind/"+b.Session)
	return nil
}

type checkDecideCmd struct {
	Case     string   `arg:"" help:"Session id."`
	Outcome  string   `arg:"" help:"approve, reject, or unclear: the photos do not tell." enum:"approve,reject,unclear"`
	Code     []string `help:"Reason code; needed to reject and for unclear." placeholder:"CODE"`
	NoteFile string   `help:"File with a note, kept encrypted. (A flag's text would be seen by everybody on the machine.)" type:"existingfile" placeholder:"FILE"`
	JSON     bool     `name:"json" help:"Write the answer as JSON."`
	reviewServer
}

func (c *checkDecideCmd) Run(ctx context.Context) error {
	note, err := readNote(c.NoteFile)
	if err != nil {
		return err
	}
	s, leave, err := c.staff(ctx)
	if err != nil {
		return err
	}
	defer leave()
	b, err := s.Check(ctx, c.Case)
	if err != nil {
		return err
	}
	outcome := map[string]string{"approve": "approved", "reject": "rejected", "unclear": "needs_resubmission"}[c.Outcome]
	done, err := s.JudgeCheck(ctx, c.Case, b.Version, client.CheckVerdict{Outcome: outcome, Codes: c.Code, Note: note})
	if err != nil {
		return err // the case stays taken: the verdict can be given again
	}
	if c.JSON {
		return writeJSON(os.Stdout, done)
	}
	fmt.Println("recorded; the case stays as it was decided")
	return nil
}

type checkReleaseCmd struct {
	Case string `arg:"" help:"Session id."`
	reviewServer
}

func (c *checkReleaseCmd) Run(ctx context.Context) error {
	s, leave, err := c.staff(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return s.ReleaseCheck(ctx, c.Case)
}
