package client

import "time"

// Credentials log somebody in who has an account with a password.
type Credentials struct {
	Name     string `json:"name" minLength:"1" maxLength:"128"`
	Password string `json:"password" minLength:"1" maxLength:"1024"`
	Code     string `json:"code,omitempty" maxLength:"16" doc:"Of the authenticator app, where the account has one."`
}

// LoggedIn answers a login. The token works like an API key, as a bearer token.
type LoggedIn struct {
	Token     string    `json:"token"`
	ExpiresAt time.Time `json:"expires_at"`
	Account   Account   `json:"account"`
}

// Account is somebody who works here.
type Account struct {
	ID    string   `json:"id"`
	Name  string   `json:"name"`
	Roles []string `json:"roles" nullable:"false"`
}

// ReviewFilter selects cases in review.
type ReviewFilter struct {
	Tenant, Segment, Jurisdiction, DocumentType, Code string
	Free, Mine                                        bool
	Cursor                                            string
	Limit                                             int
}

// ReviewItem is a case in the queue.
type ReviewItem struct {
	Session      string     `json:"session"`
	Version      int64      `json:"version" doc:"Also the ETag of the case."`
	Tenant       string     `json:"tenant"`
	Attempt      int        `json:"attempt"`
	Segment      string     `json:"segment,omitempty"`
	Jurisdiction string     `json:"jurisdiction,omitempty"`
	DocumentType string     `json:"document_type,omitempty"`
	Codes        []string   `json:"codes" nullable:"false" doc:"Why the policy asked for a person."`
	CreatedAt    time.Time  `json:"created_at"`
	Since        time.Time  `json:"since" doc:"In review."`
	Due          time.Time  `json:"due"`
	Late         bool       `json:"late"`
	ClaimedBy    string     `json:"claimed_by,omitempty" doc:"Account that has the case now."`
	ClaimedUntil *time.Time `json:"claimed_until,omitempty"`
	Votes        int        `json:"votes" doc:"Reviewers who have judged the attempt."`
	Simulated    bool       `json:"simulated,omitempty" doc:"Made up by proofline demo-data; there are no photos."`
	Queue        string     `json:"queue,omitempty"`
	Risk         float64    `json:"risk" doc:"0 to 1: device risk, step-up rules and failed checks. It orders work and decides nothing."`
	Value        float64    `json:"value,omitempty" doc:"Amount at stake, as the relying service stated it."`
	Escalated    bool       `json:"escalated,omitempty" doc:"Two reviewers disagreed; another one decides."`
	Overloaded   bool       `json:"overloaded,omitempty" doc:"The queue was overloaded when the case entered; due is by the longer time."`
}

// ReviewPage is one page of cases in review, in the order of work.
type ReviewPage struct {
	Reviews []ReviewItem `json:"reviews" nullable:"false"`
	Next    string       `json:"next,omitempty"`
}

// ReviewCase is what can be known of a case without opening its evidence.
type ReviewCase struct {
	ReviewItem
	State        string          `json:"state"`
	AttemptsLeft int             `json:"attempts_left"`
	Policy       string          `json:"policy"`
	PolicyVer    string          `json:"policy_version"`
	PolicyHash   string          `json:"policy_hash"`
	Cell         string          `json:"cell"`
	Reasons      []Reason        `json:"reasons" nullable:"false" doc:"Of the machine's decision."`
	Findings     []ReviewFinding `json:"findings" nullable:"false"`
	Evidence     []Evidence      `json:"evidence" nullable:"false"`
	Sources      []string        `json:"sources" nullable:"false" doc:"What fields were read from."`
	Said         []ReviewVote    `json:"said" nullable:"false" doc:"Votes; those of others only once your own is cast."`
	Reviewers    int             `json:"reviewers" doc:"How many have to agree."`
}

// ReviewFinding is what one stage says of one subject.
type ReviewFinding struct {
	Stage    string    `json:"stage"`
	Subject  string    `json:"subject"`
	Verdict  string    `json:"verdict"`
	Codes    []string  `json:"codes" nullable:"false"`
	Measures []Measure `json:"measures" nullable:"false"`
}

// Evidence is one object that a grant can open.
type Evidence struct {
	Object  string `json:"object"`
	Kind    string `json:"kind"`
	Subject string `json:"subject,omitempty"`
	Size    int64  `json:"size"`
	Erased  bool   `json:"erased"`
}

// ReviewVote is what one reviewer said.
type ReviewVote struct {
	Account  string    `json:"account"`
	Attempt  int       `json:"attempt"`
	Outcome  string    `json:"outcome"`
	Codes    []string  `json:"codes" nullable:"false"`
	Override bool      `json:"override"`
	At       time.Time `json:"at"`
}

// Claim is a reviewer's hold on a case.
type Claim struct {
	Session   string    `json:"session"`
	Attempt   int       `json:"attempt"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Verdict is a reviewer's decision.
type Verdict struct {
	Outcome  string   `json:"outcome" enum:"approved,rejected,needs_resubmission"`
	Codes    []string `json:"codes,omitempty" maxItems:"16" doc:"Reasons, from the catalogue; an approval needs none."`
	Retake   []string `json:"retake,omitempty" maxItems:"3" doc:"Photos to take again."`
	Override bool     `json:"override,omitempty" doc:"Approve although a check failed; the note says why."`
	Note     string   `json:"note,omitempty" maxLength:"4000" doc:"Kept encrypted, for reviewers and auditors of the decision."`
}

// Reviewed answers a verdict.
type Reviewed struct {
	Session string `json:"session"`
	State   string `json:"state"`
	Version int64  `json:"version"`
	Settled bool   `json:"settled" doc:"False: another reviewer has to agree."`
}

// AskGrant asks for access to a case's evidence.
type AskGrant struct {
	Session string `json:"session" maxLength:"64"`
	Purpose string `json:"purpose" maxLength:"64" enum:"review,second_opinion,complaint,subject_access,fraud_investigation,legal_request,quality_check,other"`
	Text    string `json:"text,omitempty" maxLength:"1000" doc:"Kept encrypted; the audit log holds a commitment to it."`
}

// Grant is access to a case's evidence, for one account and a time.
type Grant struct {
	ID        string     `json:"id"`
	Session   string     `json:"session"`
	Account   string     `json:"account"`
	Purpose   string     `json:"purpose"`
	State     string     `json:"state" enum:"pending,active,expired,ended"`
	Approver  string     `json:"approver,omitempty"`
	AskedAt   time.Time  `json:"asked_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	Openings  int        `json:"openings"`
}

// GrantPage lists grants, newest first.
type GrantPage struct {
	Grants []Grant `json:"grants" nullable:"false"`
}

// FieldValue is one field as one source has it. It is personal data.
type FieldValue struct {
	Name       string  `json:"name"`
	Value      string  `json:"value"`
	Source     string  `json:"source" doc:"mrz, visual, barcode or claims"`
	Confidence float64 `json:"confidence" doc:"0 while you check the case blindly."`
	Verified   bool    `json:"verified" doc:"A check digit confirms it."`
}

// Fields is what was read of a case's document.
type Fields struct {
	Fields []FieldValue `json:"fields" nullable:"false"`
}

// Attribute is one field that the policy grants the relying service.
type Attribute struct {
	Name     string `json:"name"`
	Value    string `json:"value" doc:"Personal data; dates as 1974-08-12."`
	Source   string `json:"source"`
	Verified bool   `json:"verified" doc:"A check digit confirms it."`
}

// Attributes are the fields of an approved session.
type Attributes struct {
	Session    string      `json:"session"`
	Attributes []Attribute `json:"attributes" nullable:"false"`
}

// EvidenceState says how long a session's evidence is kept, or that it is gone.
type EvidenceState struct {
	KeptUntil    *time.Time        `json:"kept_until,omitempty" doc:"When the last of it is erased at the latest, unless a legal hold keeps it."`
	Held         bool              `json:"held,omitempty" doc:"A legal hold keeps it."`
	ErasedAt     *time.Time        `json:"erased_at,omitempty"`
	Certificates map[string]string `json:"certificates,omitempty" doc:"Deletion certificate by data class."`
}

// NewHold places a legal hold.
type NewHold struct {
	Reason string `json:"reason" maxLength:"64" pattern:"^[a-z][a-z0-9_.-]{1,63}$" doc:"A short code such as litigation; it is in the audit log."`
	Matter string `json:"matter,omitempty" maxLength:"128" doc:"Reference of the matter; no personal data."`
}

// Hold is a legal hold on a session's evidence.
type Hold struct {
	ID       string     `json:"id"`
	Session  string     `json:"session"`
	Reason   string     `json:"reason"`
	Matter   string     `json:"matter,omitempty"`
	PlacedBy string     `json:"placed_by"`
	PlacedAt time.Time  `json:"placed_at"`
	LiftedBy string     `json:"lifted_by,omitempty"`
	LiftedAt *time.Time `json:"lifted_at,omitempty"`
	Erased   []string   `json:"erased,omitempty" doc:"Data classes for which the hold came too late."`
}

// HoldPage lists legal holds, oldest first.
type HoldPage struct {
	Holds []Hold `json:"holds" nullable:"false"`
	Next  string `json:"next,omitempty"`
}

// LogEntry is one entry of the audit log about a case.
type LogEntry struct {
	Seq     int64             `json:"seq"`
	Time    time.Time         `json:"time"`
	Actor   string            `json:"actor"`
	Action  string            `json:"action"`
	From    string            `json:"from,omitempty"`
	To      string            `json:"to,omitempty"`
	Outcome string            `json:"outcome,omitempty"`
	Codes   []string          `json:"codes,omitempty"`
	Refs    map[string]string `json:"refs,omitempty"`
}

// Timeline is what the audit log says of a case, oldest first.
type Timeline struct {
	Entries []LogEntry `json:"entries" nullable:"false"`
	// Truncated: there are more, behind the entry numbered Next.
	Truncated bool   `json:"truncated"`
	Next      *int64 `json:"next,omitempty"`
}
