package access

import (
	"errors"
	"flag"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the generated part of docs/access.md")

const begin, end = "<!-- table -->\n", "<!-- /table -->"

func TestTheDocumentedTableIsTheOneThatIsEnforced(t *testing.T) {
	const file = "../docs/access.md"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("docs/access.md has no place for the table")
	}
	if got == Markdown() {
		return
	}
	if !*update {
		t.Fatal("docs/access.md shows another table; run: go test ./access -update")
	}
	if err := os.WriteFile(file, []byte(before+begin+Markdown()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheTableIsSound(t *testing.T) {
	seen := map[Permission]bool{}
	for _, row := range Table() {
		if seen[row.Permission] || row.What == "" || len(row.Roles) == 0 || row.Permission == Public {
			t.Errorf("row %+v", row)
		}
		seen[row.Permission] = true
		for _, r := range row.Roles {
			if !slices.Contains(Roles(), r) {
				t.Errorf("%s: unknown role %q", row.Permission, r)
			}
		}
	}
	for _, r := range Roles() {
		if !slices.ContainsFunc(Table(), func(row Row) bool { return slices.Contains(row.Roles, r) }) {
			t.Errorf("%s may do nothing", r)
		}
	}
}

func TestNobodyHasWhatTheTableDoesNotHave(t *testing.T) {
	for _, r := range Roles() {
		if Can("no.such", r) || Can("", r) {
			t.Errorf("%s may do what does not exist", r)
		}
	}
	if Can(ReviewDecide) || !Can(Public) {
		t.Error("without a role only the public things are allowed")
	}
}

func TestDutiesAreSeparate(t *testing.T) {
	for _, p := range []Permission{EvidenceOpen, EvidenceAsk, EvidenceApprove, ReviewDecide} {
		for _, r := range []Role{Admin, Auditor, Operator, Service, Client} {
			if Can(p, r) {
				t.Errorf("%s may %s", r, p)
			}
		}
	}
	for _, r := range Roles() {
		if Can(AccountsEdit, r) != (r == Admin) || Can(HoldPlace, r) != (r == PrivacyOfficer) {
			t.Errorf("%s edits accounts or places holds", r)
		}
	}
}

func TestAPasswordIsFoundAgainByItsHashOnly(t *testing.T) {
	const p = "correct horse battery staple"
	h := HashPassword(p)
	if h == HashPassword(p) || strings.Contains(h, "horse") || !strings.HasPrefix(h, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %q", h)
	}
	for try, want := range map[string]bool{p: true, p + " ": false, "": false, strings.Repeat("x", MaxPassword+1): false} {
		ok, outdated, err := CheckPassword(h, try)
		if ok != want || err != nil || outdated {
			t.Errorf("%d characters: %v, outdated %v, %v", len(try), ok, outdated, err)
		}
	}
}

func TestAHashOfOtherParametersIsOutdated(t *testing.T) {
	k := params{64, 1, 1}
	salt := []byte("0123456789abcdef")
	h := encodeHash(k, salt, derive("old password of long ago", k, salt, hashBytes))
	ok, outdated, err := CheckPassword(h, "old password of long ago")
	if !ok || !outdated || err != nil {
		t.Errorf("%v %v %v", ok, outdated, err)
	}
}

func TestDamagedHashesAreRefusedBeforeTheyCostAnything(t *testing.T) {
	good := HashPassword("correct horse battery staple")
	for _, h := range []string{
		"", "$", "plain", strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=19456", "m=4194304", 1), strings.Replace(good, "t=2", "t=4000000", 1), strings.Replace(good, "p=1", "p=0", 1),
		good[:len(good)-30], good + "$", strings.Replace(good, "m=19456", "m=019456", 1), strings.Repeat("$argon2id", 1000),
	} {
		// Every derivation takes the memory its parameters name, 64 KiB at the least
		// and 19 MiB as shipped.
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if ok, _, err := CheckPassword(h, "correct horse battery staple"); ok || err == nil {
			t.Errorf("%.60q was accepted", h)
		}
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
			t.Errorf("%.60q cost %d MiB", h, used>>20)
		}
	}
}

func TestNewPasswordsAreLongAndNotTheAccountsName(t *testing.T) {
	for p, ok := range map[string]bool{
		"correct horse battery": true, "ナイスなパスワードを使いましょう": true,
		"short": false, strings.Repeat("ab", 20): false, "my name is reviewer.one!": false, strings.Repeat("long enough ", 30): false, "\xff correct horse battery": false,
	} {
		if err := CheckNewPassword(p, "reviewer.one"); (err == nil) != ok {
			t.Errorf("%q: %v", p, err)
		}
	}
	if err := CheckNewPassword("short", ""); !errors.Is(err, ErrPassword) {
		t.Error(err)
	}
}

func TestWaitsGrowAndStayBelowAQuarterOfAnHour(t *testing.T) {
	last := time.Duration(0)
	for n := range 100 {
		d := Backoff(n)
		if d < last || d > 15*time.Minute || (n <= FreeTries) != (d == 0) {
			t.Errorf("%d wrong: %v after %v", n, d, last)
		}
		last = d
	}
	if AddressBackoff(AddressTries) != 0 || AddressBackoff(AddressTries+1) == 0 || AddressBackoff(1_000_000) != 15*time.Minute {
		t.Error("addresses")
	}
	spent := time.Duration(0)
	for n := range CloseAfter {
		spent += Backoff(n)
	}
	if spent < 20*time.Hour {
		t.Errorf("an account can be closed within %v", spent)
	}
}

func TestGroupsGiveRoles(t *testing.T) {
	g, err := ParseGroupRoles([]string{"kyc-reviewers=reviewer", "security = auditor+privacy_officer", "kyc-reviewers=operator"})
	if err != nil {
		t.Fatal(err)
	}
	if got := g.Roles([]string{"security", "kyc-reviewers", "other"}); !slices.Equal(got, []Role{Reviewer, Operator, Auditor, PrivacyOfficer}) {
		t.Errorf("%v", got)
	}
	if got := g.Roles([]string{"KYC-Reviewers", ""}); got != nil {
		t.Errorf("strangers are %v", got)
	}
	for _, bad := range []string{"", "x", "=reviewer", "a=", "a=client", "a=service", "a=boss"} {
		if _, err := ParseGroupRoles([]string{bad}); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func FuzzStoredHash(f *testing.F) {
	f.Add(HashPassword("correct horse battery staple"))
	f.Add("$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc$MDEyMzQ1Njc4OWFiY2RlZg")
	f.Fuzz(func(t *testing.T, h string) {
		k, salt, sum, err := decodeHash(h)
		if err == nil && (k.memory > maxHashMemory || k.time > maxHashTime || len(salt) > 64 || len(sum) > 64) {
			t.Errorf("%q asks for too much", h)
		}
	})
}

func BenchmarkPassword(b *testing.B) {
	h := HashPassword("correct horse battery staple")
	for b.Loop() {
		_, _, _ = CheckPassword(h, "correct horse battery staple")
	}
}
