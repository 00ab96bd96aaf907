package client

import (
	"fmt"
	"time"
)

// Problem is an RFC 9457 problem document. Decide on Code: it is stable.
type Problem struct {
	Type   string  `json:"type" doc:"Stable URI of the kind of problem." format:"uri-reference"`
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail,omitempty"`
	Code   string  `json:"code" doc:"Stable; what a program decides on."`
	Errors []Fault `json:"errors,omitempty" doc:"Where in the request; never its values."`
	// Certificate is that of the erasure, with evidence_erased.
	Certificate string `json:"certificate,omitempty" doc:"Deletion certificate in the audit log."`
	// RequestID finds the request in the server's logs.
	RequestID string `json:"request_id,omitempty"`

	// RetryAfter is what the server asked for, 0 when it did not.
	RetryAfter time.Duration `json:"-"`
}

// Fault is one fault of a request.
type Fault struct {
	Location string `json:"location,omitempty"`
	Message  string `json:"message"`
}

func (p *Problem) Error() string {
	s := fmt.Sprintf("%d %s", p.Status, p.Code)
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	for _, f := range p.Errors {
		s += fmt.Sprintf("; %s: %s", f.Location, f.Message)
	}
	return s
}

// Is makes errors.Is(err, &Problem{Code: …}) compare codes.
func (p *Problem) Is(target error) bool {
	t, ok := target.(*Problem)
	return ok && t.Code == p.Code
}

// Temporary reports whether the same request can succeed later.
func (p *Problem) Temporary() bool { return p.Status == 429 || p.Status == 503 }

// Codes of problems.
const (
	CodeInvalidRequest       = "invalid_request"
	CodeUnauthorized         = "unauthorized"
	CodeTokenExpired         = "token_expired"
	CodeForbidden            = "forbidden"
	CodeNotFound             = "not_found"
	CodeMethodNotAllowed     = "method_not_allowed"
	CodeConflict             = "state_conflict"
	CodeConsentMissing       = "consent_missing"
	CodeEvidenceMissing      = "evidence_missing"
	CodeIdempotencyInFlight  = "idempotency_in_flight"
	CodeIdempotencyMismatch  = "idempotency_mismatch"
	CodeIdempotencyInvalid   = "idempotency_invalid"
	CodeLoginRefused         = "login_refused"
	CodeCodeNeeded           = "code_needed"
	CodeNotInReview          = "not_in_review"
	CodeClaimed              = "review_claimed"
	CodeNotClaimed           = "review_not_claimed"
	CodeVoted                = "already_judged"
	CodeJudgingBlindly       = "judging_blindly"
	CodeNothingWaits         = "nothing_waits"
	CodeNoGrant              = "no_grant"
	CodeSecondPerson         = "second_person_needed"
	CodePreconditionFailed   = "precondition_failed"
	CodePreconditionRequired = "precondition_required"
	CodeWithdrawn            = "consent_withdrawn"
	CodeErased               = "evidence_erased"
	CodeBodyTooLarge         = "body_too_large"
	CodeUnsupportedMediaType = "unsupported_media_type"
	CodeRequestTimeout       = "request_timeout"
	CodeChallengeUnknown     = "challenge_unknown"
	CodeChallengeExpired     = "challenge_expired"
	CodeChallengeUsed        = "challenge_used"
	CodeChallengesSpent      = "challenges_spent"
	CodeScreeningsFull       = "screenings_full"
	CodeUploadOffset         = "upload_offset"
	CodeUploadGone           = "upload_gone"
	CodeChecksumMismatch     = "checksum_mismatch"
	CodeTusVersion           = "tus_version"
	CodeRateLimited          = "rate_limited"
	CodeRegion               = "region_unavailable"
	CodeBusy                 = "busy"
	CodeStorageUnavailable   = "storage_unavailable"
	CodeStorageFull          = "storage_full"
	CodeInternal             = "internal"
)
