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
	// Seq numbers destroyed keys in the order in which they were destroyed;
	// 0 while the key lives.
	Seq int64
}

// KeyUse says how many live data keys a key of the keyring wraps.
type KeyUse struct {
	KeyID string `json:"key_id"`
	Live  int64  `json:"live"`
}

// Object is the row of one stored object. It is written before the object's
// bytes, so that no blob is ever without a row, and committed after them.
type Object struct {
	ID      string `json:"id"`
	Session string `json:"session"`
	Class   Class  `json:"class"`
	Kind    string `json:"kind"` // what it is within the class: "document_front", "mrz", …
	Key     string `json:"key"`  // name in the blob store
	// Region names the blob store of its residency; empty: the main one.
	Region string `json:"region,omitempty"`
	Size   int64  `json:"size"` // bytes of plaintext
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

// KeyIndex keeps the rows of data keys. session.KeyStore implements it in a
// database of its own, session.Store in that of the sessions;
// storagetest.RunKeyIndex is its conformance suite. Every method is safe for
// concurrent use by several processes. Times are UTC with at least millisecond
// precision; the zero time means "not yet".
type KeyIndex interface {
	// PutDataKey stores k unless its session and class already have a row,
	// and returns the row that is stored then: two writers that race both get
	// the winner's key. A destroyed row is never replaced and comes back as
	// it is (DestroyedAt set).
	PutDataKey(ctx context.Context, k DataKey) (DataKey, error)
	// GetDataKey returns the row, destroyed or not, or ErrNotFound.
	GetDataKey(ctx context.Context, session string, c Class) (DataKey, error)
	// DestroyDataKey overwrites the wrapped key, sets DestroyedAt and gives the
	// row the next Seq, in one transaction, and tells whether the key lived.
	// Where there is no row it leaves a destroyed one, so that a late writer can
	// not bring the class back. It is idempotent: the first time stays.
	DestroyDataKey(ctx context.Context, session string, c Class, at time.Time) (lived bool, err error)
	// RewrapDataKey replaces the wrapped key if the row is live and still
	// wrapped by oldKeyID; otherwise ErrNotFound.
	RewrapDataKey(ctx context.Context, oldKeyID string, k DataKey) error
	// KeysInUse lists the keys of the keyring that wrap live data keys, by id.
	KeysInUse(ctx context.Context) ([]KeyUse, error)
	// DataKeysUnder lists live data keys that keyID wraps, at most limit,
	// ordered by (session, class): the work left to do in a rotation.
	DataKeysUnder(ctx context.Context, keyID string, limit int) ([]DataKey, error)
	// Destroyed lists destroyed rows with a Seq above after, in order of Seq.
	Destroyed(ctx context.Context, after int64, limit int) ([]DataKey, error)
	// LastDestroyed is the highest Seq that was given; 0: none yet.
	LastDestroyed(ctx context.Context) (int64, error)
	// Scrub removes what is left of destroyed keys from the database's own
	// files, as far as the database allows; see docs/security.md.
	Scrub(ctx context.Context) error
}

// Erasure is the row of a session's class whose erasure was begun. It is
// written before the data key is destroyed.
type Erasure struct {
	Session string
	Class   Class
	BegunAt time.Time
	// CertifiedAt is when the certificate over the last of its objects was
	// recorded; zero: an erasure that has still to be finished.
	CertifiedAt time.Time
}

// Index keeps the vault's rows about objects. The session store implements it in
// the same database as the sessions; storagetest.RunIndex is its conformance
// suite. What is said of KeyIndex about concurrency and times holds here, too.
type Index interface {
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
	// DeletedObjects returns the committed rows of a session and class that
	// are deleted, oldest first.
	DeletedObjects(ctx context.Context, session string, c Class) ([]Object, error)
	// LiveObjects pages through all rows that are committed and not deleted, in
	// order of id, beginning behind after.
	LiveObjects(ctx context.Context, after string, limit int) ([]Object, error)
	// DeleteObject marks the row deleted and clears its DeleteError. It is
	// idempotent: the first time stays. ErrNotFound when there is no row.
	DeleteObject(ctx context.Context, id string, at time.Time) error
	// FailDelete records that deleting the blob failed: counts DeleteFailures,
	// keeps reason and hides the row from ClaimExpired until after.
	FailDelete(ctx context.Context, id, reason string, after time.Time) error
	// ExpireObjects brings RetainUntil of every row of the session and class
	// that is not deleted forward to at, and tells how many that were; rows
	// that end earlier stay. Erasure uses it so that what it could not delete
	// is swept.
	ExpireObjects(ctx context.Context, session string, c Class, at time.Time) (int, error)
	// ClaimExpired returns rows that are not deleted nor under legal hold, with
	// RetainUntil ≤ now and DeleteAfter ≤ now, ordered by RetainUntil, at most
	// limit, and sets their DeleteAfter to until: another sweeper gets other
	// rows, and those of one that died come back then.
	ClaimExpired(ctx context.Context, now, until time.Time, limit int) ([]Object, error)

	// BeginErasure records that a session's class is to be erased, or finds that
	// it was begun before. ErrHeld while the session is under legal hold and
	// the erasure had not begun before the hold: a hold that is placed
	// later comes too late, and one that is placed before beats it.
	BeginErasure(ctx context.Context, session string, c Class, at time.Time) error
	// KnowErasure records an erasure whose data key is destroyed already, and
	// tells whether it was on record.
	KnowErasure(ctx context.Context, session string, c Class, at time.Time) (known bool, err error)
	// EndErasure marks it as certified.
	EndErasure(ctx context.Context, session string, c Class, at time.Time) error
	// Erasures pages through all erasures in order of (session, class), behind
	// those given.
	Erasures(ctx context.Context, session string, c Class, limit int) ([]Erasure, error)
	// OpenErasures lists erasures that were begun before and never certified,
	// oldest first.
	OpenErasures(ctx context.Context, before time.Time, limit int) ([]Erasure, error)
	// Held tells whether a session is under legal hold.
	Held(ctx context.Context, session string) (bool, error)

	// Mark is how far this index has followed KeyIndex.Destroyed.
	Mark(ctx context.Context) (int64, error)
	// SetMark sets it.
	SetMark(ctx context.Context, seq int64) error
	// Seen is the highest KeyIndex number of a destroyed key that this index was
	// told of: by SetMark, or by Saw when the key was destroyed. Keys that stand
	// below it come from an older copy.
	Seen(ctx context.Context) (int64, error)
	// Saw raises Seen; a lower number changes nothing.
	Saw(ctx context.Context, seq int64) error
	// ResetSeen sets Seen, when numbers mean other keys than before.
	ResetSeen(ctx context.Context, seq int64) error
}
