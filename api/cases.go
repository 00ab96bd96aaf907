package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/audit"
	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// registerCases registers what privacy officers, auditors and operators do with
// a case, whose tenant does not matter to them.
func (a *api) registerCases(h huma.API) {
	const one = "/v1/cases/{id}"
	accepted := func(op huma.Operation) huma.Operation {
		op.DefaultStatus = http.StatusAccepted
		return op
	}
	huma.Register(h, a.staffOperation(h, http.MethodGet, one+"/timeline", "case-timeline", "What the audit log says of a case", access.AuditRead), a.timeline)
	huma.Register(h, accepted(a.staffOperation(h, http.MethodPost, one+"/withdrawal", "case-withdrawal", "Withdraw the person's consent: the case ends, its evidence is erased", access.ConsentEnd)), a.caseWithdrawal)
	huma.Register(h, accepted(a.staffOperation(h, http.MethodDelete, one+"/evidence", "erase-case", "Erase everything kept for a case", access.Erase)), a.caseErasure)
	huma.Register(h, a.staffOperation(h, http.MethodPost, one+"/cancellation", "cancel-case", "End a case that waits for the person", access.SessionEnd), a.caseCancellation)
	hold := a.staffOperation(h, http.MethodPost, one+"/holds", "place-hold", "Place a legal hold: nothing erases the evidence meanwhile", access.HoldPlace)
	hold.DefaultStatus = http.StatusCreated
	huma.Register(h, hold, a.placeHold)
	huma.Register(h, a.staffOperation(h, http.MethodGet, "/v1/holds", "list-holds", "List legal holds, oldest first", access.HoldRead), a.listHolds)
	huma.Register(h, a.staffOperation(h, http.MethodDelete, "/v1/holds/{hold}", "lift-hold", "Lift a legal hold", access.HoldPlace), a.liftHold)
}

// caseOf reads a case and notes it for the log line.
func (a *api) caseOf(ctx context.Context, id string) (*session.Session, error) {
	ses, err := a.deps.Store.Get(ctx, id)
	if err == nil {
		rec := recordOf(ctx)
		rec.session, rec.correl = ses.ID, ses.CorrelationID
	}
	return ses, err
}

type timelineOutput struct{ Body client.Timeline }

type timelineInput struct {
	ID     string `path:"id" maxLength:"64"`
	Cursor int64  `query:"cursor" minimum:"-1" default:"-1" doc:"next of the page before: entries behind the one of that number."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"1000"`
}

func (a *api) timeline(ctx context.Context, in *timelineInput) (*timelineOutput, error) {
	ses, err := a.caseOf(ctx, in.ID)
	if err != nil {
		return nil, fromError(err)
	}
	if err := a.unlessBlind(ctx, ses.ID); err != nil {
		return nil, fromError(err)
	}
	hidden := func(audit.Entry) bool { return false }
	if s := StaffOf(ctx); s.Can(access.ReviewDecide) {
		if hidden, err = a.deps.Store.HiddenFrom(ctx, s.Account.ID); err != nil {
			return nil, fromError(err)
		}
	}
	es, more, err := a.deps.Store.TimelinePage(ctx, ses.ID, in.Cursor, in.Limit)
	if err != nil {
		return nil, fromError(err)
	}
	out := client.Timeline{Truncated: more, Entries: []client.LogEntry{}}
	for _, e := range es {
		if hidden(e) {
			continue
		}
		out.Entries = append(out.Entries, client.LogEntry{Seq: e.Seq, Time: e.Time, Actor: e.Actor, Action: e.Action, From: e.From, To: e.To, Outcome: e.Outcome, Codes: e.Codes, Refs: e.Refs})
	}
	if more {
		out.Next = &es[len(es)-1].Seq
	}
	return &timelineOutput{out}, nil
}

// withdraw ends a session on the person's wish, in whatever state it is, and has
// its evidence erased. A session that has ended already only loses its evidence.
func (a *api) withdraw(ctx context.Context, id string, by session.Actor) (*erasureOutput, error) {
	_, err := a.deps.Store.Apply(ctx, id, session.AnyVersion, session.Event{Kind: session.ConsentWithdrawn, Actor: by}, nil)
	if errors.Is(err, session.ErrNoTransition) {
		err = a.deps.Store.RequestErasure(ctx, id, by, session.WithdrawnReason)
	}
	if err != nil {
		return nil, fromError(err)
	}
	return a.erasing(ctx, id)
}

// erasing answers a request that leads to an erasure.
func (a *api) erasing(ctx context.Context, id string) (*erasureOutput, error) {
	if a.deps.Submitted != nil {
		a.deps.Submitted()
	}
	out := client.Erasure{Session: id, Status: "accepted"}
	held, err := a.deps.Store.Held(ctx, id)
	if err != nil {
		return nil, fromError(err)
	}
	if held {
		out.Status = "held"
	}
	return &erasureOutput{Body: out}, nil
}

func (a *api) caseWithdrawal(ctx context.Context, in *idInput) (*erasureOutput, error) {
	if _, err := a.caseOf(ctx, in.ID); err != nil {
		return nil, fromError(err)
	}
	return a.withdraw(ctx, in.ID, StaffOf(ctx).by(session.Privacy))
}

func (a *api) caseErasure(ctx context.Context, in *idInput) (*erasureOutput, error) {
	if _, err := a.caseOf(ctx, in.ID); err != nil {
		return nil, fromError(err)
	}
	if err := a.deps.Store.RequestErasure(ctx, in.ID, StaffOf(ctx).by(session.Privacy), "privacy_officer"); err != nil {
		return nil, fromError(err)
	}
	return a.erasing(ctx, in.ID)
}

func (a *api) caseCancellation(ctx context.Context, in *idInput) (*sessionOutput, error) {
	if _, err := a.caseOf(ctx, in.ID); err != nil {
		return nil, fromError(err)
	}
	if err := a.unlessBlind(ctx, in.ID); err != nil {
		return nil, fromError(err) // a refusal would name the state
	}
	return a.cancel(ctx, in.ID, StaffOf(ctx).by(session.Operator))
}

// cancel ends a session that waits for the person. One that was cancelled before
// answers the same.
func (a *api) cancel(ctx context.Context, id string, by session.Actor) (*sessionOutput, error) {
	ses, err := a.deps.Store.Apply(ctx, id, session.AnyVersion, session.Event{Kind: session.Cancel, Actor: by}, nil)
	if err != nil && !(ses != nil && ses.State == session.Expired && errors.Is(err, session.ErrNoTransition)) {
		return nil, fromError(err)
	}
	return &sessionOutput{ETag: etag(ses), Body: shown(ses)}, nil
}

type placeHoldInput struct {
	ID   string `path:"id" maxLength:"64"`
	Body client.NewHold
}

type holdOutput struct{ Body client.Hold }

func shownHold(h session.Hold) *holdOutput {
	out := client.Hold{ID: h.ID, Session: h.Session, Reason: h.Reason, Matter: h.Matter, PlacedBy: h.PlacedBy, PlacedAt: h.PlacedAt, LiftedBy: h.LiftedBy}
	if !h.LiftedAt.IsZero() {
		out.LiftedAt = &h.LiftedAt
	}
	for _, c := range h.Erased {
		out.Erased = append(out.Erased, string(c))
	}
	return &holdOutput{out}
}

func (a *api) placeHold(ctx context.Context, in *placeHoldInput) (*holdOutput, error) {
	if _, err := a.caseOf(ctx, in.ID); err != nil {
		return nil, fromError(err)
	}
	h, err := a.deps.Store.PlaceHold(ctx, StaffOf(ctx).by(session.Privacy), in.ID, in.Body.Reason, in.Body.Matter)
	if err != nil {
		return nil, fromError(err)
	}
	return shownHold(h), nil
}

type holdsInput struct {
	Session string `query:"session" maxLength:"64"`
	Active  bool   `query:"active" doc:"Only holds that are not lifted."`
	Cursor  string `query:"cursor" maxLength:"64"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"100"`
}

type holdsOutput struct{ Body client.HoldPage }

func (a *api) listHolds(ctx context.Context, in *holdsInput) (*holdsOutput, error) {
	hs, err := a.deps.Store.Holds(ctx, session.HoldFilter{Session: in.Session, Active: in.Active, After: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, fromError(err)
	}
	out := client.HoldPage{Holds: make([]client.Hold, len(hs))}
	for i, h := range hs {
		out.Holds[i] = shownHold(h).Body
	}
	if len(hs) == in.Limit {
		out.Next = hs[len(hs)-1].ID
	}
	return &holdsOutput{out}, nil
}

type liftHoldInput struct {
	Hold   string `path:"hold" maxLength:"64"`
	Reason string `query:"reason" required:"true" maxLength:"64" pattern:"^[a-z][a-z0-9_.-]{1,63}$" doc:"A short code; it is in the audit log."`
}

func (a *api) liftHold(ctx context.Context, in *liftHoldInput) (*holdOutput, error) {
	h, err := a.deps.Store.LiftHold(ctx, StaffOf(ctx).by(session.Privacy), in.Hold, in.Reason)
	if err != nil {
		return nil, fromError(err)
	}
	return shownHold(h), nil
}

// evidenceClasses are those that an erasure takes.
var evidenceClasses = []storage.Class{storage.CaptureImage, storage.BiometricTemplate, storage.ExtractedFields}

// evidenceState says how long a session's evidence is kept, or when it went.
func (a *api) evidenceState(ctx context.Context, id string) (*client.EvidenceState, error) {
	out := &client.EvidenceState{}
	for _, c := range evidenceClasses {
		os, err := a.deps.Store.ListObjects(ctx, id, c)
		if err != nil {
			return nil, err
		}
		for _, o := range os {
			if !o.CommittedAt.IsZero() && (out.KeptUntil == nil || o.RetainUntil.After(*out.KeptUntil)) {
				out.KeptUntil = &o.RetainUntil
			}
		}
	}
	held, err := a.deps.Store.Held(ctx, id)
	if err != nil {
		return nil, err
	}
	out.Held = held
	// What was erased, and the certificates, are in the session's log: all of it,
	// however long a client has made it. Nothing erased: nothing to look for.
	erased, err := a.deps.Store.Erased(ctx, id)
	if err != nil {
		return nil, err
	}
	log := a.deps.Store.SessionLog(ctx, id)
	if !erased {
		log = func(func(audit.Entry, error) bool) {}
	}
	for e, err := range log {
		if err != nil {
			return nil, err
		}
		if e.Action != "evidence.erased" && e.Action != "evidence.expired" {
			continue
		}
		if out.KeptUntil == nil {
			out.ErasedAt = &e.Time
		}
		for k, v := range e.Refs {
			if class, ok := certificateOf(k); ok {
				if out.Certificates == nil {
					out.Certificates = map[string]string{}
				}
				out.Certificates[class] = v
			}
		}
	}
	if out.KeptUntil == nil && out.ErasedAt == nil && !held {
		return nil, nil // nothing was ever kept
	}
	return out, nil
}

func certificateOf(ref string) (class string, ok bool) {
	const prefix = "certificate_"
	if len(ref) <= len(prefix) || ref[:len(prefix)] != prefix {
		return "", false
	}
	return ref[len(prefix):], true
}

// fromEvidence is fromError for what reads evidence: an erasure answers with its
// certificate.
func (a *api) fromEvidence(ctx context.Context, id string, err error) *problem {
	p := fromError(err)
	if p.Code != client.CodeErased && p.Code != client.CodeWithdrawn {
		return p
	}
	if s, serr := a.evidenceState(ctx, id); serr == nil && s != nil {
		if p.Code == client.CodeWithdrawn && s.ErasedAt != nil {
			p = newProblem(client.CodeErased, "").because(err) // the hold is over, and the evidence gone
		}
		if p.Certificate = s.Certificates[string(storage.ExtractedFields)]; p.Certificate == "" {
			p.Certificate = s.Certificates[string(storage.CaptureImage)]
		}
	}
	return p
}

type attributesOutput struct{ Body client.Attributes }

// attributes hands out what the policy cell grants the relying service. Each time
// is in the audit log before anything is decrypted.
func (a *api) attributes(ctx context.Context, in *idInput) (*attributesOutput, error) {
	ses, err := a.owned(ctx, in.ID)
	if err != nil {
		return nil, fromError(err)
	}
	if ses.State != session.Approved {
		return nil, newProblem(client.CodeConflict, "Only an approved session has attributes; this one is "+string(ses.State)+".")
	}
	if err := a.deps.Store.AttributesRead(ctx, session.Actor{Role: session.Service, ID: apiKey(ctx).ID}, ses.ID); err != nil {
		return nil, a.fromEvidence(ctx, ses.ID, err)
	}
	vs, err := a.deps.Desk.Attributes(ctx, ses)
	if err != nil {
		return nil, a.fromEvidence(ctx, ses.ID, err)
	}
	out := client.Attributes{Session: ses.ID, Attributes: make([]client.Attribute, len(vs))}
	for i, v := range vs {
		out.Attributes[i] = client.Attribute{Name: v.Name, Value: v.Value, Source: v.Source, Verified: v.Verified}
	}
	return &attributesOutput{out}, nil
}

func (a *api) cancelSession(ctx context.Context, in *idInput) (*sessionOutput, error) {
	if _, err := a.owned(ctx, in.ID); err != nil {
		return nil, fromError(err)
	}
	return a.cancel(ctx, in.ID, session.Actor{Role: session.Service, ID: apiKey(ctx).ID})
}

func (a *api) withdrawSession(ctx context.Context, in *idInput) (*erasureOutput, error) {
	if _, err := a.owned(ctx, in.ID); err != nil {
		return nil, fromError(err)
	}
	return a.withdraw(ctx, in.ID, session.Actor{Role: session.Service, ID: apiKey(ctx).ID})
}

func (a *api) withdrawCapture(ctx context.Context, _ *struct{}) (*erasureOutput, error) {
	ses, err := a.mine(ctx)
	if err != nil {
		return nil, fromError(err)
	}
	return a.withdraw(ctx, ses.ID, a.by(ctx))
}
