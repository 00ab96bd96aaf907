package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/proofline/proofline/casefile"
	"github.com/proofline/proofline/receipt"
	"github.com/proofline/proofline/session"
)

type receiptCmd struct {
	Issue  receiptIssueCmd  `cmd:"" default:"withargs" help:"Write the signed receipt of a session's decision."`
	Verify receiptVerifyCmd `cmd:"" help:"Check a receipt; needs nothing but the file and the log's public key."`
}

type receiptIssueCmd struct {
	Session    string `arg:"" help:"Session id."`
	Attempt    int    `help:"Attempt; the last one that was decided when 0." default:"0"`
	WithPolicy bool   `help:"Put the policy and the catalogue of reason codes in, so that the decision can be computed again from the file alone. They tell every threshold."`
	Out        string `help:"File to write; standard output when it is -." default:"-" placeholder:"FILE"`
	settings
}

func (receiptIssueCmd) Help() string {
	return "The receipt holds hashes of the inputs, digests of the models, the policy's hash, findings, reason codes, the decision, and the proof that it is in the signed log. No personal data. Needs the data directory with the log's key; docs/receipts.md describes the file."
}

func (c *receiptIssueCmd) Run(ctx context.Context) error {
	if _, err := session.ParseID(session.SessionPrefix, c.Session); err != nil {
		return exitError{code: 2, msg: "not a session's id"}
	}
	n, err := c.openExisting(ctx)
	if err != nil {
		return err
	}
	defer n.Close()
	f, err := casefile.Load(ctx, n.store, newArchive(n.store, c.DataDir).findUnder, c.Session, time.Now())
	if errors.Is(err, session.ErrNotFound) {
		return exitError{code: 3, msg: "there is no such session"}
	}
	if err != nil {
		return err
	}
	var texts casefile.Texts
	if c.WithPolicy {
		texts = n.store.Rules
	}
	r, err := f.Receipt(ctx, c.Attempt, n.proveNow, texts, time.Now())
	if errors.Is(err, casefile.ErrUndecided) {
		return exitError{code: 3, msg: err.Error()}
	}
	if err != nil {
		return err
	}
	b, err := r.Sign(n.signer)
	if err != nil {
		return err
	}
	return writeFile(c.Out, func(w io.Writer) error { _, err := w.Write(b); return err })
}

// openInput opens a file, or standard input for -.
func openInput(file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	return os.Open(file)
}

type receiptVerifyCmd struct {
	File string `arg:"" help:"Receipt; standard input when it is -."`
	publicKeyFlag
	JSON bool   `name:"json" help:"Write what the receipt shows as JSON."`
	Dir  string `name:"data-dir" help:"Where audit.key.pub is looked for when --key is not given." default:"./proofline-data" placeholder:"DIR"`
}

func (receiptVerifyCmd) Help() string {
	return "Checks the signature, the proof that the decision and the evidence's commitments are in the signed log, and that every hash there is that of what the receipt holds; where the receipt holds the policy, the decision is computed again. Exit status: 3 when it does not hold."
}

func (c *receiptVerifyCmd) Run() error {
	key, err := settings{DataDir: c.Dir}.publicKey(c.Key)
	if err != nil {
		return err
	}
	in, err := openInput(c.File)
	if err != nil {
		return fmt.Errorf("open receipt: %w", err)
	}
	defer in.Close()
	b, err := receipt.Read(in)
	if err != nil {
		return err
	}
	r, shown, err := receipt.Open(b, key)
	if err != nil {
		return exitError{code: 3, msg: "the receipt does not hold: " + err.Error()}
	}
	if c.JSON {
		return writeJSON(os.Stdout, map[string]any{"holds": true, "session": r.Session, "attempt": r.Attempt, "issued_at": r.IssuedAt,
			"log": shown.Checkpoint.Origin, "size": shown.Checkpoint.Size, "decisions": shown.Decided, "findings": shown.Findings,
			"evidence": r.Evidence, "models": r.Models, "policy_sha256": r.Policy.SHA256, "replayed": shown.Replayed})
	}
	fmt.Printf("holds: session %s, attempt %d, issued %s\n", r.Session, r.Attempt, r.IssuedAt.Format(time.RFC3339))
	for _, d := range shown.Decided {
		fmt.Printf("  %s by %s on %s, which led to %s: entry %d of the signed log of %d entries\n", d.Outcome, d.By, d.At.Format(time.RFC3339), d.State, d.Entry, shown.Checkpoint.Size)
	}
	fmt.Printf("  computed from %d findings on %d photos by %d models, judged as of %s\n", shown.Findings, shown.Evidence, len(r.Models), r.AsOf.Format(time.DateOnly))
	fmt.Printf("  under policy %s version %s with the SHA-256 %s\n", r.Policy.Name, r.Policy.Version, r.Policy.SHA256)
	if shown.Replayed {
		fmt.Println("  computed again from the receipt alone: identical")
	} else {
		fmt.Println("  not checked: whether the findings lead to that decision; the receipt does not hold the policy (issue it with --with-policy)")
	}
	return nil
}
