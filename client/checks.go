package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// CheckWork says how much waits to be checked blindly.
type CheckWork struct {
	Waiting int64 `json:"waiting"`
	Late    int64 `json:"late" doc:"Of those, past the time that the policy gives them."`
}

// BlindCheck is a case that the policy decided by itself, as somebody sees it who
// judges it without knowing what was decided: the evidence that there is, no
// outcome, score or reason.
type BlindCheck struct {
	Session      string     `json:"session"`
	Version      int64      `json:"version" doc:"Also the ETag."`
	DocumentType string     `json:"document_type,omitempty"`
	Jurisdiction string     `json:"jurisdiction,omitempty"`
	Due          time.Time  `json:"due"`
	HeldUntil    time.Time  `json:"held_until" doc:"The case is yours until then; taking the next one again keeps it for longer."`
	Evidence     []Evidence `json:"evidence" nullable:"false" doc:"Opened under a grant for the purpose quality_check."`
	Sources      []string   `json:"sources" nullable:"false" doc:"What fields were read from."`
	Simulated    bool       `json:"simulated,omitempty" doc:"Made up by proofline demo-data; there are no photos."`
}

// CheckVerdict is what a person says of a case that they check blindly.
type CheckVerdict struct {
	Outcome string   `json:"outcome" enum:"approved,rejected,needs_resubmission" doc:"needs_resubmission: the photos do not tell."`
	Codes   []string `json:"codes,omitempty" maxItems:"16" doc:"Reasons, from the catalogue; an approval needs none."`
	Note    string   `json:"note,omitempty" maxLength:"4000" doc:"Kept encrypted."`
}

// Checked answers a verdict. Whether it agrees with the policy is not told: people
// would learn to agree.
type Checked struct {
	Session string    `json:"session"`
	At      time.Time `json:"at"`
}

func checkPath(id string) string { return "/v1/checks/" + url.PathEscape(id) }

// Checks says how many cases wait for a blind check.
func (s *Staff) Checks(ctx context.Context) (*CheckWork, error) {
	return call[CheckWork](ctx, s, http.MethodGet, "/v1/checks", nil, nil)
}

// NextCheck takes the case that is due first, or keeps the one that the account
// has for longer; nobody chooses. The problem nothing_waits: there is none.
func (s *Staff) NextCheck(ctx context.Context) (*BlindCheck, error) {
	return call[BlindCheck](ctx, s, http.MethodPost, "/v1/checks/next", nil, nil)
}

// Check returns the case that the account is checking.
func (s *Staff) Check(ctx context.Context, id string) (*BlindCheck, error) {
	return call[BlindCheck](ctx, s, http.MethodGet, checkPath(id), nil, nil)
}

// ReleaseCheck gives the case back unjudged.
func (s *Staff) ReleaseCheck(ctx context.Context, id string) error {
	return s.json(ctx, http.MethodDelete, checkPath(id), nil, nil, true, nil)
}

// JudgeCheck judges the case that the account is checking, as it was seen at a
// version; the session stays as it was decided.
func (s *Staff) JudgeCheck(ctx context.Context, id string, version int64, v CheckVerdict) (*Checked, error) {
	h := http.Header{"If-Match": {strconv.Quote(strconv.FormatInt(version, 10))}}
	return call[Checked](ctx, s, http.MethodPost, checkPath(id)+"/verdict", v, h)
}
