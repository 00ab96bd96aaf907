package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"
)

// writeDeadline is how long an uncommitted object counts as being written.
const writeDeadline = time.Hour

// Ref says what an object is before it is stored.
type Ref struct {
	Session string
	Class   Class
	Kind    string
}

// Vault stores evidence encrypted. It is safe for concurrent use, also by
// several processes over one index and one blob store.
type Vault struct {
	blobs  Blobs
	keys   Keyring
	index  Index
	now    func() time.Time
	signer Signer
}

// NewVault joins a blob store, a keyring and an index. now is the clock.
func NewVault(b Blobs, k Keyring, i Index, now func() time.Time) *Vault {
	return &Vault{blobs: b, keys: k, index: i, now: func() time.Time { return now().UTC() }}
}

// WithSigner returns a copy of v whose deletion certificates are signed.
func (v *Vault) WithSigner(s Signer) *Vault {
	c := *v
	c.signer = s
	return &c
}

// Index gives access to the rows.
func (v *Vault) Index() Index { return v.index }

// Put encrypts and stores r, to be kept until retain. It uses constant memory.
// ErrErased when the evidence of this class was erased, before or meanwhile.
// If r is an io.Seeker, a store that fails is tried again a few times.
func (v *Vault) Put(ctx context.Context, ref Ref, r io.Reader, retain time.Time) (Object, error) {
	if !ref.Class.Valid() {
		return Object{}, fmt.Errorf("store evidence: unknown data class %q", ref.Class)
	}
	dek, err := v.dataKey(ctx, ref.Session, ref.Class, true)
	if err != nil {
		return Object{}, fmt.Errorf("store %s evidence: %w", ref.Class, err)
	}
	defer clear(dek)
	id := "obj_" + strings.ToLower(rand.Text())
	now := v.now()
	o := Object{ID: id, Session: ref.Session, Class: ref.Class, Kind: ref.Kind, Key: string(ref.Class) + "/" + id,
		CreatedAt: now, RetainUntil: now.Add(writeDeadline)}
	if err := v.index.PutObject(ctx, o); err != nil {
		return Object{}, fmt.Errorf("record %s evidence: %w", ref.Class, err)
	}
	if err := v.write(ctx, &o, dek, r); err != nil {
		return Object{}, fmt.Errorf("store %s evidence: %w", ref.Class, errors.Join(err, v.abandon(ctx, o)))
	}
	o.CommittedAt, o.RetainUntil = v.now(), retain.UTC()
	err = v.index.CommitObject(ctx, o)
	if errors.Is(err, ErrNotFound) { // the row was deleted meanwhile, its blob was not there yet
		err = ErrErased
	}
	if err == nil {
		var k DataKey
		if k, err = v.index.GetDataKey(ctx, o.Session, o.Class); err == nil && !k.DestroyedAt.IsZero() {
			err = ErrErased
		}
	}
	if err != nil {
		return Object{}, fmt.Errorf("commit %s evidence: %w", ref.Class, errors.Join(err, v.abandon(ctx, o)))
	}
	return o, nil
}

// PutBytes is Put for what is in memory already.
func (v *Vault) PutBytes(ctx context.Context, ref Ref, b []byte, retain time.Time) (Object, error) {
	return v.Put(ctx, ref, bytes.NewReader(b), retain)
}

const writeTries = 3

// write stores the blob of o and fills in its size and digest.
func (v *Vault) write(ctx context.Context, o *Object, dek []byte, r io.Reader) error {
	size := int64(-1)
	if l, ok := r.(interface{ Len() int }); ok {
		size = storedSize(int64(l.Len()))
	}
	seeker, _ := r.(io.Seeker)
	var start int64
	if seeker != nil {
		var err error
		if start, err = seeker.Seek(0, io.SeekCurrent); err != nil {
			return fmt.Errorf("rewind: %w", err)
		}
	}
	for try := 1; ; try++ {
		e := newEncryption(r, dek, binding{o.Session, o.Class, o.ID})
		err := v.blobs.Put(ctx, o.Key, e, size)
		e.Close()
		if err == nil {
			o.Size, o.SHA256 = e.plain, hex.EncodeToString(e.sum.Sum(nil))
			return nil
		}
		if seeker == nil || try == writeTries || ctx.Err() != nil || e.readErr != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Duration(try*try) * 100 * time.Millisecond):
		}
		if _, err := seeker.Seek(start, io.SeekStart); err != nil {
			return fmt.Errorf("rewind: %w", err)
		}
	}
}

// abandon deletes what a failed Put left; if that fails too, the sweeper does
// it at the write deadline.
func (v *Vault) abandon(ctx context.Context, o Object) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := v.blobs.Delete(ctx, o.Key); err != nil {
		return fmt.Errorf("delete abandoned object %s: %w", o.ID, err)
	}
	if err := v.index.DeleteObject(ctx, o.ID, v.now()); err != nil {
		return fmt.Errorf("close row of abandoned object %s: %w", o.ID, err)
	}
	return nil
}

// Open decrypts an object. What is read is authentic; it is complete when the
// reader ends with io.EOF. ErrErased when its key was destroyed, ErrNotFound
// when its bytes are gone, ErrCorrupt when they are not what was stored.
func (v *Vault) Open(ctx context.Context, o Object) (io.ReadCloser, error) {
	if !o.DeletedAt.IsZero() {
		return nil, fmt.Errorf("open object %s: %w", o.ID, ErrErased)
	}
	dek, err := v.dataKey(ctx, o.Session, o.Class, false)
	if err != nil {
		return nil, fmt.Errorf("open object %s: %w", o.ID, err)
	}
	defer clear(dek)
	blob, err := v.blobs.Get(ctx, o.Key)
	if err != nil {
		return nil, fmt.Errorf("open object %s: %w", o.ID, err)
	}
	r, err := decrypt(blob, dek, binding{o.Session, o.Class, o.ID})
	if err != nil {
		blob.Close()
		return nil, fmt.Errorf("open object %s: %w", o.ID, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{r, blob}, nil
}

// Read returns the whole of an object of at most limit bytes.
func (v *Vault) Read(ctx context.Context, o Object, limit int64) ([]byte, error) {
	r, err := v.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read object %s: %w", o.ID, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("read object %s: larger than %d bytes", o.ID, limit)
	}
	return b, nil
}

// keyringOf is the session of a data key that encrypts nothing: the first
// keyring that a store meets leaves it there.
const keyringOf = "keyring"

// CheckKeys ties the index to the keyring and finds out whether it fits: the
// first process to start leaves a data key, and one that starts with another
// keyring, on another machine or after a loss, can not unwrap it. It also
// unwraps one data key of each key-encryption key in use that it finds among a
// thousand that a rotation has still to move.
func (v *Vault) CheckKeys(ctx context.Context) error {
	dek, err := v.dataKey(ctx, keyringOf, Consent, true)
	if err != nil {
		return fmt.Errorf("check keyring: stored evidence can not be read: %w", err)
	}
	clear(dek)
	checked := map[string]bool{}
	for not, limit := range map[string]int{"": 1, v.keys.Primary(): 1000} {
		rows, err := v.index.DataKeysNotUnder(ctx, not, limit)
		if err != nil {
			return fmt.Errorf("check keyring: %w", err)
		}
		for _, k := range rows {
			if checked[k.KeyID] {
				continue
			}
			checked[k.KeyID] = true
			dek, err := v.keys.Unwrap(ctx, k.KeyID, k.Wrapped, wrapAD(k.Session, k.Class))
			if err != nil {
				return fmt.Errorf("check keyring: stored evidence can not be read: %w", err)
			}
			clear(dek)
		}
	}
	return nil
}

// wrapAD binds a wrapped data key to its session and class.
func wrapAD(session string, c Class) []byte {
	return append([]byte("proofline vault v1 data key"), binding{session, c, "-"}.bytes()...)
}

// dataKey returns the data key of a session and class; with create it makes
// one where there is none.
func (v *Vault) dataKey(ctx context.Context, session string, c Class, create bool) ([]byte, error) {
	if err := (binding{session, c, "-"}).check(); err != nil {
		return nil, err
	}
	k, err := v.index.GetDataKey(ctx, session, c)
	if errors.Is(err, ErrNotFound) && create {
		dek := make([]byte, dekSize)
		rand.Read(dek)
		id, wrapped, werr := v.keys.Wrap(ctx, dek, wrapAD(session, c))
		clear(dek)
		if werr != nil {
			return nil, fmt.Errorf("wrap data key: %w", werr)
		}
		k, err = v.index.PutDataKey(ctx, DataKey{Session: session, Class: c, KeyID: id, Wrapped: wrapped, CreatedAt: v.now()})
	}
	if err != nil {
		return nil, fmt.Errorf("get data key: %w", err)
	}
	if !k.DestroyedAt.IsZero() {
		return nil, ErrErased
	}
	dek, err := v.keys.Unwrap(ctx, k.KeyID, k.Wrapped, wrapAD(session, c))
	if err != nil {
		return nil, err
	}
	if len(dek) != dekSize {
		return nil, fmt.Errorf("data key of %d bytes: %w", len(dek), ErrCorrupt)
	}
	return dek, nil
}

// encryption is the reader of an object's stored bytes.
type encryption struct {
	*io.PipeReader
	sum     hash.Hash
	plain   int64
	readErr error // of the plaintext, after which trying again is no use
	done    chan struct{}
}

func newEncryption(r io.Reader, dek []byte, b binding) *encryption {
	pr, pw := io.Pipe()
	e := &encryption{PipeReader: pr, sum: sha256.New(), done: make(chan struct{})}
	go func() {
		defer close(e.done)
		pw.CloseWithError(e.run(pw, r, dek, b))
	}()
	return e
}

func (e *encryption) run(w io.Writer, r io.Reader, dek []byte, b binding) error {
	enc, err := encrypt(io.MultiWriter(w, e.sum), dek, b)
	if err != nil {
		return err
	}
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		e.plain += int64(n)
		if _, werr := enc.Write(buf[:n]); werr != nil {
			return werr
		}
		if err == io.EOF {
			return enc.Close()
		}
		if err != nil {
			e.readErr = err
			return fmt.Errorf("read plaintext: %w", err)
		}
	}
}

// Close stops the encryption and waits for it; only then may its fields be read.
func (e *encryption) Close() error {
	err := e.PipeReader.Close()
	<-e.done
	return err
}
