package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/review"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// problemBase makes a problem's type from its code. It is a relative reference
// (RFC 9457 section 3.1.1): the service has no address of its own to name, and
// the path is served by it.
const problemBase = "/problems/"

// kinds are all problems: what the status and title of a code are. docs/api.md
// has the same table, held equal by a test.
var kinds = map[string]struct {
	Status int
	Title  string
}{
	client.CodeInvalidRequest:       {400, "The request is not valid"},
	client.CodeIdempotencyInvalid:   {400, "The Idempotency-Key is not valid"},
	client.CodeUnauthorized:         {401, "A valid key or token is needed"},
	client.CodeTokenExpired:         {401, "The token has expired"},
	client.CodeForbidden:            {403, "This is not allowed"},
	client.CodeNotFound:             {404, "There is no such thing"},
	client.CodeMethodNotAllowed:     {405, "The method is not allowed here"},
	client.CodeRequestTimeout:       {408, "The request arrived too slowly"},
	client.CodeConflict:             {409, "The session's state does not allow this"},
	client.CodeConsentMissing:       {409, "Consent is needed first"},
	client.CodeEvidenceMissing:      {409, "A required photo is missing"},
	client.CodeIdempotencyInFlight:  {409, "A request with this Idempotency-Key is being processed"},
	client.CodeChallengeUnknown:     {409, "The frames answer no challenge of this session"},
	client.CodeChallengeUsed:        {409, "The challenge was answered or replaced already"},
	client.CodeChallengesSpent:      {409, "There are no more challenges in this attempt"},
	client.CodeScreeningsFull:       {409, "The session has as many screening results as it may"},
	client.CodeChallengeExpired:     {410, "The challenge has expired"},
	client.CodeUploadOffset:         {409, "The upload stands at another offset"},
	client.CodeUploadGone:           {410, "The upload has ended or expired"},
	client.CodeTusVersion:           {412, "Tus-Resumable must be 1.0.0"},
	client.CodeLoginRefused:         {401, "Name or password is wrong"},
	client.CodeCodeNeeded:           {401, "The code of the authenticator app is needed"},
	client.CodeNoGrant:              {403, "There is no valid grant"},
	client.CodeSecondPerson:         {403, "Another person has to approve"},
	client.CodeNotInReview:          {409, "The case is not in review"},
	client.CodeClaimed:              {409, "Another reviewer has the case"},
	client.CodeNotClaimed:           {409, "Claim the case first"},
	client.CodeVoted:                {409, "Another reviewer has to judge the case"},
	client.CodeJudgingBlindly:       {409, "You are judging this case without knowing what was decided"},
	client.CodeNothingWaits:         {404, "No case waits for a blind check"},
	client.CodePreconditionFailed:   {412, "The case was changed"},
	client.CodePreconditionRequired: {428, "If-Match is needed"},
	client.CodeWithdrawn:            {410, "The person has withdrawn consent"},
	client.CodeErased:               {410, "The session's evidence was erased"},
	client.CodeBodyTooLarge:         {413, "The body is too large"},
	client.CodeUnsupportedMediaType: {415, "The media type is not supported"},
	client.CodeIdempotencyMismatch:  {422, "The Idempotency-Key was used for another request"},
	client.CodeChecksumMismatch:     {460, "The bytes do not have the checksum that was sent"},
	client.CodeRegion:               {422, "This server keeps nothing in the region that is asked for"},
	client.CodeRateLimited:          {429, "Too many requests"},
	client.CodeInternal:             {500, "Something failed here"},
	client.CodeBusy:                 {503, "The service is busy"},
	client.CodeStorageUnavailable:   {503, "The storage does not answer"},
	client.CodeStorageFull:          {503, "The storage is full"},
}

// problem is a client.Problem as an error of this package. cause goes to the
// log, never to the caller.
type problem struct {
	client.Problem
	cause error
}

func (p *problem) Error() string                { return p.Problem.Error() }
func (p *problem) Unwrap() error                { return p.cause }
func (p *problem) GetStatus() int               { return p.Status }
func (p *problem) MarshalJSON() ([]byte, error) { return json.Marshal(p.Problem) }

// ContentType makes huma answer with the media type of RFC 9457.
func (p *problem) ContentType(string) string { return "application/problem+json" }

// GetHeaders makes huma answer with Retry-After.
func (p *problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", retryAfter(p.RetryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="proofline"`)
	}
	return h
}

// retryAfter is a delay in whole seconds, at least one.
func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(1, int((d+time.Second-1)/time.Second)))
}

func newProblem(code, detail string) *problem {
	k, ok := kinds[code]
	if !ok {
		code = client.CodeInternal
		k = kinds[code]
	}
	return &problem{Problem: client.Problem{
		Type: problemBase + code, Title: k.Title, Status: k.Status, Detail: detail, Code: code,
	}}
}

func (p *problem) after(d time.Duration) *problem {
	p.RetryAfter = d
	return p
}

func (p *problem) because(err error) *problem {
	p.cause = err
	return p
}

// fromError turns an error of the layers below into the problem that answers
// it. Anything unexpected is a 500 that says nothing of its cause.
func fromError(err error) *problem {
	var p *problem
	var none *session.NoTransitionError
	var fault *review.FaultError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p):
		return p
	case errors.As(err, &none):
		return fromTransition(none)
	case errors.As(err, &fault):
		p := newProblem(client.CodeInvalidRequest, "")
		p.Errors = []client.Fault{{Location: "body." + fault.Field, Message: fault.Why}}
		return p
	case errors.Is(err, session.ErrNotInReview):
		return newProblem(client.CodeNotInReview, "")
	case errors.Is(err, session.ErrClaimed):
		return newProblem(client.CodeClaimed, "")
	case errors.Is(err, session.ErrNotClaimed):
		return newProblem(client.CodeNotClaimed, "")
	case errors.Is(err, session.ErrVoted):
		return newProblem(client.CodeVoted, "")
	case errors.Is(err, review.ErrBlind):
		return newProblem(client.CodeJudgingBlindly, "Judge it, or give it back, first.")
	case errors.Is(err, session.ErrNoGrant):
		return newProblem(client.CodeNoGrant, "")
	case errors.Is(err, session.ErrSamePerson):
		return newProblem(client.CodeSecondPerson, "")
	case errors.Is(err, session.ErrNotFound):
		return newProblem(client.CodeNotFound, "")
	case errors.Is(err, session.ErrInvalid):
		return newProblem(client.CodeInvalidRequest, "A field is outside its documented range.").because(err)
	case errors.Is(err, session.ErrTokenExpired):
		return newProblem(client.CodeTokenExpired, "Ask for a new link.")
	case errors.Is(err, session.ErrTokenInvalid):
		return newProblem(client.CodeUnauthorized, "")
	case errors.Is(err, session.ErrScreeningsFull):
		return newProblem(client.CodeScreeningsFull, "At most "+strconv.Itoa(session.MaxScreenings)+" can be posted.")
	case errors.Is(err, session.ErrPhotosFull):
		return newProblem(client.CodeConflict, "An attempt keeps at most "+strconv.Itoa(session.MaxPhotos)+" photos. Submit what is there.")
	case errors.Is(err, session.ErrConflict):
		return newProblem(client.CodeConflict, "The session was changed meanwhile. Read it again.")
	case errors.Is(err, session.ErrIdempotencyInFlight):
		return newProblem(client.CodeIdempotencyInFlight, "").after(time.Second)
	case errors.Is(err, session.ErrIdempotencyMismatch):
		return newProblem(client.CodeIdempotencyMismatch, "")
	case errors.Is(err, session.ErrHeld):
		return newProblem(client.CodeConflict, "The session is under a legal hold: nothing of it is erased until that is lifted.")
	case errors.Is(err, storage.ErrRegion):
		// Nothing that the caller repeats mends a configuration: no status that
		// invites to try again. The log has it as an error, with the region.
		return newProblem(client.CodeRegion, "The policy keeps such cases in a region that this server has no storage for. Its operator has to name it in storage.regions, or change the policy.").because(err)
	case errors.Is(err, session.ErrWithdrawn):
		return newProblem(client.CodeWithdrawn, "Nothing of the session is handed out any more; its evidence is erased as soon as no legal hold keeps it.").because(err)
	case errors.Is(err, storage.ErrErased):
		return newProblem(client.CodeErased, "")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return newProblem(client.CodeBusy, "").after(2 * time.Second).because(err)
	}
	out, full := session.Outage(err)
	switch {
	case full, errors.Is(err, storage.ErrFull):
		// Somebody has to make room: soon is not soon enough.
		return newProblem(client.CodeStorageFull, "Send the same again later; nothing was kept of it.").after(time.Minute).because(err)
	case out, errors.Is(err, storage.ErrUnavailable):
		return newProblem(client.CodeStorageUnavailable, "Send the same again later; nothing was kept of it.").after(5 * time.Second).because(err)
	}
	return newProblem(client.CodeInternal, "The request id finds the cause in the server's log.").because(err)
}

func fromTransition(e *session.NoTransitionError) *problem {
	switch {
	case e.Guard == session.ConsentOnRecord:
		return newProblem(client.CodeConsentMissing, "")
	case e.Reason == session.TimeExpired:
		return newProblem(client.CodeConflict, "The session has expired.")
	default:
		return newProblem(client.CodeConflict, "The session is "+string(e.State)+".")
	}
}

// fromHuma shapes what huma itself finds wrong with a request. The values that
// huma quotes are left out: they can be personal data.
func fromHuma(status int, message string, errs ...error) huma.StatusError {
	code := client.CodeInvalidRequest
	switch status {
	case http.StatusRequestEntityTooLarge:
		code = client.CodeBodyTooLarge
	case http.StatusUnsupportedMediaType:
		code = client.CodeUnsupportedMediaType
	case http.StatusRequestTimeout:
		code = client.CodeRequestTimeout
	case http.StatusNotFound:
		code = client.CodeNotFound
	default:
		if status >= 500 {
			code = client.CodeInternal
		}
	}
	p := newProblem(code, "")
	for _, e := range errs {
		var mine *problem
		if errors.As(e, &mine) {
			return mine
		}
		if d, ok := e.(huma.ErrorDetailer); ok {
			detail := d.ErrorDetail()
			p.Errors = append(p.Errors, client.Fault{Location: location(detail), Message: detail.Message})
		}
	}
	if code == client.CodeInvalidRequest {
		p.Detail = message
	}
	return p
}

// location is where in the request something is wrong, without names that the
// caller made up: they can be personal data as much as a value.
func location(d *huma.ErrorDetail) string {
	at := d.Location
	if d.Message == validation.MsgUnexpectedProperty {
		at = at[:max(strings.LastIndexByte(at, '.'), 0)]
	}
	if name, ok := strings.CutPrefix(at, "body.claims."); ok && !slices.Contains(ClaimNames, name) {
		at = "body.claims"
	}
	return at
}

// huma builds its own errors through this variable; it is its one extension
// point for them, and no other package here uses huma.
func init() { huma.NewError = fromHuma }

// writeProblem answers outside huma: in middleware and for unknown paths.
func writeProblem(w http.ResponseWriter, r *http.Request, p *problem) {
	p.RequestID = requestID(r.Context())
	for k, v := range p.GetHeaders() {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
	note(r.Context(), p)
}
