package review

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/proofline/proofline/access"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// PurposeKind is the kind of the vault object that holds the words behind a
// purpose.
const PurposeKind = "access_purpose"

const (
	maxWords  = 1000
	maxFields = 1 << 20
)

// Ask asks for a grant to open a case's evidence. purpose is a code of
// access.Purposes; its words, which some purposes need, go to the vault, and the
// log holds a commitment to them.
func (d *Desk) Ask(ctx context.Context, account, id, purpose, words string) (session.Grant, error) {
	p, ok := access.FindPurpose(purpose)
	words = strings.TrimSpace(words)
	switch {
	case !ok:
		return session.Grant{}, &FaultError{"purpose", "expected a code of the list"}
	case len(words) > maxWords || !utf8.ValidString(words):
		return session.Grant{}, &FaultError{"text", fmt.Sprintf("expected at most %d bytes of text", maxWords)}
	case p.Words && words == "":
		return session.Grant{}, &FaultError{"text", "this purpose needs a few words"}
	}
	ses, err := d.c.Store.Get(ctx, id)
	if err != nil {
		return session.Grant{}, err
	}
	if purpose == session.ReviewPurpose && ses.State != session.PendingReview {
		return session.Grant{}, session.ErrNotInReview
	}
	n := session.NewGrant{Session: id, Account: account, Purpose: purpose, Text: words, Life: d.c.GrantLife, Second: d.c.SecondForEvidence}
	var kept storage.Object
	if words != "" {
		_, cell, err := d.rules(ctx, ses)
		if err != nil {
			return session.Grant{}, err
		}
		o, err := d.keepText(ctx, cell, id, PurposeKind, words)
		if err != nil {
			return session.Grant{}, err
		}
		kept, n.Words = o, o.ID
	}
	g, err := d.c.Store.AskGrant(ctx, n)
	if err != nil && kept.ID != "" {
		// No grant refers to the words: nothing would ever ask for them again.
		err = errors.Join(err, d.c.Vault.Remove(context.WithoutCancel(ctx), kept))
	}
	return g, err
}

// Approve begins somebody else's grant.
func (d *Desk) Approve(ctx context.Context, account, grant string) (session.Grant, error) {
	return d.c.Store.ApproveGrant(ctx, account, grant)
}

// End ends a grant, or declines one.
func (d *Desk) End(ctx context.Context, account, grant string) (session.Grant, error) {
	return d.c.Store.EndGrant(ctx, account, grant)
}

// Grants lists grants. judge is an account that may judge cases, which must not
// learn here of the work of others on those that are judged blindly; "" is nobody
// of that kind.
func (d *Desk) Grants(ctx context.Context, judge string, f session.GrantFilter) ([]session.Grant, error) {
	gs, err := d.c.Store.Grants(ctx, f)
	if err != nil || judge == "" {
		return gs, err
	}
	hidden, err := d.c.Store.GrantsHiddenFrom(ctx, judge)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(gs, hidden), nil
}

// Current finds an account's grant for a case that is active now.
func (d *Desk) Current(ctx context.Context, account, id string) (*session.Grant, error) {
	gs, err := d.c.Store.Grants(ctx, session.GrantFilter{Session: id, Account: account, Open: true})
	if err != nil {
		return nil, err
	}
	var pending *session.Grant
	for _, g := range gs {
		switch g.State(d.c.Now()) {
		case "active":
			return &g, nil
		case "pending":
			pending = &g
		}
	}
	return pending, nil
}

// Open decrypts one picture of a case under the account's grant. What is read is
// authentic. session.ErrNoGrant, session.ErrNotFound, storage.ErrErased.
func (d *Desk) Open(ctx context.Context, account, grant, id, object string) (Picture, io.ReadCloser, error) {
	ses, err := d.c.Store.Get(ctx, id)
	if err != nil {
		return Picture{}, nil, err
	}
	_, made, err := d.results(ctx, ses)
	if err != nil {
		return Picture{}, nil, err
	}
	ps, _, err := d.pictures(ctx, ses, made)
	if err != nil {
		return Picture{}, nil, err
	}
	i := slices.IndexFunc(ps, func(p Picture) bool { return p.Object == object })
	if i < 0 {
		return Picture{}, nil, session.ErrNotFound
	}
	if _, err := d.c.Store.UseGrant(ctx, account, grant, id, object, ps[i].Kind); err != nil {
		return Picture{}, nil, err
	}
	o, err := d.c.Store.GetObject(ctx, object)
	if err != nil {
		return Picture{}, nil, err
	}
	if o.Session != id || o.Class != storage.CaptureImage {
		return Picture{}, nil, session.ErrNotFound
	}
	r, err := d.c.Vault.Open(ctx, o)
	return ps[i], r, err
}

// Value is one field as one source has it. It is personal data.
type Value struct {
	Name       string
	Value      string
	Source     string
	Confidence float64
	Verified   bool // a check digit confirms it
}

// Fields decrypts what was read of the document, and what the relying service
// stated, under the account's grant.
func (d *Desk) Fields(ctx context.Context, account, grant, id string) ([]Value, error) {
	ses, err := d.c.Store.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if _, err := d.c.Store.UseGrant(ctx, account, grant, id, "fields", "extracted_fields"); err != nil {
		return nil, err
	}
	return d.fields(ctx, ses, true)
}

// fields reads the fields of the present attempt.
func (d *Desk) fields(ctx context.Context, ses *session.Session, claims bool) ([]Value, error) {
	_, made, err := d.results(ctx, ses)
	if err != nil {
		return nil, err
	}
	var out []Value
	for _, a := range made {
		if a.Class != storage.ExtractedFields {
			continue
		}
		b, err := d.read(ctx, a.Object)
		if err != nil {
			return nil, err
		}
		var x struct {
			Fields []struct {
				Name, Value, Source string
				Confidence          float64
				Verified            bool
			} `json:"fields"`
		}
		err = json.Unmarshal(b, &x)
		clear(b)
		if err != nil {
			return nil, fmt.Errorf("read %s fields: malformed (%T)", a.Kind, err)
		}
		for _, f := range x.Fields {
			out = append(out, Value(f))
		}
	}
	if !claims {
		return out, nil
	}
	objects, err := d.c.Store.ListObjects(ctx, ses.ID, storage.ExtractedFields)
	if err != nil {
		return nil, err
	}
	for i := len(objects) - 1; i >= 0; i-- { // the newest counts
		if objects[i].Kind != "claims" || objects[i].CommittedAt.IsZero() {
			continue
		}
		b, err := d.read(ctx, objects[i].ID)
		if err != nil {
			return nil, err
		}
		var x map[string]string
		err = json.Unmarshal(b, &x)
		clear(b)
		if err != nil {
			return nil, fmt.Errorf("read claims: malformed (%T)", err)
		}
		for name, v := range x {
			out = append(out, Value{Name: name, Value: v, Source: "claims", Confidence: 1})
		}
		break
	}
	return out, nil
}

func (d *Desk) read(ctx context.Context, object string) ([]byte, error) {
	o, err := d.c.Store.GetObject(ctx, object)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, storage.ErrErased // there was one, and it is gone
	}
	if err != nil {
		return nil, err
	}
	r, err := d.c.Vault.Open(ctx, o)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, storage.ErrErased
	}
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxFields+1))
	if err != nil {
		return nil, fmt.Errorf("read object %s: %w", object, err)
	}
	if len(b) > maxFields {
		return nil, fmt.Errorf("read object %s: larger than %d bytes", object, maxFields)
	}
	return b, nil
}

// Attributes are the fields that the case's policy cell grants the relying
// service, each from its best source. Only an approved case has them.
func (d *Desk) Attributes(ctx context.Context, ses *session.Session) ([]Value, error) {
	_, cell, err := d.rules(ctx, ses)
	if err != nil {
		return nil, err
	}
	all, err := d.fields(ctx, ses, false)
	if err != nil {
		return nil, err
	}
	best := map[string]Value{}
	for _, v := range all {
		if v.Value == "" || !slices.Contains(cell.Attributes, v.Name) {
			continue
		}
		if old, ok := best[v.Name]; !ok || better(v, old) {
			best[v.Name] = v
		}
	}
	out := []Value{}
	for _, name := range cell.Attributes {
		if v, ok := best[name]; ok {
			out = append(out, v)
		}
	}
	return out, nil
}

// rules are the policy that the session was created under, and its cell for the
// document that the person chose: the one that the case was decided by.
func (d *Desk) rules(ctx context.Context, ses *session.Session) (*policy.Policy, policy.Cell, error) {
	p, err := d.c.Policy(ctx, ses.PolicyHash)
	if err != nil {
		return nil, policy.Cell{}, fmt.Errorf("find policy of case: %w", err)
	}
	evidence, err := d.c.Store.Evidence(ctx, ses.ID, ses.Attempt)
	if err != nil {
		return nil, policy.Cell{}, err
	}
	return p, p.Cell(ses.ContextOf(evidence)), nil
}

// better prefers what a check digit or a barcode confirms, then the surer source,
// then what was read more surely. The print has the diacritics that a zone
// transliterates, but where both speak the zone is the surer reading.
func better(a, b Value) bool {
	if a.Verified != b.Verified {
		return a.Verified
	}
	source := map[string]int{"barcode": 2, "mrz": 1}
	if source[a.Source] != source[b.Source] {
		return source[a.Source] > source[b.Source]
	}
	return a.Confidence > b.Confidence
}

// Granted is how long a grant lasts.
func (d *Desk) Granted() time.Duration { return d.c.GrantLife }
