package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// maxNoteBytes bounds a signed checkpoint: three lines and a few signatures.
const maxNoteBytes = 16 << 10

// Checkpoint is a statement of the log: so many entries with this root.
type Checkpoint struct {
	Origin string // name of the log, and of the key that signs it
	Size   int64
	Root   tlog.Hash
}

// GenerateKey makes an Ed25519 key pair for signing checkpoints, in the text
// form of signed notes. The name, for example "proofline.example.com/audit",
// is the log's origin; it must not hold spaces or "+".
func GenerateKey(name string) (signer, verifier string, err error) {
	if name == "" || strings.ContainsAny(name, " \t\r\n+") {
		return "", "", fmt.Errorf("audit log name %q is empty or has a space or a plus sign", name)
	}
	return note.GenerateKey(rand.Reader, name)
}

// PublicKey returns the verifier of a signer that GenerateKey made.
func PublicKey(signer string) (verifier string, err error) {
	parts := strings.SplitN(signer, "+", 5) // PRIVATE+KEY+name+hash+base64 of algorithm and seed
	if _, err := note.NewSigner(signer); err != nil || len(parts) != 5 {
		return "", errors.New("not a key of an audit log")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return "", errors.New("not a key of an audit log")
	}
	public := ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey)
	return note.NewEd25519VerifierKey(parts[2], public)
}

// Sign writes the checkpoint as a C2SP tlog-checkpoint signed by s, whose name
// must be the origin.
func (c Checkpoint) Sign(s note.Signer) ([]byte, error) {
	if s.Name() != c.Origin {
		return nil, fmt.Errorf("checkpoint of %q can not be signed by the key of %q", c.Origin, s.Name())
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]))
	b, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint of %d entries: %w", c.Size, err)
	}
	return b, nil
}

// OpenCheckpoint checks the signature on a checkpoint and reads it.
func OpenCheckpoint(msg []byte, v note.Verifier) (Checkpoint, error) {
	if len(msg) > maxNoteBytes {
		return Checkpoint{}, fmt.Errorf("checkpoint of %d bytes exceeds %d", len(msg), maxNoteBytes)
	}
	n, err := OpenNote(msg, v)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("open checkpoint: %w", err)
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != v.Name() {
		return Checkpoint{}, fmt.Errorf("checkpoint is of log %q, not %q", c.Origin, v.Name())
	}
	return c, nil
}

// OpenNote is note.Open with one spelling for each note: the format lets the
// last character of a signature vary in bits that are not used.
func OpenNote(msg []byte, v note.Verifier) (*note.Note, error) {
	n, err := note.Open(msg, note.VerifierList(v))
	if err != nil {
		return nil, err
	}
	for _, sig := range append(n.Sigs, n.UnverifiedSigs...) {
		if _, err := base64.StdEncoding.Strict().DecodeString(sig.Base64); err != nil {
			return nil, errors.New("a signature is not in its one spelling")
		}
	}
	return n, nil
}

// Name is how a published copy of the checkpoint is called: copies sort by size,
// and two different logs of one size have two names.
func (c Checkpoint) Name() string {
	return fmt.Sprintf("%020d-%x", c.Size, c.Root[:8])
}

var errCheckpoint = errors.New("checkpoint is not of the form origin, size, root")

func parseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	// The last element is what follows the final newline. Further lines are
	// extensions, which C2SP lets a reader skip.
	if len(lines) < 4 || lines[0] == "" {
		return Checkpoint{}, errCheckpoint
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return Checkpoint{}, errCheckpoint
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Checkpoint{}, errCheckpoint
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: tlog.Hash(root)}, nil
}
