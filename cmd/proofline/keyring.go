package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/storage/kms"
)

// keyring is a storage.Keyring that can list its keys: one in a file, or one from
// the environment.
type keyring interface {
	storage.Keyring
	IDs() []string
}

// openKeyStore opens the database of the data keys and moves there what the
// session store holds from before it had one.
func (s settings) openKeyStore(ctx context.Context, n *node) (storage.KeyIndex, error) {
	dsn := s.keyStoreDSN()
	if dsn == "" {
		return n.store, nil
	}
	if path, ok := strings.CutPrefix(dsn, "sqlite:"); ok {
		if err := n.mayMakeKeyStore(ctx, path); err != nil {
			return nil, fmt.Errorf("open key store %s: %w", path, err)
		}
	}
	k, err := session.OpenKeyStore(ctx, dsn)
	if err != nil {
		return nil, err
	}
	n.keyDB = k
	n.close = append(n.close, k.Close)
	moved, err := session.MoveDataKeys(ctx, n.store, k)
	if err != nil {
		return nil, fmt.Errorf("move data keys to the key store: %w", err)
	}
	if moved > 0 {
		n.log.Info("data keys moved from the session store to the key store", "keys", moved)
	}
	return k, nil
}

// mayMakeKeyStore refuses to make an empty key store where evidence is stored
// whose data keys have to be somewhere.
func (n *node) mayMakeKeyStore(ctx context.Context, path string) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	stored, err := n.store.LiveObjects(ctx, "", 1)
	if err != nil || len(stored) == 0 {
		return err
	}
	keys, err := n.store.KeysInUse(ctx) // from before there was a key store
	if err == nil && len(keys) == 0 {
		err = storage.ErrNoDataKeys
	}
	return err
}

// openSealer connects to the external key service, where one is configured.
func (s settings) openSealer(ctx context.Context) (storage.Sealer, error) {
	if s.Keys.KMSKey == "" {
		return nil, nil
	}
	k, err := kms.Open(ctx, kms.Config{Key: s.Keys.KMSKey, Region: s.Keys.KMSRegion, Endpoint: s.Keys.KMSEndpoint})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// openKeyring loads the keyring and makes one at the very first start. Where
// evidence is stored already a new key could read none of it, and would only
// hide that the old one is missing.
func (s settings) openKeyring(ctx context.Context, index storage.KeyIndex) (keyring, error) {
	sealer, err := s.openSealer(ctx)
	if err != nil {
		return nil, err
	}
	if s.Keys.Secret != "" {
		k, err := storage.ParseSealedKeys(ctx, s.Keys.Secret, sealer)
		if err != nil {
			return nil, fmt.Errorf("keys.secret: %w", err)
		}
		return k, nil
	}
	path := s.keyringFile()
	keys, err := storage.OpenKeyFile(ctx, path, sealer, false)
	if errors.Is(err, storage.ErrSealed) {
		return nil, fmt.Errorf("%w: set keys.kms-key", err)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return keys, err
	}
	uses, err := index.KeysInUse(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for stored evidence: %w", err)
	}
	if len(uses) > 0 {
		ids := make([]string, len(uses))
		for i, u := range uses {
			ids[i] = u.KeyID
		}
		return nil, fmt.Errorf("%s is missing, and this store was made with it (it holds %s): restore it from its backup, or copy it from the first machine", path, strings.Join(ids, ", "))
	}
	return storage.OpenKeyFile(ctx, path, sealer, true)
}

// checkKeyring reads the keyring as a start does, and makes none: one that is not
// there yet is made at the first start.
func (s settings) checkKeyring(ctx context.Context) error {
	sealer, err := s.openSealer(ctx)
	if err != nil {
		return err
	}
	if s.Keys.Secret != "" {
		if _, err := storage.ParseSealedKeys(ctx, s.Keys.Secret, sealer); err != nil {
			return fmt.Errorf("keys.secret: %w", err)
		}
		return nil
	}
	_, err = storage.OpenKeyFile(ctx, s.keyringFile(), sealer, false)
	switch {
	case errors.Is(err, storage.ErrSealed):
		return fmt.Errorf("%w: set keys.kms-key", err)
	case errors.Is(err, os.ErrNotExist):
		return nil
	}
	return err
}

func (s settings) openRegions(ctx context.Context, n *node) error {
	regions, err := s.regions()
	if err != nil {
		return err
	}
	for name, r := range regions {
		var b storage.Blobs
		if r.dir != "" {
			f, ferr := storage.OpenFS(r.dir)
			if err = ferr; err == nil {
				n.close = append(n.close, f.Close)
				b = f
			}
		} else {
			b, err = storage.OpenS3(ctx, r.s3)
		}
		if err != nil {
			return fmt.Errorf("open evidence storage of region %s: %w", name, err)
		}
		n.vault = n.vault.WithRegion(name, b)
	}
	return nil
}

// holderInterval is how often a running process reads a changed keyring again
// and says which keys it holds: a rotation waits for that.
const holderInterval = 15 * time.Second

// announceKeys keeps the keyring fresh and the others told, until stopped.
func (n *node) announceKeys(every time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	name := fmt.Sprintf("%s:%d", host, os.Getpid())
	tell := func() {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if f, ok := n.keys.(*storage.KeyFile); ok {
			if _, err := f.Refresh(ctx); err != nil {
				n.log.Error("the keyring can not be read any more; the keys read before stay in use", "error", err)
			}
		}
		if err := n.store.HoldsKeys(ctx, name, n.keys.Primary(), n.keys.IDs()); err != nil && ctx.Err() == nil {
			n.log.Warn("could not say which keys this process holds", "error", err)
		}
	}
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			tell()
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		cancel()
		<-done
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := n.store.HoldsNoKeys(ctx, name); err != nil {
			n.log.Warn("could not say that this process ends", "error", err)
		}
	}
}
