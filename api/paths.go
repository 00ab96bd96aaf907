package api

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/proofline/proofline/client"
)

// longestPart bounds one part of a path: ids have 30 characters, the names of
// the pages' files a few more.
const longestPart = 128

// sanePaths answers 404 to a path that no id of ours can be in: bytes that are no
// text, control characters, parts that are too long. Databases differ in what
// they make of those (PostgreSQL fails at a NUL), and nothing is to be found
// there. The same bytes in a query are an invalid request.
func sanePaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !saneText(r.URL.Path) || strings.Contains(r.URL.EscapedPath(), "%25") && !saneText(unescaped(r.URL.Path)) {
			writeProblem(w, r, newProblem(client.CodeNotFound, ""))
			return
		}
		for part := range strings.SplitSeq(r.URL.Path, "/") {
			if len(part) > longestPart {
				writeProblem(w, r, newProblem(client.CodeNotFound, ""))
				return
			}
		}
		if strings.Contains(r.URL.RawQuery, "%") && !saneText(unescaped(r.URL.RawQuery)) || !saneText(r.URL.RawQuery) {
			writeProblem(w, r, newProblem(client.CodeInvalidRequest, "The query holds bytes that are no text."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// unescaped is what a router makes of a path that it unescapes once more.
func unescaped(s string) string {
	u, err := url.PathUnescape(s)
	if err != nil {
		return s
	}
	return u
}

func saneText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
