package api

import (
	"net/http"
	"time"
)

// answerIn ends connections whose client does not read its answer: from its
// first byte on the answer has limit to go out. The server's own WriteTimeout
// would count from the request's header and so would have to allow for the
// slowest upload.
func answerIn(limit time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&timedWriter{ResponseWriter: w, limit: limit}, r)
		})
	}
}

type timedWriter struct {
	http.ResponseWriter
	limit time.Duration
	begun bool
}

func (w *timedWriter) begin() {
	if w.begun {
		return
	}
	w.begun = true
	// Writers of tests have no deadlines; the server clears it for the next
	// request.
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(time.Now().Add(w.limit))
}

func (w *timedWriter) WriteHeader(status int) {
	w.begin()
	w.ResponseWriter.WriteHeader(status)
}

func (w *timedWriter) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *timedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
