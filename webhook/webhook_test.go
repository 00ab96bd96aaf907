package webhook

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/proofline/proofline/session"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func body(t testing.TB) []byte {
	t.Helper()
	b, err := json.Marshal(session.Notice{Type: session.NoticeDecided, Timestamp: now, Data: session.NoticeData{EventID: "evt_1", SessionID: "ses_1",
		Sequence: 7, State: session.Approved, Outcome: "approved", Codes: []string{}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func key(t testing.TB, s string) Key {
	t.Helper()
	k, err := ParseKey(s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// try delivers to a handler over loopback, which the options allow.
func try(t *testing.T, tries int, h http.HandlerFunc) session.DeliveryResult {
	t.Helper()
	return tryFor(t, time.Minute, tries, h)
}

// tryFor is try with a time-out.
func tryFor(t *testing.T, timeout time.Duration, tries int, h http.HandlerFunc) session.DeliveryResult {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	d := New(Options{AllowHTTP: true, AllowPrivate: true, Timeout: timeout, Now: func() time.Time { return now }})
	t.Cleanup(d.Close)
	r, err := d.Deliver(context.Background(), session.Delivery{ID: "dlv_1", Event: "evt_1", Body: body(t), Tries: tries,
		Endpoint: session.Endpoint{URL: srv.URL}}, []Key{key(t, NewSecret())})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(code) }
}

func TestADeliveryIsSignedSoThatEveryKeyOfARotationVerifiesIt(t *testing.T) {
	oldSecret, newSecret := NewSecret(), NewSecret()
	private, public := NewKeyPair()
	var got http.Header
	var sent []byte
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		sent, _ = io.ReadAll(r.Body)
	}))
	defer srv.Close()
	keys, err := ParseKeys([]byte(newSecret + "\n" + oldSecret + "\n" + private + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	d := New(Options{AllowHTTP: true, AllowPrivate: true})
	defer d.Close()
	r, err := d.Deliver(context.Background(), session.Delivery{Event: "evt_1", Body: body(t), Endpoint: session.Endpoint{URL: srv.URL}}, keys)
	if err != nil || !r.Delivered {
		t.Fatalf("%+v %v", r, err)
	}
	if string(sent) != string(body(t)) || got.Get("webhook-id") != "evt_1" || got.Get("Content-Type") != "application/json" {
		t.Errorf("sent %s with %v", sent, got)
	}
	for _, k := range []string{oldSecret, newSecret, public} {
		if err := Verify(sent, got, time.Now(), key(t, k)); err != nil {
			t.Errorf("%.6s…: %v", k, err)
		}
	}
	// The specification's own library must agree.
	for _, s := range []string{oldSecret, newSecret} {
		wh, err := standardwebhooks.NewWebhook(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := wh.Verify(sent, got); err != nil {
			t.Error(err)
		}
	}
	if err := Verify(sent, got, time.Now(), key(t, NewSecret())); !errors.Is(err, ErrSignature) {
		t.Errorf("another secret: %v", err)
	}
	if err := Verify(append(sent, ' '), got, time.Now(), keys...); !errors.Is(err, ErrSignature) {
		t.Errorf("another body: %v", err)
	}
	for _, skew := range []time.Duration{-6 * time.Minute, 6 * time.Minute} {
		if err := Verify(sent, got, time.Now().Add(skew), keys...); !errors.Is(err, ErrTimestamp) {
			t.Errorf("skew %v: %v", skew, err)
		}
	}
	got.Set("webhook-id", "evt_2")
	if err := Verify(sent, got, time.Now(), keys...); !errors.Is(err, ErrSignature) {
		t.Errorf("another id: %v", err)
	}
}

func TestOnly2xxIsSuccess(t *testing.T) {
	for _, code := range []int{200, 201, 202, 204, 299} {
		if r := try(t, 0, status(code)); !r.Delivered || r.Disable {
			t.Errorf("%d gave %+v", code, r)
		}
	}
	for _, code := range []int{300, 301, 302, 304, 307, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503, 504} {
		r := try(t, 0, status(code))
		if r.Delivered || r.Disable || r.Status != code || r.RetryAt.IsZero() {
			t.Errorf("%d gave %+v", code, r)
		}
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	reached := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer other.Close()
	r := try(t, 0, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	if r.Delivered || reached || r.Reason != "status_307" {
		t.Errorf("%+v, reached %v", r, reached)
	}
}

func TestGoneDisablesTheEndpoint(t *testing.T) {
	if r := try(t, 0, status(http.StatusGone)); !r.Disable || r.Delivered || !r.RetryAt.IsZero() {
		t.Errorf("%+v", r)
	}
}

func TestAnEndpointThatHangsTimesOut(t *testing.T) {
	stop := make(chan struct{})
	defer close(stop)
	start := time.Now()
	r := tryFor(t, 300*time.Millisecond, 0, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	})
	if r.Delivered || r.Reason != "timeout" || r.RetryAt.IsZero() || time.Since(start) > time.Minute {
		t.Errorf("%+v after %v", r, time.Since(start))
	}
}

func TestAnEndlessAnswerIsNotRead(t *testing.T) {
	written := 0
	finished := make(chan struct{})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := try(t, 0, func(w http.ResponseWriter, r *http.Request) {
		defer close(finished)
		chunk := make([]byte, 1<<20)
		for range 1024 {
			n, err := w.Write(chunk)
			written += n
			if err != nil {
				return
			}
		}
	})
	runtime.ReadMemStats(&after)
	<-finished
	if !r.Delivered || written > 64<<20 || after.TotalAlloc-before.TotalAlloc > 16<<20 {
		t.Errorf("%+v, %d bytes written, %d allocated", r, written, after.TotalAlloc-before.TotalAlloc)
	}
	r = try(t, 0, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Big", strings.Repeat("x", 1<<20)) })
	if r.Delivered || r.Reason != "connection" {
		t.Errorf("huge header: %+v", r)
	}
}

func TestABrokenConnectionIsRetried(t *testing.T) {
	r := try(t, 0, func(w http.ResponseWriter, r *http.Request) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			c.Close()
		}
	})
	if r.Delivered || r.Status != 0 || r.Reason != "connection" || r.RetryAt.IsZero() {
		t.Errorf("%+v", r)
	}
}

func TestRetriesFollowTheScheduleWithJitterAndThenEnd(t *testing.T) {
	for i, wait := range Schedule {
		at := try(t, i, status(500)).RetryAt.Sub(now)
		if at < wait || at > wait+wait/10 {
			t.Errorf("try %d waits %v, want %v and up to a tenth more", i, at, wait)
		}
	}
	if r := try(t, len(Schedule), status(500)); !r.RetryAt.IsZero() || r.Delivered {
		t.Errorf("after the last try %+v", r)
	}
}

func TestRetryAfterIsHonouredWithinBounds(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"120": 2 * time.Minute, now.Add(time.Hour).Format(http.TimeFormat): time.Hour,
		"99999999999": 24 * time.Hour, "9999999999999999999999": 0, "-5": 0, "soon": 0, "1": 0,
	} {
		r := try(t, 0, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		at := r.RetryAt.Sub(now)
		if want > Schedule[0] && at != want || want == 0 && at > 6*time.Second {
			t.Errorf("Retry-After %s waits %v", header, at)
		}
	}
}

func TestPrivateAddressesAreRefusedAlsoBehindAName(t *testing.T) {
	srv := httptest.NewTLSServer(status(200))
	defer srv.Close()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	port := srv.URL[strings.LastIndex(srv.URL, ":"):]
	for _, u := range []string{"https://localhost" + port, srv.URL, "https://127.0.0.1" + port, "https://[::1]" + port, "https://[::ffff:127.0.0.1]" + port} {
		d := New(Options{RootCAs: pool, Timeout: time.Second})
		r, err := d.Deliver(context.Background(), session.Delivery{Event: "e", Endpoint: session.Endpoint{URL: u}}, []Key{key(t, NewSecret())})
		if err != nil || r.Delivered || !strings.HasPrefix(r.Reason, "refused_") {
			t.Errorf("%s: %+v %v", u, r, err)
		}
	}
	d := New(Options{RootCAs: pool, AllowNets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	defer d.Close()
	r, err := d.Deliver(context.Background(), session.Delivery{Event: "e", Endpoint: session.Endpoint{URL: srv.URL}}, []Key{key(t, NewSecret())})
	if err != nil || !r.Delivered {
		t.Errorf("allowed network: %+v %v", r, err)
	}
}

func TestTheGuardKnowsPublicAddressesFromOthers(t *testing.T) {
	for _, s := range []string{"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1",
		"255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::", "::1", "::ffff:10.0.0.1", "::10.0.0.1", "fc00::1", "fe80::1", "fe80::1%eth0", "ff02::1",
		"64:ff9b::a00:1", "2002:a00:1::", "2001::1", "2001:db8::1", "fec0::1"} {
		if public(netip.MustParseAddr(s)) {
			t.Errorf("%s passes for public", s)
		}
	}
	for _, s := range []string{"8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1"} {
		if !public(netip.MustParseAddr(s)) {
			t.Errorf("%s is refused", s)
		}
	}
	if (Options{AllowPrivate: true}).allowed(netip.MustParseAddr("169.254.169.254")) {
		t.Error("the metadata address is allowed")
	}
}

func TestUnusableEndpointsAreRefusedWhenConfigured(t *testing.T) {
	for _, u := range []string{"", "ftp://example.com", "http://example.com", "https://", "https://user@example.com", "https://example.com/#x", "https://10.0.0.1/", "https://[::1]/", "mailto:a@b", "https://example.com/" + strings.Repeat("x", 3000)} {
		if (Options{}).CheckURL(u) == nil {
			t.Errorf("accepted %.40q", u)
		}
	}
	if err := (Options{}).CheckURL("https://example.com:8443/hook?a=b"); err != nil {
		t.Error(err)
	}
}

func TestWeakAndMalformedKeysAreRefusedWithoutQuotingThem(t *testing.T) {
	for _, s := range []string{"", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", "whsk_" + strings.Repeat("A", 88), "whpk_AAAA", "secret", strings.Replace(NewSecret(), "whsec", "whxxx", 1)} {
		_, err := ParseKey(s)
		if err == nil {
			t.Errorf("accepted %q", s)
		} else if s != "" && len(s) > 10 && strings.Contains(err.Error(), s[6:]) {
			t.Errorf("quoted: %v", err)
		}
	}
	if _, err := ParseKeys([]byte("\n\n")); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
}

func TestACancelledTryIsNotCounted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() }))
	defer srv.Close()
	d := New(Options{AllowHTTP: true, AllowPrivate: true})
	defer d.Close()
	if r, err := d.Deliver(ctx, session.Delivery{Event: "e", Endpoint: session.Endpoint{URL: srv.URL}}, []Key{key(t, NewSecret())}); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v %v", r, err)
	}
}

func FuzzVerify(f *testing.F) {
	secret := NewSecret()
	h, err := Headers("evt_1", now, []byte("{}"), key(f, secret))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("{}"), "evt_1", h.Get("webhook-timestamp"), h.Get("webhook-signature"))
	f.Add([]byte("{}"), "evt_1", "1", "v1, v1a,AAAA v1a,")
	_, public := NewKeyPair()
	k, other := key(f, secret), key(f, public)
	f.Fuzz(func(t *testing.T, b []byte, id, stamp, sig string) {
		h2 := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {sig}}
		if err := Verify(b, h2, now, k, other); err == nil {
			if string(b) != "{}" || id != "evt_1" || stamp != fmt.Sprint(now.Unix()) || !strings.Contains(sig, h.Get("webhook-signature")) {
				t.Fatalf("forged: %q %q %q %q", b, id, stamp, sig)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(body(f))
	f.Add([]byte(`{"type":"x","data":{"event_id":"e","session_id":"s","state":"approved"}}{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := Parse(b); err == nil && (n.Type == "" || !n.Data.State.Known()) {
			t.Fatalf("%q", b)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	private, public := NewKeyPair()
	for _, s := range []string{NewSecret(), private, public, "whsec_"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := ParseKey(s)
		if err == nil && k.hmac == nil && k.public == nil {
			t.Fatal("a key that does nothing")
		}
	})
}

func BenchmarkSign(b *testing.B) {
	k, event := key(b, NewSecret()), body(b)
	for range b.N {
		if _, err := Headers("evt_1", now, event, k); err != nil {
			b.Fatal(err)
		}
	}
}
