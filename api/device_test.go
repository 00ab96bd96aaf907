package api

import "testing"

func TestTheDeviceClassIsAllThatIsKeptOfABrowser(t *testing.T) {
	for _, c := range []struct{ agent, mobile, want string }{
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1", "", "phone"},
		{"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1", "", "tablet"},
		{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/131.0.0.0 Mobile Safari/537.36", "?1", "phone"},
		{"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36", "?0", "tablet"},
		{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36", "?0", "desktop"},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Gecko/20100101 Firefox/132.0", "", "desktop"},
		{"Go-http-client/1.1", "", ""},
		{"", "", ""},
	} {
		if got := deviceClass(c.agent, c.mobile); got != c.want {
			t.Errorf("%s: %q, want %q", c.agent, got, c.want)
		}
	}
}
