package pipeline

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/webhook"
)

// faulty stands before an S3 server and fails: it answers 503, cuts requests
// off in the middle, does what was asked and loses the answer.
type faulty struct {
	*httptest.Server
	rate   atomic.Int64 // of 1000 requests
	failed [3]atomic.Int64
}

func newFaulty(t testing.TB, to string) *faulty {
	f := &faulty{}
	forward := &httputil.ReverseProxy{
		// The Host header is left as it came: it is part of the signature.
		Rewrite:      func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", to },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rand.Int64N(1000) >= f.rate.Load() {
			forward.ServeHTTP(w, r)
			return
		}
		kind := rand.IntN(3)
		f.failed[kind].Add(1)
		switch kind {
		case 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 1:
			_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
			panic(http.ErrAbortHandler)
		case 2:
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *faulty) total() (n int64) {
	for i := range f.failed {
		n += f.failed[i].Load()
	}
	return n
}

// receiver is a relying service that keeps every event by its id and is down
// for the first try of some.
type receiver struct {
	*httptest.Server
	key webhook.Key

	mu       sync.Mutex
	times    map[string]int // accepted, by webhook-id
	refused  map[string]bool
	notices  map[string]session.Notice
	problems []string
}

func newReceiver(t testing.TB, key webhook.Key) *receiver {
	v := &receiver{key: key, times: map[string]int{}, refused: map[string]bool{}, notices: map[string]session.Notice{}}
	v.Server = httptest.NewServer(http.HandlerFunc(v.receive))
	t.Cleanup(v.Close)
	return v
}

func (v *receiver) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed
	}
	id := r.Header.Get("webhook-id")
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := webhook.Verify(body, r.Header, time.Now(), v.key); err != nil {
		v.problems = append(v.problems, "signature: "+err.Error())
	}
	n, err := webhook.Parse(body)
	if err != nil || n.Data.EventID != id {
		v.problems = append(v.problems, "event does not fit its id")
	}
	if v.times[id] == 0 && !v.refused[id] && rand.IntN(25) == 0 {
		v.refused[id] = true
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	v.times[id]++
	v.notices[id] = n
}
