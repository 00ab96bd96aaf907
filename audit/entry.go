package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

// MaxEntryBytes bounds one entry's canonical form. The largest entries are
// decisions with every reason code; those stay below 4 KiB.
const MaxEntryBytes = 64 << 10

// Entry is one event in the log. The zero value of an optional field is left
// out of the canonical form.
type Entry struct {
	// Seq is the entry's place in the log, from 0. The store assigns it.
	Seq int64 `json:"seq"`
	// Time is when it was recorded, UTC, to the microsecond.
	Time time.Time `json:"time"`
	// Actor is "role:id", for example "client:tok_…", "worker:host-1".
	Actor string `json:"actor"`
	// Action is a stable name such as "session.submit" or "evidence.open".
	Action  string `json:"action"`
	Session string `json:"session,omitempty"`
	Tenant  string `json:"tenant,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	// From and To are states, when the action is a transition.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Outcome is "noop" when the event changed nothing, otherwise free for the
	// action: a decision's outcome, a grant's verdict.
	Outcome string `json:"outcome,omitempty"`
	// Codes are reason codes of the catalogue.
	Codes []string `json:"codes,omitempty"`
	// Refs are ids of things concerned, by kind: "object", "key", "delivery".
	Refs map[string]string `json:"refs,omitempty"`
	// Hashes are hex SHA-256 commitments by name: "policy", "findings".
	Hashes      map[string]string `json:"hashes,omitempty"`
	Correlation string            `json:"correlation,omitempty"`
}

// ErrNotCanonical tells that bytes decode as an entry but are not the bytes
// that Canonical would have written.
var ErrNotCanonical = errors.New("audit entry is not in canonical form")

// Canonical returns the exact bytes that are hashed: JSON on one line, fields
// in the order of Entry, map keys sorted, no HTML escaping, time in UTC cut to
// the microsecond. Equal entries give equal bytes.
func (e Entry) Canonical() ([]byte, error) {
	e.Time = e.Time.UTC().Truncate(time.Microsecond)
	if !e.valid() {
		return nil, errors.New("audit entry needs an actor, an action and a sequence number from 0, in valid UTF-8")
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("encode audit entry: %w", err)
	}
	out := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if len(out) > MaxEntryBytes {
		return nil, fmt.Errorf("audit entry of %d bytes exceeds %d", len(out), MaxEntryBytes)
	}
	return out, nil
}

func (e Entry) valid() bool {
	if e.Seq < 0 || e.Actor == "" || e.Action == "" {
		return false
	}
	// encoding/json would replace invalid UTF-8 silently, and two different
	// entries would then share one canonical form.
	for _, s := range []string{e.Actor, e.Action, e.Session, e.Tenant, e.From, e.To, e.Outcome, e.Correlation} {
		if !utf8.ValidString(s) {
			return false
		}
	}
	for _, s := range e.Codes {
		if !utf8.ValidString(s) {
			return false
		}
	}
	for _, m := range []map[string]string{e.Refs, e.Hashes} {
		for k, v := range m {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return false
			}
		}
	}
	return true
}

// ParseEntry reads canonical bytes back and refuses any other spelling of the
// same entry: one entry, one leaf.
func ParseEntry(b []byte) (Entry, error) {
	var e Entry
	if len(b) > MaxEntryBytes {
		return e, fmt.Errorf("audit entry of %d bytes exceeds %d", len(b), MaxEntryBytes)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		return Entry{}, fmt.Errorf("decode audit entry: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Entry{}, ErrNotCanonical
	}
	again, err := e.Canonical()
	if err != nil {
		return Entry{}, err
	}
	if !bytes.Equal(again, b) {
		return Entry{}, ErrNotCanonical
	}
	return e, nil
}
