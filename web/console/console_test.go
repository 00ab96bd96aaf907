package console_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/access/login"
	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/internal/testserver"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/web/console"
)

const password = "correct horse battery staple"

var (
	ctx    = context.Background()
	cli    = session.Actor{Role: session.Operator, ID: "cli"}
	hashed = access.HashPassword(password)
)

// site is the server with the console, over a real store and vault. The gate
// takes every photo: what it judges is tested elsewhere.
type site struct {
	t       *testing.T
	url     string
	store   *session.Store
	vault   *storage.Vault
	service *client.Service
}

func newSite(t *testing.T, change func(*review.Config, *login.Config)) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{t: t}
	var err error
	if s.store, err = session.Open(ctx, "sqlite:"+filepath.Join(dir, "p.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.store.Close() })
	blobs, err := storage.OpenFS(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blobs.Close() })
	keys, err := storage.OpenOrCreateKeyFile(filepath.Join(dir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	s.vault = storage.NewVault(blobs, keys, s.store, time.Now)
	srv := httptest.NewUnstartedServer(nil)
	s.url = "http://" + srv.Listener.Addr().String()
	rules := policy.Default()
	rc := review.Config{Store: s.store, Vault: s.vault, Policy: func(context.Context, string) (*policy.Policy, error) { return rules, nil }}
	lc := login.Config{Store: s.store, Keyring: keys}
	if change != nil {
		change(&rc, &lc)
	}
	door, desk := login.New(lc), review.New(rc)
	srv.Config.Handler = api.New(api.Deps{
		Store: s.store, Vault: s.vault, Policy: rules, PublicURL: s.url, Door: door, Desk: desk,
		Console: console.New(console.Config{Door: door, Desk: desk, PublicURL: s.url}),
		Gate: func(context.Context, policy.Cell, string, []byte) (policy.GateAnswer, error) {
			return policy.GateAnswer{Accepted: true}, nil
		},
		Limits: api.Limits{PerAddress: 100_000, PerKey: 100_000, PhotosPerMinute: 1000},
	})
	srv.Start()
	t.Cleanup(srv.Close)
	_, secret, err := s.store.CreateAPIKey(ctx, cli, "acme", "test", api.Scopes(), 0)
	if err != nil {
		t.Fatal(err)
	}
	s.service = client.NewService(s.url, secret, nil)
	return s
}

func (s *site) account(name string, roles ...access.Role) session.Account {
	s.t.Helper()
	a, err := s.store.CreateAccount(ctx, cli, session.NewAccount{Name: name, Roles: roles, PasswordHash: hashed})
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// review brings a case to review with the given photos, and a straightened
// document besides.
func (s *site) review(photos map[string][]byte, straight []byte, n client.NewSession, codes ...policy.Code) string {
	s.t.Helper()
	made, err := s.service.CreateSession(ctx, n, "")
	if err != nil {
		s.t.Fatal(err)
	}
	c := client.NewCapture(s.url, made.ClientToken, nil)
	if _, err := c.GiveConsent(ctx, "1", "en"); err != nil {
		s.t.Fatal(err)
	}
	for kind, b := range photos {
		if _, err := c.Upload(ctx, kind, "passport", b, "image/jpeg"); err != nil {
			s.t.Fatal(err)
		}
	}
	if _, err := c.Submit(ctx); err != nil {
		s.t.Fatal(err)
	}
	id := made.Session.ID
	put := func(class storage.Class, kind string, b []byte) string {
		o, err := s.vault.PutBytes(ctx, storage.Ref{Session: id, Class: class, Kind: kind}, b, time.Now().Add(time.Hour))
		if err != nil {
			s.t.Fatal(err)
		}
		return o.ID
	}
	stage := func(name, body string) {
		if _, err := s.store.PutStage(ctx, session.StageResult{Session: id, Attempt: 1, Stage: name, InputHash: "h", Body: []byte(body)}); err != nil {
			s.t.Fatal(err)
		}
	}
	mrz := put(storage.ExtractedFields, "mrz", []byte(`{"fields":[{"name":"surname","value":"ERIKSSON","source":"mrz","confidence":0.99},{"name":"given_names","value":"ANNA MARIA","source":"mrz","confidence":0.98},{"name":"document_number","value":"L898902C3","source":"mrz","confidence":0.99,"verified":true},{"name":"birth_date","value":"1974-08-12","source":"mrz","confidence":0.99,"verified":true},{"name":"expiry_date","value":"2031-04-15","source":"mrz","confidence":0.99,"verified":true}]}`))
	visual := put(storage.ExtractedFields, "visual", []byte(`{"fields":[{"name":"surname","value":"ERICSSON","source":"visual","confidence":0.9},{"name":"given_names","value":"ANNA MARIA","source":"visual","confidence":0.93},{"name":"document_number","value":"L898902C3","source":"visual","confidence":0.95}]}`))
	if straight != nil {
		stage("document", fmt.Sprintf(`{"findings":[{"stage":"document","subject":"document_front","verdict":"pass","measures":[{"name":"document.sharpness","value":2.1,"unit":"ratio"},{"name":"document.glare_area","value":0.004,"unit":"ratio"}],"duration_ms":1}],"artefacts":[{"class":"capture_image","kind":"straightened_document_front","subject":"document_front","object":%q}]}`, put(storage.CaptureImage, "straightened_document_front", straight)))
	}
	stage("mrz", fmt.Sprintf(`{"findings":[{"stage":"mrz","subject":"document_front","verdict":"pass","duration_ms":1}],"artefacts":[{"class":"extracted_fields","kind":"mrz","object":%q}]}`, mrz))
	stage("ocr", fmt.Sprintf(`{"findings":[],"artefacts":[{"class":"extracted_fields","kind":"visual","object":%q}]}`, visual))
	stage("face", `{"findings":[{"stage":"face","subject":"case","verdict":"pass","measures":[{"name":"face.similarity","value":0.61,"unit":"cosine"}],"duration_ms":1}]}`)
	stage("liveness", `{"findings":[{"stage":"liveness","subject":"selfie","verdict":"pass","measures":[{"name":"liveness.score","value":0.41,"unit":"score"}],"duration_ms":1}]}`)
	d := policy.Decision{Outcome: policy.PendingReview, Codes: codes, Policy: "default", PolicyHash: policy.Default().Hash(), Attempt: 1, Reasons: []policy.Reason{}}
	for _, c := range codes {
		r := policy.Reason{Code: c, Subject: "case", Stage: "consistency", Action: policy.Review}
		if c == "consistency.name_mismatch" {
			r.Field = "surname"
		}
		d.Reasons = append(d.Reasons, r)
	}
	if _, err := s.store.Apply(ctx, id, session.AnyVersion, session.Decided(session.Actor{Role: session.Worker, ID: "w"}, 1, d), nil); err != nil {
		s.t.Fatal(err)
	}
	return id
}

// browser is a browser without a screen: it keeps cookies and follows forms.
type browser struct {
	*site
	http *http.Client
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{s, &http.Client{Jar: jar}}
}

func (b *browser) send(method, path string, form url.Values) (*http.Response, string) {
	b.t.Helper()
	req, err := http.NewRequest(method, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp, string(text)
}

func (b *browser) login(name string) string {
	b.t.Helper()
	resp, text := b.send("POST", "/console/login", url.Values{"name": {name}, "password": {password}, "next": {"/console/reviews"}})
	if resp.StatusCode != 200 || !strings.Contains(text, "Log out") {
		b.t.Fatalf("login: %d %s", resp.StatusCode, text)
	}
	return resp.Request.URL.Path
}

var jpegs = map[string][]byte{"document_front": []byte("\xff\xd8\xff\xe0document"), "selfie": []byte("\xff\xd8\xff\xe0selfie")}

func TestWhoIsNotLoggedInIsLedToTheLoginAndBack(t *testing.T) {
	s := newSite(t, nil)
	s.account("vera", access.Reviewer)
	b := s.browser()
	resp, text := b.send("GET", "/console/reviews", nil)
	if resp.Request.URL.Path != "/console/login" || !strings.Contains(text, `name="next" value="/console/reviews"`) {
		t.Errorf("%s: %s", resp.Request.URL, text)
	}
	if at := b.login("vera"); at != "/console/reviews" {
		t.Errorf("landed at %s", at)
	}
	if resp, _ := b.send("GET", "/console/login", nil); resp.Request.URL.Path == "/console/login" {
		t.Error("who is logged in is asked again")
	}
	for _, evil := range []string{"https://evil.example", "//evil.example", "/\\evil.example", "/console/..//evil.example", "javascript:alert(1)", "/v1/logout"} {
		x := s.browser()
		resp, _ := x.send("POST", "/console/login", url.Values{"name": {"vera"}, "password": {password}, "next": {evil}})
		if resp.Request.URL.Host != strings.TrimPrefix(s.url, "http://") || !strings.HasPrefix(resp.Request.URL.Path, "/console") {
			t.Errorf("next=%s led to %s", evil, resp.Request.URL)
		}
	}
	resp, text = b.send("POST", "/console/logout", url.Values{})
	if resp.Request.URL.Path != "/console/login" || !strings.Contains(text, "You are logged out") {
		t.Errorf("%s", resp.Request.URL)
	}
	if resp, _ := b.send("GET", "/console/reviews", nil); resp.Request.URL.Path != "/console/login" {
		t.Error("logged out, and still in")
	}
}

func TestTheLoginCookieIsOutOfReachOfScriptsAndOtherSites(t *testing.T) {
	s := newSite(t, nil)
	s.account("vera", access.Reviewer)
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.PostForm(s.url+"/console/login", url.Values{"name": {"vera"}, "password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if len(resp.Cookies()) != 1 {
		t.Fatalf("%v", resp.Header)
	}
	if k := resp.Cookies()[0]; !k.HttpOnly || k.SameSite != http.SameSiteLaxMode || k.Path != "/" || k.Domain != "" || k.MaxAge <= 0 {
		t.Errorf("%+v", k)
	}
	if name, secure := api.Cookie("https://verify.example.com"); name != "__Host-proofline" || !secure {
		t.Errorf("over TLS: %s, secure %v", name, secure)
	}
	for _, site := range []string{"cross-site", "same-site"} {
		req, _ := http.NewRequest("POST", s.url+"/console/login", strings.NewReader("name=vera&password="+url.QueryEscape(password)))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", site)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 403 || len(resp.Cookies()) != 0 {
			t.Errorf("a login form of another site (%s): %d", site, resp.StatusCode)
		}
	}
	csp := resp.Header.Get("Content-Security-Policy")
	if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", resp.Header)
	}
}

func TestACaseIsTakenOpenedAndDecidedOnThePages(t *testing.T) {
	s := newSite(t, nil)
	s.account("vera", access.Reviewer)
	id := s.review(jpegs, []byte("\xff\xd8\xff\xe0straight"), client.NewSession{DocumentType: "passport"}, "consistency.name_mismatch")
	b := s.browser()
	b.login("vera")
	_, text := b.send("GET", "/console/reviews", nil)
	if !strings.Contains(text, "Names differ between sources") || !strings.Contains(text, "/console/reviews/"+id) {
		t.Errorf("queue: %s", text)
	}
	resp, text := b.send("POST", "/console/reviews/next", url.Values{})
	if resp.Request.URL.Path != "/console/reviews/"+id {
		t.Fatalf("taken: %s", resp.Request.URL)
	}
	if strings.Contains(text, "ERIKSSON") || strings.Contains(text, "<img") {
		t.Error("evidence is shown without a grant")
	}
	for _, want := range []string{"surname", "liveness.score", "0.41", "min 0.6", "Approve although 1 check failed"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if _, text := b.send("GET", "/console/reviews/"+id+"?show=evidence", nil); strings.Contains(text, "ERIKSSON") {
		t.Error("asking in the address is enough")
	}
	if resp, _ := b.send("POST", "/console/reviews/"+id+"/grant", url.Values{"purpose": {"complaint"}}); !strings.Contains(resp.Request.URL.RawQuery, "said=purpose") {
		t.Errorf("a purpose without words: %s", resp.Request.URL)
	}
	_, text = b.send("POST", "/console/reviews/"+id+"/grant", url.Values{"purpose": {"review"}})
	pictures := regexp.MustCompile(`<img src="(/v1/evidence/grants/[^"]+)"`).FindAllStringSubmatch(text, -1)
	if len(pictures) != 3 || !strings.Contains(text, "ERIKSSON") || !strings.Contains(text, "ERICSSON") || !strings.Contains(text, "differs") {
		t.Fatalf("%d pictures: %s", len(pictures), text)
	}
	resp, body := b.send("GET", pictures[0][1], nil)
	if resp.Header.Get("Content-Type") != "image/jpeg" || !strings.HasSuffix(body, "straight") || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("%v %q", resp.Header, body)
	}
	version := regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(text)[1]
	if resp, _ := b.send("POST", "/console/reviews/"+id+"/decision", url.Values{"version": {version}, "outcome": {"approved"}}); !strings.Contains(resp.Request.URL.RawQuery, "said=incomplete") {
		t.Errorf("against a failed check: %s", resp.Request.URL)
	}
	if resp, _ := b.send("POST", "/console/reviews/"+id+"/decision", url.Values{"version": {"1"}, "outcome": {"rejected"}, "codes-rejected": {"consistency.name_mismatch"}}); !strings.Contains(resp.Request.URL.RawQuery, "said=again") {
		t.Errorf("an old version: %s", resp.Request.URL)
	}
	resp, text = b.send("POST", "/console/reviews/"+id+"/decision", url.Values{"version": {version}, "outcome": {"rejected"}, "codes-rejected": {"consistency.name_mismatch"}, "codes-needs_resubmission": {"capture.glare"}, "note": {"another person's document"}})
	if resp.Request.URL.Path != "/console/reviews" || !strings.Contains(text, "Decided") {
		t.Errorf("%s", resp.Request.URL)
	}
	ses, err := s.store.Get(ctx, id)
	if err != nil || ses.State != session.Rejected || len(ses.Decision.Codes) != 1 {
		t.Errorf("%+v, %v", ses, err)
	}
}

func TestRolesSeeWhatIsTheirs(t *testing.T) {
	s := newSite(t, func(c *review.Config, _ *login.Config) { c.SecondForEvidence = true })
	id := s.review(jpegs, nil, client.NewSession{}, "consistency.name_mismatch")
	s.account("vera", access.Reviewer)
	s.account("max", access.Reviewer)
	s.account("audrey", access.Auditor)
	s.account("ola", access.Operator)
	vera, max, audrey, ola := s.browser(), s.browser(), s.browser(), s.browser()
	vera.login("vera")
	max.login("max")
	audrey.login("audrey")
	if _, text := audrey.send("GET", "/console/reviews/"+id, nil); !strings.Contains(text, "no pictures") || !strings.Contains(text, "does not decide") {
		t.Error("an auditor is offered evidence or a decision")
	}
	if resp, _ := audrey.send("POST", "/console/reviews/"+id+"/claim", url.Values{}); resp.StatusCode != 403 {
		t.Errorf("an auditor claims: %d", resp.StatusCode)
	}
	resp, text := ola.send("POST", "/console/login", url.Values{"name": {"ola"}, "password": {password}, "next": {"/console/reviews"}})
	if resp.StatusCode != 403 || !strings.Contains(text, "None of your roles") {
		t.Errorf("an operator sees reviews: %d", resp.StatusCode)
	}
	if _, text := vera.send("POST", "/console/reviews/"+id+"/grant", url.Values{"purpose": {"review"}}); !strings.Contains(text, "Somebody else has to approve") {
		t.Error("one person is enough")
	}
	grant := regexp.MustCompile(`/console/grants/(grt_\w+)`)
	_, text = vera.send("GET", "/console/grants", nil)
	if strings.Contains(text, `value="approve"`) {
		t.Error("the one who asked is offered to approve")
	}
	_, text = max.send("GET", "/console/grants", nil)
	m := grant.FindStringSubmatch(text)
	if m == nil || !strings.Contains(text, `value="approve"`) {
		t.Fatalf("%s", text)
	}
	if resp, _ := vera.send("POST", "/console/grants/"+m[1], url.Values{"do": {"approve"}}); !strings.Contains(resp.Request.URL.RawQuery, "said=same_person") {
		t.Errorf("she approves herself: %s", resp.Request.URL)
	}
	max.send("POST", "/console/grants/"+m[1], url.Values{"do": {"approve"}})
	if _, text := vera.send("GET", "/console/reviews/"+id+"?show=evidence", nil); !strings.Contains(text, "ERIKSSON") {
		t.Error("approved, and still closed")
	}
	max.send("POST", "/console/grants/"+m[1], url.Values{"do": {"end"}})
	if _, text := vera.send("GET", "/console/reviews/"+id+"?show=evidence", nil); strings.Contains(text, "ERIKSSON") {
		t.Error("ended, and still open")
	}
}

func TestOnesOwnAccount(t *testing.T) {
	s := newSite(t, nil)
	s.account("vera", access.Reviewer)
	b, elsewhere := s.browser(), s.browser()
	b.login("vera")
	elsewhere.login("vera")
	_, text := b.send("POST", "/console/account/authenticator", url.Values{"do": {"begin"}})
	m := regexp.MustCompile(`name="secret" value="(\w+)"`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("%s", text)
	}
	if _, text := b.send("POST", "/console/account/authenticator", url.Values{"do": {"confirm"}, "secret": {m[1]}, "code": {"000000"}, "password": {password}}); !strings.Contains(text, "Nothing was changed") {
		t.Error("a wrong code switches it on")
	}
	code, err := totp.GenerateCode(m[1], time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, text := b.send("POST", "/console/account/authenticator", url.Values{"do": {"confirm"}, "secret": {m[1]}, "code": {code}}); !strings.Contains(text, "Nothing was changed") {
		t.Error("without the password it is switched on")
	}
	if _, text := b.send("POST", "/console/account/authenticator", url.Values{"do": {"confirm"}, "secret": {m[1]}, "code": {code}, "password": {password}}); !strings.Contains(text, "asks for a code") {
		t.Error("a right code does not")
	}
	x := s.browser()
	if _, text := x.send("POST", "/console/login", url.Values{"name": {"vera"}, "password": {password}}); !strings.Contains(text, "one-time-code") {
		t.Errorf("%s", text)
	}
	if _, text := b.send("POST", "/console/account/authenticator", url.Values{"do": {"remove"}, "password": {password}}); !strings.Contains(text, "needed as well") {
		t.Errorf("without a code it is switched off: %s", text)
	}
	b.send("POST", "/console/account/logins", url.Values{})
	if resp, _ := elsewhere.send("GET", "/console/account", nil); resp.Request.URL.Path != "/console/login" {
		t.Error("logged out elsewhere, and still in")
	}
	if _, text := b.send("POST", "/console/account/password", url.Values{"old": {password}, "new": {"short"}}); !strings.Contains(text, "at least 15") {
		t.Errorf("%s", text)
	}
	resp, text := b.send("POST", "/console/account/password", url.Values{"old": {password}, "new": {"a completely different phrase"}})
	if resp.Request.URL.Path != "/console/login" || !strings.Contains(text, "changed") {
		t.Errorf("%s", resp.Request.URL)
	}
}

func TestTheProvidersLoginEndsInTheConsole(t *testing.T) {
	idp := testserver.OIDC(t)
	idp.Person(map[string]any{"sub": "s-1", "preferred_username": "kim", "groups": []string{"kyc"}})
	roles, _ := access.ParseGroupRoles([]string{"kyc=reviewer"})
	var oidc *login.OIDC
	s := newSite(t, func(_ *review.Config, c *login.Config) {
		oidc = &login.OIDC{Name: "company account", Issuer: idp.Issuer, ClientID: idp.ClientID, ClientSecret: idp.ClientSecret, Roles: roles}
		c.OIDC = oidc
	})
	oidc.RedirectURL = s.url + "/console/login/oidc"
	b := s.browser()
	if _, text := b.send("GET", "/console/login", nil); !strings.Contains(text, "Log in with your company account") {
		t.Error("the provider is not offered")
	}
	resp, text := b.send("GET", "/console/login/provider", nil)
	if resp.Request.URL.Path != "/console/reviews" || !strings.Contains(text, "kim") {
		t.Errorf("%s: %s", resp.Request.URL, text)
	}
	idp.Person(map[string]any{"sub": "s-2"})
	if _, text := s.browser().send("GET", "/console/login/provider", nil); !strings.Contains(text, "no role here") {
		t.Errorf("%s", text)
	}
	if _, text := s.browser().send("GET", "/console/login/oidc?code=x&state=y", nil); !strings.Contains(text, "did not work") {
		t.Errorf("%s", text)
	}
}
