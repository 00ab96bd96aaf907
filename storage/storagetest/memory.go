// Package storagetest holds the conformance suites of package storage (one for
// blob stores, one for indexes) and an index in memory. It is for tests only.
package storagetest

import (
	"context"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/proofline/proofline/storage"
)

type keyID struct {
	session string
	class   storage.Class
}

// MemoryIndex is a storage.Index and a storage.KeyIndex in memory, for tests of
// what stands on one.
type MemoryIndex struct {
	mu       sync.Mutex
	keys     map[keyID]storage.DataKey
	seq      int64
	objects  map[string]storage.Object
	erasures map[keyID]storage.Erasure
	held     map[string]bool
	mark     int64
	seen     int64
}

var (
	_ storage.Index    = (*MemoryIndex)(nil)
	_ storage.KeyIndex = (*MemoryIndex)(nil)
)

// NewMemoryIndex returns an empty index.
func NewMemoryIndex() *MemoryIndex {
	return &MemoryIndex{keys: map[keyID]storage.DataKey{}, objects: map[string]storage.Object{},
		erasures: map[keyID]storage.Erasure{}, held: map[string]bool{}}
}

// Clone is a copy of the index as it is: a backup.
func (m *MemoryIndex) Clone() *MemoryIndex {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &MemoryIndex{keys: maps.Clone(m.keys), seq: m.seq, objects: maps.Clone(m.objects), erasures: maps.Clone(m.erasures),
		held: maps.Clone(m.held), mark: m.mark, seen: m.seen}
	for id, k := range c.keys {
		k.Wrapped = slices.Clone(k.Wrapped) // destroying overwrites it
		c.keys[id] = k
	}
	return c
}

// Hold places or lifts a legal hold.
func (m *MemoryIndex) Hold(session string, on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held[session] = on
}

// PutDataKey implements storage.Index.
func (m *MemoryIndex) PutDataKey(_ context.Context, k storage.DataKey) (storage.DataKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := keyID{k.Session, k.Class}
	if have, ok := m.keys[id]; ok {
		return have, nil
	}
	k.Wrapped = append([]byte(nil), k.Wrapped...)
	m.keys[id] = k
	return k, nil
}

// GetDataKey implements storage.Index.
func (m *MemoryIndex) GetDataKey(_ context.Context, session string, c storage.Class) (storage.DataKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.keys[keyID{session, c}]
	if !ok {
		return k, storage.ErrNotFound
	}
	return k, nil
}

// DestroyDataKey implements storage.Index.
func (m *MemoryIndex) DestroyDataKey(_ context.Context, session string, c storage.Class, at time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := keyID{session, c}
	k, ok := m.keys[id]
	if !ok {
		k = storage.DataKey{Session: session, Class: c, CreatedAt: at}
	}
	lived := ok && k.DestroyedAt.IsZero()
	for i := range k.Wrapped {
		k.Wrapped[i] = 0
	}
	k.Wrapped = nil
	if k.DestroyedAt.IsZero() {
		m.seq++
		k.DestroyedAt, k.Seq = at, m.seq
	}
	m.keys[id] = k
	return lived, nil
}

// RewrapDataKey implements storage.Index.
func (m *MemoryIndex) RewrapDataKey(_ context.Context, oldKeyID string, k storage.DataKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := keyID{k.Session, k.Class}
	have, ok := m.keys[id]
	if !ok || !have.DestroyedAt.IsZero() || have.KeyID != oldKeyID {
		return storage.ErrNotFound
	}
	have.KeyID, have.Wrapped = k.KeyID, append([]byte(nil), k.Wrapped...)
	m.keys[id] = have
	return nil
}

// KeysInUse implements storage.KeyIndex.
func (m *MemoryIndex) KeysInUse(_ context.Context) ([]storage.KeyUse, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := map[string]int64{}
	for _, k := range m.keys {
		if k.DestroyedAt.IsZero() {
			n[k.KeyID]++
		}
	}
	var out []storage.KeyUse
	for _, id := range slices.Sorted(maps.Keys(n)) {
		out = append(out, storage.KeyUse{KeyID: id, Live: n[id]})
	}
	return out, nil
}

// DataKeysUnder implements storage.KeyIndex.
func (m *MemoryIndex) DataKeysUnder(_ context.Context, id string, limit int) ([]storage.DataKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []storage.DataKey
	for _, k := range m.keys {
		if k.DestroyedAt.IsZero() && k.KeyID == id {
			out = append(out, k)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Session != out[j].Session {
			return out[i].Session < out[j].Session
		}
		return out[i].Class < out[j].Class
	})
	return out[:min(limit, len(out))], nil
}

// Destroyed implements storage.KeyIndex.
func (m *MemoryIndex) Destroyed(_ context.Context, after int64, limit int) ([]storage.DataKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []storage.DataKey
	for _, k := range m.keys {
		if k.Seq > after {
			out = append(out, k)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Seq < out[j].Seq })
	return out[:min(limit, len(out))], nil
}

// LastDestroyed implements storage.KeyIndex.
func (m *MemoryIndex) LastDestroyed(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seq, nil
}

// Scrub implements storage.KeyIndex; memory was overwritten already.
func (m *MemoryIndex) Scrub(context.Context) error { return nil }

// PutObject implements storage.Index.
func (m *MemoryIndex) PutObject(_ context.Context, o storage.Object) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[o.ID]; ok {
		return storage.ErrExists
	}
	m.objects[o.ID] = o
	return nil
}

// CommitObject implements storage.Index.
func (m *MemoryIndex) CommitObject(_ context.Context, o storage.Object) error {
	return m.edit(o.ID, true, func(have *storage.Object) {
		have.Size, have.SHA256, have.CommittedAt, have.RetainUntil = o.Size, o.SHA256, o.CommittedAt, o.RetainUntil
	})
}

// GetObject implements storage.Index.
func (m *MemoryIndex) GetObject(_ context.Context, id string) (storage.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[id]
	if !ok {
		return o, storage.ErrNotFound
	}
	return o, nil
}

// ListObjects implements storage.Index.
func (m *MemoryIndex) ListObjects(_ context.Context, session string, c storage.Class) ([]storage.Object, error) {
	out := m.find(func(o storage.Object) bool {
		return o.Session == session && (c == "" || o.Class == c) && o.DeletedAt.IsZero()
	})
	sort.Slice(out, func(i, j int) bool {
		if !out[i].CreatedAt.Equal(out[j].CreatedAt) {
			return out[i].CreatedAt.Before(out[j].CreatedAt)
		}
		return out[i].ID < out[j].ID
	})
	return out, nil
}

// DeleteObject implements storage.Index.
func (m *MemoryIndex) DeleteObject(_ context.Context, id string, at time.Time) error {
	return m.edit(id, false, func(o *storage.Object) {
		if o.DeletedAt.IsZero() {
			o.DeletedAt = at
		}
		o.DeleteError = ""
	})
}

// FailDelete implements storage.Index.
func (m *MemoryIndex) FailDelete(_ context.Context, id, reason string, after time.Time) error {
	return m.edit(id, true, func(o *storage.Object) {
		o.DeleteFailures, o.DeleteError, o.DeleteAfter = o.DeleteFailures+1, reason, after
	})
}

// DeletedObjects implements storage.Index.
func (m *MemoryIndex) DeletedObjects(_ context.Context, session string, c storage.Class) ([]storage.Object, error) {
	out := m.find(func(o storage.Object) bool {
		return o.Session == session && o.Class == c && !o.DeletedAt.IsZero() && !o.CommittedAt.IsZero()
	})
	sort.Slice(out, func(i, j int) bool { return out[i].CreatedAt.Before(out[j].CreatedAt) })
	return out, nil
}

// LiveObjects implements storage.Index.
func (m *MemoryIndex) LiveObjects(_ context.Context, after string, limit int) ([]storage.Object, error) {
	out := m.find(func(o storage.Object) bool {
		return o.ID > after && o.DeletedAt.IsZero() && !o.CommittedAt.IsZero()
	})
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out[:min(limit, len(out))], nil
}

// ExpireObjects implements storage.Index.
func (m *MemoryIndex) ExpireObjects(_ context.Context, session string, c storage.Class, at time.Time) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for id, o := range m.objects {
		if o.Session == session && o.Class == c && o.DeletedAt.IsZero() && o.RetainUntil.After(at) {
			o.RetainUntil = at
			m.objects[id] = o
			n++
		}
	}
	return n, nil
}

// ClaimExpired implements storage.Index.
func (m *MemoryIndex) ClaimExpired(_ context.Context, now, until time.Time, limit int) ([]storage.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []storage.Object
	for _, o := range m.objects {
		if o.DeletedAt.IsZero() && !o.RetainUntil.After(now) && !o.DeleteAfter.After(now) && !m.held[o.Session] {
			out = append(out, o)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].RetainUntil.Before(out[j].RetainUntil) })
	out = out[:min(limit, len(out))]
	for i := range out {
		out[i].DeleteAfter = until
		m.objects[out[i].ID] = out[i]
	}
	return out, nil
}

// BeginErasure implements storage.Index.
func (m *MemoryIndex) BeginErasure(_ context.Context, session string, c storage.Class, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := keyID{session, c}
	if _, ok := m.erasures[id]; ok {
		return nil
	}
	if m.held[session] {
		return storage.ErrHeld
	}
	m.erasures[id] = storage.Erasure{Session: session, Class: c, BegunAt: at}
	return nil
}

// KnowErasure implements storage.Index.
func (m *MemoryIndex) KnowErasure(_ context.Context, session string, c storage.Class, at time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := keyID{session, c}
	_, known := m.erasures[id]
	if !known {
		m.erasures[id] = storage.Erasure{Session: session, Class: c, BegunAt: at}
	}
	return known, nil
}

// EndErasure implements storage.Index.
func (m *MemoryIndex) EndErasure(_ context.Context, session string, c storage.Class, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.erasures[keyID{session, c}]
	if !ok {
		return storage.ErrNotFound
	}
	e.CertifiedAt = at
	m.erasures[keyID{session, c}] = e
	return nil
}

// Erasures implements storage.Index.
func (m *MemoryIndex) Erasures(_ context.Context, session string, c storage.Class, limit int) ([]storage.Erasure, error) {
	out := m.erased(func(e storage.Erasure) bool {
		return e.Session > session || e.Session == session && e.Class > c
	})
	return out[:min(limit, len(out))], nil
}

// OpenErasures implements storage.Index.
func (m *MemoryIndex) OpenErasures(_ context.Context, before time.Time, limit int) ([]storage.Erasure, error) {
	out := m.erased(func(e storage.Erasure) bool { return e.CertifiedAt.IsZero() && e.BegunAt.Before(before) })
	sort.SliceStable(out, func(i, j int) bool { return out[i].BegunAt.Before(out[j].BegunAt) })
	return out[:min(limit, len(out))], nil
}

func (m *MemoryIndex) erased(want func(storage.Erasure) bool) []storage.Erasure {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []storage.Erasure
	for _, e := range m.erasures {
		if want(e) {
			out = append(out, e)
		}
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Session != out[j].Session {
			return out[i].Session < out[j].Session
		}
		return out[i].Class < out[j].Class
	})
	return out
}

// Held implements storage.Index.
func (m *MemoryIndex) Held(_ context.Context, session string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held[session], nil
}

// Mark implements storage.Index.
func (m *MemoryIndex) Mark(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mark, nil
}

// SetMark implements storage.Index.
func (m *MemoryIndex) SetMark(_ context.Context, seq int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mark = seq
	return nil
}

// Seen implements storage.Index.
func (m *MemoryIndex) Seen(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen, nil
}

// Saw implements storage.Index.
func (m *MemoryIndex) Saw(_ context.Context, seq int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = max(m.seen, seq)
	return nil
}

// ResetSeen implements storage.Index.
func (m *MemoryIndex) ResetSeen(_ context.Context, seq int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seen = seq
	return nil
}

func (m *MemoryIndex) find(want func(storage.Object) bool) []storage.Object {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []storage.Object
	for _, o := range m.objects {
		if want(o) {
			out = append(out, o)
		}
	}
	return out
}

// edit changes a row; with liveOnly a deleted row counts as missing.
func (m *MemoryIndex) edit(id string, liveOnly bool, f func(*storage.Object)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[id]
	if !ok || liveOnly && !o.DeletedAt.IsZero() {
		return storage.ErrNotFound
	}
	f(&o)
	m.objects[id] = o
	return nil
}
