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
	Entries     int64     `json:"entries"`
	Signed      int64     `json:"signed"` // entries that the newest checkpoint covers
	Checkpoints int       `json:"checkpoints"`
	Root        tlog.Hash `json:"root"` // of all entries
	Last        time.Time `json:"last"` // time of the newest entry
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
	Err      error
}

func (e *TamperError) Error() string {
	s := fmt.Sprintf("audit log is not intact: %s at entries %d to %d", e.Kind, e.From, e.To)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *TamperError) Unwrap() error { return e.Err }

// Verify reads the canonical bytes of every entry from the first on, and
// checks them against the signed checkpoints, given in any order, with the
// public key alone. head is the store's own frontier and covers entries after
// the newest checkpoint; it is not signed, and may be nil.
//
// An error of type *TamperError means that the log was changed; any other error
// that it could not be read. Memory does not grow with the log.
func Verify(entries iter.Seq2[[]byte, error], checkpoints [][]byte, verifier string, head *Frontier) (Report, error) {
	v, err := note.NewVerifier(verifier)
	if err != nil {
		return Report{}, fmt.Errorf("audit public key: %w", err)
	}
	signed, err := openAll(checkpoints, v)
	if err != nil {
		return Report{}, err
	}
	r := Report{Checkpoints: len(checkpoints)}
	var f Frontier
	check := func() error {
		for len(signed) > 0 && signed[0].Size == f.Size() {
			if f.Root() != signed[0].Root {
				return &TamperError{Kind: BadRoot, From: r.Signed, To: f.Size()}
			}
			r.Signed, signed = f.Size(), signed[1:]
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
		r.Entries, r.Last = f.Size(), e.Time
		if err := check(); err != nil {
			return r, err
		}
	}
	r.Root = f.Root()
	if len(signed) > 0 {
		return r, &TamperError{Kind: Truncated, From: f.Size(), To: signed[len(signed)-1].Size}
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
func openAll(notes [][]byte, v note.Verifier) ([]Checkpoint, error) {
	var cs []Checkpoint
	for _, n := range notes {
		c, err := OpenCheckpoint(n, v)
		if err != nil {
			return nil, &TamperError{Kind: BadSignature, Err: err}
		}
		cs = append(cs, c)
	}
	slices.SortStableFunc(cs, func(a, b Checkpoint) int { return cmp.Compare(a.Size, b.Size) })
	for i := 1; i < len(cs); i++ {
		if cs[i].Size == cs[i-1].Size && cs[i].Root != cs[i-1].Root {
			return nil, &TamperError{Kind: Fork, From: 0, To: cs[i].Size}
		}
	}
	return cs, nil
}
