package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/storage"
)

type storageRestoreCmd struct {
	Log  string `help:"Audit log exported after the backup was made (proofline audit export): its erasures are carried out again." type:"existingfile" placeholder:"FILE"`
	Key  string `help:"Public key of that log: a file or the key itself. Default: audit.key.pub beside the keyring." placeholder:"KEY"`
	JSON bool   `name:"json" help:"Write the result as JSON."`
	settings
}

func (storageRestoreCmd) Help() string {
	return "Run it after a restore, before anything is served. Opening the databases settles what they know of each other: a session store that is older than the key store, or the other way round. Only if both are older than an erasure is --log needed. Exit status 3: the published checkpoints show that this database is an older copy, and no log was given, or an older one, to learn the erasures from that it lacks."
}

// restored is what restore-check found.
type restored struct {
	Entries   int64 `json:"entries"`          // of this store's log
	Published int64 `json:"published"`        // of the newest published checkpoint; 0: none has more
	OldCopy   bool  `json:"old_copy"`         // there were more entries once
	Read      int   `json:"erasures_in_log"`  // of the given log, by class
	Again     int   `json:"erased_again"`     // those whose data key had come back
	LogSize   int64 `json:"log_entries"`      // of the given log
	LogSigned int64 `json:"log_signed"`       // of these, under a checkpoint
	Destroyed int64 `json:"keys_destroyed"`   // in the key store, ever
	KeysApart bool  `json:"keys_store_apart"` // whether the key store is a database of its own
}

func (c *storageRestoreCmd) Run(ctx context.Context) error {
	n, err := c.openExisting(ctx) // settles
	if err != nil {
		return err
	}
	defer n.Close()
	r := restored{KeysApart: n.keyDB != nil}
	if c.Log != "" {
		if err := c.replay(ctx, n, &r); err != nil {
			return err
		}
	}
	copies, err := c.openPublisher(ctx, n)
	if err != nil {
		return err
	}
	if r.Entries, r.Published, err = copies.behind(ctx, n.store); err != nil {
		return err
	}
	r.OldCopy = r.Published > r.Entries
	if r.Destroyed, err = n.vault.KeyIndex().LastDestroyed(ctx); err != nil {
		return err
	}
	if c.JSON {
		err = writeJSON(os.Stdout, r)
	} else {
		if r.OldCopy {
			fmt.Printf("audit log: %d entries here, and %d under the newest published checkpoint: an older copy\n", r.Entries, r.Published)
		} else {
			fmt.Printf("audit log: %d entries; no published checkpoint has more\n", r.Entries)
		}
		fmt.Printf("data keys destroyed so far: %d; key store apart: %v\n", r.Destroyed, r.KeysApart)
		if c.Log != "" {
			fmt.Printf("given log: %d entries (%d signed), %d erasures of a class, %d carried out again\n", r.LogSize, r.LogSigned, r.Read, r.Again)
		}
	}
	if err == nil && r.OldCopy && c.Log == "" {
		return exitError{code: 3, msg: fmt.Sprintf("this database is an older copy: %d audit entries are missing. Erasures among them hold as long as the key store is the current one. If that was restored as well, get the newest exported log and run this again with --log", r.Published-r.Entries)}
	}
	if err == nil && r.OldCopy && r.LogSigned < r.Published {
		return exitError{code: 3, msg: fmt.Sprintf("the given log is too old: %d of its entries are signed, and the newest published checkpoint has %d. An erasure among the others would be undone; get a newer export", r.LogSigned, r.Published)}
	}
	return err
}

// replay verifies an exported log and carries out every erasure that it knows
// of.
func (c *storageRestoreCmd) replay(ctx context.Context, n *node, r *restored) error {
	key, err := c.publicKey(c.Key)
	if err != nil {
		return err
	}
	f, err := os.Open(c.Log)
	if err != nil {
		return fmt.Errorf("open exported log: %w", err)
	}
	defer f.Close()
	checkpoints, entries, err := audit.ReadExport(f)
	if err != nil {
		return err
	}
	rep, err := audit.Verify(entries, key, nil, audit.Source{Name: "the export's own", Checkpoints: checkpoints})
	if err != nil {
		return fmt.Errorf("the given log is not to be trusted: %w", err)
	}
	r.LogSize, r.LogSigned = rep.Entries, rep.Signed
	if rep.Signed == 0 {
		return errors.New("the given log holds no signed checkpoint: it could be anybody's")
	}
	if _, err := f.Seek(0, 0); err != nil {
		return fmt.Errorf("read exported log again: %w", err)
	}
	if checkpoints, entries, err = audit.ReadExport(f); err != nil {
		return err
	}
	for _, err := range checkpoints {
		if err != nil {
			return err
		}
	}
	var seen int64
	for b, err := range entries {
		if err != nil {
			return err
		}
		if seen++; seen > rep.Signed {
			break // what no checkpoint covers destroys nothing
		}
		e, err := audit.ParseEntry(b)
		if err != nil {
			return err
		}
		if err := reerase(ctx, n, e, r); err != nil {
			return err
		}
	}
	return nil
}

// reerase carries out the erasure that an entry tells of, if it tells of one.
func reerase(ctx context.Context, n *node, e audit.Entry, r *restored) error {
	if e.Action != "evidence.erased" && e.Action != "evidence.expired" {
		return nil
	}
	for name := range e.Hashes {
		class, ok := strings.CutPrefix(name, "certificate_")
		if !ok || !storage.Class(class).Valid() {
			continue
		}
		r.Read++
		lived, err := n.vault.Reerase(ctx, e.Session, storage.Class(class), e.Time)
		if err != nil {
			return err
		}
		if !lived {
			continue
		}
		r.Again++
		if storage.Class(class) == storage.CaptureImage {
			if err := n.store.ForgetEvidence(ctx, e.Session); err != nil {
				return err
			}
		}
		if err := n.store.Audit(ctx, audit.Entry{Actor: operator.String(), Action: "evidence.erased_again", Session: e.Session, Tenant: e.Tenant,
			Refs: map[string]string{"class": class, "because": "restored_backup"}}); err != nil {
			return err
		}
	}
	return nil
}
