package audit

import (
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Proof shows that one entry is in a signed log. It is self-contained: the
// entry's bytes, the hashes on the way to the root, and the checkpoint.
type Proof struct {
	Entry      []byte      `json:"entry"`
	Index      int64       `json:"index"`
	Hashes     []tlog.Hash `json:"hashes"`
	Checkpoint []byte      `json:"checkpoint"`
}

// maxProofHashes is the height of the tallest tree that an int64 can count.
const maxProofHashes = 64

// Prove makes the inclusion proof for an entry in the log of the checkpoint's
// size. nodes reads stored hashes, as returned by Frontier.Append, by index.
func Prove(entry []byte, index int64, checkpoint []byte, size int64, nodes tlog.HashReader) (Proof, error) {
	if index < 0 || index >= size {
		return Proof{}, fmt.Errorf("entry %d is not in a log of %d entries", index, size)
	}
	hs, err := tlog.ProveRecord(size, index, nodes)
	if err != nil {
		return Proof{}, fmt.Errorf("prove entry %d in a log of %d: %w", index, size, err)
	}
	return Proof{Entry: entry, Index: index, Hashes: hs, Checkpoint: checkpoint}, nil
}

// Check verifies the proof with the log's public key and returns the entry and
// the checkpoint that holds it.
func (p Proof) Check(verifier string) (Entry, Checkpoint, error) {
	v, err := note.NewVerifier(verifier)
	if err != nil {
		return Entry{}, Checkpoint{}, fmt.Errorf("audit public key: %w", err)
	}
	c, err := OpenCheckpoint(p.Checkpoint, v)
	if err != nil {
		return Entry{}, Checkpoint{}, err
	}
	e, err := ParseEntry(p.Entry)
	if err != nil {
		return Entry{}, Checkpoint{}, err
	}
	if e.Seq != p.Index || p.Index < 0 || p.Index >= c.Size || len(p.Hashes) > maxProofHashes {
		return Entry{}, Checkpoint{}, fmt.Errorf("proof of entry %d does not fit a log of %d entries", p.Index, c.Size)
	}
	if err := tlog.CheckRecord(p.Hashes, c.Size, c.Root, p.Index, tlog.RecordHash(p.Entry)); err != nil {
		return Entry{}, Checkpoint{}, fmt.Errorf("entry %d is not in the signed log: %w", p.Index, err)
	}
	return e, c, nil
}

// CheckConsistency verifies that the newer checkpoint's log extends the older's
// without changing it. The proof comes from tlog.ProveTree.
func CheckConsistency(older, newer Checkpoint, proof tlog.TreeProof) error {
	if older.Origin != newer.Origin {
		return fmt.Errorf("checkpoints are of different logs, %q and %q", older.Origin, newer.Origin)
	}
	if older.Size == 0 {
		return nil // every log extends the empty one
	}
	if err := tlog.CheckTree(proof, newer.Size, newer.Root, older.Size, older.Root); err != nil {
		return fmt.Errorf("log of %d entries does not extend its log of %d: %w", newer.Size, older.Size, err)
	}
	return nil
}
