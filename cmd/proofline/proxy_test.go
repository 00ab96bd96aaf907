package main

import (
	"net/http/httptest"
	"testing"
)

func TestOnlyATrustedProxyNamesTheCaller(t *testing.T) {
	p, err := parseProxies([]string{"10.0.0.0/8", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ peer, header, want string }{
		"a caller that writes the header itself": {"203.0.113.9:1", "198.51.100.1", ""},
		"behind one proxy":                       {"10.1.2.3:1", "198.51.100.1", "198.51.100.1"},
		"behind two proxies":                     {"10.1.2.3:1", "198.51.100.1, 10.9.9.9", "198.51.100.1"},
		"a forged address before the real one":   {"10.1.2.3:1", "1.1.1.1, 198.51.100.1", "198.51.100.1"},
		"IPv6":                                   {"[::1]:1", "2001:db8::7", "2001:db8::7"},
		"no header":                              {"10.1.2.3:1", "", ""},
		"nonsense":                               {"10.1.2.3:1", "unknown", ""},
		"only proxies":                           {"10.1.2.3:1", "10.0.0.1", ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		if c.header != "" {
			r.Header.Set("X-Forwarded-For", c.header)
		}
		if got := p.client(r); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if _, err := parseProxies([]string{"proxy.example.com"}); err == nil {
		t.Error("a name was taken for an address")
	}
}
