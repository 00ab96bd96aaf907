package testserver

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// OIDCServer is an OpenID provider in the test's process, over HTTP: discovery,
// keys, the authorization code flow with PKCE. It lets the person of Claims in
// without asking, and insists on what RFC 6749 and RFC 7636 want of a client.
type OIDCServer struct {
	Issuer, ClientID, ClientSecret string

	mu sync.Mutex
	// Claims of whoever logs in next.
	claims map[string]any
	// spoil changes an id token before it is signed; forge signs with a key
	// that the provider does not publish.
	spoil func(map[string]any)
	forge bool

	key, other *rsa.PrivateKey
	codes      map[string]authorization
	Tokens     int // codes redeemed
}

type authorization struct{ nonce, challenge, redirect string }

// OIDC starts a provider for one client.
func OIDC(t testing.TB) *OIDCServer {
	t.Helper()
	s := &OIDCServer{ClientID: "proofline", ClientSecret: rand.Text(), codes: map[string]authorization{}, claims: map[string]any{"sub": "4711"}}
	var err error
	if s.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if s.other, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", s.discovery)
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key.Public(), KeyID: "k1", Algorithm: "RS256", Use: "sig"}}})
	})
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("POST /token", s.token)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	s.Issuer = srv.URL
	return s
}

// Person sets the claims of whoever logs in next.
func (s *OIDCServer) Person(claims map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims = claims
}

// Spoil has the next id tokens changed before they are signed, and, with forge,
// signed by a key that is not the provider's.
func (s *OIDCServer) Spoil(change func(map[string]any), forge bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoil, s.forge = change, forge
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (s *OIDCServer) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{
		"issuer": s.Issuer, "authorization_endpoint": s.Issuer + "/authorize", "token_endpoint": s.Issuer + "/token", "jwks_uri": s.Issuer + "/keys",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		"code_challenge_methods_supported": []string{"S256"}, "authorization_response_iss_parameter_supported": true,
	})
}

func (s *OIDCServer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	back, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != s.ClientID || q.Get("response_type") != "code" || q.Get("state") == "" || q.Get("nonce") == "" ||
		q.Get("code_challenge") == "" || q.Get("code_challenge_method") != "S256" {
		http.Error(w, "invalid_request", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	s.mu.Lock()
	s.codes[code] = authorization{q.Get("nonce"), q.Get("code_challenge"), q.Get("redirect_uri")}
	s.mu.Unlock()
	back.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {s.Issuer}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (s *OIDCServer) token(w http.ResponseWriter, r *http.Request) {
	fail := func(code string) {
		w.WriteHeader(http.StatusBadRequest)
		answer(w, map[string]string{"error": code})
	}
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if id != s.ClientID || secret != s.ClientSecret {
		fail("invalid_client")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.codes[r.PostFormValue("code")]
	delete(s.codes, r.PostFormValue("code")) // each works once
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || r.PostFormValue("grant_type") != "authorization_code" || r.PostFormValue("redirect_uri") != a.redirect ||
		base64.RawURLEncoding.EncodeToString(sum[:]) != a.challenge {
		fail("invalid_grant")
		return
	}
	now := time.Now()
	claims := map[string]any{"iss": s.Issuer, "aud": s.ClientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "nonce": a.nonce}
	for k, v := range s.claims {
		claims[k] = v
	}
	if s.spoil != nil {
		s.spoil(claims)
	}
	key := s.key
	if s.forge {
		key = s.other
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", "k1"))
	if err != nil {
		fail("server_error")
		return
	}
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		fail("server_error")
		return
	}
	s.Tokens++
	answer(w, map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": 300, "id_token": raw})
}
