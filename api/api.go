// Package api is Proofline's HTTP interface: relying services create sessions
// and read outcomes with an API key, capture clients give consent, upload
// photos and submit with a session's short-lived token.
//
// [New] joins what the server needs ([Deps]) into one http.Handler. Package
// client defines the JSON documents and the problem codes; docs/api.md tells
// the semantics. Faults are RFC 9457 problem documents, a bad photo is not a
// fault but an answer with a hint.
//
// An upload is held in memory, judged by the gate, and only when it passes is
// it encrypted into the vault and recorded, in this order, so that no record is
// without its photo. Everything is bounded before it is read: the body's size
// and time, the bytes in flight, the photos being judged, requests per key and
// address. When the queue is deeper than the server can work off, uploads are
// refused before their first byte.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/semaphore"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/access/login"
	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// Store is what the API needs of the session store; *session.Store has it.
type Store interface {
	Create(ctx context.Context, n session.New) (*session.Session, error)
	NewID() string
	Get(ctx context.Context, id string) (*session.Session, error)
	List(ctx context.Context, f session.Filter) (session.Page, error)
	Apply(ctx context.Context, id string, expectVersion int64, ev session.Event, fn func(*session.Tx) error) (*session.Session, error)
	Evidence(ctx context.Context, id string, attempt int) ([]session.Evidence, error)
	Photos(ctx context.Context, id string, attempt int) (int, error)
	RequestErasure(ctx context.Context, id string, by session.Actor, reason string) error
	ReviewPlace(ctx context.Context, id string) (session.Place, error)
	PutScreening(ctx context.Context, by session.Actor, x session.Screening) (session.Screening, bool, error)
	Screenings(ctx context.Context, id string) ([]session.Screening, error)

	APIKey(ctx context.Context, secret string) (session.APIKey, error)
	ClientToken(ctx context.Context, secret, purpose string) (session.ClientToken, error)
	IssueClientToken(ctx context.Context, by session.Actor, id, purpose string, ttl time.Duration) (session.ClientToken, string, error)

	RedeemClientToken(ctx context.Context, secret, purpose, newPurpose string, ttl time.Duration) (session.ClientToken, string, error)

	Judging(ctx context.Context, account string) (map[string]bool, error)
	HiddenFrom(ctx context.Context, account string) (func(audit.Entry) bool, error)
	TimelinePage(ctx context.Context, id string, after int64, limit int) (page []audit.Entry, more bool, err error)
	SessionLog(ctx context.Context, id string) iter.Seq2[audit.Entry, error]
	Erased(ctx context.Context, id string) (bool, error)
	ListObjects(ctx context.Context, id string, c storage.Class) ([]storage.Object, error)
	AttributesRead(ctx context.Context, by session.Actor, id string) error
	Grant(ctx context.Context, id string) (session.Grant, error)
	UseGrant(ctx context.Context, account, id, ses, object, kind string) (session.Grant, error)
	PlaceHold(ctx context.Context, by session.Actor, id, reason, matter string) (session.Hold, error)
	LiftHold(ctx context.Context, by session.Actor, hold, reason string) (session.Hold, error)
	Holds(ctx context.Context, f session.HoldFilter) ([]session.Hold, error)
	Held(ctx context.Context, id string) (bool, error)

	BeginUpload(ctx context.Context, u session.Upload, life time.Duration) (session.Upload, []session.Upload, error)
	Upload(ctx context.Context, id string) (session.Upload, error)
	AddUploadPart(ctx context.Context, id string, p session.UploadPart, life time.Duration) error
	UploadParts(ctx context.Context, id string) ([]session.UploadPart, error)
	EndUpload(ctx context.Context, id string, answer json.RawMessage) error
	ForgetUploadPart(ctx context.Context, id string, at int64) error
	StaleUploads(ctx context.Context, limit int) ([]session.Upload, error)
	GetObject(ctx context.Context, id string) (storage.Object, error)

	IssueChallenge(ctx context.Context, by session.Actor, id string, steps json.RawMessage, hints []string, life time.Duration) (session.Challenge, []byte, error)
	AnswerChallenge(ctx context.Context, by session.Actor, id string, nonce []byte, digest string) (session.Challenge, error)
	ChallengesLeft(ctx context.Context, id string, attempt int) (int, error)
	ChooseAssistance(ctx context.Context, by session.Actor, id string) error
	Assisted(ctx context.Context, id string) (time.Time, error)

	BeginIdempotent(ctx context.Context, tenant, key, fingerprint string, ttl time.Duration) (session.Idempotent, error)
	FinishIdempotent(ctx context.Context, i session.Idempotent, status int, response []byte) error
	AbandonIdempotent(ctx context.Context, i session.Idempotent) error
}

// Vault is what the API needs of the evidence vault; *storage.Vault has it.
type Vault interface {
	Put(ctx context.Context, ref storage.Ref, r io.Reader, retain time.Time) (storage.Object, error)
	Open(ctx context.Context, o storage.Object) (io.ReadCloser, error)
	Remove(ctx context.Context, o storage.Object) error
	// HasRegion tells whether evidence can be kept in a region of residency.
	HasRegion(name string) bool
}

// Gate judges one photo at once by the rules of the session's cell;
// pipeline.GateIn is one. A bad photo is an
// answer; an error means that it could not be judged. Regions are in pixels of
// the upright photo.
type Gate func(ctx context.Context, cell policy.Cell, kind string, photo []byte) (policy.GateAnswer, error)

// Check is one thing that has to answer for the server to be ready.
type Check struct {
	Name string
	Ping func(context.Context) error
}

// Deps is what the API stands on. Store, Vault, Policy and Gate are required.
type Deps struct {
	Store  Store
	Vault  Vault
	Policy *policy.Policy // for new sessions
	// Current is the policy for new sessions where it can change while the server
	// runs. nil: always Policy.
	Current func() *policy.Policy
	// Choose gives a new session its policy, by its id, where some of them try
	// another one. nil: Current for all.
	Choose func(id string) *policy.Policy
	// PolicyOf finds the policy that a session was created under, by its hash.
	// nil: only Policy is known.
	PolicyOf func(ctx context.Context, hash string) (*policy.Policy, error)
	Gate     Gate

	// PublicURL is the address in capture links, "https://verify.example.com".
	PublicURL string
	// CapturePage serves /capture and below.
	CapturePage http.Handler
	// QueuePage serves /ops/queues and below, to operators.
	QueuePage http.Handler
	// Door lets people with an account in. nil: nobody can log in.
	Door *login.Door
	// Desk is where cases are reviewed and evidence is opened. nil: neither.
	Desk *review.Desk
	// Console is the operators' pages. nil: there are none.
	Console Console
	// OperatorToken reports whether a request carries the operators' token of
	// the configuration, which opens the queues' page and the metrics. nil: there
	// is none, and whoever reaches the server may read the metrics.
	OperatorToken func(*http.Request) bool
	// Congested tells whether so much waits to be verified that uploads are
	// better refused, and for how long. nil: never.
	Congested func() (retryAfter time.Duration, congested bool)
	// Submitted is called after a submission was committed, to wake the
	// dispatcher. nil: it polls.
	Submitted func()
	// Ready lists what /readyz asks.
	Ready []Check
	// ClientAddress reads the caller's address from a trusted proxy's header.
	// nil: the connection's own.
	ClientAddress func(*http.Request) string

	Limits  Limits
	Log     *slog.Logger
	Metrics *prometheus.Registry
	Now     func() time.Time
	Version string
}

type api struct {
	deps    Deps
	limits  Limits
	log     *slog.Logger
	metrics *metrics
	now     func() time.Time
	bytes   *semaphore.Weighted // of uploads held in memory
	gates   *semaphore.Weighted // photos being judged
	uploads *uploads            // that arrive in parts

	sameOrigin *http.CrossOriginProtection // for what a cookie allows
}

// New returns the server's handler.
func New(d Deps) http.Handler {
	a := &api{deps: d, limits: d.Limits.withDefaults(), log: d.Log, now: d.Now}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.deps.Current == nil {
		a.deps.Current = func() *policy.Policy { return d.Policy }
	}
	if a.deps.PolicyOf == nil {
		a.deps.PolicyOf = func(_ context.Context, hash string) (*policy.Policy, error) {
			if hash != d.Policy.Hash() {
				return nil, errors.New("policy is not the present one")
			}
			return d.Policy, nil
		}
	}
	registry := d.Metrics
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	a.metrics = newMetrics(registry)
	a.bytes = semaphore.NewWeighted(a.limits.BytesInFlight)
	a.gates = semaphore.NewWeighted(int64(a.limits.Gates))

	a.sameOrigin = http.NewCrossOriginProtection()
	if u, err := url.Parse(d.PublicURL); err == nil && u.Host != "" {
		// Behind a proxy the request's host can be another one than the page's.
		_ = a.sameOrigin.AddTrustedOrigin(u.Scheme + "://" + u.Host)
	}

	root := &router{chi.NewRouter(), map[string]access.Permission{}}
	root.Use(observe(a.log, a.metrics), sanePaths, answerIn(a.limits.AnswerTime), securityHeaders, middleware.GetHead)
	root.NotFound(func(w http.ResponseWriter, r *http.Request) { writeProblem(w, r, newProblem("not_found", "")) })
	root.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) { writeProblem(w, r, newProblem("method_not_allowed", "")) })
	root.route("GET", "/", access.Public, http.HandlerFunc(a.index))
	root.route("GET", "/healthz", access.Public, http.HandlerFunc(a.healthz))
	root.route("GET", "/readyz", access.Public, http.HandlerFunc(a.readyz))
	root.route("GET", "/problems/{code}", access.Public, http.HandlerFunc(a.problemPage))
	figures := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	need := access.Public
	if d.OperatorToken != nil {
		figures, need = a.staffOnly(access.FiguresRead, access.FiguresRead, figures), access.FiguresRead
	}
	root.route("GET", "/metrics", need, figures)
	if d.CapturePage != nil {
		root.everything("/capture", access.Public, d.CapturePage)
	}
	if d.QueuePage != nil && (d.Door != nil || d.OperatorToken != nil) {
		root.everything("/ops/queues", access.QueueRead, a.staffOnly(access.QueueRead, access.QueueManage, d.QueuePage))
	}
	if d.Console != nil && d.Door != nil {
		root.Group(func(r chi.Router) {
			r.Use(a.perAddress(), a.knowAddress)
			for _, p := range d.Console.Pages() {
				root.needs[p.Method+" "+p.Path] = p.Need
				r.Method(p.Method, p.Path, a.page(p))
			}
		})
	}
	root.Group(func(r chi.Router) {
		r.Use(a.perAddress(), a.perKey(a.limits.PerKey), a.perPhoto())
		h := humachi.New(r, a.humaConfig())
		a.registerSessions(h)
		a.registerScreenings(h)
		a.registerCapture(h)
		a.registerUploads(r, h)
		a.registerHandover(h)
		a.registerChallenge(h)
		a.registerLogin(h)
		a.registerReviews(h)
		a.registerChecks(h)
		a.registerGrants(h)
		a.registerCases(h)
		root.described(h.OpenAPI())
	})
	return root
}

func (a *api) humaConfig() huma.Config {
	version := a.deps.Version
	if version == "" {
		version = "dev"
	}
	c := huma.DefaultConfig("Proofline", version)
	c.Info.Description = "Identity document verification. docs/api.md explains the semantics."
	c.DocsPath, c.SchemasPath = "", "" // the documentation page would load scripts from elsewhere
	c.CreateHooks = nil                // no $schema links in answers
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"apiKey":      {Type: "http", Scheme: "bearer", Description: "An API key (plk_…), for relying services."},
		"login":       {Type: "http", Scheme: "bearer", Description: "A login's token (pls_…), for people with an account; browsers send it as a cookie."},
		"clientToken": {Type: "http", Scheme: "bearer", Description: "A session's token (plc_…), for capture clients."},
	}
	c.Transformers = append(c.Transformers, func(ctx huma.Context, _ string, v any) (any, error) {
		if p, ok := v.(*problem); ok {
			p.RequestID = requestID(ctx.Context())
			note(ctx.Context(), p)
		}
		return v, nil
	})
	return c
}

// captureURL is the person's link. The token is in the fragment: browsers keep
// it out of requests, logs and Referer headers.
func (a *api) captureURL(token string) string {
	return strings.TrimRight(a.deps.PublicURL, "/") + "/capture#t=" + url.QueryEscape(token)
}
