package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

type keysCmd struct {
	List   keysListCmd   `cmd:"" help:"List the keys of the keyring, what each wraps, and which running processes hold them."`
	Add    keysAddCmd    `cmd:"" help:"Add a key that wraps nothing yet, to be copied to all machines before it is used."`
	Rotate keysRotateCmd `cmd:"" help:"Make a new key the primary one and re-wrap every data key under it. Objects are not touched."`
	Retire keysRetireCmd `cmd:"" help:"Remove an old key that wraps nothing any more. Backups that only it can read are closed for good."`
}

// keyHouse is what the commands about keys work on: no evidence storage.
type keyHouse struct {
	store *session.Store
	index storage.KeyIndex
	ring  keyring
	vault *storage.Vault
	close []func() error
}

func (s settings) openKeyHouse(ctx context.Context) (_ *keyHouse, err error) {
	store, err := s.existingStore(ctx)
	if err != nil {
		return nil, err
	}
	n := &node{store: store, log: s.logger(), close: []func() error{store.Close}}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	index, err := s.openKeyStore(ctx, n)
	if err != nil {
		return nil, err
	}
	ring, err := s.openKeyring(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("open keyring: %w", err)
	}
	v := storage.NewVault(nil, ring, store, time.Now).WithKeyIndex(index)
	if err := v.CheckKeys(ctx); err != nil {
		return nil, err
	}
	return &keyHouse{store, index, ring, v, n.close}, nil
}

func (h *keyHouse) Close() error {
	var errs []error
	for i := len(h.close) - 1; i >= 0; i-- {
		errs = append(errs, h.close[i]())
	}
	return errors.Join(errs...)
}

// file is the keyring's file, for what changes it.
func (h *keyHouse) file() (*storage.KeyFile, error) {
	f, ok := h.ring.(*storage.KeyFile)
	if !ok {
		return nil, exitError{code: 2, msg: "the keyring comes from keys.secret: put the new key (ID and 32 bytes in base64) at its end, restart all processes, then run `proofline keys rotate`"}
	}
	return f, nil
}

// secretsUnder counts the sealed secrets by key.
func (h *keyHouse) secretsUnder(ctx context.Context) (map[string]int64, error) {
	all, err := h.store.Secrets(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]int64{}
	for _, s := range all {
		id, _, _ := bytes.Cut(s.Sealed, []byte{0})
		out[string(id)]++
	}
	return out, nil
}

// silence is how long a process may be silent before it counts as gone.
const silence = 4 * holderInterval

// keyRow is one key as it is shown.
type keyRow struct {
	ID       string `json:"id"`
	Primary  bool   `json:"primary"`
	InRing   bool   `json:"in_keyring"`
	DataKeys int64  `json:"data_keys"`
	Secrets  int64  `json:"secrets"`
	Holders  int    `json:"held_by"` // running processes
}

func (h *keyHouse) rows(ctx context.Context) ([]keyRow, []session.KeyHolder, error) {
	uses, err := h.index.KeysInUse(ctx)
	if err != nil {
		return nil, nil, err
	}
	secrets, err := h.secretsUnder(ctx)
	if err != nil {
		return nil, nil, err
	}
	holders, err := h.store.KeyHolders(ctx, silence)
	if err != nil {
		return nil, nil, err
	}
	var rows []keyRow
	at := map[string]int{}
	row := func(id string) *keyRow {
		if _, ok := at[id]; !ok {
			at[id] = len(rows)
			rows = append(rows, keyRow{ID: id})
		}
		return &rows[at[id]]
	}
	for _, id := range h.ring.IDs() {
		r := row(id)
		r.InRing, r.Primary = true, id == h.ring.Primary()
	}
	for _, u := range uses {
		row(u.KeyID).DataKeys = u.Live
	}
	for id, n := range secrets {
		row(id).Secrets = n
	}
	for i := range rows {
		for _, p := range holders {
			if p.Holds(rows[i].ID) {
				rows[i].Holders++
			}
		}
	}
	return rows, holders, nil
}

type keysListCmd struct {
	JSON bool `name:"json" help:"Write the result as JSON."`
	settings
}

func (c *keysListCmd) Run(ctx context.Context) error {
	h, err := c.openKeyHouse(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	rows, holders, err := h.rows(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(os.Stdout, map[string]any{"keys": rows, "processes": holders})
	}
	var cells [][]string
	for _, r := range rows {
		kind := ""
		if r.Primary {
			kind = "primary"
		}
		cells = append(cells, []string{r.ID, kind, strconv.FormatInt(r.DataKeys, 10), strconv.FormatInt(r.Secrets, 10), fmt.Sprintf("%d of %d processes", r.Holders, len(holders))})
	}
	table(os.Stdout, []string{"key", "", "data keys", "secrets", "held by"}, cells)
	return nil
}

type keysAddCmd struct {
	JSON bool `name:"json" help:"Write the result as JSON."`
	settings
}

func (c *keysAddCmd) Run(ctx context.Context) error {
	h, err := c.openKeyHouse(ctx)
	if err != nil {
		return err
	}
	defer h.Close()
	f, err := h.file()
	if err != nil {
		return err
	}
	id, err := f.Add(ctx)
	if err != nil {
		return err
	}
	if err := h.store.AuditKeys(ctx, operator, "keys.added", map[string]string{"key": id}); err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(os.Stdout, map[string]any{"id": id})
	}
	fmt.Printf("%s was added to %s. Copy the file to every machine, make a backup of it, then: proofline keys rotate --to %s\n", id, c.keyringFile(), id)
	return nil
}
