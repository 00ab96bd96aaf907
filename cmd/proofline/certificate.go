package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/casefile"
	"github.com/proofline/proofline/session"
)

type deletedCmd struct {
	Issue  certificateIssueCmd  `cmd:"" default:"withargs" help:"Write a session's deletion certificates with the proof that the log commits to them."`
	Verify certificateVerifyCmd `cmd:"" help:"Check such a file; needs nothing but it and the log's public key."`
}

type certificateIssueCmd struct {
	Session string `arg:"" help:"Session id."`
	Out     string `help:"File to write; standard output when it is -." default:"-" placeholder:"FILE"`
	settings
}

func (certificateIssueCmd) Help() string {
	return "For a person or an authority who asks whether it is really deleted: when the data key of each class was destroyed and which objects went, signed. Holds ids and digests of encrypted bytes, no personal data. Exit status: 3 when nothing was erased."
}

// maxCertificate bounds one certificate; it lists a session's objects.
const maxCertificate = 1 << 20

func (c *certificateIssueCmd) Run(ctx context.Context) error {
	if _, err := session.ParseID(session.SessionPrefix, c.Session); err != nil {
		return exitError{code: 2, msg: "not a session's id"}
	}
	if err := c.storeExists(); err != nil {
		return err
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
	d, err := f.Deletion(ctx, n.readObject, n.proveNow)
	if errors.Is(err, casefile.ErrNotErased) {
		return exitError{code: 3, msg: err.Error()}
	}
	if err != nil {
		return err
	}
	return writeFile(c.Out, func(w io.Writer) error { return writeJSON(w, d) })
}

func (n *node) readObject(ctx context.Context, id string) ([]byte, error) {
	o, err := n.vault.Index().GetObject(ctx, id)
	if err != nil {
		return nil, err
	}
	return n.vault.Read(ctx, o, maxCertificate)
}

// proveNow shows entries of the log, under a checkpoint signed for it where they
// are younger than the last one.
func (n *node) proveNow(ctx context.Context, entries []audit.Entry, earlier ...int64) (audit.Proof, error) {
	p, err := n.store.ProveAudit(ctx, entries, earlier...)
	if !errors.Is(err, session.ErrNotFound) {
		return p, err
	}
	if _, _, err := n.store.Checkpoint(ctx, n.signer); err != nil {
		return audit.Proof{}, err
	}
	return n.store.ProveAudit(ctx, entries, earlier...)
}

type certificateVerifyCmd struct {
	File string `arg:"" help:"File of certificates; standard input when it is -."`
	publicKeyFlag
	JSON bool   `name:"json" help:"Write what it shows as JSON."`
	Dir  string `name:"data-dir" help:"Where audit.key.pub is looked for when --key is not given." default:"./proofline-data" placeholder:"DIR"`
}

func (c *certificateVerifyCmd) Run() error {
	key, err := settings{DataDir: c.Dir}.publicKey(c.Key)
	if err != nil {
		return err
	}
	in, err := openInput(c.File)
	if err != nil {
		return fmt.Errorf("open certificates: %w", err)
	}
	defer in.Close()
	d, err := casefile.ReadDeletion(in)
	if err != nil {
		return exitError{code: 3, msg: err.Error()}
	}
	shown, err := d.Check(key)
	if err != nil {
		return exitError{code: 3, msg: "the certificates do not hold: " + err.Error()}
	}
	if c.JSON {
		return writeJSON(os.Stdout, map[string]any{"holds": true, "session": d.Session, "deleted": shown})
	}
	fmt.Printf("holds: session %s\n", d.Session)
	for _, s := range shown {
		fmt.Printf("  %s: key destroyed %s, %d objects deleted", s.Class, s.KeyDestroyedAt.Format(time.RFC3339), s.Objects)
		if s.Pending > 0 {
			fmt.Printf(", %d unreadable whose bytes are still to be deleted", s.Pending)
		}
		fmt.Printf(" (entry %d of the signed log)\n", s.Entry)
	}
	return nil
}
