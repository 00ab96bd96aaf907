package storage

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/tink-crypto/tink-go/v2/streamingaead/subtle"
)

// The format of an object is written down in docs/vault-format.md: a header of
// 32 bytes, then the AES256-GCM-HKDF streaming AEAD of Tink, a STREAM
// construction (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated
// Encryption and its Nonce-Reuse Misuse-Resistance", 2015): every segment's
// nonce holds its number and whether it is the last, so that segments can not
// be dropped, reordered, repeated or added.
const (
	magic        = "PLVAULT"
	version1     = 1
	segmentLog2  = 16 // 64 KiB, the tag included
	headerSize   = 32
	commitSize   = 20
	dekSize      = 32
	tinkHeader   = 1 + dekSize + subtle.AESGCMHKDFNoncePrefixSizeInBytes
	tagSize      = subtle.AESGCMHKDFTagSizeInBytes
	minLog2      = 12
	maxLog2      = 20
	commitDomain = "proofline vault v1 key commitment"
)

// Errors of a stored object that can not be read. Each of them is ErrCorrupt.
var (
	// ErrCorrupt: the bytes are not the object that was stored.
	ErrCorrupt = errors.New("stored object is damaged")
	// ErrFormat: the bytes are no vault object of a known version.
	ErrFormat = fmt.Errorf("%w: not a vault object of a known version", ErrCorrupt)
	// ErrMismatch: the key is wrong or the bytes are those of another object.
	ErrMismatch = fmt.Errorf("%w: wrong key, or another object's bytes", ErrCorrupt)
	// ErrTampered: header and key fit, but the content was truncated,
	// extended, reordered or changed.
	ErrTampered = fmt.Errorf("%w: content changed, cut or extended", ErrCorrupt)
)

// binding ties an object's bytes to what they are.
type binding struct {
	session string
	class   Class
	object  string
}

// bytes is the encoding of a binding: each part with its length in front, so
// that no two bindings share one.
func (b binding) bytes() []byte {
	var out []byte
	for _, s := range []string{b.session, string(b.class), b.object} {
		out = binary.BigEndian.AppendUint16(out, uint16(len(s)))
		out = append(out, s...)
	}
	return out
}

func (b binding) check() error {
	for _, s := range []string{b.session, string(b.class), b.object} {
		if len(s) == 0 || len(s) > 255 {
			return fmt.Errorf("vault binding with a part of %d bytes: want 1 to 255", len(s))
		}
	}
	return nil
}

// header returns the header of an object. GCM does not commit to its key; the
// commitment makes a wrong key an error of its own and lets one ciphertext
// have one meaning only.
func header(dek []byte, log2 byte, b binding) []byte {
	h := make([]byte, 12, headerSize)
	copy(h, magic)
	h[7], h[8] = version1, log2
	mac := hmac.New(sha256.New, dek)
	mac.Write([]byte(commitDomain))
	mac.Write(h)
	mac.Write(b.bytes())
	return append(h, mac.Sum(nil)[:commitSize]...)
}

func primitive(dek []byte, log2 byte) (*subtle.AESGCMHKDF, error) {
	return subtle.NewAESGCMHKDF(dek, "SHA256", dekSize, 1<<log2, 0)
}

// storedSize is the size of the object that n bytes of plaintext become.
func storedSize(n int64) int64 {
	const first, rest = 1<<segmentLog2 - tinkHeader - tagSize, 1<<segmentLog2 - tagSize
	segments := int64(1)
	if n > first {
		segments += (n - first + rest - 1) / rest
	}
	return headerSize + tinkHeader + n + segments*tagSize
}

// encrypt returns a writer that encrypts to w; its Close writes the last
// segment and leaves w open.
func encrypt(w io.Writer, dek []byte, b binding) (io.WriteCloser, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	p, err := primitive(dek, segmentLog2)
	if err != nil {
		return nil, fmt.Errorf("prepare encryption: %w", err)
	}
	h := header(dek, segmentLog2, b)
	if _, err := w.Write(h); err != nil {
		return nil, fmt.Errorf("write object header: %w", err)
	}
	e, err := p.NewEncryptingWriter(w, append(h, b.bytes()...))
	if err != nil {
		return nil, fmt.Errorf("start encryption: %w", err)
	}
	return e, nil
}

// decrypt returns a reader of the plaintext of r. Every byte that it yields is
// authentic; that it was all is known only when it ends with io.EOF.
func decrypt(r io.Reader, dek []byte, b binding) (io.Reader, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	h := make([]byte, headerSize)
	if _, err := io.ReadFull(r, h); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, ErrFormat
		}
		return nil, fmt.Errorf("read object header: %w", err)
	}
	log2 := h[8]
	if string(h[:7]) != magic || h[7] != version1 || log2 < minLog2 || log2 > maxLog2 || h[9] != 0 || h[10] != 0 || h[11] != 0 {
		return nil, ErrFormat
	}
	if !hmac.Equal(h, header(dek, log2, b)) {
		return nil, ErrMismatch
	}
	p, err := primitive(dek, log2)
	if err != nil {
		return nil, fmt.Errorf("prepare decryption: %w", err)
	}
	src := &source{r: r}
	d, err := p.NewDecryptingReader(src, append(h, b.bytes()...))
	if err != nil {
		return nil, src.blame(err)
	}
	return &opened{src: src, d: d}, nil
}

// source remembers the error of the underlying reader, to tell a store that
// failed from content that was changed.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && s.err == nil {
		s.err = err
	}
	return n, err
}

func (s *source) blame(err error) error {
	if s.err != nil {
		return fmt.Errorf("read stored object: %w", s.err)
	}
	return fmt.Errorf("%w (%v)", ErrTampered, err)
}

// opened keeps its first error: Tink's reader answers io.EOF after a failed
// last segment, which would make a damaged object look complete.
type opened struct {
	src *source
	d   io.Reader
	err error
}

func (o *opened) Read(p []byte) (int, error) {
	if o.err != nil {
		return 0, o.err
	}
	n, err := o.d.Read(p)
	switch {
	case err == nil:
	case err == io.EOF && o.src.err == nil:
		o.err = io.EOF
	default:
		n, o.err = 0, o.src.blame(err)
	}
	return n, o.err
}
