// Command relying-go is a relying service, in one file: it creates a session for
// an order, sends the person to the capture page, takes the signed webhook and
// fetches the decision. docs/tutorials/relying-service-go.md goes through it.
//
// Secrets come by the environment: PROOFLINE_API_KEY and PROOFLINE_WEBHOOK_SECRET.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/webhook"
)

func main() {
	keys, err := webhook.ParseKeys([]byte(os.Getenv("PROOFLINE_WEBHOOK_SECRET")))
	if err != nil {
		log.Fatal("set PROOFLINE_WEBHOOK_SECRET: ", err)
	}
	key := os.Getenv("PROOFLINE_API_KEY")
	if key == "" {
		log.Fatal("set PROOFLINE_API_KEY to a key with the scopes sessions:create and sessions:read")
	}
	s := &shop{
		proofline: client.NewService(setting("PROOFLINE_URL", "http://127.0.0.1:8780"), key, nil),
		keys:      keys,
		test:      strings.HasPrefix(key, "plk_test_"),
		orders:    map[string]*order{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders/{ref}", s.begin)
	mux.HandleFunc("GET /orders/{ref}", s.show)
	mux.HandleFunc("POST /hooks/proofline", s.hook)
	listen := setting("LISTEN", "127.0.0.1:8091")
	server := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

func setting(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// order is what the shop keeps: yours is a row in a database.
type order struct {
	Session  string   `json:"session"`
	Sequence int64    `json:"-"` // of the last event that was taken
	Outcome  string   `json:"outcome,omitempty"`
	Codes    []string `json:"codes,omitempty"`
}

type shop struct {
	proofline *client.Service
	keys      []webhook.Key
	test      bool // the key is a sandbox's: takes test events, and no others

	mu     sync.Mutex
	orders map[string]*order
}

// begin creates the session and sends the person to the capture page. The link
// holds a token: it goes to the person's browser and into no log.
func (s *shop) begin(w http.ResponseWriter, r *http.Request) {
	ref := r.PathValue("ref")
	made, err := s.proofline.CreateSession(r.Context(), client.NewSession{ExternalRef: ref}, ref)
	if err != nil {
		log.Printf("create a session: %v", err)
		http.Error(w, "try again later", http.StatusBadGateway)
		return
	}
	s.mu.Lock()
	if s.orders[ref] == nil {
		s.orders[ref] = &order{Session: made.Session.ID}
	}
	s.mu.Unlock()
	http.Redirect(w, r, made.CaptureURL, http.StatusSeeOther)
}

func (s *shop) show(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[r.PathValue("ref")]
	if o == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(o)
}

// hook takes an event. Anything but 2xx is sent again.
func (s *shop) hook(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, webhook.MaxBody))
	if err == nil { // over the raw bytes, in constant time, five minutes at most
		err = webhook.Verify(body, r.Header, time.Now(), s.keys...)
	}
	if err != nil {
		log.Printf("refused an event: %v", err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	event, err := webhook.Parse(body)
	if err != nil || event.Data.Test != s.test {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if err := s.take(r.Context(), event.Type, event.Data.ExternalRef, event.Data.SessionID, event.Data.Sequence); err != nil {
		log.Printf("take an event: %v", err)
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// take does an event once: what was seen, or overtaken, has no higher sequence.
func (s *shop) take(ctx context.Context, kind, ref, session string, sequence int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[ref]
	if o == nil || o.Session != session || sequence <= o.Sequence {
		return nil
	}
	if kind == "session.decided" {
		// The event says that there is something to know; the API says what.
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		ses, err := s.proofline.Get(ctx, session)
		if err != nil {
			return fmt.Errorf("fetch the decision: %w", err)
		}
		if ses.Decision == nil {
			return fmt.Errorf("session %s has no decision", session)
		}
		o.Outcome, o.Codes = ses.Decision.Outcome, ses.Decision.Codes
		fmt.Println(session, o.Outcome, strings.Join(o.Codes, ","))
	}
	o.Sequence = sequence
	return nil
}
