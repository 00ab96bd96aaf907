package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/session"
)

type auditCmd struct {
	Verify auditVerifyCmd `cmd:"" help:"Detect any changed, missing or reordered entry of the log."`
	Export auditExportCmd `cmd:"" help:"Write the log with its signed checkpoints as JSON lines, for an auditor."`
	Prove  auditProveCmd  `cmd:"" help:"Show that entries are in the signed log, or that it extends an earlier state of itself; check such a proof."`
}

// publicKeyFlag is the log's public key, as offline commands take it.
type publicKeyFlag struct {
	Key string `help:"The log's public key: a file or the key itself. Default: audit.key.pub beside the keyring." placeholder:"KEY"`
}

type auditVerifyCmd struct {
	publicKeyFlag
	Checkpoints string `help:"Further checkpoints to hold the log against: published (the copies in the evidence storage; the default for the running system's own log), none, or a file or directory of signed checkpoints." placeholder:"WHERE"`
	Export      string `arg:"" optional:"" help:"An exported log; the running system's own store when absent." type:"existingfile"`
	JSON        bool   `name:"json" help:"Write the result as JSON."`
	settings
}

func (auditVerifyCmd) Help() string {
	return "Needs nothing but the log and the public key. Only checkpoints kept elsewhere show a log that was cut back, or written anew, together with its own checkpoints. Exit status: 0 when the log is intact, 3 when it was changed."
}

func (c *auditVerifyCmd) Run(ctx context.Context) error {
	key, err := c.publicKey(c.Key)
	if err != nil {
		return err
	}
	r, err := c.verify(ctx, key)
	var tampered *audit.TamperError
	if errors.As(err, &tampered) {
		if c.JSON {
			_ = writeJSON(os.Stdout, map[string]any{"intact": false, "kind": tampered.Kind, "from": tampered.From, "to": tampered.To, "source": tampered.Source, "report": r})
		} else {
			fmt.Printf("CHANGED: %s\n", explainTampering(tampered))
		}
		return exitError{code: 3, msg: "the log was changed: " + err.Error()}
	}
	if err != nil {
		return err
	}
	unchecked := c.unchecked(r)
	if c.JSON {
		return writeJSON(os.Stdout, map[string]any{"intact": true, "report": r, "not_checked": unchecked})
	}
	printAuditReport(os.Stdout, r, unchecked)
	return nil
}

// explainTampering says what a kind of tampering means.
func explainTampering(e *audit.TamperError) string {
	where := fmt.Sprintf("entries %d to %d", e.From, e.To-1)
	if e.To == e.From+1 {
		where = fmt.Sprintf("entry %d", e.From)
	}
	held := ""
	if e.Source != "" {
		held = " (checkpoint of: " + e.Source + ")"
	}
	switch e.Kind {
	case audit.BadEntry:
		return where + " has bytes that no entry has"
	case audit.BadOrder:
		return where + " stands in another's place: entries were removed, added or swapped"
	case audit.BadRoot:
		return "among " + where + " at least one was altered, added or removed after it was signed" + held
	case audit.Truncated:
		return where + " were there once and are gone" + held
	case audit.Fork:
		return "two different histories were signed with this key" + held
	case audit.BadSignature:
		return "a checkpoint was not signed with this key, or was altered" + held
	case audit.BadHead:
		return where + ", which no checkpoint covers, are not those that the store recorded"
	}
	return where
}

func printAuditReport(w io.Writer, r audit.Report, unchecked []string) {
	fmt.Fprintf(w, "intact: %d entries", r.Entries)
	if r.Entries > 0 {
		fmt.Fprintf(w, ", %s to %s", r.First.Format(time.RFC3339), r.Last.Format(time.RFC3339))
	}
	fmt.Fprintf(w, "\n  every entry is in its one valid form, in its place, and part of the tree with the root %s\n", r.Root)
	for _, s := range r.Sources {
		if s.Checkpoints == 0 {
			fmt.Fprintf(w, "  %s: no checkpoint\n", s.Name)
			continue
		}
		fmt.Fprintf(w, "  %s: %d signed checkpoints agree, the newest of %d entries\n", s.Name, s.Checkpoints, s.Newest)
	}
	if open := r.Entries - r.Signed; open > 0 && r.Head {
		fmt.Fprintf(w, "  the last %d entries are not signed yet; they agree with the store's own record\n", open)
	}
	for _, u := range unchecked {
		fmt.Fprintf(w, "  not checked: %s\n", u)
	}
}

// unchecked says what a result of "intact" does not mean.
func (c *auditVerifyCmd) unchecked(r audit.Report) []string {
	out := []string{}
	if open := r.Entries - r.Signed; open > 0 && !r.Head {
		out = append(out, fmt.Sprintf("the last %d entries, which no checkpoint covers", open))
	}
	apart := 0
	for _, s := range r.Sources[1:] {
		apart += s.Checkpoints
	}
	if apart == 0 {
		out = append(out, "whether the log was cut back, or written anew by a holder of the key, together with its own checkpoints: there was no copy kept elsewhere to compare with")
	}
	return append(out, "whether what an entry says is true; only that nobody changed it since")
}

func (c *auditVerifyCmd) verify(ctx context.Context, key string) (audit.Report, error) {
	v, err := note.NewVerifier(key)
	if err != nil {
		return audit.Report{}, fmt.Errorf("audit public key: %w", err)
	}
	more, err := c.sources(ctx, v.KeyHash())
	if err != nil {
		return audit.Report{}, err
	}
	if c.Export != "" {
		f, err := os.Open(c.Export)
		if err != nil {
			return audit.Report{}, fmt.Errorf("open exported log: %w", err)
		}
		defer f.Close()
		checkpoints, entries, err := audit.ReadExport(f)
		if err != nil {
			return audit.Report{}, err
		}
		return audit.Verify(entries, key, nil, append([]audit.Source{{Name: "the export", Checkpoints: checkpoints}}, more...)...)
	}
	store, err := c.existingStore(ctx)
	if err != nil {
		return audit.Report{}, err
	}
	defer store.Close()
	return store.VerifyAuditWith(ctx, key, showEntries("verify"), more...)
}

// sources are the checkpoints from elsewhere.
func (c *auditVerifyCmd) sources(ctx context.Context, keyHash uint32) ([]audit.Source, error) {
	where := c.Checkpoints
	if where == "" && c.Export == "" {
		where = "published"
	}
	switch where {
	case "", "none":
		return nil, nil
	case "published":
		if err := c.storeExists(); err != nil && c.Export == "" {
			return nil, err // before a directory is made for copies
		}
		copies, err := c.openCopies(ctx)
		if err != nil {
			return nil, fmt.Errorf("%w (leave them out with --checkpoints none)", err)
		}
		s, err := publishedSource(ctx, copies, keyHash)
		if closer, ok := copies.(io.Closer); ok {
			err = errors.Join(err, closer.Close())
		}
		return []audit.Source{s}, err
	default:
		s, err := fileSource(where)
		return []audit.Source{s}, err
	}
}

// showEntries shows progress over a long log.
func showEntries(name string) func(done, total int64) {
	const step = 1000
	var p *progress
	return func(done, total int64) {
		if total < 100*step || done%step != 0 {
			return
		}
		if p == nil {
			p = newProgress(name+", thousands of entries", int(total/step))
		}
		p.add()
	}
}

// existingStore opens the store that is configured, and makes none: an empty log
// would be intact.
func (s settings) existingStore(ctx context.Context) (*session.Store, error) {
	if err := s.storeExists(); err != nil {
		return nil, err
	}
	store, err := session.Open(ctx, s.storeDSN())
	if err != nil {
		return nil, fmt.Errorf("open session store: %w", err)
	}
	return store, nil
}

// openExisting opens a system that is there. A command that looks at one, or
// tidies it up, must not make one where --data-dir was mistyped, nor a keyring
// that its evidence was not encrypted with.
func (s settings) openExisting(ctx context.Context) (*node, error) {
	if err := s.storeExists(); err != nil {
		return nil, err
	}
	need := []string{s.DataDir}
	if s.Keys.Secret == "" {
		need = append(need, s.keyringFile())
	}
	for _, path := range need {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("no Proofline system is there: %w; --data-dir and --keys-file name another place, proofline up makes one", err)
		}
	}
	return s.open(ctx)
}

func (s settings) storeExists() error {
	path, ok := strings.CutPrefix(s.storeDSN(), "sqlite:")
	if !ok {
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("no Proofline system is there: %w; --data-dir names another place, proofline up makes one", err)
	}
	return nil
}

// publicKey reads the log's public key: from a file, or given as it is.
func (s settings) publicKey(given string) (string, error) {
	path := given
	if path == "" {
		path = filepath.Join(filepath.Dir(s.keyringFile()), auditKeyName+".pub")
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) && given != "" {
		return given, nil // the key itself
	}
	if err != nil {
		return "", fmt.Errorf("read the log's public key: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return "", fmt.Errorf("read the log's public key: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
