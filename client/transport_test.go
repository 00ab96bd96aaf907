package client

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAnAnswerThatIsTooLargeIsAnErrorAndNotCut(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(strings.Repeat("x", len(r.URL.Path))))
	}))
	defer s.Close()
	c := newCaller(s.URL, "", s.Client())
	c.most = 8
	var b []byte
	r := request{method: http.MethodGet, path: "/1234567"}
	if err := c.do(t.Context(), r, &b); err != nil || len(b) != 8 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	r.path += "8"
	if err := c.do(t.Context(), r, &b); err == nil || !strings.Contains(err.Error(), "larger than 8 bytes") {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}
