package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Signer signs deletion certificates. A golang.org/x/mod/sumdb/note.Signer is
// one, so the key of the audit log can serve.
type Signer interface {
	Name() string
	Sign(msg []byte) ([]byte, error)
}

// Verifier checks what a Signer of the same name signed.
type Verifier interface {
	Name() string
	Verify(msg, sig []byte) bool
}

// Certificate states that the evidence of one class of one session is gone. It
// holds ids and digests of encrypted bytes only.
type Certificate struct {
	Version        int       `json:"version"` // 1
	Session        string    `json:"session"`
	Class          Class     `json:"class"`
	IssuedAt       time.Time `json:"issued_at"`
	KeyDestroyedAt time.Time `json:"key_destroyed_at"`
	Deleted        []Deleted `json:"deleted"`
	// Pending lists objects whose bytes could not be deleted yet. They can not
	// be read any more; the sweeper keeps trying.
	Pending   []string `json:"pending,omitempty"`
	Signer    string   `json:"signer,omitempty"`
	Signature []byte   `json:"signature,omitempty"`
}

// Deleted is one object of a certificate.
type Deleted struct {
	ID     string    `json:"id"`
	SHA256 string    `json:"sha256,omitempty"` // empty for a write that never finished
	At     time.Time `json:"at"`
}

// message is what is signed: the certificate's JSON without the signature.
func (c Certificate) message() ([]byte, error) {
	c.Signature = nil
	b, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode deletion certificate: %w", err)
	}
	return append([]byte("proofline deletion certificate v1\n"), b...), nil
}

// Verify checks the certificate's signature.
func (c Certificate) Verify(v Verifier) error {
	msg, err := c.message()
	if err != nil {
		return err
	}
	if c.Signer != v.Name() || !v.Verify(msg, c.Signature) {
		return errors.New("deletion certificate: the signature does not fit")
	}
	return nil
}

// Erase makes the evidence of a session and class unreadable for good: it
// destroys the data key first, so that copies and backups of the objects are
// worthless, then deletes the objects. Objects that could not be deleted are
// listed as pending, handed to the sweeper, and are no error; an error means
// that the key may still live. Erasing again is safe and certifies what was
// still there. The caller records the certificate in the audit log.
func (v *Vault) Erase(ctx context.Context, session string, c Class) (Certificate, error) {
	now := v.now()
	fail := func(doing string, err error) (Certificate, error) {
		return Certificate{}, fmt.Errorf("erase %s of session %s: %s: %w", c, session, doing, err)
	}
	if err := v.index.DestroyDataKey(ctx, session, c, now); err != nil {
		return fail("destroy data key", err)
	}
	k, err := v.index.GetDataKey(ctx, session, c)
	if err != nil {
		return fail("read back data key", err)
	}
	if k.DestroyedAt.IsZero() || len(k.Wrapped) != 0 {
		return fail("destroy data key", errors.New("it is still there"))
	}
	if err := v.index.ExpireObjects(ctx, session, c, now); err != nil {
		return fail("expire objects", err)
	}
	objects, err := v.index.ListObjects(ctx, session, c)
	if err != nil {
		return fail("list objects", err)
	}
	cert := Certificate{Version: 1, Session: session, Class: c, KeyDestroyedAt: k.DestroyedAt, Deleted: []Deleted{}}
	for _, o := range objects {
		if err := v.remove(ctx, o); err != nil {
			cert.Pending = append(cert.Pending, o.ID)
			continue
		}
		cert.Deleted = append(cert.Deleted, Deleted{ID: o.ID, SHA256: o.SHA256, At: v.now()})
	}
	cert.IssuedAt = v.now()
	if v.signer != nil {
		cert.Signer = v.signer.Name()
		msg, err := cert.message()
		if err != nil {
			return cert, err
		}
		if cert.Signature, err = v.signer.Sign(msg); err != nil {
			return fail("sign certificate", err)
		}
	}
	return cert, nil
}

// remove deletes an object's bytes, then closes its row. A failure is kept in
// the row and puts the next try off, longer each time.
func (v *Vault) remove(ctx context.Context, o Object) error {
	err := v.blobs.Delete(ctx, o.Key)
	if err == nil {
		err = v.index.DeleteObject(ctx, o.ID, v.now())
	}
	if err == nil {
		return nil
	}
	wait := time.Minute << min(o.DeleteFailures, 8) // 1 min to 4 h 16 min
	if ferr := v.index.FailDelete(ctx, o.ID, err.Error(), v.now().Add(wait)); ferr != nil && !errors.Is(ferr, ErrNotFound) {
		err = errors.Join(err, ferr)
	}
	return fmt.Errorf("delete object %s: %w", o.ID, err)
}

// SweepReport says what one batch of the sweeper did.
type SweepReport struct {
	Expired      int           // rows found
	Deleted      int           // objects deleted
	Failures     []error       // deletes that failed and will be retried
	Certificates []Certificate // of classes whose last evidence expired
}

// Sweep deletes at most limit objects whose time is over. When the last stored
// evidence of a session and class expires, the data key goes first, as in
// Erase, and a certificate comes with the report. Any number of sweepers may
// run at once. Call it again while Expired equals limit.
func (v *Vault) Sweep(ctx context.Context, now time.Time, limit int) (SweepReport, error) {
	var rep SweepReport
	expired, err := v.index.Expired(ctx, now, limit)
	if err != nil {
		return rep, fmt.Errorf("find expired evidence: %w", err)
	}
	rep.Expired = len(expired)
	type group struct {
		session string
		class   Class
	}
	erased := map[group]bool{}
	for _, o := range expired {
		if err := ctx.Err(); err != nil {
			return rep, err
		}
		g := group{o.Session, o.Class}
		if erased[g] {
			continue
		}
		last, err := v.lastEvidence(ctx, o, now)
		if err != nil {
			rep.Failures = append(rep.Failures, err)
			continue
		}
		if last {
			erased[g] = true
			cert, err := v.Erase(ctx, o.Session, o.Class)
			if err != nil {
				rep.Failures = append(rep.Failures, err)
				continue
			}
			rep.Deleted += len(cert.Deleted)
			for _, id := range cert.Pending {
				rep.Failures = append(rep.Failures, fmt.Errorf("delete object %s: see its row", id))
			}
			rep.Certificates = append(rep.Certificates, cert)
			continue
		}
		if err := v.remove(ctx, o); err != nil {
			rep.Failures = append(rep.Failures, err)
			continue
		}
		rep.Deleted++
	}
	return rep, nil
}

// lastEvidence tells whether everything that is left of o's session and class
// has expired. Abandoned writes alone do not count: the person may still be
// uploading.
func (v *Vault) lastEvidence(ctx context.Context, o Object, now time.Time) (bool, error) {
	k, err := v.index.GetDataKey(ctx, o.Session, o.Class)
	if err != nil || !k.DestroyedAt.IsZero() {
		// Key gone already (or never there): what is left needs deleting only.
		if errors.Is(err, ErrNotFound) {
			err = nil
		}
		return false, err
	}
	objects, err := v.index.ListObjects(ctx, o.Session, o.Class)
	if err != nil {
		return false, fmt.Errorf("list evidence of session %s: %w", o.Session, err)
	}
	committed := false
	for _, other := range objects {
		if other.RetainUntil.After(now) {
			return false, nil
		}
		committed = committed || !other.CommittedAt.IsZero()
	}
	return committed, nil
}

// Rewrap moves up to limit data keys to the keyring's primary key and returns
// how many it moved; 0 means that the rotation is complete. Objects are not
// touched. It may be stopped and started again at any time.
func (v *Vault) Rewrap(ctx context.Context, limit int) (int, error) {
	rows, err := v.index.DataKeysNotUnder(ctx, v.keys.Primary(), limit)
	if err != nil {
		return 0, fmt.Errorf("find data keys to re-wrap: %w", err)
	}
	moved := 0
	for _, k := range rows {
		ad := wrapAD(k.Session, k.Class)
		dek, err := v.keys.Unwrap(ctx, k.KeyID, k.Wrapped, ad)
		if err != nil {
			return moved, fmt.Errorf("re-wrap data key of session %s: %w", k.Session, err)
		}
		old := k.KeyID
		k.KeyID, k.Wrapped, err = v.keys.Wrap(ctx, dek, ad)
		clear(dek)
		if err != nil {
			return moved, fmt.Errorf("re-wrap data key of session %s: %w", k.Session, err)
		}
		// ErrNotFound: destroyed or moved by someone else meanwhile.
		if err := v.index.RewrapDataKey(ctx, old, k); err != nil && !errors.Is(err, ErrNotFound) {
			return moved, fmt.Errorf("re-wrap data key of session %s: %w", k.Session, err)
		}
		moved++
	}
	return moved, nil
}
