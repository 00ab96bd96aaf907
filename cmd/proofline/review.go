package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/proofline/proofline/client"
)

type reviewCmd struct {
	List   reviewListCmd   `cmd:"" help:"List cases that wait for a person, oldest first."`
	Show   reviewShowCmd   `cmd:"" help:"Show what is known of a case, without its evidence."`
	Decide reviewDecideCmd `cmd:"" help:"Claim a case and decide it."`
	Check  reviewCheckCmd  `cmd:"" help:"Judge blindly what the policy decided by itself."`
}

func (reviewCmd) Help() string {
	return "Works over the API of a running server, with the rights of an account. The token comes from PROOFLINE_TOKEN (proofline user token), or --user logs in with a password from the terminal or standard input."
}

type reviewServer struct {
	Server string `help:"Address of the server." default:"http://127.0.0.1:8780" placeholder:"URL"`
	User   string `help:"Account to log in as; without it the token in PROOFLINE_TOKEN is used." placeholder:"NAME"`
}

// staff returns a client that acts for the account, and how to leave again.
func (s reviewServer) staff(ctx context.Context) (*client.Staff, func(), error) {
	h := &http.Client{Timeout: time.Minute}
	if token := os.Getenv("PROOFLINE_TOKEN"); s.User == "" {
		if token == "" {
			return nil, nil, exitError{code: 2, msg: "who are you? give --user NAME, or a token in PROOFLINE_TOKEN"}
		}
		return client.NewStaff(s.Server, token, h), func() {}, nil
	}
	p, err := readPassword(ctx, "Password of "+s.User, false)
	if err != nil {
		return nil, nil, err
	}
	c, _, err := client.Login(ctx, s.Server, client.Credentials{Name: s.User, Password: p}, h)
	if errors.Is(err, &client.Problem{Code: client.CodeCodeNeeded}) {
		return nil, nil, exitError{code: 1, msg: "the account asks for an authenticator's code: use a token (proofline user token)"}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("log in: %w", err)
	}
	return c, func() { _ = c.Logout(context.WithoutCancel(ctx)) }, nil
}

type reviewListCmd struct {
	Tenant       string `help:"Only this tenant's." placeholder:"NAME"`
	Jurisdiction string `help:"Only of this jurisdiction." placeholder:"CODE"`
	DocumentType string `help:"Only with this kind of document." placeholder:"TYPE"`
	Code         string `help:"Only those that wait because of this reason code." placeholder:"CODE"`
	Free         bool   `help:"Only cases that you can take now."`
	Limit        int    `help:"How many at most." default:"50"`
	JSON         bool   `name:"json" help:"Write one JSON object per case."`
	reviewServer
}

func (c *reviewListCmd) Run(ctx context.Context) error {
	s, leave, err := c.staff(ctx)
	if err != nil {
		return err
	}
	defer leave()
	f := client.ReviewFilter{Tenant: c.Tenant, Jurisdiction: c.Jurisdiction, DocumentType: c.DocumentType, Code: c.Code, Free: c.Free}
	var rows [][]string
	n := 0
	for n < c.Limit {
		f.Limit = min(c.Limit-n, 200)
		page, err := s.Reviews(ctx, f)
		if err != nil {
			return err
		}
		for _, r := range page.Reviews {
			n++
			if c.JSON {
				if err := writeJSON(os.Stdout, r); err != nil {
					return err
				}
				continue
			}
			state := "free"
			if r.ClaimedBy != "" {
				state = "taken"
			}
			if r.Late {
				state += ", late"
			}
			rows = append(rows, []string{r.Session, r.DocumentType, r.Jurisdiction, strconv.Itoa(r.Attempt), strings.Join(r.Codes, " "), time.Since(r.Since).Round(time.Minute).String(), state})
		}
		if f.Cursor = page.Next; page.Next == "" {
			break
		}
	}
	if !c.JSON {
		table(os.Stdout, []string{"case", "document", "jurisdiction", "attempt", "why", "waits", "state"}, rows)
		fmt.Fprintf(os.Stderr, "%d cases\n", n)
	}
	return nil
}

type reviewShowCmd struct {
	Case string `arg:"" help:"Session id."`
	JSON bool   `name:"json" help:"Write the case as JSON."`
	reviewServer
}

func (c *reviewShowCmd) Run(ctx context.Context) error {
	s, leave, err := c.staff(ctx)
	if err != nil {
		return err
	}
	defer leave()
	r, err := s.Review(ctx, c.Case)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(os.Stdout, r)
	}
	fmt.Printf("%s  %s, attempt %d, policy %s %s, cell %s\n\n", r.Session, r.State, r.Attempt, r.Policy, r.PolicyVer, r.Cell)
	var rows [][]string
	for _, x := range r.Reasons {
		rows = append(rows, []string{x.Code, x.Field, x.Stage, x.Subject, x.Action})
	}
	table(os.Stdout, []string{"reason", "field", "stage", "subject", "action"}, rows)
	rows = nil
	for _, f := range r.Findings {
		for _, m := range f.Measures {
			if m.Threshold == nil || m.Value == nil {
				continue
			}
			rows = append(rows, []string{m.Name, f.Subject, fmt.Sprintf("%.4g %s", *m.Value, m.Unit), fmt.Sprintf("%s %.4g", m.Bound, *m.Threshold), m.Verdict})
		}
	}
	if len(rows) > 0 {
		fmt.Println()
		table(os.Stdout, []string{"measure", "subject", "value", "threshold", "verdict"}, rows)
	}
	fmt.Fprintln(os.Stderr, "\npictures and fields: on the page /console/reviews/"+r.Session)
	return nil
}

// readNote reads the file of a note; no file is no note.
func readNote(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read note: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

type reviewDecideCmd struct {
	Case     string   `arg:"" help:"Session id."`
	Outcome  string   `arg:"" help:"approve, reject or photos." enum:"approve,reject,photos"`
	Code     []string `help:"Reason code; needed to reject and to ask for photos." placeholder:"CODE"`
	Retake   []string `help:"Photo to take again: document_front, document_back, selfie." placeholder:"KIND"`
	Override bool     `help:"Approve although a check failed; needs a note."`
	NoteFile string   `help:"File with a note, kept encrypted. (A flag's text would be seen by everybody on the machine.)" type:"existingfile" placeholder:"FILE"`
	JSON     bool     `name:"json" help:"Write the outcome as JSON."`
	reviewServer
}

func (c *reviewDecideCmd) Run(ctx context.Context) error {
	note, err := readNote(c.NoteFile)
	if err != nil {
		return err
	}
	s, leave, err := c.staff(ctx)
	if err != nil {
		return err
	}
	defer leave()
	r, err := s.Review(ctx, c.Case)
	if err != nil {
		return err
	}
	if _, err := s.Claim(ctx, c.Case); err != nil {
		return err
	}
	outcome := map[string]string{"approve": "approved", "reject": "rejected", "photos": "needs_resubmission"}[c.Outcome]
	done, err := s.Decide(ctx, c.Case, r.Version, client.Verdict{Outcome: outcome, Codes: c.Code, Retake: c.Retake, Override: c.Override, Note: note})
	if err != nil {
		return errors.Join(err, s.Release(context.WithoutCancel(ctx), c.Case))
	}
	if c.JSON {
		return writeJSON(os.Stdout, done)
	}
	if !done.Settled {
		fmt.Println("recorded; another reviewer has to agree")
		return nil
	}
	fmt.Println(done.State)
	return nil
}
