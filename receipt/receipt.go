// Package receipt is the self-contained record of how a session was decided:
// what the decision was computed from, by which models and rules, and the proof
// that it stands in the signed audit log.
//
// A [Receipt] is issued by a running system with [Receipt.Sign] and checked
// years later by anybody with [Open] and the log's public key alone. It holds
// ids, codes, measures and hashes, no personal data. docs/receipts.md describes
// the file so that another program can check it.
//
// The package imports only audit and policy, both pure Go.
package receipt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
)

const (
	// MaxBytes bounds a receipt. A real one has 20 to 200 kB.
	MaxBytes = 16 << 20
	// header is the first line of the signed text. It keeps a receipt from being
	// taken for anything else that the same key signs.
	header  = "proofline-receipt/1"
	version = 1
)

// Receipt is how one attempt of a session was decided.
type Receipt struct {
	Version  int       `json:"proofline_receipt"` // 1
	Session  string    `json:"session"`
	Attempt  int       `json:"attempt"`
	IssuedAt time.Time `json:"issued_at"`

	// Decisions are those of the attempt, byte for byte as they were stored and
	// hashed: the machine's, and a person's where one looked.
	Decisions []json.RawMessage `json:"decisions"`
	// Input is what the machine's decision was computed from, byte for byte as
	// it was hashed: context, attempt, findings. It is a policy.Input.
	Input json.RawMessage `json:"input"`
	AsOf  time.Time       `json:"as_of"` // the day that expiry and age were judged on

	Policy Rules `json:"policy"`
	Codes  Rules `json:"codes"` // the catalogue of reason codes

	Evidence []Evidence        `json:"evidence"`
	Models   []policy.ModelRef `json:"models"` // that took part in the findings

	// Proof shows the entries of the decisions and of the evidence in the log.
	Proof audit.Proof `json:"proof"`
}

// Rules are the policy or the catalogue of a decision. With Text the receipt can
// be computed again by itself.
type Rules struct {
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	SHA256  string `json:"sha256"` // of the rules, see docs/policy.md
	Text    string `json:"text,omitempty"`
}

// Evidence is a photo that the attempt was judged on.
type Evidence struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"`
	Attempt int    `json:"attempt"`
	// Commitment is SHA-256 over a salt and the photo's SHA-256, as in the log.
	Commitment string `json:"commitment"`
}

// Sign writes the receipt as a signed note: the header, the receipt as JSON on
// one line, and the signature.
func (r Receipt) Sign(s note.Signer) ([]byte, error) {
	r.Version = version
	var b bytes.Buffer
	b.WriteString(header + "\n")
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("encode receipt: %w", err)
	}
	out, err := note.Sign(&note.Note{Text: b.String()}, s)
	if err != nil {
		return nil, fmt.Errorf("sign receipt: %w", err)
	}
	if len(out) > MaxBytes {
		return nil, fmt.Errorf("receipt of %d bytes exceeds %d", len(out), MaxBytes)
	}
	return out, nil
}

// Read reads a receipt's bytes, bounded.
func Read(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read receipt: %w", err)
	}
	if len(b) > MaxBytes {
		return nil, fmt.Errorf("receipt exceeds %d bytes", MaxBytes)
	}
	return b, nil
}

// Open checks a receipt with the log's public key: its signature, the proof that
// its decisions and its evidence are in the signed log, and that every hash in
// the log is that of what the receipt holds.
func Open(b []byte, verifier string) (Receipt, Shown, error) {
	var r Receipt
	var shown Shown
	if len(b) > MaxBytes {
		return r, shown, fmt.Errorf("receipt of %d bytes exceeds %d", len(b), MaxBytes)
	}
	v, err := note.NewVerifier(verifier)
	if err != nil {
		return r, shown, fmt.Errorf("audit public key: %w", err)
	}
	n, err := audit.OpenNote(b, v)
	if err != nil {
		return r, shown, fmt.Errorf("open receipt: %w", err)
	}
	text, ok := strings.CutPrefix(n.Text, header+"\n")
	if !ok {
		return r, shown, errors.New("signed with the key, but no receipt of version 1")
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Receipt{}, shown, fmt.Errorf("decode receipt: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Receipt{}, shown, errors.New("decode receipt: something follows it")
	}
	if r.Version != version {
		return Receipt{}, shown, fmt.Errorf("receipt of version %d; this program knows version %d", r.Version, version)
	}
	shown, err = r.check(verifier)
	return r, shown, err
}

// Digest is the SHA-256 of b in hex, as the log has it.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
