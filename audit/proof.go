package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Proof shows that entries are in a signed log, and that it extends earlier
// states of itself, without handing over the rest of it. It is self-contained:
// [Proof.Check] needs the public key only.
type Proof struct {
	Version    int         `json:"proofline_audit_proof"` // 1
	Checkpoint string      `json:"checkpoint"`            // the signed note that all of it is held against
	Entries    []Inclusion `json:"entries,omitempty"`
	Extends    []Extension `json:"extends,omitempty"`
}

// Inclusion is one entry with the hashes on the way to the root (RFC 6962
// section 2.1.1).
type Inclusion struct {
	Entry  Entry       `json:"entry"`
	Hashes []tlog.Hash `json:"hashes"`
}

// Extension is an earlier checkpoint with the hashes that lead from it to the
// later one (RFC 6962 section 2.1.2).
type Extension struct {
	Checkpoint string      `json:"checkpoint"`
	Hashes     []tlog.Hash `json:"hashes"`
}

// Proven is what a proof shows.
type Proven struct {
	Checkpoint Checkpoint
	Entries    []Entry
	Earlier    []Checkpoint
}

const (
	proofVersion = 1
	// maxProofHashes is the height of the tallest tree that an int64 can count.
	maxProofHashes = 64
	// MaxProofBytes bounds a proof's JSON, MaxProofEntries what it shows.
	MaxProofBytes   = 64 << 20
	MaxProofEntries = 10_000
)

// Prover makes proofs under one checkpoint.
type Prover struct {
	note  []byte
	size  int64
	nodes tlog.HashReader
}

// NewProver makes proofs under the checkpoint in msg, of a log of size entries.
// nodes reads hashes, as returned by Frontier.Append, by index.
func NewProver(msg []byte, size int64, nodes tlog.HashReader) *Prover {
	return &Prover{msg, size, nodes}
}

// Prove shows the entries and, for each note of an earlier checkpoint, that the
// log extends it.
func (p *Prover) Prove(entries []Entry, earlier map[int64][]byte) (Proof, error) {
	out := Proof{Version: proofVersion, Checkpoint: string(p.note)}
	if len(entries)+len(earlier) > MaxProofEntries {
		return Proof{}, fmt.Errorf("a proof shows at most %d entries", MaxProofEntries)
	}
	for _, e := range entries {
		if e.Seq < 0 || e.Seq >= p.size {
			return Proof{}, fmt.Errorf("entry %d is not in a log of %d entries", e.Seq, p.size)
		}
		hs, err := tlog.ProveRecord(p.size, e.Seq, p.nodes)
		if err != nil {
			return Proof{}, fmt.Errorf("prove entry %d in a log of %d: %w", e.Seq, p.size, err)
		}
		out.Entries = append(out.Entries, Inclusion{e, hs})
	}
	for size, msg := range earlier {
		x := Extension{Checkpoint: string(msg)}
		if size > p.size {
			return Proof{}, fmt.Errorf("a log of %d entries does not extend one of %d", p.size, size)
		}
		if size > 0 {
			hs, err := tlog.ProveTree(p.size, size, p.nodes)
			if err != nil {
				return Proof{}, fmt.Errorf("prove that a log of %d entries extends one of %d: %w", p.size, size, err)
			}
			x.Hashes = hs
		}
		out.Extends = append(out.Extends, x)
	}
	return out, nil
}

// Check verifies all of the proof with the log's public key.
func (p Proof) Check(verifier string) (Proven, error) {
	v, err := note.NewVerifier(verifier)
	if err != nil {
		return Proven{}, fmt.Errorf("audit public key: %w", err)
	}
	if p.Version != proofVersion {
		return Proven{}, fmt.Errorf("audit proof of version %d; this program knows version %d", p.Version, proofVersion)
	}
	if len(p.Entries)+len(p.Extends) == 0 {
		return Proven{}, errors.New("audit proof shows nothing")
	}
	var out Proven
	if out.Checkpoint, err = OpenCheckpoint([]byte(p.Checkpoint), v); err != nil {
		return Proven{}, err
	}
	for _, i := range p.Entries {
		e, err := i.check(out.Checkpoint)
		if err != nil {
			return Proven{}, err
		}
		out.Entries = append(out.Entries, e)
	}
	for _, x := range p.Extends {
		older, err := OpenCheckpoint([]byte(x.Checkpoint), v)
		if err != nil {
			return Proven{}, err
		}
		if err := CheckConsistency(older, out.Checkpoint, x.Hashes); err != nil {
			return Proven{}, err
		}
		out.Earlier = append(out.Earlier, older)
	}
	return out, nil
}

func (i Inclusion) check(c Checkpoint) (Entry, error) {
	// The leaf is the entry's one spelling, however the proof's JSON is laid out.
	leaf, err := i.Entry.Canonical()
	if err != nil {
		return Entry{}, err
	}
	e, err := ParseEntry(leaf)
	if err != nil {
		return Entry{}, err
	}
	if e.Seq >= c.Size || len(i.Hashes) > maxProofHashes {
		return Entry{}, fmt.Errorf("proof of entry %d does not fit a log of %d entries", e.Seq, c.Size)
	}
	if err := tlog.CheckRecord(i.Hashes, c.Size, c.Root, e.Seq, tlog.RecordHash(leaf)); err != nil {
		return Entry{}, fmt.Errorf("entry %d is not in the signed log: %w", e.Seq, err)
	}
	return e, nil
}

// CheckConsistency verifies that the newer checkpoint's log extends the older's
// without changing it. The proof comes from tlog.ProveTree.
func CheckConsistency(older, newer Checkpoint, proof tlog.TreeProof) error {
	if older.Origin != newer.Origin {
		return fmt.Errorf("checkpoints are of different logs, %q and %q", older.Origin, newer.Origin)
	}
	if len(proof) > 2*maxProofHashes {
		return fmt.Errorf("proof of %d hashes does not fit a log of %d entries", len(proof), newer.Size)
	}
	if older.Size == 0 {
		return nil // every log extends the empty one
	}
	if err := tlog.CheckTree(proof, newer.Size, newer.Root, older.Size, older.Root); err != nil {
		return fmt.Errorf("log of %d entries does not extend its log of %d: %w", newer.Size, older.Size, err)
	}
	return nil
}

// ReadProof reads a proof's JSON. It checks nothing of what the proof says.
func ReadProof(r io.Reader) (Proof, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxProofBytes+1))
	if err != nil {
		return Proof{}, fmt.Errorf("read audit proof: %w", err)
	}
	if len(b) > MaxProofBytes {
		return Proof{}, fmt.Errorf("audit proof exceeds %d bytes", MaxProofBytes)
	}
	var p Proof
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return Proof{}, fmt.Errorf("decode audit proof: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Proof{}, errors.New("decode audit proof: something follows it")
	}
	if len(p.Entries)+len(p.Extends) > MaxProofEntries {
		return Proof{}, fmt.Errorf("audit proof shows more than %d entries", MaxProofEntries)
	}
	return p, nil
}
