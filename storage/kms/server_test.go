package kms

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// server speaks the protocol of AWS KMS (JSON 1.1, SigV4) for one key: it checks
// signatures, encrypts with AES-256-GCM and authenticates the encryption context.
type server struct {
	t      *testing.T
	aead   cipher.AEAD
	state  string
	usage  string
	outage atomic.Int64 // so many requests are answered with 500
	calls  atomic.Int64
	*httptest.Server
}

const (
	testRegion = "eu-central-1"
	testARN    = "arn:aws:kms:eu-central-1:111122223333:key/0c8b1f1e-0000-4000-8000-000000000001"
	testAlias  = "alias/proofline"
)

var testCredentials = aws.Credentials{AccessKeyID: "AKIDTEST", SecretAccessKey: "kms-test-secret"}

func newServer(t *testing.T) *server {
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, state: "Enabled", usage: "ENCRYPT_DECRYPT"}
	if s.aead, err = cipher.NewGCM(block); err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", testCredentials.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", testCredentials.SecretAccessKey)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	return s
}

func (s *server) config() Config {
	return Config{Key: testAlias, Region: testRegion, Endpoint: s.URL, Timeout: 10 * time.Second}
}

// signed recomputes the signature over the headers that were signed.
func (s *server) signed(r *http.Request, body []byte) bool {
	auth := r.Header.Get("Authorization")
	_, list, found := strings.Cut(auth, "SignedHeaders=")
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if !found || err != nil {
		return false
	}
	list, _, _ = strings.Cut(list, ",")
	again, err := http.NewRequest(r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return false
	}
	again.ContentLength = r.ContentLength
	for _, h := range strings.Split(list, ";") {
		if h != "host" && h != "content-length" {
			again.Header[http.CanonicalHeaderKey(h)] = r.Header.Values(h)
		}
	}
	sum := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(r.Context(), testCredentials, again, hex.EncodeToString(sum[:]), "kms", testRegion, at); err != nil {
		return false
	}
	return again.Header.Get("Authorization") == auth
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.calls.Add(1)
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		s.t.Error(err)
	}
	fail := func(status int, kind string) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]string{"__type": kind, "message": kind})
	}
	if s.outage.Add(-1) >= 0 {
		fail(http.StatusInternalServerError, "KMSInternalException")
		return
	}
	if !s.signed(r, body) {
		fail(http.StatusBadRequest, "InvalidSignatureException")
		return
	}
	var in struct {
		KeyID          string            `json:"KeyId"`
		Plaintext      []byte            `json:"Plaintext"`
		CiphertextBlob []byte            `json:"CiphertextBlob"`
		Context        map[string]string `json:"EncryptionContext"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		fail(http.StatusBadRequest, "SerializationException")
		return
	}
	if in.KeyID != "" && in.KeyID != testARN && in.KeyID != testAlias {
		fail(http.StatusBadRequest, "NotFoundException")
		return
	}
	ad, _ := json.Marshal(in.Context) // map keys are sorted
	var out any
	switch target := r.Header.Get("X-Amz-Target"); target {
	case "TrentService.DescribeKey":
		out = map[string]any{"KeyMetadata": map[string]any{"Arn": testARN, "KeyId": testARN[len(testARN)-36:], "KeyState": s.state,
			"Enabled": s.state == "Enabled", "KeyUsage": s.usage, "KeySpec": "SYMMETRIC_DEFAULT"}}
	case "TrentService.Encrypt":
		nonce := make([]byte, s.aead.NonceSize())
		rand.Read(nonce)
		out = map[string]any{"KeyId": testARN, "CiphertextBlob": s.aead.Seal(nonce, nonce, in.Plaintext, ad), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
	case "TrentService.Decrypt":
		n := s.aead.NonceSize()
		if s.state != "Enabled" {
			fail(http.StatusBadRequest, "DisabledException")
			return
		}
		if len(in.CiphertextBlob) < n {
			fail(http.StatusBadRequest, "InvalidCiphertextException")
			return
		}
		plain, err := s.aead.Open(nil, in.CiphertextBlob[:n], in.CiphertextBlob[n:], ad)
		if err != nil {
			fail(http.StatusBadRequest, "InvalidCiphertextException")
			return
		}
		out = map[string]any{"KeyId": testARN, "Plaintext": plain, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}
	default:
		fail(http.StatusBadRequest, "UnknownOperationException")
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	json.NewEncoder(w).Encode(out)
}

var ctx = context.Background()
