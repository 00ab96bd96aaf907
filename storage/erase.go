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
// holds ids and digests of encrypted bytes only, and lists every object that the
// class ever had, so that the newest certificate of a class says all.
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
// that the key may still live. ErrHeld while a legal hold keeps it. Erasing
// again is safe and certifies what there was. The caller records the
// certificate in the audit log and tells Certified.
func (v *Vault) Erase(ctx context.Context, session string, c Class) (Certificate, error) {
	cert, _, err := v.erase(ctx, session, c)
	if err != nil {
		return cert, err
	}
	if err := v.keyIndex.Scrub(ctx); err != nil {
		return cert, fmt.Errorf("erase %s of session %s: %w", c, session, err)
	}
	return cert, nil
}

// erase also tells how many objects it deleted.
func (v *Vault) erase(ctx context.Context, session string, c Class) (cert Certificate, deleted int, err error) {
	now := v.now()
	fail := func(doing string, err error) (Certificate, int, error) {
		return Certificate{}, 0, fmt.Errorf("erase %s of session %s: %s: %w", c, session, doing, err)
	}
	if err := v.index.BeginErasure(ctx, session, c, now); err != nil {
		return fail("begin", err)
	}
	if _, err := v.keyIndex.DestroyDataKey(ctx, session, c, now); err != nil {
		return fail("destroy data key", err)
	}
	k, err := v.keyIndex.GetDataKey(ctx, session, c)
	if err != nil {
		return fail("read back data key", err)
	}
	if k.DestroyedAt.IsZero() || len(k.Wrapped) != 0 {
		return fail("destroy data key", errors.New("it is still there"))
	}
	// Before anything is certified: should the keys' database be put back to an
	// older copy right now, Settle sees it by this number.
	if any(v.keyIndex) != any(v.index) { // one database can not fall behind itself
		if err := v.index.Saw(ctx, k.Seq); err != nil {
			return fail("note destroyed key", err)
		}
	}
	if _, err := v.index.ExpireObjects(ctx, session, c, now); err != nil {
		return fail("expire objects", err)
	}
	objects, err := v.index.ListObjects(ctx, session, c)
	if err != nil {
		return fail("list objects", err)
	}
	before, err := v.index.DeletedObjects(ctx, session, c)
	if err != nil {
		return fail("list deleted objects", err)
	}
	cert = Certificate{Version: 1, Session: session, Class: c, KeyDestroyedAt: k.DestroyedAt, Deleted: []Deleted{}}
	for _, o := range before {
		cert.Deleted = append(cert.Deleted, Deleted{ID: o.ID, SHA256: o.SHA256, At: o.DeletedAt})
	}
	for _, o := range objects {
		if err := v.remove(ctx, o); err != nil {
			cert.Pending = append(cert.Pending, o.ID)
			continue
		}
		cert.Deleted = append(cert.Deleted, Deleted{ID: o.ID, SHA256: o.SHA256, At: v.now()})
		deleted++
	}
	cert.IssuedAt = v.now()
	if v.signer != nil {
		cert.Signer = v.signer.Name()
		msg, err := cert.message()
		if err != nil {
			return fail("encode certificate", err)
		}
		if cert.Signature, err = v.signer.Sign(msg); err != nil {
			return fail("sign certificate", err)
		}
	}
	return cert, deleted, nil
}

// Certified notes that a certificate was recorded. One with pending objects
// leaves the erasure open: the sweeper finishes and certifies it.
func (v *Vault) Certified(ctx context.Context, c Certificate) error {
	if len(c.Pending) > 0 {
		return nil
	}
	if err := v.index.EndErasure(ctx, c.Session, c.Class, v.now()); err != nil {
		return fmt.Errorf("note certificate of session %s: %w", c.Session, err)
	}
	return nil
}

// remove deletes an object's bytes, then closes its row. A failure is kept in
// the row and puts the next try off, longer each time.
func (v *Vault) remove(ctx context.Context, o Object) error {
	blobs, err := v.blobsOf(o.Region)
	if err == nil {
		err = blobs.Delete(ctx, o.Key)
	}
	if err == nil {
		err = v.index.DeleteObject(ctx, o.ID, v.now())
	}
	if err == nil {
		return nil
	}
	wait := time.Minute << min(o.DeleteFailures, 8) // 1 min to 4 h 16 min
	// Also when the caller gave up: the failure must be visible.
	if ferr := v.index.FailDelete(context.WithoutCancel(ctx), o.ID, err.Error(), v.now().Add(wait)); ferr != nil && !errors.Is(ferr, ErrNotFound) {
		err = errors.Join(err, ferr)
	}
	return fmt.Errorf("delete object %s: %w", o.ID, err)
}
