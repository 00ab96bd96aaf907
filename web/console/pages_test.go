package console_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"golang.org/x/mod/sumdb/note"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/access/login"
	"github.com/proofline/proofline/api"
	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/internal/demodata"
	"github.com/proofline/proofline/models"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
	"github.com/proofline/proofline/web/console"
)

// office is a site with the operators' pages over made-up cases.
type office struct {
	*site
	active func() *policy.Policy
}

func newOffice(t *testing.T, cases int) *office {
	t.Helper()
	return newOfficeOn(t, "sqlite:"+filepath.Join(t.TempDir(), "p.db"), cases, nil)
}

// newOfficeOn is newOffice on a database; grow is called once the cases are in it.
func newOfficeOn(t *testing.T, dsn string, cases int, grow func()) *office {
	t.Helper()
	dir := t.TempDir()
	config := session.Actor{Role: session.System, ID: "config"}
	rules := policy.Default()
	archive := func(s *session.Store, p *policy.Policy, text []byte) session.Rules {
		r := session.Rules{Hash: p.Hash(), Kind: session.PolicyRules, Name: p.Name, Version: p.Version, Text: text}
		if err := s.PutRules(ctx, config, r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if cases > 0 {
		made, err := session.Open(ctx, dsn)
		if err != nil {
			t.Fatal(err)
		}
		archive(made, rules, policy.DefaultYAML())
		_, err = demodata.Fill(ctx, made, demodata.Options{Cases: cases, Seed: 5, Days: 28, Tenant: "default", Policy: rules, Until: time.Now().Add(-time.Minute), Progress: func() {}})
		if err != nil {
			t.Fatal(err)
		}
		made.Close()
		if grow != nil {
			grow()
		}
	}
	s := &site{t: t}
	var err error
	if s.store, err = session.Open(ctx, dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.store.Close() })
	if err := s.store.PutRules(ctx, config, session.Rules{Hash: policy.CodesHash(), Kind: session.CodeRules, Text: policy.CodesYAML()}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.ConfigurePolicy(ctx, config, archive(s.store, rules, policy.DefaultYAML()), false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.CountFigures(ctx); err != nil {
		t.Fatal(err)
	}
	secret, public, err := audit.GenerateKey("proofline-audit")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.store.Checkpoint(ctx, signer); err != nil {
		t.Fatal(err)
	}
	blobs, err := storage.OpenFS(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { blobs.Close() })
	keys, err := storage.OpenOrCreateKeyFile(filepath.Join(dir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	s.vault = storage.NewVault(blobs, keys, s.store, time.Now).WithSigner(signer)
	under := func(ctx context.Context, hash, codes string) (*policy.Policy, error) {
		r, err := s.store.Rules(ctx, hash)
		if err != nil {
			return nil, err
		}
		return policy.Parse(r.Text)
	}
	o := &office{site: s, active: func() *policy.Policy {
		c, err := s.store.ActivePolicy(ctx)
		if err != nil {
			t.Error(err)
			return rules
		}
		p, err := under(ctx, c.Hash, "")
		if err != nil {
			t.Error(err)
			return rules
		}
		return p
	}}
	srv := httptest.NewUnstartedServer(nil)
	s.url = "http://" + srv.Listener.Addr().String()
	door := login.New(login.Config{Store: s.store, Keyring: keys})
	desk := review.New(review.Config{Store: s.store, Vault: s.vault, Policy: func(ctx context.Context, hash string) (*policy.Policy, error) { return under(ctx, hash, "") }})
	srv.Config.Handler = api.New(api.Deps{
		Store: s.store, Vault: s.vault, Policy: rules, Current: o.active, PublicURL: s.url, Door: door, Desk: desk,
		Console: console.New(console.Config{
			Door: door, Desk: desk, PublicURL: s.url, Store: s.store, Verifier: public, QueuePage: true,
			ReadObject: func(ctx context.Context, id string) ([]byte, error) {
				obj, err := s.store.GetObject(ctx, id)
				if err != nil {
					return nil, err
				}
				return s.vault.Read(ctx, obj, 1<<20)
			},
			Prove: func(ctx context.Context, entries []audit.Entry, earlier ...int64) (audit.Proof, error) {
				if _, _, err := s.store.Checkpoint(ctx, signer); err != nil {
					return audit.Proof{}, err
				}
				return s.store.ProveAudit(ctx, entries, earlier...)
			},
			Rules:  console.Rules{Current: o.active, Under: under},
			Models: func() ([]models.Status, error) { return models.Verify(models.DefaultDir(), models.Default) },
		}),
		Gate: func(context.Context, policy.Cell, string, []byte) (policy.GateAnswer, error) {
			return policy.GateAnswer{Accepted: true}, nil
		},
		Limits: api.Limits{PerAddress: 100_000, PerKey: 100_000, PhotosPerMinute: 1000},
	})
	srv.Start()
	t.Cleanup(srv.Close)
	return o
}

var everyRole = access.StaffRoles()

// pagesOf are the console's pages with a name for their picture.
func (o *office) pagesOf() [][2]string {
	list, err := o.store.List(ctx, session.Filter{States: []session.State{session.Rejected, session.Approved, session.Initiated}, Limit: 1})
	if err != nil {
		o.t.Fatal(err)
	}
	out := [][2]string{
		{"overview", "/console/overview?window=30d"}, {"sessions", "/console/sessions"},
		{"thresholds", "/console/thresholds?window=30d&reject=0.250&approve=0.450"},
		{"policies", "/console/policies"}, {"policy", "/console/policies/" + o.active().Hash()}, {"policy-edit", "/console/policies/edit"},
		{"checks", "/console/checks"}, {"retention", "/console/retention"}, {"audit", "/console/audit"}, {"webhooks", "/console/webhooks"},
		{"queues", "/console/queues"}, {"models", "/console/models"}, {"users", "/console/users"},
	}
	if len(list.Sessions) > 0 {
		out = append(out, [2]string{"session", "/console/sessions/" + list.Sessions[0].ID})
	}
	return out
}

// enter logs somebody in, to wherever that role begins.
func (b *browser) enter(name string) {
	b.t.Helper()
	if resp, text := b.send("POST", "/console/login", url.Values{"name": {name}, "password": {password}}); resp.StatusCode != 200 || !strings.Contains(text, "Log out") {
		b.t.Fatalf("login: %d %s", resp.StatusCode, text)
	}
}

func TestEveryPageIsThereForItsRolesAndForNobodyElse(t *testing.T) {
	o := newOffice(t, 150)
	all := o.pagesOf()
	o.account("nobody.example", access.Reviewer)
	reviewer := o.browser()
	reviewer.enter("nobody.example")
	seen := map[string]bool{}
	for _, role := range everyRole {
		name := string(role) + ".example"
		o.account(name, role)
		b := o.browser()
		b.enter(name)
		for _, p := range all {
			resp, text := b.send("GET", p[1], nil)
			switch resp.StatusCode {
			case 200:
				seen[p[0]] = true
				if !strings.Contains(text, "<h1>") || strings.Contains(text, "ZgotmplZ") {
					t.Errorf("%s for %s: %.200s", p[0], role, text)
				}
				if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") {
					t.Errorf("%s: %s", p[0], csp)
				}
				if strings.Contains(text, " style=") || regexp.MustCompile(` on\w+="`).MatchString(text) {
					t.Errorf("%s has inline style or script", p[0])
				}
			case 403:
			default:
				t.Errorf("%s for %s: %d", p[0], role, resp.StatusCode)
			}
		}
	}
	for _, p := range all {
		if !seen[p[0]] {
			t.Errorf("nobody can see %s", p[0])
		}
	}
	// What changes something asks for its own permission.
	for path, form := range map[string]url.Values{
		"/console/users": {"name": {"x.example"}, "role": {"admin"}, "password": {password}}, "/console/policies/edit": {}, "/console/policies/propose": {},
		"/console/audit/verify": {}, "/console/outbox/obx_00000000000000000000000000/replay": {}, "/console/sessions/" + strings.TrimPrefix(all[len(all)-1][1], "/console/sessions/") + "/erase": {"sure": {"yes"}},
	} {
		if resp, _ := reviewer.send("POST", path, form); resp.StatusCode != 403 {
			t.Errorf("a reviewer at %s: %d", path, resp.StatusCode)
		}
	}
}

func TestEmptyPagesSayWhatToDo(t *testing.T) {
	o := newOffice(t, 0)
	o.account("ada.example", everyRole...)
	b := o.browser()
	b.enter("ada.example")
	for path, want := range map[string]string{
		"/console/overview": "demo-data", "/console/sessions": "POST /v1/sessions", "/console/thresholds": "No scores in this window",
		"/console/webhooks": "--webhook.url", "/console/queues": "Nothing was given up", "/console/retention": "Nothing is due",
		"/console/sessions?q=nope": "No session fits",
	} {
		if _, text := b.send("GET", path, nil); !strings.Contains(text, want) {
			t.Errorf("%s does not say %q", path, want)
		}
	}
}

func TestAdministratorsChangeAccountsButNotTheirOwn(t *testing.T) {
	o := newOffice(t, 0)
	me := o.account("ada.example", access.Admin)
	b := o.browser()
	b.enter("ada.example")
	_, text := b.send("POST", "/console/users", url.Values{"name": {"kim.example"}, "password": {"a long enough password"}, "role": {"reviewer"}})
	if !strings.Contains(text, "kim.example") {
		t.Fatalf("%s", text)
	}
	kim, _, err := o.store.AccountByName(ctx, "kim.example")
	if err != nil {
		t.Fatal(err)
	}
	b.send("POST", "/console/users/"+kim.ID, url.Values{"do": {"roles"}, "role": {"auditor", "operator"}})
	b.send("POST", "/console/users/"+kim.ID, url.Values{"do": {"disable"}})
	if kim, err = o.store.Account(ctx, kim.ID); err != nil || kim.DisabledAt.IsZero() || len(kim.Roles) != 2 {
		t.Errorf("%+v, %v", kim, err)
	}
	if resp, _ := b.send("POST", "/console/users/"+me.ID, url.Values{"do": {"disable"}}); !strings.Contains(resp.Request.URL.RawQuery, "yourself") {
		t.Errorf("one's own account: %s", resp.Request.URL)
	}
	if resp, _ := b.send("POST", "/console/users/"+kim.ID, url.Values{"do": {"roles"}}); !strings.Contains(resp.Request.URL.RawQuery, "no_roles") {
		t.Errorf("no role: %s", resp.Request.URL)
	}
	found, err := o.store.SearchAudit(ctx, session.AuditFilter{Action: "account.", Actor: "staff:" + me.ID, Limit: 20})
	if err != nil || len(found.Entries) != 3 {
		t.Errorf("%d entries, %v", len(found.Entries), err)
	}
}

func TestAMalformedPolicyIsRefusedWithItsLineAndTheOldOneStays(t *testing.T) {
	o := newOffice(t, 30)
	o.account("ola.example", access.Operator)
	b := o.browser()
	b.enter("ola.example")
	before := o.active().Hash()
	text := string(policy.DefaultYAML())
	lineWith := func(part string) int {
		for i, l := range strings.Split(text, "\n") {
			if strings.Contains(l, part) && !strings.HasPrefix(strings.TrimSpace(l), "#") {
				return i + 1
			}
		}
		t.Fatalf("no line with %q", part)
		return 0
	}
	for name, c := range map[string]struct {
		text string
		line int
	}{
		"unknown key":     {strings.Replace(text, "\ndefaults:\n", "\ndefaults:\n  evidnce: [selfie]\n", 1), lineWith("defaults:") + 1},
		"not YAML":        {strings.Replace(text, "\ndefaults:\n", "\ndefaults: [\n", 1), 0},
		"unknown code":    {strings.Replace(text, "code: biometric.face_mismatch", "code: biometric.face_mismatsch", 1), 0},
		"the same rules":  {text + "\n# only a comment\n", 0},
		"the same number": {strings.Replace(text, "resubmissions: 3", "resubmissions: 2", 1), lineWith("version:")},
	} {
		if c.text == text {
			t.Errorf("%s: the shipped policy is not as this test expects", name)
		}
		for _, path := range []string{"/console/policies/edit", "/console/policies/propose"} {
			resp, page := b.send("POST", path, url.Values{"base": {before}, "text": {strings.ReplaceAll(c.text, "\n", "\r\n")}})
			if resp.StatusCode != 422 || !strings.Contains(page, "Refused") {
				t.Errorf("%s at %s: %d", name, path, resp.StatusCode)
			}
			if c.line > 0 && !strings.Contains(page, fmt.Sprintf("Refused, line %d:", c.line)) {
				t.Errorf("%s: not line %d: %s", name, c.line, regexp.MustCompile(`Refused[^<]*`).FindString(page))
			}
		}
	}
	if resp, _ := b.send("POST", "/console/policies/edit", url.Values{"base": {before}, "text": {strings.Repeat("# "+strings.Repeat("x", 98)+"\n", 12_000) + text}}); resp.StatusCode != 422 {
		t.Errorf("a huge one: %d", resp.StatusCode)
	}
	if o.active().Hash() != before {
		t.Error("the active policy changed")
	}
}

func TestTwoOperatorsChangeThePolicyAtOnceAndOneIsTold(t *testing.T) {
	o := newOffice(t, 60)
	o.account("ola.example", access.Operator)
	o.account("max.example", access.Operator)
	ola, max := o.browser(), o.browser()
	ola.enter("ola.example")
	max.enter("max.example")
	base := o.active()
	changed := func(version, resubmissions string) url.Values {
		text := regexp.MustCompile(`(?m)^version:.*$`).ReplaceAllString(string(policy.DefaultYAML()), `version: "`+version+`"`)
		return url.Values{"base": {base.Hash()}, "note": {"try " + version}, "text": {strings.Replace(text, "resubmissions: 3", "resubmissions: "+resubmissions, 1)}}
	}
	resp, page := ola.send("POST", "/console/policies/propose", changed("91", "1"))
	if !strings.Contains(page, "resubmissions") || !strings.Contains(page, "past cases") {
		t.Fatalf("%d %s", resp.StatusCode, page)
	}
	hers := resp.Request.URL.Path
	resp, _ = max.send("POST", "/console/policies/propose", changed("92", "2"))
	his := resp.Request.URL.Path
	if _, page = ola.send("POST", hers, url.Values{"do": {"activate"}}); !strings.Contains(page, "new sessions follow it") {
		t.Errorf("%s", page)
	}
	if o.active().Version != "91" {
		t.Errorf("active is %s", o.active().Version)
	}
	if resp, _ = max.send("POST", his, url.Values{"do": {"activate"}}); !strings.Contains(resp.Request.URL.RawQuery, "said=moved") || o.active().Version != "91" {
		t.Errorf("the second: %s", resp.Request.URL)
	}
	if _, page = max.send("GET", his, nil); !strings.Contains(page, "Another policy was activated") || strings.Contains(page, `value="activate"`) {
		t.Error("an old proposal is offered for activation")
	}
	if resp, page = max.send("POST", "/console/policies/propose", changed("93", "0")); resp.StatusCode != 409 || !strings.Contains(page, "Another policy was activated") {
		t.Errorf("on an old base: %d", resp.StatusCode)
	}
	max.send("POST", his, url.Values{"do": {"withdraw"}})
	if _, page = max.send("GET", "/console/policies", nil); !strings.Contains(page, "withdrawn") || !strings.Contains(page, "ola.example") {
		t.Errorf("%s", page)
	}
	if _, page = max.send("GET", "/console/policies/diff?a="+base.Hash()+"&b="+o.active().Hash(), nil); !strings.Contains(page, "resubmissions") || !strings.Contains(page, "rule differs") {
		t.Errorf("%s", page)
	}
}

func TestTheAuditLogIsVerifiedOnThePage(t *testing.T) {
	o := newOffice(t, 20)
	o.account("audrey.example", access.Auditor)
	b := o.browser()
	b.enter("audrey.example")
	if _, page := b.send("GET", "/console/audit", nil); !strings.Contains(page, "not verified") || !strings.Contains(page, "signed") {
		t.Errorf("%s", page)
	}
	if _, page := b.send("POST", "/console/audit/verify", url.Values{}); !strings.Contains(page, ">intact<") {
		t.Errorf("%s", page)
	}
	if _, page := b.send("GET", "/console/audit?action=session.create&actor=service", nil); !strings.Contains(page, "created the session") || strings.Contains(page, "session.submit<") {
		t.Errorf("%s", page)
	}
}

// picture takes a page as a small WebP, for docs/img/console.
func (x *tab) picture(name, size string, wh [2]int64) {
	x.t.Helper()
	height := map[string]float64{"desktop": 980, "phone": 1300}[size]
	var full float64
	if _, err := fmt.Sscan(x.eval("String(document.documentElement.scrollHeight)"), &full); err != nil {
		x.t.Fatal(err)
	}
	var shot []byte
	// A viewport of that height: capturing beyond it makes headless Chromium stop
	// drawing now and then.
	x.do("picture", chromedp.EmulateViewport(wh[0], int64(min(full, height)), chromedp.EmulateScale(1)), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		quality := int64(45)
		r, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{Format: page.CaptureScreenshotFormatWebp, Quality: &quality})
		if err != nil {
			return err
		}
		shot = r.Data
		return nil
	}))
	if err := os.WriteFile(filepath.Join(*shots, name+"-"+size+".webp"), shot, 0o644); err != nil {
		x.t.Fatal(err)
	}
	if len(shot) > 60_000 {
		x.t.Logf("%s on %s: %d bytes", name, size, len(shot))
	}
}

func (x *tab) loginAs(o *office, name string) {
	x.do("open the console", chromedp.Navigate(o.url+"/console"), chromedp.WaitVisible(`input[name="name"]`))
	x.do("log in", chromedp.SendKeys(`input[name="name"]`, name), chromedp.SendKeys(`input[name="password"]`, password+"\r"), chromedp.WaitVisible("nav.side"))
}

// visit opens a page and asks until it is there: events of a page's life get lost
// on a busy machine, what the page says of itself does not.
func (x *tab) visit(address string) {
	x.t.Helper()
	x.do(address, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		r, err := cdp.Call(ctx, t, page.Navigate, page.NavigateParams{URL: address})
		if err == nil && r.ErrorText != "" {
			err = errors.New(r.ErrorText)
		}
		return err
	}))
	ctx, cancel := context.WithTimeout(x.ctx, time.Minute)
	defer cancel()
	var state string
	for state != "complete" {
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href == `+strconv.Quote(address)+` && document.querySelector("h1")?.offsetHeight ? document.readyState : "not there"`))
		if ctx.Err() != nil {
			x.t.Fatalf("%s: %s, %v", address, state, err)
		}
		if err == nil { // else the old page is being taken away
			state = got
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestEveryPageFitsAndIsAccessible(t *testing.T) {
	o := newOffice(t, 1200)
	o.account("ada.example", everyRole...)
	x := openTab(t)
	x.loginAs(o, "ada.example")
	for _, p := range o.pagesOf() {
		x.visit(o.url + p[1])
		x.look(p[0])
		if p[0] == "checks" {
			x.do("phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(1)))
			if wide := x.eval(`[...document.querySelectorAll("main .scroll")].filter(e => e.scrollWidth > e.clientWidth).map(e => e.getAttribute("aria-labelledby") + " " + e.scrollWidth + " of " + e.clientWidth).join()`); wide != "" {
				x.t.Errorf("on a phone a table of %s scrolls sideways: %s", p[0], wide)
			}
			x.do("desk", chromedp.EmulateViewport(1280, 800, chromedp.EmulateScale(1)))
			if off := x.eval(`[...document.querySelectorAll("table.stack")].filter(t => [...t.tHead.rows[0].cells].some((c, i) => c.offsetLeft !== t.tBodies[0].rows[0].cells[i].offsetLeft)).map(t => t.innerText).join()`); off != "" {
				x.t.Errorf("turned back, the columns are not below their heads: %s", off)
			}
		}
	}
}

func TestAThresholdIsMovedAndTakenIntoAProposal(t *testing.T) {
	o := newOffice(t, 400)
	o.account("ola.example", access.Operator)
	x := openTab(t)
	x.loginAs(o, "ola.example")
	x.do("thresholds", chromedp.Navigate(o.url+"/console/thresholds?measure=face.similarity&window=30d"), chromedp.WaitVisible(`input[name="approve"]`))
	if flips := x.eval(`document.querySelector('[data-lab-out="flips"]').textContent`); flips != "0" {
		t.Errorf("%s cases flip before anything is moved", flips)
	}
	live := x.eval(`(() => { const s = document.querySelector('input[name="approve"]'); s.value = "0.600"; s.dispatchEvent(new Event("input", {bubbles: true}));
		return ["flips", "approved", "reviewed", "rejected", "fnmr"].map(n => document.querySelector('[data-lab-out="' + n + '"]').textContent.trim()).join("|"); })()`)
	if strings.HasPrefix(live, "0|") {
		t.Errorf("nothing flips: %s", live)
	}
	// What the page says at once is what the server counts.
	x.do("list them", chromedp.Click(`.whatif button.primary`), chromedp.WaitVisible("#fl"))
	same := x.eval(`["flips", "approved", "reviewed", "rejected", "fnmr"].map(n => document.querySelector('[data-lab-out="' + n + '"]').textContent.replace(/\s+/g, " ").trim()).join("|")`)
	if strings.Join(strings.Fields(live), " ") != strings.Join(strings.Fields(same), " ") {
		t.Errorf("live %q, counted %q", live, same)
	}
	if n := x.eval(`String(document.querySelectorAll('[aria-labelledby="fl"] tbody tr').length)`); n == "0" {
		t.Error("no case is listed")
	}
	x.do("propose", chromedp.Click(`button[formaction="/console/policies/edit"]`), chromedp.WaitVisible("textarea.code"))
	if text := x.eval(`document.querySelector("textarea.code").value`); !strings.Contains(text, "subjects: [case], min: 0.6") {
		t.Error("the threshold is not in the text")
	}
	x.do("check", chromedp.Click(`form.edit button`), chromedp.WaitVisible("#df"))
	x.look("policy-checked")
	x.do("propose it", chromedp.Click(`button[formaction="/console/policies/propose"]`), chromedp.WaitVisible("#si"))
	x.look("policy-change")
	if diff := x.eval(`document.querySelector(".diff").innerText`); !strings.Contains(diff, "thresholds.") || !strings.Contains(diff, "stricter") || !strings.Contains(diff, "0.6") || strings.Contains(diff, "face_mismatch") {
		t.Errorf("the difference: %s", diff)
	}
	before := o.active().Hash()
	x.do("activate", chromedp.Click(`button[value="activate"]`), chromedp.WaitVisible(".facts .tag.good"))
	after := o.active().Hash()
	if after == before {
		t.Fatal("nothing is activated")
	}
	x.do("compare", chromedp.Navigate(o.url+"/console/policies"), chromedp.WaitVisible("table.list"), chromedp.Click(`form[action="/console/policies/diff"] button`), chromedp.WaitVisible(".diff"))
	if diff := x.eval(`document.querySelector(".diff").innerText`); !strings.Contains(diff, "stricter") {
		t.Errorf("between the two: %s", diff)
	}
	x.look("policy-diff")
	if errs := x.eval(`performance.getEntriesByType("resource").filter(r => !r.name.startsWith(location.origin)).map(r => r.name).join()`); errs != "" {
		t.Errorf("the page asked elsewhere: %s", errs)
	}
}
