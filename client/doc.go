// Package client is a Go client of Proofline's HTTP API, for relying services,
// for scripts and for Proofline's own tests and demo. It also defines the
// API's JSON documents: package api answers with these very types, so the two
// can not drift apart.
//
// Two kinds of caller exist. A relying service holds an API key and uses
// [Service]: it creates sessions and reads outcomes. A capture client (a page,
// an app, a test) holds the short-lived token of one session and uses
// [Capture]: it records consent, uploads photos and submits.
//
// An answer of 4xx or 5xx is a [*Problem] (RFC 9457). Requests that are safe to
// repeat are repeated after 429 and 503 as long as the context lives.
package client
