package webhook

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/proofline/proofline/session"
)

const (
	// MaxBody bounds an event: ours stay below 4 KiB.
	MaxBody = 64 << 10
	// tolerance on the timestamp, against replay (the specification's libraries
	// use five minutes).
	tolerance = 5 * time.Minute
	// maxSignatures bounds the work that a webhook-signature header can cause.
	maxSignatures = 16

	secretPrefix  = "whsec_" // HMAC-SHA256
	privatePrefix = "whsk_"  // Ed25519, to sign
	publicPrefix  = "whpk_"  // Ed25519, to verify
)

// Key signs or verifies. An HMAC secret does both.
type Key struct {
	hmac    *standardwebhooks.Webhook
	private ed25519.PrivateKey
	public  ed25519.PublicKey
}

// NewSecret makes a random HMAC secret of 32 bytes.
func NewSecret() string {
	b := make([]byte, 32)
	rand.Read(b)
	return secretPrefix + base64.StdEncoding.EncodeToString(b)
}

// NewKeyPair makes an Ed25519 pair: whsk_… stays here, whpk_… goes to the
// receiver, who then can not sign in our name.
func NewKeyPair() (private, public string) {
	pub, priv, _ := ed25519.GenerateKey(nil) // crypto/rand never fails
	return privatePrefix + base64.StdEncoding.EncodeToString(priv), publicPrefix + base64.StdEncoding.EncodeToString(pub)
}

// ErrKey tells that text is not a key of the forms whsec_, whsk_ or whpk_. It never quotes it.
var ErrKey = errors.New("not a webhook key: want whsec_, whsk_ or whpk_ and base64")

// ParseKey reads one key. HMAC secrets must have 24 to 64 bytes, as the
// specification asks.
func ParseKey(s string) (Key, error) {
	prefix, body, found := strings.Cut(strings.TrimSpace(s), "_")
	raw, err := base64.StdEncoding.DecodeString(body)
	if !found || err != nil {
		return Key{}, ErrKey
	}
	switch prefix + "_" {
	case secretPrefix:
		if len(raw) < 24 || len(raw) > 64 {
			return Key{}, fmt.Errorf("%w: a secret has 24 to 64 bytes", ErrKey)
		}
		h, err := standardwebhooks.NewWebhookRaw(raw)
		return Key{hmac: h}, err
	case privatePrefix:
		if len(raw) != ed25519.PrivateKeySize || !bytes.Equal(ed25519.NewKeyFromSeed(raw[:32]), raw) {
			return Key{}, fmt.Errorf("%w: a private key has 64 bytes that fit together", ErrKey)
		}
		priv := ed25519.PrivateKey(raw)
		return Key{private: priv, public: priv.Public().(ed25519.PublicKey)}, nil
	case publicPrefix:
		if len(raw) != ed25519.PublicKeySize {
			return Key{}, fmt.Errorf("%w: a public key has 32 bytes", ErrKey)
		}
		return Key{public: raw}, nil
	}
	return Key{}, ErrKey
}

// ParseKeys reads keys one a line, as an endpoint's unwrapped secrets hold
// them: during a rotation the new one first, then the old.
func ParseKeys(b []byte) ([]Key, error) {
	var out []Key
	for line := range strings.Lines(string(b)) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		k, err := ParseKey(line)
		if err != nil {
			return nil, err
		}
		if out = append(out, k); len(out) > maxSignatures {
			return nil, fmt.Errorf("more than %d webhook keys", maxSignatures)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: there is none", ErrKey)
	}
	return out, nil
}

// signed is what both kinds of signature are over.
func signed(id string, at time.Time, body []byte) []byte {
	return append([]byte(id+"."+strconv.FormatInt(at.Unix(), 10)+"."), body...)
}

// Headers returns the three headers of a signed request, with one signature per
// key.
func Headers(id string, at time.Time, body []byte, keys ...Key) (http.Header, error) {
	var sigs []string
	for _, k := range keys {
		switch {
		case k.hmac != nil:
			s, err := k.hmac.Sign(id, at, body)
			if err != nil {
				return nil, fmt.Errorf("sign webhook: %w", err)
			}
			sigs = append(sigs, s)
		case k.private != nil:
			sigs = append(sigs, "v1a,"+base64.StdEncoding.EncodeToString(ed25519.Sign(k.private, signed(id, at, body))))
		}
	}
	if len(sigs) == 0 {
		return nil, fmt.Errorf("sign webhook: %w: none that signs", ErrKey)
	}
	return http.Header{
		"Webhook-Id":        {id},
		"Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)},
		"Webhook-Signature": {strings.Join(sigs, " ")},
	}, nil
}

// Errors of Verify.
var (
	ErrHeaders   = errors.New("webhook headers are missing or malformed")
	ErrTimestamp = errors.New("webhook timestamp is too far from now")
	ErrSignature = errors.New("no webhook signature is by a known key")
)

// Verify checks that a request was signed with one of the keys within five
// minutes of now.
func Verify(body []byte, h http.Header, now time.Time, keys ...Key) error {
	id, stamp, sigs := h.Get("webhook-id"), h.Get("webhook-timestamp"), h.Get("webhook-signature")
	if id == "" || len(id) > 256 || len(sigs) > 4096 || len(body) > MaxBody {
		return ErrHeaders
	}
	unix, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil || strconv.FormatInt(unix, 10) != stamp {
		return ErrHeaders
	}
	at := time.Unix(unix, 0)
	if d := now.Sub(at); d > tolerance || d < -tolerance {
		return ErrTimestamp
	}
	list := strings.Fields(sigs)
	if len(list) > maxSignatures {
		return ErrHeaders
	}
	for _, sig := range list {
		version, _, _ := strings.Cut(sig, ",")
		for _, k := range keys {
			if k.check(version, sig, id, at, body) {
				return nil
			}
		}
	}
	return ErrSignature
}

func (k Key) check(version, sig, id string, at time.Time, body []byte) bool {
	switch {
	case version == "v1" && k.hmac != nil:
		// The library compares in constant time.
		return k.hmac.VerifyIgnoringTimestamp(body, http.Header{
			"Webhook-Id": {id}, "Webhook-Timestamp": {strconv.FormatInt(at.Unix(), 10)}, "Webhook-Signature": {sig},
		}) == nil
	case version == "v1a" && k.public != nil:
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(sig, "v1a,"))
		return err == nil && len(raw) == ed25519.SignatureSize && ed25519.Verify(k.public, signed(id, at, body), raw)
	}
	return false
}

// Parse reads the body of a verified event. Unknown fields are skipped: events
// may gain some.
func Parse(body []byte) (session.Notice, error) {
	var n session.Notice
	if len(body) > MaxBody {
		return n, fmt.Errorf("webhook event of %d bytes exceeds %d", len(body), MaxBody)
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&n); err != nil {
		return session.Notice{}, fmt.Errorf("decode webhook event: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) || n.Type == "" || n.Data.EventID == "" || n.Data.SessionID == "" || !n.Data.State.Known() {
		return session.Notice{}, errors.New("decode webhook event: type, event id, session id or state is missing")
	}
	return n, nil
}
