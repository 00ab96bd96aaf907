package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Frontier is the right edge of the Merkle tree: its size and the roots of the
// perfect subtrees that it is made of, largest first. It is all that appending
// and computing the root need, at most 63 hashes. The zero value is the empty
// log.
type Frontier struct {
	size  int64
	peaks []tlog.Hash
}

// Node is a hash of the tree with its index in tlog's stored-hash order.
type Node struct {
	Index int64
	Hash  tlog.Hash
}

// Size is the number of entries.
func (f *Frontier) Size() int64 { return f.size }

// Append adds a leaf with these canonical bytes and returns the tree nodes that
// became known, which a store keeps so as to make proofs later.
func (f *Frontier) Append(leaf []byte) []Node {
	h := tlog.RecordHash(leaf) // SHA-256(0x00 ‖ leaf), RFC 6962 section 2.1
	index := tlog.StoredHashIndex(0, f.size)
	nodes := append(make([]Node, 0, 4), Node{index, h})
	// Each trailing one bit of the old size is a subtree that this leaf
	// completes a pair with.
	for i := 0; i < bits.TrailingZeros64(^uint64(f.size)); i++ {
		last := len(f.peaks) - 1
		h = tlog.NodeHash(f.peaks[last], h)
		f.peaks = f.peaks[:last]
		nodes = append(nodes, Node{index + int64(i) + 1, h})
	}
	f.peaks = append(f.peaks, h)
	f.size++
	return nodes
}

// Root is the Merkle tree hash.
func (f *Frontier) Root() tlog.Hash {
	if f.size == 0 {
		h, _ := tlog.TreeHash(0, nil) // reads nothing for the empty tree
		return h
	}
	h := f.peaks[len(f.peaks)-1]
	for i := len(f.peaks) - 2; i >= 0; i-- {
		h = tlog.NodeHash(f.peaks[i], h)
	}
	return h
}

// MarshalBinary writes the size (8 bytes, big endian) and the peaks.
func (f *Frontier) MarshalBinary() ([]byte, error) {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+32*len(f.peaks)), uint64(f.size))
	for _, p := range f.peaks {
		b = append(b, p[:]...)
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote.
func (f *Frontier) UnmarshalBinary(b []byte) error {
	if len(b) < 8 {
		return errors.New("audit frontier is cut short")
	}
	size := binary.BigEndian.Uint64(b)
	if size > 1<<62 || len(b) != 8+tlog.HashSize*bits.OnesCount64(size) {
		return fmt.Errorf("audit frontier of %d bytes does not fit a log of %d entries", len(b), size)
	}
	f.size, f.peaks = int64(size), nil
	for b = b[8:]; len(b) > 0; b = b[tlog.HashSize:] {
		f.peaks = append(f.peaks, tlog.Hash(b[:tlog.HashSize]))
	}
	return nil
}
