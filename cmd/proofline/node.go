package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/pipeline"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// node is what every running process opens first: the store, the vault and the
// key that signs the audit log.
type node struct {
	store  *session.Store
	keyDB  *session.KeyStore // nil where the session store keeps the data keys
	vault  *storage.Vault
	blobs  storage.Blobs
	keys   keyring
	signer note.Signer
	log    *slog.Logger
	disk   func(context.Context) error // nil where nothing lies in the data directory
	close  []func() error
}

func (s settings) logger() *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(s.Log.Level)) // the flag's enum admits only known levels
	o := &slog.HandlerOptions{Level: level}
	if s.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}

// open opens the node. Everything that could be wrong with keys, database or
// evidence storage is an error here and not at first use.
func (s settings) open(ctx context.Context, o ...session.Option) (_ *node, err error) {
	n := &node{log: s.logger()}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if err := s.makeDataDir(); err != nil {
		return nil, err
	}
	n.store, err = session.Open(ctx, s.storeDSN(), o...)
	if err != nil {
		return nil, fmt.Errorf("open session store: %w", err)
	}
	n.close = append(n.close, n.store.Close)
	n.blobs, err = s.openBlobs(ctx)
	if err != nil {
		return nil, err
	}
	if c, ok := n.blobs.(interface{ Close() error }); ok {
		n.close = append(n.close, c.Close)
	}
	keyIndex, err := s.openKeyStore(ctx, n)
	if err != nil {
		return nil, err
	}
	n.keys, err = s.openKeyring(ctx, keyIndex)
	if err != nil {
		return nil, fmt.Errorf("open keyring: %w", err)
	}
	n.signer, err = openAuditKey(filepath.Join(filepath.Dir(s.keyringFile()), auditKeyName))
	if err != nil {
		return nil, err
	}
	if err := sameSigner(ctx, n.store, n.signer); err != nil {
		return nil, err
	}
	n.vault = storage.NewVault(n.blobs, n.keys, n.store, time.Now).WithKeyIndex(keyIndex).WithSigner(n.signer)
	if err := s.openRegions(ctx, n); err != nil {
		return nil, err
	}
	// A keyring that can not open the stored evidence must not come to light
	// in the middle of a case.
	if err := n.vault.CheckKeys(ctx); err != nil {
		return nil, fmt.Errorf("check keyring %s against the stored evidence: %w", s.keyringFile(), err)
	}
	// Before anything is served: a restored database brings nobody back.
	if err := pipeline.SettleErasures(ctx, n.store, n.vault, n.log); err != nil {
		return nil, err
	}
	return n, nil
}

func (s settings) openBlobs(ctx context.Context) (storage.Blobs, error) {
	if s.Storage.Driver == "fs" {
		b, err := storage.OpenFS(filepath.Join(s.DataDir, "blobs"))
		if err != nil {
			return nil, fmt.Errorf("open evidence directory: %w", err)
		}
		return b, nil
	}
	b, err := storage.OpenS3(ctx, s.s3Config())
	if err != nil {
		return nil, fmt.Errorf("open evidence storage: %w", err)
	}
	return b, nil
}

// Close frees everything in the reverse order of opening.
func (n *node) Close() error {
	var errs []error
	for i := len(n.close) - 1; i >= 0; i-- {
		errs = append(errs, n.close[i]())
	}
	n.close = nil
	return errors.Join(errs...)
}

// sameSigner refuses a key that did not sign the log so far: with two keys in
// turn the log could not be verified with either.
func sameSigner(ctx context.Context, store *session.Store, signer note.Signer) error {
	msg, err := store.LastCheckpoint(ctx)
	if errors.Is(err, session.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var unverified *note.UnverifiedNoteError
	if _, err := note.Open(msg, note.VerifierList()); !errors.As(err, &unverified) {
		return fmt.Errorf("read the audit log's last checkpoint: %w", err)
	}
	for _, sig := range unverified.Note.UnverifiedSigs {
		if sig.Name == signer.Name() && sig.Hash == signer.KeyHash() {
			return nil
		}
	}
	return errors.New("the audit log was signed with another audit.key: copy audit.key and audit.key.pub from the machine that made them")
}

const auditKeyName = "audit.key"

// auditLogName is the name that checkpoints are signed under.
const auditLogName = "proofline-audit"

// openAuditKey reads the signing key of the audit log and makes it on first
// start. The public half is beside it; it is made from the key, so that it is
// the key's own also when two processes start for the first time at once.
func openAuditKey(path string) (note.Signer, error) {
	text, err := storage.ReadSecretFile(path)
	if errors.Is(err, os.ErrNotExist) {
		var made string
		if made, _, err = audit.GenerateKey(auditLogName); err != nil {
			return nil, fmt.Errorf("make audit key: %w", err)
		}
		if err := storage.CreateSecretFile(path, made+"\n"); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, fmt.Errorf("make audit key: %w", err)
		}
		text, err = storage.ReadSecretFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("audit key: %w", err)
	}
	text = strings.TrimSpace(text)
	s, err := note.NewSigner(text)
	if err != nil {
		return nil, fmt.Errorf("audit key %s: %w", path, err)
	}
	public, err := audit.PublicKey(text)
	if err != nil {
		return nil, fmt.Errorf("audit key %s: %w", path, err)
	}
	if b, err := os.ReadFile(path + ".pub"); err == nil && strings.TrimSpace(string(b)) == public {
		return s, nil
	}
	if err := os.WriteFile(path+".pub", []byte(public+"\n"), 0o644); err != nil {
		return nil, fmt.Errorf("write audit public key: %w", err)
	}
	return s, nil
}
