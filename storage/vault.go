package storage

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
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
	// Region is where it has to lie; empty: the main store.
	Region string
}

// Vault stores evidence encrypted. It is safe for concurrent use, also by
// several processes over one index and one blob store.
type Vault struct {
	regions  map[string]Blobs // "" is the main store
	keys     Keyring
	keyIndex KeyIndex
	index    Index
	now      func() time.Time
	signer   Signer
}

// NewVault joins a blob store, a keyring and the rows. now is the clock.
func NewVault(b Blobs, k Keyring, i interface {
	Index
	KeyIndex
}, now func() time.Time) *Vault {
	return &Vault{regions: map[string]Blobs{"": b}, keys: k, keyIndex: i, index: i, now: func() time.Time { return now().UTC() }}
}

// WithKeyIndex returns a copy of v that keeps the rows of data keys apart from
// those of objects.
func (v *Vault) WithKeyIndex(k KeyIndex) *Vault {
	c := *v
	c.keyIndex = k
	return &c
}

// WithRegion returns a copy of v that keeps what has to lie in the region in b.
func (v *Vault) WithRegion(name string, b Blobs) *Vault {
	c := *v
	c.regions = maps.Clone(v.regions)
	c.regions[name] = b
	return &c
}

// HasRegion tells whether evidence can be kept in the region.
func (v *Vault) HasRegion(name string) bool { return v.regions[name] != nil }

// Regions lists the regions, the main store ("") first.
func (v *Vault) Regions() []string { return slices.Sorted(maps.Keys(v.regions)) }

// blobsOf fails closed: what has to lie in a region that is not there lies
// nowhere.
func (v *Vault) blobsOf(region string) (Blobs, error) {
	b := v.regions[region]
	if b == nil {
		return nil, fmt.Errorf("region %q: %w", region, ErrRegion)
	}
	return b, nil
}

// WithSigner returns a copy of v whose deletion certificates are signed.
func (v *Vault) WithSigner(s Signer) *Vault {
	c := *v
	c.signer = s
	return &c
}

// Index gives access to the rows of objects.
func (v *Vault) Index() Index { return v.index }

// KeyIndex gives access to the rows of data keys.
func (v *Vault) KeyIndex() KeyIndex { return v.keyIndex }

// Put encrypts and stores r, to be kept until retain. It uses constant memory.
// ErrErased when the evidence of this class was erased, before or meanwhile.
// If r is an io.Seeker, a store that fails is tried again a few times.
func (v *Vault) Put(ctx context.Context, ref Ref, r io.Reader, retain time.Time) (Object, error) {
	if !ref.Class.Valid() {
		return Object{}, fmt.Errorf("store evidence: unknown data class %q", ref.Class)
	}
	blobs, err := v.blobsOf(ref.Region)
	if err != nil {
		return Object{}, fmt.Errorf("store %s evidence: %w", ref.Class, err)
	}
	dek, err := v.dataKey(ctx, ref.Session, ref.Class, true)
	if err != nil {
		return Object{}, fmt.Errorf("store %s evidence: %w", ref.Class, err)
	}
	defer clear(dek)
	id := "obj_" + strings.ToLower(rand.Text())
	now := v.now()
	o := Object{ID: id, Session: ref.Session, Class: ref.Class, Kind: ref.Kind, Key: string(ref.Class) + "/" + id, Region: ref.Region,
		CreatedAt: now, RetainUntil: now.Add(writeDeadline)}
	if err := v.index.PutObject(ctx, o); err != nil {
		return Object{}, fmt.Errorf("record %s evidence: %w", ref.Class, err)
	}
	if err := v.write(ctx, blobs, &o, dek, r); err != nil {
		return Object{}, fmt.Errorf("store %s evidence: %w", ref.Class, errors.Join(err, v.abandon(ctx, o)))
	}
	o.CommittedAt, o.RetainUntil = v.now(), retain.UTC()
	err = v.index.CommitObject(ctx, o)
	if errors.Is(err, ErrNotFound) { // the row was deleted meanwhile, its blob was not there yet
		err = ErrErased
	}
	if err == nil {
		var k DataKey
		if k, err = v.keyIndex.GetDataKey(ctx, o.Session, o.Class); err == nil && !k.DestroyedAt.IsZero() {
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
func (v *Vault) write(ctx context.Context, blobs Blobs, o *Object, dek []byte, r io.Reader) error {
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
		err := blobs.Put(ctx, o.Key, e, size)
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
	blobs, err := v.blobsOf(o.Region)
	if err != nil {
		return err
	}
	if err := blobs.Delete(ctx, o.Key); err != nil {
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
	blobs, err := v.blobsOf(o.Region)
	if err != nil {
		return nil, fmt.Errorf("open object %s: %w", o.ID, err)
	}
	blob, err := blobs.Get(ctx, o.Key)
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
	k, err := v.keyIndex.GetDataKey(ctx, session, c)
	if errors.Is(err, ErrNotFound) && create {
		dek := make([]byte, dekSize)
		rand.Read(dek)
		id, wrapped, werr := v.keys.Wrap(ctx, dek, wrapAD(session, c))
		clear(dek)
		if werr != nil {
			return nil, fmt.Errorf("wrap data key: %w", werr)
		}
		k, err = v.keyIndex.PutDataKey(ctx, DataKey{Session: session, Class: c, KeyID: id, Wrapped: wrapped, CreatedAt: v.now()})
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
