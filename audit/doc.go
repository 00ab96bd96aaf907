// Package audit is the append-only, tamper-evident log of what happened to
// sessions, evidence and settings.
//
// An [Entry] says who did what to which session and why (reason codes). It
// holds ids, codes and hashes only, never personal data, so that support and
// auditors may read all of it. Entries are leaves of a Merkle tree hashed as
// in RFC 6962 section 2.1 (golang.org/x/mod/sumdb/tlog does the maths), and
// the tree's root is signed now and then as a [Checkpoint]: a C2SP
// tlog-checkpoint, which is a signed note with an Ed25519 signature.
//
// The package keeps nothing itself. A store that appends uses [Frontier]: the
// few hashes on the right edge of the tree that the next append needs. A
// reader that verifies uses [Verify] with the public key alone, and learns of
// any flipped byte, truncation, reordering or fork. A [Prover] makes and
// [Proof.Check] checks proofs that entries are in a signed tree, and that it
// extends earlier ones, without handing over the rest.
//
// The package is pure Go and imports nothing of Proofline.
package audit
