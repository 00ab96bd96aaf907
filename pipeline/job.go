package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/proofline/proofline/policy"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

// job is one run of one stored case.
type job struct {
	w        *Worker
	ses      *session.Session
	attempt  int
	r        *run
	evidence map[string]session.Evidence
	anew     bool // do not use what earlier runs stored
	crashes  int
	used     []session.StageRef // results that the findings are of
}

// errStale: something that an earlier run stored can not be read any more.
var errStale = errors.New("a stored intermediate result is gone")

// stored is the body of a session.StageResult. It holds no personal data.
type stored struct {
	Findings  []policy.Finding `json:"findings"`
	Artefacts []artefact       `json:"artefacts,omitempty"`
}

// decide runs the stages that have no stored result for this very input, and
// decides.
func (j *job) decide(ctx context.Context) (policy.Decision, error) {
	done, err := j.results(ctx)
	if err != nil {
		return policy.Decision{}, err
	}
	hashes := map[string]string{}
	var pending []func() error // artefacts of resumed stages, read when a stage runs after all
	for _, s := range j.w.stages {
		if err := ctx.Err(); err != nil {
			return policy.Decision{}, context.Cause(ctx)
		}
		hash := j.inputHash(s, hashes)
		hashes[s.Name] = hash
		j.used = append(j.used, session.StageRef{Stage: s.Name, InputHash: hash})
		if body, ok := done[s.Name+" "+hash]; ok {
			j.r.findings = append(j.r.findings, body.Findings...)
			for _, a := range body.Artefacts {
				pending = append(pending, func() error { return j.load(ctx, s, a) })
			}
			j.w.c.Observe(Event{Stage: s.Name, Done: true, Resumed: true, Findings: body.Findings})
			continue
		}
		for _, load := range pending {
			if err := load(); err != nil {
				return policy.Decision{}, err
			}
		}
		pending = nil
		body, err := j.stage(ctx, s, hash)
		if err != nil {
			return policy.Decision{}, err
		}
		j.r.findings = append(j.r.findings, body.Findings...)
	}
	return j.r.decide(), nil
}

// basis is what the decision was computed from, for whoever computes it again.
func (j *job) basis() (*session.Basis, error) {
	in := j.r.input()
	hash, err := in.Hash()
	if err != nil {
		return nil, err
	}
	b := &session.Basis{AsOf: j.r.c.AsOf, Input: in, Stages: j.used, Evidence: []string{}, InputHash: hash, CodesHash: j.r.policy.CodesHash()}
	b.Input.Findings = nil
	for _, e := range j.evidence {
		b.Evidence = append(b.Evidence, e.ID)
	}
	slices.Sort(b.Evidence)
	return b, nil
}

// results are the stored results of this attempt, by stage and input.
func (j *job) results(ctx context.Context) (map[string]stored, error) {
	out := map[string]stored{}
	if j.anew {
		return out, nil
	}
	rows, err := j.w.c.Store.Stages(ctx, j.ses.ID, j.attempt)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		var b stored
		if err := json.Unmarshal(row.Body, &b); err != nil {
			return nil, fmt.Errorf("read result of stage %s: %w", row.Stage, err)
		}
		out[row.Stage+" "+row.InputHash] = b
	}
	return out, nil
}

// resultVersion is part of every input hash: raise it when a stage's findings
// change their meaning, and cases in flight are measured again.
const resultVersion = 2

// inputHash covers everything that a stage's result depends on: the photos, the
// models, the day and the results of the stages that it needs. Claims are
// covered by their session, which has them from its creation.
func (j *job) inputHash(s stage, needs map[string]string) string {
	in := struct {
		Version      int
		Stage        string
		Evidence     map[string]string
		Models       []string
		Day          string
		NoBiometrics bool
		Policy       string
		Needs        map[string]string
		Assisted     bool `json:",omitempty"`
		Screened     any  `json:",omitempty"`
	}{resultVersion, s.Name, map[string]string{}, nil, j.r.c.AsOf.UTC().Format(time.DateOnly), j.r.c.NoBiometrics, j.ses.PolicyHash, map[string]string{}, j.r.c.Assisted, nil}
	if s.Name == policy.ScreeningStage && len(j.r.c.Screening.Known) > 0 {
		in.Screened = j.r.c.Screening.Known
	}
	for kind, e := range j.evidence {
		in.Evidence[kind] = e.Object
	}
	for _, m := range j.w.c.Engines.Models {
		in.Models = append(in.Models, m.SHA256)
	}
	slices.Sort(in.Models)
	for _, n := range s.Needs {
		in.Needs[n] = needs[n]
	}
	b, err := json.Marshal(in)
	if err != nil {
		panic(err) // strings and maps of strings always encode
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// stage runs a stage and stores its result. Of two workers at the same stage
// both go on with the result that was stored first.
func (j *job) stage(ctx context.Context, s stage, hash string) (stored, error) {
	j.w.c.Observe(Event{Stage: s.Name})
	start := time.Now()
	var body stored
	if j.crashes >= maxCrashes {
		// Results are stored in order, so this is the stage that the earlier
		// runs died in.
		f := policy.Finding{Stage: s.Name, Subject: "case"}
		f.Assert("system.stage_failed", "")
		body.Findings, j.crashes = []policy.Finding{f}, 0
	} else {
		sctx, span := startStage(ctx, s.Name)
		fs, err := j.r.stage(sctx, s)
		endSpan(span, err)
		if err != nil {
			return body, err
		}
		body.Findings = fs
		if body.Artefacts, err = j.save(ctx, s); err != nil {
			return body, err
		}
	}
	if body.Findings == nil {
		body.Findings = []policy.Finding{}
	}
	b, err := json.Marshal(body)
	if err != nil {
		return body, fmt.Errorf("encode result of stage %s: %w", s.Name, err)
	}
	kept, err := j.w.c.Store.PutStage(ctx, session.StageResult{Session: j.ses.ID, Attempt: j.attempt, Stage: s.Name, InputHash: hash, Body: b})
	if err != nil {
		return body, err
	}
	body = stored{}
	if err := json.Unmarshal(kept.Body, &body); err != nil {
		return body, fmt.Errorf("read result of stage %s: %w", s.Name, err)
	}
	j.w.c.Observe(Event{Stage: s.Name, Done: true, Elapsed: time.Since(start), Findings: body.Findings})
	return body, nil
}

// save puts what later stages need into the vault.
func (j *job) save(ctx context.Context, s stage) ([]artefact, error) {
	if s.Save == nil {
		return nil, nil
	}
	as, err := s.Save(j.r)
	if err != nil {
		return nil, fmt.Errorf("keep result of stage %s: %w", s.Name, err)
	}
	for i, a := range as {
		until, err := j.r.cell.RetainUntil(string(a.Class), time.Now())
		if err != nil {
			return nil, err
		}
		o, err := j.w.c.Vault.PutBytes(ctx, storage.Ref{Session: j.ses.ID, Class: a.Class, Kind: a.Kind, Region: j.r.cell.Residency}, a.data, until)
		if err != nil {
			return nil, fmt.Errorf("keep result of stage %s: %w", s.Name, err)
		}
		as[i].Object = o.ID
	}
	return as, nil
}

func (j *job) load(ctx context.Context, s stage, a artefact) error {
	if s.Load == nil {
		return nil
	}
	b, err := j.object(ctx, a.Object, maxArtefact)
	if err == nil {
		a.data = b
		err = s.Load(j.r, a)
	} else if !gone(err) && !errors.Is(err, storage.ErrCorrupt) {
		return fmt.Errorf("take up stage %s: %w", s.Name, err)
	}
	if err != nil {
		return fmt.Errorf("take up stage %s: %w: %w", s.Name, errStale, err)
	}
	return nil
}

func (j *job) object(ctx context.Context, id string, limit int64) ([]byte, error) {
	o, err := j.w.c.Vault.Index().GetObject(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("find object %s: %w", id, err)
	}
	return j.w.c.Vault.Read(ctx, o, limit)
}

// gone: the object was erased or has expired, and will not come back.
func gone(err error) bool {
	return errors.Is(err, storage.ErrErased) || errors.Is(err, storage.ErrNotFound)
}

// read fetches a photo. One that is gone is missing; one that was damaged in
// the store is no fault of the person's, and a reviewer looks.
func (j *job) read(ctx context.Context, kind string) ([]byte, error) {
	b, err := j.object(ctx, j.evidence[kind].Object, maxPhoto)
	switch {
	case err != nil && gone(err):
		return nil, &unusable{"capture.evidence_missing"}
	case errors.Is(err, storage.ErrCorrupt):
		return nil, &unusable{"system.stage_failed"}
	}
	return b, err
}

// unusable says that a photo can not be had, and that trying again is no use.
type unusable struct{ code policy.Code }

func (u *unusable) Error() string { return "photo can not be read: " + string(u.code) }
