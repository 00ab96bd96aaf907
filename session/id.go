package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"time"
)

// Prefixes of ids.
const (
	SessionPrefix  = "ses_"
	EvidencePrefix = "evd_"
	OutboxPrefix   = "obx_"
	EventPrefix    = "evt_"
	DeliveryPrefix = "dlv_"
	EndpointPrefix = "whe_"
	KeyPrefix      = "key_"
	TokenPrefix    = "tok_"
	AccountPrefix  = "usr_"
	LoginPrefix    = "lgn_"
	GrantPrefix    = "grt_"
	VotePrefix     = "rev_"
	UploadPrefix   = "upl_"
)

// Prefixes of secrets. Secret scanners find them by these.
const (
	APIKeySecret      = "plk_"
	TestKeySecret     = "plk_test_"
	ClientTokenSecret = "plc_"
	StaffSecret       = "pls_"
)

// Crockford's alphabet in lower case: its order is the order of the bits, so
// ids sort by time as text in every collation of digits and letters.
var crockford = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

const idLen = 26 // 16 bytes

// idSource makes ids laid out as UUIDv7 (RFC 9562 section 5.7): milliseconds
// first, then randomness, so that ids of one process never repeat or run back
// and new rows land at the end of an index.
type idSource struct {
	mu   sync.Mutex
	last uint64 // milliseconds << 12 | counter
}

func (g *idSource) next(prefix string, now time.Time) string {
	ms := uint64(max(now.UnixMilli(), 0)) & (1<<48 - 1)
	g.mu.Lock()
	stamp := ms << 12
	if stamp <= g.last {
		stamp = g.last + 1
	}
	g.last = stamp
	g.mu.Unlock()
	var b [16]byte
	rand.Read(b[8:]) // never fails (crypto/rand)
	binary.BigEndian.PutUint64(b[:8], stamp>>12<<16|0x7000|stamp&0xfff)
	b[8] = b[8]&0x3f | 0x80
	return prefix + crockford.EncodeToString(b[:])
}

// idBound is the smallest id of a millisecond.
func idBound(prefix string, t time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], uint64(max(t.UnixMilli(), 0))<<16)
	return prefix + crockford.EncodeToString(b[:])
}

// ParseID checks that s is an id with the given prefix, as made by the store.
// It bounds what reaches the database and the audit log from a URL.
func ParseID(prefix, s string) (string, error) {
	body, ok := strings.CutPrefix(s, prefix)
	if !ok || len(body) != idLen {
		return "", fmt.Errorf("%w: not an id of the form %s…", ErrInvalid, prefix)
	}
	// 26 characters hold 130 bits: the last character's two low bits are zero
	// in what the store makes, and strict decoding would ignore them.
	raw, err := crockford.DecodeString(body)
	if err != nil || crockford.EncodeToString(raw) != body {
		return "", fmt.Errorf("%w: not an id of the form %s…", ErrInvalid, prefix)
	}
	return s, nil
}

// idShaped: s is short text of the kind that ids are made of. Anything else names
// nothing, and is no matter for a database: PostgreSQL fails at bytes that are no
// text.
func idShaped(s string) bool {
	return len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// newSecret makes a bearer secret: prefix, 256 random bits, and a checksum that
// lets a mistyped or cut secret be refused without a look-up.
func newSecret(prefix string) string {
	var b [32]byte
	rand.Read(b[:])
	body := prefix + crockford.EncodeToString(b[:])
	return body + checksum(body)
}

const secretLen = 52 + 7 // 32 bytes and a CRC-32, in base 32

func checksum(s string) string {
	var c [4]byte
	binary.BigEndian.PutUint32(c[:], crc32.ChecksumIEEE([]byte(s)))
	return crockford.EncodeToString(c[:])
}

// HashSecret checks the form of an API key or client token and returns the
// SHA-256 under which the store keeps it. The secret has 256 random bits, so a
// plain hash suffices: there is nothing to guess.
func HashSecret(prefix, s string) ([]byte, error) {
	if len(s) != len(prefix)+secretLen || !strings.HasPrefix(s, prefix) {
		return nil, ErrTokenInvalid
	}
	body, sum := s[:len(s)-7], s[len(s)-7:]
	if checksum(body) != sum {
		return nil, ErrTokenInvalid
	}
	h := sha256.Sum256([]byte(s))
	return h[:], nil
}

// idTime is the time in an id, or in the leading characters of one: those that
// are missing are taken for fill.
func idTime(id, fill string) (time.Time, error) {
	_, body, ok := strings.Cut(id, "_")
	if !ok || len(body) > idLen {
		return time.Time{}, fmt.Errorf("%w: not an id", ErrInvalid)
	}
	raw, err := crockford.DecodeString(body + strings.Repeat(fill, idLen-len(body)))
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: not an id", ErrInvalid)
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(raw) >> 16)).UTC(), nil
}
