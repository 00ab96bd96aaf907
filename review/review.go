// Package review is a person's work on a case: the queue of cases that wait for
// one, what the measurements say of each, the decision, and the evidence that
// is opened for it under a grant.
//
// [Desk] is the type to know. It joins the session store, which keeps claims,
// votes and grants in the same transactions as the state, with the vault and the
// policies. A case as it is listed and shown ([Case]) holds states, codes,
// scores and thresholds. Pictures and texts of the document come from [Desk.Open]
// and [Desk.Fields] only, which ask for a valid grant and leave an entry in the
// audit log before anything is decrypted.
package review

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// Store is what reviews need of the session store; *session.Store has it.
type Store interface {
	Get(ctx context.Context, id string) (*session.Session, error)
	Decisions(ctx context.Context, id string) ([]session.Decision, error)
	Evidence(ctx context.Context, id string, attempt int) ([]session.Evidence, error)
	Stages(ctx context.Context, id string, attempt int) ([]session.StageResult, error)
	GetObject(ctx context.Context, id string) (storage.Object, error)
	ListObjects(ctx context.Context, id string, c storage.Class) ([]storage.Object, error)

	Reviews(ctx context.Context, f session.ReviewFilter) ([]session.Waiting, error)
	ReviewPlace(ctx context.Context, id string) (session.Place, error)
	ReviewClaim(ctx context.Context, id string) (*session.Claim, error)
	ClaimReview(ctx context.Context, account, id string, ttl time.Duration) (session.Claim, *session.Session, error)
	ReleaseReview(ctx context.Context, account, id string) error
	CastVote(ctx context.Context, b session.Ballot) (*session.Session, bool, error)
	Votes(ctx context.Context, id string) ([]session.Vote, error)

	Sample(ctx context.Context, id string) (session.Sample, error)
	NextSampleDue(ctx context.Context) (time.Time, error)
	OpenSamples(ctx context.Context) (open, late int64, err error)
	TakeSample(ctx context.Context, account, only string, ttl time.Duration) (session.Sample, error)
	ReleaseSample(ctx context.Context, account, id string) error
	JudgeSample(ctx context.Context, v session.Vote, version int64) (session.Sample, error)

	AskGrant(ctx context.Context, n session.NewGrant) (session.Grant, error)
	ApproveGrant(ctx context.Context, account, id string) (session.Grant, error)
	EndGrant(ctx context.Context, account, id string) (session.Grant, error)
	UseGrant(ctx context.Context, account, id, ses, object, kind string) (session.Grant, error)
	Grants(ctx context.Context, f session.GrantFilter) ([]session.Grant, error)
	GrantsHiddenFrom(ctx context.Context, account string) (func(session.Grant) bool, error)
}

// Vault is what reviews need of the evidence vault; *storage.Vault has it.
type Vault interface {
	Put(ctx context.Context, ref storage.Ref, r io.Reader, retain time.Time) (storage.Object, error)
	Open(ctx context.Context, o storage.Object) (io.ReadCloser, error)
	Remove(ctx context.Context, o storage.Object) error
}

// Config is what a Desk stands on; Store, Vault and Policy are required.
type Config struct {
	Store Store
	Vault Vault
	// Policy finds the policy that a case began with, by its hash.
	Policy func(ctx context.Context, hash string) (*policy.Policy, error)

	// Reviewers is how many have to agree on a case: 1, or 2 for four eyes.
	Reviewers int
	// SecondForEvidence: a second person approves each grant.
	SecondForEvidence bool
	// ClaimLife is how long a reviewer has a case without touching it (15 min),
	// GrantLife how long evidence stays open (15 min), Due how long a case may
	// wait in review (24 h).
	ClaimLife, GrantLife, Due time.Duration
	Now                       func() time.Time
}

// Desk is safe for concurrent use.
type Desk struct{ c Config }

// New returns a Desk.
func New(c Config) *Desk {
	if c.Reviewers == 0 {
		c.Reviewers = 1
	}
	for d, v := range map[*time.Duration]time.Duration{&c.ClaimLife: 15 * time.Minute, &c.GrantLife: 15 * time.Minute, &c.Due: 24 * time.Hour} {
		if *d == 0 {
			*d = v
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Desk{c}
}

// Item is a case in the queue.
type Item struct {
	session.Waiting
	Since time.Time // in review
	Due   time.Time
}

// Late reports whether the case waits for longer than it should.
func (i Item) Late(now time.Time) bool { return now.After(i.Due) }

func (d *Desk) item(w session.Waiting) Item {
	i := Item{Waiting: w, Since: w.Session.UpdatedAt}
	if !w.Place.Entered.IsZero() {
		i.Since, i.Due = w.Place.Entered, w.Place.Due
		if i.Due.IsZero() {
			i.Due = i.Since.Add(d.c.Due)
		}
		return i
	}
	if x := w.Session.Decision; x != nil {
		i.Since = x.At
	}
	i.Due = i.Since.Add(d.c.Due)
	return i
}

// Queue lists cases in review in the order of work, or the filter's. code, when not empty, keeps those
// that wait because of it; the page may then be shorter, and more says whether
// there is another.
func (d *Desk) Queue(ctx context.Context, f session.ReviewFilter, code policy.Code) (items []Item, next string, err error) {
	if f.Limit == 0 {
		f.Limit = 50
	}
	ws, err := d.c.Store.Reviews(ctx, f)
	if err != nil {
		return nil, "", err
	}
	items = []Item{}
	for _, w := range ws {
		if code == "" || w.Session.Decision != nil && slices.Contains(w.Session.Decision.Codes, code) {
			items = append(items, d.item(w))
		}
	}
	if len(ws) == f.Limit {
		next = ws[len(ws)-1].Cursor()
	}
	return items, next, nil
}

// Picture is one object that a grant can open. It holds no picture.
type Picture struct {
	Object  string
	Kind    string // document_front, straightened_document_front, selfie, …
	Subject string
	Size    int64
	Erased  bool
}

// Case is what is known of a case without opening its evidence.
type Case struct {
	Item
	Decision *session.Decision // the machine's
	Findings []policy.Finding  // of the present attempt, judged by the case's policy
	Pictures []Picture
	Sources  []string // what fields were read from: mrz, visual, barcode, claims
	// Votes of the present attempt. Those of others are left out until the
	// reviewer has cast one: the second look is blind.
	Votes    []session.Vote
	Policy   *policy.Policy
	Cell     policy.Cell
	Attempts int
}

// Case returns a case for an account to look at. It needs no claim. ErrBlind.
func (d *Desk) Case(ctx context.Context, account, id string) (*Case, error) {
	ses, err := d.c.Store.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if blind, err := d.JudgesBlindly(ctx, account, id); err != nil {
		return nil, err
	} else if blind {
		return nil, ErrBlind
	}
	place, err := d.c.Store.ReviewPlace(ctx, id)
	if err != nil && !errors.Is(err, session.ErrNotFound) {
		return nil, err
	}
	c := &Case{Item: d.item(session.Waiting{Session: *ses, Place: place}), Attempts: ses.Attempt}
	if c.Claim, err = d.c.Store.ReviewClaim(ctx, id); err != nil {
		return nil, err
	}
	if c.Policy, c.Cell, err = d.rules(ctx, ses); err != nil {
		return nil, err
	}
	decisions, err := d.c.Store.Decisions(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, x := range decisions {
		if x.By == session.Worker && x.Attempt == ses.Attempt {
			if c.Decision = &x; place.Entered.IsZero() {
				c.Since, c.Due = x.At, x.At.Add(d.c.Due)
			}
		}
	}
	findings, made, err := d.results(ctx, ses)
	if err != nil {
		return nil, err
	}
	for _, f := range findings {
		c.Findings = append(c.Findings, c.Cell.Judge(f))
	}
	if c.Pictures, c.Sources, err = d.pictures(ctx, ses, made); err != nil {
		return nil, err
	}
	votes, err := d.c.Store.Votes(ctx, id)
	if err != nil {
		return nil, err
	}
	mine := false
	for _, v := range votes {
		if v.Attempt == ses.Attempt {
			c.Waiting.Votes++
			mine = mine || v.Account == account
		}
	}
	open := ses.State != session.PendingReview || mine
	if !open && place.Blind() {
		c.Waiting.Votes = 0
	}
	for _, v := range votes {
		if v.Attempt != ses.Attempt || open {
			c.Votes = append(c.Votes, v)
		}
	}
	return c, nil
}

// artefact is what a stage left in the vault, as its stored result names it.
type artefact struct {
	Class   storage.Class `json:"class"`
	Kind    string        `json:"kind"`
	Subject string        `json:"subject"`
	Object  string        `json:"object"`
}

// results reads the stored results of the present attempt. Of several runs of a
// stage the last one counts.
func (d *Desk) results(ctx context.Context, ses *session.Session) ([]policy.Finding, []artefact, error) {
	rows, err := d.c.Store.Stages(ctx, ses.ID, ses.Attempt)
	if err != nil {
		return nil, nil, err
	}
	type body struct {
		Findings  []policy.Finding `json:"findings"`
		Artefacts []artefact       `json:"artefacts"`
	}
	last, order := map[string]body{}, []string{}
	for _, r := range rows {
		var b body
		if err := json.Unmarshal(r.Body, &b); err != nil {
			return nil, nil, fmt.Errorf("read result of stage %s: %w", r.Stage, err)
		}
		if _, known := last[r.Stage]; !known {
			order = append(order, r.Stage)
		}
		last[r.Stage] = b
	}
	var fs []policy.Finding
	var as []artefact
	for _, s := range order {
		fs, as = append(fs, last[s].Findings...), append(as, last[s].Artefacts...)
	}
	return fs, as, nil
}

func (d *Desk) pictures(ctx context.Context, ses *session.Session, made []artefact) ([]Picture, []string, error) {
	evidence, err := d.c.Store.Evidence(ctx, ses.ID, ses.Attempt)
	if err != nil {
		return nil, nil, err
	}
	var ps []Picture
	var sources []string
	add := func(object, kind, subject string) error {
		o, err := d.c.Store.GetObject(ctx, object)
		if errors.Is(err, storage.ErrNotFound) {
			ps = append(ps, Picture{Object: object, Kind: kind, Subject: subject, Erased: true})
			return nil
		}
		if err == nil {
			ps = append(ps, Picture{Object: o.ID, Kind: kind, Subject: subject, Size: o.Size, Erased: !o.DeletedAt.IsZero()})
		}
		return err
	}
	for _, a := range made {
		switch a.Class {
		case storage.CaptureImage:
			if err := add(a.Object, a.Kind, a.Subject); err != nil {
				return nil, nil, err
			}
		case storage.ExtractedFields:
			sources = append(sources, a.Kind)
		}
	}
	for _, e := range evidence {
		if err := add(e.Object, e.Kind, e.Kind); err != nil {
			return nil, nil, err
		}
	}
	return ps, sources, nil
}

// Claim gives the case to a reviewer, or lets them keep it for longer.
func (d *Desk) Claim(ctx context.Context, account, id string) (session.Claim, *session.Session, error) {
	return d.c.Store.ClaimReview(ctx, account, id, d.c.ClaimLife)
}

// Release gives it back.
func (d *Desk) Release(ctx context.Context, account, id string) error {
	return d.c.Store.ReleaseReview(ctx, account, id)
}

// Reviewers is how many have to agree.
func (d *Desk) Reviewers() int { return d.c.Reviewers }
