// Command embed is a shop that shows the capture page in a page of its own. See
// README.md beside it.
package main

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/proofline/proofline/client"
)

//go:embed index.html shop.js
var files embed.FS

func main() {
	base := strings.TrimRight(setting("PROOFLINE_URL", "http://127.0.0.1:8780"), "/")
	key := os.Getenv("PROOFLINE_API_KEY")
	if key == "" {
		log.Fatal("set PROOFLINE_API_KEY to a key with the scope sessions:create")
	}
	listen := setting("LISTEN", "127.0.0.1:8790")
	log.Printf("open http://%s", listen)
	server := &http.Server{Addr: listen, Handler: Handler(base, key), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

func setting(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// Handler is the shop: base is Proofline's address, key its API key, which stays
// here.
func Handler(base, key string) http.Handler {
	page := template.Must(template.ParseFS(files, "index.html"))
	service := client.NewService(base, key, nil)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		// The camera is lent to Proofline's origin and to nobody else.
		w.Header().Set("Permissions-Policy", fmt.Sprintf("camera=(self %q)", base))
		w.Header().Set("Content-Security-Policy", fmt.Sprintf("default-src 'self'; style-src 'unsafe-inline'; script-src 'self' %s; frame-src %s", base, base))
		if err := page.Execute(w, struct{ Proofline string }{base}); err != nil {
			log.Print(err)
		}
	})
	mux.HandleFunc("GET /shop.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "shop.js") })
	mux.HandleFunc("POST /session", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
		defer cancel()
		made, err := service.CreateSession(ctx, client.NewSession{DocumentType: "passport"}, "")
		if err != nil {
			log.Print(err)
			http.Error(w, "no session", http.StatusBadGateway)
			return
		}
		// The link, not the API key.
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"capture_url": made.CaptureURL})
	})
	return mux
}
