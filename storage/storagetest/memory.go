// Package storagetest holds the conformance suites of package storage (one for
// blob stores, one for indexes) and an index in memory. It is for tests only.
package storagetest

import (
	"context"
	"sort"
	"sync"
	"time"

	"github.com/proofline/proofline/storage"
)

type keyID struct {
	session string
	class   storage.Class
}

// MemoryIndex is a storage.Index in memory, for tests of what stands on one.
type MemoryIndex struct {
	mu      sync.Mutex
	keys    map[keyID]storage.DataKey
	objects map[string]storage.Object
}

// NewMemoryIndex returns an empty index.
func NewMemoryIndex() *MemoryIndex {
	return &MemoryIndex{keys: map[keyID]storage.DataKey{}, objects: map[string]storage.Object{}}
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
func (m *MemoryIndex) DestroyDataKey(_ context.Context, session string, c storage.Class, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := keyID{session, c}
	k, ok := m.keys[id]
	if !ok {
		k = storage.DataKey{Session: session, Class: c, CreatedAt: at}
	}
	for i := range k.Wrapped {
		k.Wrapped[i] = 0
	}
	k.Wrapped = nil
	if k.DestroyedAt.IsZero() {
		k.DestroyedAt = at
	}
	m.keys[id] = k
	return nil
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

// DataKeysNotUnder implements storage.Index.
func (m *MemoryIndex) DataKeysNotUnder(_ context.Context, id string, limit int) ([]storage.DataKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []storage.DataKey
	for _, k := range m.keys {
		if k.DestroyedAt.IsZero() && k.KeyID != id {
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

// ExpireObjects implements storage.Index.
func (m *MemoryIndex) ExpireObjects(_ context.Context, session string, c storage.Class, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, o := range m.objects {
		if o.Session == session && o.Class == c && o.DeletedAt.IsZero() && o.RetainUntil.After(at) {
			o.RetainUntil = at
			m.objects[id] = o
		}
	}
	return nil
}

// Expired implements storage.Index.
func (m *MemoryIndex) Expired(_ context.Context, now time.Time, limit int) ([]storage.Object, error) {
	out := m.find(func(o storage.Object) bool {
		return o.DeletedAt.IsZero() && !o.RetainUntil.After(now) && !o.DeleteAfter.After(now)
	})
	sort.Slice(out, func(i, j int) bool { return out[i].RetainUntil.Before(out[j].RetainUntil) })
	return out[:min(limit, len(out))], nil
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
