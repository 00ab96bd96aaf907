package storage

import (
	"context"
	"time"
)

// DataKey is the row of one data key: the random key of a session and class,
// wrapped by a key of the keyring.
type DataKey struct {
	Session     string
	Class       Class
	KeyID       string // which key of the keyring wrapped it
	Wrapped     []byte // nil once destroyed
	CreatedAt   time.Time
	DestroyedAt time.Time // zero while the key lives
}

// Object is the row of one stored object. It is written before the object's
// bytes, so that no blob is ever without a row, and committed after them.
type Object struct {
	ID      string `json:"id"`
	Session string `json:"session"`
	Class   Class  `json:"class"`
	Kind    string `json:"kind"` // what it is within the class: "document_front", "mrz", …
	Key     string `json:"key"`  // name in the blob store
	Size    int64  `json:"size"` // bytes of plaintext
	// SHA256 is the hex digest of the stored (encrypted) bytes: integrity can
	// be checked without a key, and it reveals nothing about the content.
	SHA256      string    `json:"sha256"`
	CreatedAt   time.Time `json:"created_at"`
	CommittedAt time.Time `json:"committed_at"` // zero while the bytes are being written
	// RetainUntil is when the sweeper may delete the object. Before the commit
	// it is the deadline of the write, so that abandoned writes are swept too.
	RetainUntil time.Time `json:"retain_until"`
	DeletedAt   time.Time `json:"deleted_at"` // zero while stored

	// DeleteFailures and DeleteError say how often and why the latest delete
	// failed; DeleteAfter is when it is tried again (zero = at once).
	DeleteFailures int       `json:"delete_failures,omitempty"`
	DeleteError    string    `json:"delete_error,omitempty"`
	DeleteAfter    time.Time `json:"delete_after"`
}

// Index keeps the vault's rows. The session store implements it in the same
// database as the sessions; storagetest.RunIndex is its conformance suite.
// Every method is safe for concurrent use by several processes. Times are UTC
// with at least millisecond precision; the zero time means "not yet".
type Index interface {
	// PutDataKey stores k unless its session and class already have a row,
	// and returns the row that is stored then: two writers that race both get
	// the winner's key. A destroyed row is never replaced and comes back as
	// it is (DestroyedAt set).
	PutDataKey(ctx context.Context, k DataKey) (DataKey, error)
	// GetDataKey returns the row, destroyed or not, or ErrNotFound.
	GetDataKey(ctx context.Context, session string, c Class) (DataKey, error)
	// DestroyDataKey overwrites the wrapped key and sets DestroyedAt. Where
	// there is no row it leaves a destroyed one, so that a late writer can not
	// bring the class back. It is idempotent: the first time stays.
	DestroyDataKey(ctx context.Context, session string, c Class, at time.Time) error
	// RewrapDataKey replaces the wrapped key if the row is live and still
	// wrapped by oldKeyID; otherwise ErrNotFound.
	RewrapDataKey(ctx context.Context, oldKeyID string, k DataKey) error
	// DataKeysNotUnder lists live keys that are wrapped by another key than
	// keyID, at most limit, ordered by (session, class): the work left to do
	// in a rotation.
	DataKeysNotUnder(ctx context.Context, keyID string, limit int) ([]DataKey, error)

	// PutObject inserts a row; ErrExists when the id is taken.
	PutObject(ctx context.Context, o Object) error
	// CommitObject sets Size, SHA256, CommittedAt and RetainUntil of the row
	// with o.ID; ErrNotFound when it is missing or already deleted.
	CommitObject(ctx context.Context, o Object) error
	// GetObject returns the row, deleted or not, or ErrNotFound.
	GetObject(ctx context.Context, id string) (Object, error)
	// ListObjects returns the rows of a session that are not deleted, committed
	// or not, oldest first; class "" means every class.
	ListObjects(ctx context.Context, session string, c Class) ([]Object, error)
	// DeleteObject marks the row deleted and clears its DeleteError. It is
	// idempotent: the first time stays. ErrNotFound when there is no row.
	DeleteObject(ctx context.Context, id string, at time.Time) error
	// FailDelete records that deleting the blob failed: counts DeleteFailures,
	// keeps reason and hides the row from Expired until after.
	FailDelete(ctx context.Context, id, reason string, after time.Time) error
	// ExpireObjects brings RetainUntil of every row of the session and class
	// that is not deleted forward to at; rows that end earlier stay. Erasure
	// uses it so that what it could not delete is swept.
	ExpireObjects(ctx context.Context, session string, c Class, at time.Time) error
	// Expired returns rows that are not deleted, with RetainUntil ≤ now and
	// DeleteAfter ≤ now, ordered by RetainUntil, at most limit.
	Expired(ctx context.Context, now time.Time, limit int) ([]Object, error)
}
