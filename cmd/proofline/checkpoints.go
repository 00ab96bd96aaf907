package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// Checkpoints are signed every minute and published, less often, to the evidence
// store or a bucket of their own, under object lock where the server has it.
// Whoever cuts the log back, or writes another one, together with the
// checkpoints in the database can not do so with the published ones.

type auditSettings struct {
	Publish time.Duration `help:"How often a signed checkpoint of the audit log is published to the evidence storage; a last one follows at shutdown. What was logged since the last one could be cut off unnoticed by whoever can write to the database and holds no key." default:"10m"`
	Keep    time.Duration `help:"How long a published checkpoint is locked on a server with object lock; nobody can delete it before. It holds no personal data." default:"43800h"`
	Bucket  string        `help:"Bucket for published checkpoints, best one with object lock and of another owner; the evidence's own when empty." placeholder:"NAME"`
}

// signInterval is how often a checkpoint is signed.
const signInterval = time.Minute

// published is where copies of checkpoints of the key's log lie.
func published(keyHash uint32) string { return fmt.Sprintf("audit-log/%08x/", keyHash) }

// openCopies opens the store of published checkpoints.
func (s settings) openCopies(ctx context.Context) (storage.Blobs, error) {
	if s.Audit.Bucket != "" {
		s.Storage.S3.Bucket = s.Audit.Bucket
	}
	b, err := s.openBlobs(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the store of published checkpoints: %w", err)
	}
	return b, nil
}

// openPublisher makes the node publish its checkpoints.
func (s settings) openPublisher(ctx context.Context, n *node) (*publisher, error) {
	to := n.blobs
	if s.Audit.Bucket != "" {
		var err error
		if to, err = s.openCopies(ctx); err != nil {
			return nil, err
		}
	}
	return newPublisher(to, n.signer, s.Audit), nil
}

// publisher copies checkpoints to where the database's owner can not change
// them.
type publisher struct {
	to     storage.Blobs
	prefix string
	every  time.Duration
	keep   time.Duration

	size int64 // of the last one published, -1 before the first
	at   time.Time
}

func newPublisher(to storage.Blobs, signer note.Signer, s auditSettings) *publisher {
	return &publisher{to: to, prefix: published(signer.KeyHash()), every: s.Publish, keep: s.Keep, size: -1}
}

// publish copies a checkpoint unless it is out already or, but for the last,
// another was published a short time ago.
func (p *publisher) publish(ctx context.Context, c audit.Checkpoint, msg []byte, last bool) error {
	now := time.Now()
	if c.Size == p.size || !last && now.Sub(p.at) < p.every {
		return nil
	}
	key := p.prefix + c.Name()
	if _, err := p.to.Stat(ctx, key); err != nil {
		if !errors.Is(err, storage.ErrNotFound) {
			return fmt.Errorf("publish checkpoint of %d entries: %w", c.Size, err)
		}
		if _, err := storage.PutLocked(ctx, p.to, key, msg, now.Add(p.keep)); err != nil {
			return fmt.Errorf("publish checkpoint of %d entries: %w", c.Size, err)
		}
	}
	p.size, p.at = c.Size, now
	return nil
}

// behind looks for a published checkpoint of more entries than the log has. It
// is there after the database was restored from a backup, and after the log was
// cut back. Both are written to the log, which goes on as another branch.
func (p *publisher) behind(ctx context.Context, store *session.Store) (log, copies int64, err error) {
	head, err := store.AuditHead(ctx)
	if err != nil {
		return 0, 0, err
	}
	// Names sort by size; '.' sorts after the '-' that follows it.
	ahead, err := p.to.List(ctx, p.prefix, fmt.Sprintf("%s%020d.", p.prefix, head.Size()), 1000)
	if err != nil || len(ahead) == 0 {
		return head.Size(), 0, err
	}
	_, err = fmt.Sscanf(ahead[len(ahead)-1].Key[len(p.prefix):], "%020d-", &copies)
	return head.Size(), copies, err
}

// signEvery signs a checkpoint of the audit log on a schedule, and a last one
// when the returned function is called; all of them, or some, are published.
func (n *node) signEvery(d time.Duration, p *publisher) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	if log, copies, err := p.behind(ctx, n.store); err != nil {
		n.log.Error("compare the audit log with its published checkpoints", "error", err)
	} else if copies > 0 {
		n.log.Error("the audit log has fewer entries than were published: it was cut back, or the database comes from a backup; `proofline audit verify` will not call it intact", "entries", log, "published", copies)
		err := n.store.Audit(ctx, audit.Entry{Actor: string(session.System) + ":audit", Action: "audit.behind_published",
			Refs: map[string]string{"entries": fmt.Sprint(log), "published": fmt.Sprint(copies)}})
		if err != nil {
			n.log.Error("record that the audit log is behind its published checkpoints", "error", err)
		}
	}
	sign := func(ctx context.Context, last bool) {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		c, msg, err := n.store.Checkpoint(ctx, n.signer)
		if err == nil {
			err = p.publish(ctx, c, msg, last)
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			n.log.Error("sign and publish audit checkpoint", "error", err)
		}
	}
	go func() {
		defer close(done)
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				sign(context.WithoutCancel(ctx), true)
				return
			case <-tick.C:
				sign(ctx, false)
			}
		}
	}()
	return func() { cancel(); <-done }
}

const publishedCopies = "published copies"

// publishedSource reads all published checkpoints of a key's log, every kept
// version of them. They are read at once: later ones could be of more entries
// than the log had when it was looked at.
func publishedSource(ctx context.Context, from storage.Blobs, keyHash uint32) (audit.Source, error) {
	var notes [][]byte
	for msg, err := range storage.Versions(ctx, from, published(keyHash)) {
		if err != nil {
			return audit.Source{}, fmt.Errorf("read published checkpoints: %w", err)
		}
		notes = append(notes, msg)
	}
	return audit.Notes(publishedCopies, notes...), nil
}

// fileSource reads checkpoints from a file with one of them, or from all files
// below a directory.
func fileSource(path string) (audit.Source, error) {
	var notes [][]byte
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if i, err := d.Info(); err != nil || i.Size() > storage.MaxCopyBytes {
			return errors.Join(err, fmt.Errorf("%s is no checkpoint", p))
		}
		b, err := os.ReadFile(p)
		notes = append(notes, b)
		return err
	})
	if err != nil {
		return audit.Source{}, fmt.Errorf("read checkpoints: %w", err)
	}
	return audit.Notes(path, notes...), nil
}
