package audit

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Report is what Verify found in order.
type Report struct {
	Entries int64     `json:"entries"`
	Signed  int64     `json:"signed"` // entries that the newest checkpoint covers
	Root    tlog.Hash `json:"root"`   // of all entries
	First   time.Time `json:"first,omitzero"`
	Last    time.Time `json:"last,omitzero"` // time of the newest entry
	// Head: entries after the newest checkpoint were held against the store's
	// own record of its head.
	Head bool `json:"head"`
	// Checkpoints counts those of all sources; Sources says which they are.
	Checkpoints int            `json:"checkpoints"`
	Sources     []SourceReport `json:"sources"`
}

// Source is a place that checkpoints come from, in any order. Copies that the
// operator of the log can not change are what shows a log that was cut back or
// written anew together with its own checkpoints.
type Source struct {
	Name        string
	Checkpoints iter.Seq2[[]byte, error] // signed notes
}

// SourceReport says what a source held.
type SourceReport struct {
	Name        string `json:"name"`
	Checkpoints int    `json:"checkpoints"`
	Newest      int64  `json:"newest"` // entries under its newest checkpoint
}

// Notes is a source of checkpoints in memory.
func Notes(name string, notes ...[]byte) Source {
	return Source{name, func(yield func([]byte, error) bool) {
		for _, n := range notes {
			if !yield(n, nil) {
				return
			}
		}
	}}
}

// Kind of tampering.
type Kind string

const (
	BadEntry     Kind = "entry"     // bytes that no entry has
	BadOrder     Kind = "order"     // the sequence number is not its place
	BadSignature Kind = "signature" // a checkpoint not made by the key
	Fork         Kind = "fork"      // two checkpoints that exclude each other
	BadRoot      Kind = "root"      // entries are not those that were signed
	Truncated    Kind = "truncated" // entries that were signed are gone
	BadHead      Kind = "head"      // unsigned entries differ from the store's head
)

// TamperError says what is wrong and where.
type TamperError struct {
	Kind Kind
	// From and To bound the entries concerned, half-open. For a wrong root they
	// are what was signed since the last checkpoint that held.
	From, To int64
	Source   string // of the checkpoint that does not hold, if one is concerned
	Err      error
}

func (e *TamperError) Error() string {
	s := fmt.Sprintf("audit log is not intact: %s at entries %d to %d", e.Kind, e.From, e.To)
	if e.Source != "" {
		s += ", by a checkpoint of: " + e.Source
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *TamperError) Unwrap() error { return e.Err }

// maxCheckpoints bounds what Verify keeps of checkpoints, about 50 bytes each:
// one a minute for sixteen years.
const maxCheckpoints = 1 << 23

// signed is what Verify keeps of a checkpoint.
type signed struct {
	size   int64
	root   tlog.Hash
	source int
}

// Verify reads the canonical bytes of every entry from the first on, and
// checks them against the signed checkpoints of all sources, with the public
// key alone. Checkpoints are read before entries. head is the store's own
// frontier and covers entries after the newest checkpoint; it is not signed, and
// may be nil.
//
// An error of type *TamperError means that the log was changed; any other error
// that it could not be read. Memory does not grow with the log, but for 50
// bytes a checkpoint.
func Verify(entries iter.Seq2[[]byte, error], verifier string, head *Frontier, sources ...Source) (Report, error) {
	v, err := note.NewVerifier(verifier)
	if err != nil {
		return Report{}, fmt.Errorf("audit public key: %w", err)
	}
	r := Report{Head: head != nil, Sources: make([]SourceReport, len(sources))}
	left, err := r.openAll(sources, v)
	if err != nil {
		return r, err
	}
	var f Frontier
	check := func() error {
		for len(left) > 0 && left[0].size == f.Size() {
			if f.Root() != left[0].root {
				return &TamperError{Kind: BadRoot, From: r.Signed, To: f.Size(), Source: sources[left[0].source].Name}
			}
			r.Signed, left = f.Size(), left[1:]
		}
		if head != nil && head.Size() == f.Size() && head.Root() != f.Root() {
			return &TamperError{Kind: BadHead, From: r.Signed, To: f.Size()}
		}
		return nil
	}
	if err := check(); err != nil {
		return r, err
	}
	for b, err := range entries {
		if err != nil {
			return r, fmt.Errorf("read audit entry %d: %w", f.Size(), err)
		}
		seq := f.Size()
		e, err := ParseEntry(b)
		if err != nil {
			return r, &TamperError{Kind: BadEntry, From: seq, To: seq + 1, Err: err}
		}
		if e.Seq != seq {
			return r, &TamperError{Kind: BadOrder, From: seq, To: seq + 1, Err: fmt.Errorf("entry says that it is number %d", e.Seq)}
		}
		f.Append(b)
		if r.Entries, r.Last = f.Size(), e.Time; seq == 0 {
			r.First = e.Time
		}
		if err := check(); err != nil {
			return r, err
		}
	}
	r.Root = f.Root()
	if len(left) > 0 {
		last := left[len(left)-1]
		return r, &TamperError{Kind: Truncated, From: f.Size(), To: last.size, Source: sources[last.source].Name}
	}
	if head != nil && head.Size() > f.Size() {
		return r, &TamperError{Kind: Truncated, From: f.Size(), To: head.Size()}
	}
	if head != nil && head.Size() < f.Size() {
		return r, &TamperError{Kind: BadHead, From: head.Size(), To: f.Size(), Err: errors.New("more entries than were appended")}
	}
	return r, nil
}

// openAll checks every signature and sorts by size; two roots for one size are
// a fork, whichever of them the entries match.
func (r *Report) openAll(sources []Source, v note.Verifier) ([]signed, error) {
	var all []signed
	for i, s := range sources {
		r.Sources[i].Name = s.Name
		for n, err := range s.Checkpoints {
			if err != nil {
				return nil, fmt.Errorf("read checkpoints of %s: %w", s.Name, err)
			}
			c, err := OpenCheckpoint(n, v)
			if err != nil {
				return nil, &TamperError{Kind: BadSignature, Source: s.Name, Err: err}
			}
			if len(all) == maxCheckpoints {
				return nil, fmt.Errorf("read checkpoints of %s: there are more than %d", s.Name, maxCheckpoints)
			}
			all = append(all, signed{c.Size, c.Root, i})
			r.Checkpoints++
			r.Sources[i].Checkpoints++
			r.Sources[i].Newest = max(r.Sources[i].Newest, c.Size)
		}
	}
	slices.SortStableFunc(all, func(a, b signed) int { return cmp.Compare(a.size, b.size) })
	for i := 1; i < len(all); i++ {
		if all[i].size == all[i-1].size && all[i].root != all[i-1].root {
			return nil, &TamperError{Kind: Fork, From: 0, To: all[i].size, Source: sources[all[i].source].Name}
		}
	}
	return all, nil
}
