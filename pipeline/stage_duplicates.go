package pipeline

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/proofline/proofline/face"
	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// Others compares a case with the other subjects of its tenant.
type Others interface {
	// Number records the document's number under a keyed hash, and counts the
	// other subjects and, in the last day, the other sessions that have it.
	Number(ctx context.Context, number string) (subjects, sessions int, err error)
	// Face keeps the face's template, encrypted, and gives the greatest cosine
	// with other subjects'. Those whose template can not be read are left out.
	Face(ctx context.Context, model string, e face.Embedding) (Likeness, error)
	// Sessions counts the subject's sessions of the last day, this one included.
	Sessions(ctx context.Context) (int, error)
}

// Likeness is how much a face is like others.
type Likeness struct {
	Cosine   float64 // the greatest; of no meaning when none was compared
	Compared int
	// Unread counts the templates that could not be had, though they should be
	// there: their region is down or not configured, or they are damaged.
	Unread int
}

// runDuplicates looks for the document number and the face under other subjects,
// where the policy asks for it. It measures; what it leads to is never more than
// a person who looks.
func runDuplicates(ctx context.Context, r *run) ([]policy.Finding, error) {
	d := r.cell.Duplicates
	if d == nil {
		return nil, nil
	}
	f := policy.Finding{Subject: "case"}
	if r.c.Others == nil {
		f.Assert("system.not_evaluated", "")
		return []policy.Finding{f}, nil
	}
	add := func(name string, v float64, unit string) {
		f.Measures = append(f.Measures, policy.Measure{Name: "duplicates." + name, Value: v, Unit: unit})
	}
	n, err := r.c.Others.Sessions(ctx)
	if err != nil {
		return nil, err
	}
	add("sessions_24h", float64(n), "sessions")
	if number := markedNumber(r.fields); d.DocumentNumber && number != "" {
		subjects, sessions, err := r.c.Others.Number(ctx, number)
		if err != nil {
			return nil, err
		}
		add("document_number.subjects", float64(subjects), "subjects")
		add("document_number.sessions_24h", float64(sessions), "sessions")
	}
	if !d.Face || r.c.NoBiometrics || r.engines.Faces == nil {
		return []policy.Finding{f}, nil
	}
	p, err := r.photo(ctx, "selfie")
	if err != nil || p == nil || r.selfie == nil {
		return []policy.Finding{f}, err
	}
	e, err := r.engines.Faces.Embed(p.Mat, r.selfie.Face)
	if err != nil {
		return nil, &stageError{"duplicates", err}
	}
	if len(e) == 0 {
		return []policy.Finding{f}, nil
	}
	f.Models = refs(r.engines.Faces.Models())
	like, err := r.c.Others.Face(ctx, r.engines.Faces.EmbeddingModel().SHA256, e)
	if err != nil {
		return nil, err
	}
	add("face.compared", float64(like.Compared), "faces")
	add("face.unread", float64(like.Unread), "faces")
	if like.Compared > 0 {
		add("face.similarity", r.engines.Faces.Scaled(like.Cosine), "similarity")
	}
	return []policy.Finding{f}, nil
}

// markedNumber is the document's number as it is hashed, with the issuing state:
// numbers repeat between states. What a check digit confirms comes first, then
// what a machine reads; print alone is read wrongly too often to accuse anyone.
func markedNumber(fields []Field) string {
	best := func(name string) string {
		value, rank := "", 0
		for _, f := range fields {
			r := 0
			switch {
			case f.Name != name || f.Value == "":
			case f.Verified:
				r = 3
			case f.Source == "mrz":
				r = 2
			case f.Source == "barcode":
				r = 1
			}
			if r > rank {
				value, rank = f.Value, r
			}
		}
		return strings.Map(func(c rune) rune {
			if !unicode.IsLetter(c) && !unicode.IsDigit(c) {
				return -1
			}
			return unicode.ToUpper(c)
		}, value)
	}
	number := best("document_number")
	if number == "" {
		return ""
	}
	return best("issuing_state") + "/" + number
}

// TenantKeyPurpose is what a tenant's key for keyed hashes is sealed for.
func TenantKeyPurpose(tenant string) string { return "keyed hashes of " + tenant }

// others compares a stored case; nil where its rules do not ask or no key can be
// had.
func (w *Worker) others(c policy.Context, ses *session.Session, p *policy.Policy) (Others, error) {
	cell := p.Cell(c)
	if cell.Duplicates == nil || w.c.Keyring == nil {
		return nil, nil
	}
	return &neighbours{w, ses, cell}, nil
}

// neighbours are the other subjects of a session's tenant.
type neighbours struct {
	w    *Worker
	ses  *session.Session
	cell policy.Cell
}

func (n *neighbours) since() time.Time {
	return time.Now().Add(-time.Duration(n.cell.Duplicates.Window))
}

func (n *neighbours) Sessions(ctx context.Context) (int, error) {
	return n.w.c.Store.SubjectSessions(ctx, n.ses.Tenant, n.ses.ExternalRef, time.Now().Add(-24*time.Hour))
}

// tenantKey is the key of a tenant's keyed hashes: the same number hashes
// differently elsewhere.
func (w *Worker) tenantKey(ctx context.Context, tenant string) ([]byte, error) {
	ring, purpose := w.c.Keyring, TenantKeyPurpose(tenant)
	sealed, err := w.c.Store.TenantKey(ctx, tenant, func() ([]byte, error) {
		fresh := make([]byte, 32)
		rand.Read(fresh)
		defer clear(fresh)
		return storage.SealSecret(ctx, ring, purpose, fresh)
	})
	if err != nil {
		return nil, err
	}
	return storage.OpenSecret(ctx, ring, purpose, sealed)
}

func (n *neighbours) Number(ctx context.Context, number string) (subjects, sessions int, err error) {
	key, err := n.w.tenantKey(ctx, n.ses.Tenant)
	if err != nil {
		return 0, 0, fmt.Errorf("hash document number: %w", err)
	}
	defer clear(key)
	h := hmac.New(sha256.New, key)
	h.Write([]byte(number))
	until, err := n.cell.RetainUntil(string(storage.ExtractedFields), time.Now())
	if err != nil {
		return 0, 0, err
	}
	m := session.Mark{Session: n.ses.ID, Kind: session.NumberMark, Tenant: n.ses.Tenant, Subject: n.ses.SubjectOf(), Mark: hex.EncodeToString(h.Sum(nil)), Expires: until}
	// First put, then count: of two at once at least one sees the other.
	if err := n.w.c.Store.PutMark(ctx, m); err != nil {
		return 0, 0, err
	}
	return n.w.c.Store.SameNumber(ctx, m, n.since())
}

// template is a face as it lies in the vault.
type template struct {
	Model  string         `json:"model"`
	Values face.Embedding `json:"values"`
}

const (
	maxTemplate = 64 << 10
	// templateTime bounds the reading of one template of another subject's.
	templateTime = 5 * time.Second
)

func (n *neighbours) Face(ctx context.Context, model string, e face.Embedding) (like Likeness, err error) {
	b, err := json.Marshal(template{model, e})
	if err != nil {
		return like, fmt.Errorf("encode template: %w", scrub(err))
	}
	defer clear(b)
	until, err := n.cell.RetainUntil(string(storage.BiometricTemplate), time.Now())
	if err != nil {
		return like, err
	}
	o, err := n.w.c.Vault.PutBytes(ctx, storage.Ref{Session: n.ses.ID, Class: storage.BiometricTemplate, Kind: "face_template", Region: n.cell.Residency}, b, until)
	if err != nil {
		return like, fmt.Errorf("keep template: %w", err)
	}
	m := session.Mark{Session: n.ses.ID, Kind: session.FaceMark, Tenant: n.ses.Tenant, Subject: n.ses.SubjectOf(), Object: o.ID, Expires: until}
	if err := n.w.c.Store.PutMark(ctx, m); err != nil {
		return like, err
	}
	others, err := n.w.c.Store.FaceMarks(ctx, n.ses.Tenant, m.Subject, n.since(), n.cell.Duplicates.Max)
	if err != nil {
		return like, err
	}
	return n.compare(ctx, model, e, others)
}

// compare leaves out what can not be read: one template of somebody else's, in a
// region that is down or was taken out of the configuration, must not keep the case
// of this person from its end.
func (n *neighbours) compare(ctx context.Context, model string, e face.Embedding, others []session.Mark) (like Likeness, err error) {
	down := map[string]bool{} // regions that did not answer: each would take its time again
	for _, other := range others {
		o, err := n.w.c.Vault.Index().GetObject(ctx, other.Object)
		if gone(err) {
			continue // erased meanwhile
		}
		if err != nil {
			return like, fmt.Errorf("find template: %w", err)
		}
		if down[o.Region] {
			like.Unread++
			continue
		}
		tctx, cancel := context.WithTimeout(ctx, templateTime)
		t, err := n.template(tctx, o)
		slow := tctx.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
			return like, ctx.Err()
		case gone(err):
			continue
		case err != nil:
			like.Unread++
			if !errors.Is(err, storage.ErrCorrupt) {
				down[o.Region] = slow || errors.Is(err, storage.ErrUnavailable) || errors.Is(err, storage.ErrRegion)
			}
			continue
		case t.Model != model:
			continue // similarities of different networks do not compare
		}
		if s := face.Cosine(e, t.Values); like.Compared == 0 || s > like.Cosine {
			like.Cosine = s
		}
		like.Compared++
	}
	if like.Unread > 0 {
		n.w.log.WarnContext(ctx, "templates of other subjects can not be read; the face was not compared with them", "session", n.ses.ID,
			"unread", like.Unread, "compared", like.Compared)
	}
	return like, nil
}

func (n *neighbours) template(ctx context.Context, o storage.Object) (template, error) {
	var t template
	b, err := n.w.c.Vault.Read(ctx, o, maxTemplate)
	if err != nil {
		return t, err
	}
	defer clear(b)
	if err := json.Unmarshal(b, &t); err != nil {
		return t, fmt.Errorf("decode: %w", scrub(err))
	}
	return t, nil
}
