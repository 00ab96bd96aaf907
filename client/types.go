package client

import "time"

// NewSession asks for a session.
type NewSession struct {
	ExternalRef  string            `json:"external_ref,omitempty" maxLength:"128" doc:"Your own opaque id of the case. No personal data."`
	Segment      string            `json:"segment,omitempty" maxLength:"64" doc:"Selects the policy cell, e.g. retail."`
	Jurisdiction string            `json:"jurisdiction,omitempty" maxLength:"16" doc:"Selects the policy cell, e.g. DE."`
	DocumentType string            `json:"document_type,omitempty" enum:"passport,id_card,residence_permit,driving_licence" doc:"Fixes the kind of document; left out, the person chooses."`
	Locale       string            `json:"locale,omitempty" maxLength:"35" doc:"Language of the capture page (BCP 47), e.g. de."`
	Claims       map[string]string `json:"claims,omitempty" maxProperties:"32" doc:"What you know of the person, to be compared with the document: surname, given_names, birth_date, document_number, expiry_date, issuing_state, nationality, sex; dates as 1974-08-12. Stored encrypted."`
	// Signals are risk signals, which the policy's step-up rules react to.
	Signals   map[string]float64 `json:"signals,omitempty" maxProperties:"16" doc:"Risk signals for the policy's step-up rules: velocity (sessions in 24 h), distance_km, device_risk (0 to 1), account_age_days, prior_rejections, prior_approvals, amount. Facts about the transaction, no personal data."`
	ExpiresIn int                `json:"expires_in,omitempty" minimum:"60" maximum:"2592000" doc:"Seconds until the session expires unless submitted; the policy's value when left out."`
}

// Created answers the creation of a session. The token and the link that
// carries it are shown here only.
type Created struct {
	Session        Session   `json:"session"`
	CaptureURL     string    `json:"capture_url" doc:"Link for the person. The token is in its fragment, which browsers do not send to servers."`
	ClientToken    string    `json:"client_token" doc:"Bearer token of the capture endpoints, for this session only."`
	TokenExpiresAt time.Time `json:"client_token_expires_at"`
}

// Link is a new capture link for a session; earlier ones go on working until
// they expire.
type Link struct {
	CaptureURL     string    `json:"capture_url"`
	ClientToken    string    `json:"client_token"`
	TokenExpiresAt time.Time `json:"client_token_expires_at"`
}

// Session is what a relying service may know of a session.
type Session struct {
	ID            string             `json:"id"`
	State         string             `json:"state" enum:"initiated,capture_in_progress,submitted,pending_review,approved,rejected,expired,needs_resubmission"`
	Version       int64              `json:"version" doc:"Grows with every change; also the ETag."`
	Attempt       int                `json:"attempt"`
	MaxAttempts   int                `json:"max_attempts"`
	Policy        string             `json:"policy"`
	PolicyVersion string             `json:"policy_version"`
	PolicyHash    string             `json:"policy_hash"`
	Segment       string             `json:"segment,omitempty"`
	Jurisdiction  string             `json:"jurisdiction,omitempty"`
	DocumentType  string             `json:"document_type,omitempty"`
	Signals       map[string]float64 `json:"signals,omitempty"`
	ExternalRef   string             `json:"external_ref,omitempty"`
	CorrelationID string             `json:"correlation_id"`
	Locale        string             `json:"locale,omitempty"`
	Test          bool               `json:"test,omitempty" doc:"Of a sandbox: made with a test key, decided by its external_ref."`
	Simulated     bool               `json:"simulated,omitempty" doc:"Made up by proofline demo-data: nobody was verified."`
	Device        string             `json:"device,omitempty" doc:"Class of the person's device: phone, tablet or desktop."`
	ConsentAt     *time.Time         `json:"consent_at,omitempty"`
	WithdrawnAt   *time.Time         `json:"consent_withdrawn_at,omitempty"`
	CreatedAt     time.Time          `json:"created_at"`
	UpdatedAt     time.Time          `json:"updated_at"`
	ExpiresAt     time.Time          `json:"expires_at"`
	SubmittedAt   *time.Time         `json:"submitted_at,omitempty"`
	Decision      *Decision          `json:"decision,omitempty"`
	ReviewDue     *time.Time         `json:"review_due,omitempty" doc:"With a single session in review: by when a person will have looked, where the policy says so. Longer while the queue is overloaded."`
	Evidence      *EvidenceState     `json:"evidence,omitempty" doc:"With a single session: how long its evidence is kept, or when it was erased."`
}

// Decision is the latest decision on a session.
type Decision struct {
	Outcome string    `json:"outcome" enum:"approved,rejected,pending_review,needs_resubmission"`
	Codes   []string  `json:"codes" nullable:"false" doc:"Reason codes that led to the outcome, most telling first."`
	Reasons []Reason  `json:"reasons" nullable:"false"`
	Hint    *Hint     `json:"hint,omitempty"`
	Retake  []string  `json:"retake,omitempty" doc:"Photos to take again."`
	By      string    `json:"by" doc:"worker or reviewer"`
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
}

// Reason is one reason code with what it is about.
type Reason struct {
	Code    string `json:"code"`
	Subject string `json:"subject"`
	Stage   string `json:"stage"`
	Action  string `json:"action"`
	Field   string `json:"field,omitempty"`
}

// SessionPage is one page of sessions, newest first.
type SessionPage struct {
	Sessions []Session `json:"sessions" nullable:"false"`
	Next     string    `json:"next,omitempty" doc:"Cursor of the next page; absent on the last one."`
}

// Filter selects sessions.
type Filter struct {
	State       string
	ExternalRef string
	Cursor      string
	Limit       int
}

// Region is a rectangle in pixels of an image.
type Region struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
	W float64 `json:"w"`
	H float64 `json:"h"`
}

// Hint is the one thing to tell the person. The code is the key of the
// translations; Text is English.
type Hint struct {
	Code    string   `json:"code"`
	Text    string   `json:"text"`
	Kind    string   `json:"kind,omitempty" doc:"The photo that it is about."`
	Regions []Region `json:"regions,omitempty" doc:"Where in the photo, in pixels of the upright photo."`
}

// DocumentChoice is a kind of document that the person can use, with the
// photos that it takes.
type DocumentChoice struct {
	Type  string   `json:"type" enum:"passport,id_card,residence_permit,driving_licence"`
	Needs []string `json:"needs" nullable:"false"`
}

// Status is what a capture client needs to go on with a session, whatever
// happened before.
type Status struct {
	Session      string           `json:"session"`
	Test         bool             `json:"test,omitempty" doc:"Of a sandbox: nobody is verified, and no photo is needed."`
	State        string           `json:"state"`
	Attempt      int              `json:"attempt"`
	AttemptsLeft int              `json:"attempts_left" doc:"After the current one."`
	Consent      bool             `json:"consent"`
	DocumentType string           `json:"document_type,omitempty" doc:"Fixed by the relying service, or chosen with the first photo."`
	Documents    []DocumentChoice `json:"documents" nullable:"false" doc:"What the person can choose; one entry when the kind is fixed."`
	Accepted     []string         `json:"accepted" nullable:"false" doc:"Photos of this attempt that passed the gate. In needs_resubmission: those that need not be taken again."`
	Hints        []Hint           `json:"hints,omitempty" doc:"Why photos are needed again, or the reasons of a rejection that the person may see."`
	Limits       UploadLimits     `json:"limits"`
	RetainDays   int              `json:"retention_days,omitempty"`
	Locale       string           `json:"locale,omitempty"`
	PollAfterMS  int              `json:"poll_after_ms"`
	ExpiresAt    time.Time        `json:"expires_at"`
	ReviewDue    *time.Time       `json:"review_due,omitempty" doc:"In review: by when a person will have looked. Longer while the queue is overloaded."`
	// Seconds, because a client's clock may be wrong.
	ExpiresIn      int         `json:"expires_in" doc:"Seconds until the session expires."`
	TokenExpiresIn int         `json:"token_expires_in" doc:"Seconds until the client token stops working; renew it before with POST /v1/capture/token."`
	Live           []LiveCheck `json:"live" nullable:"false" doc:"The thresholds by which the gate will judge, for advice on the live picture."`
	Assisted       bool        `json:"assisted,omitempty" doc:"The person chose another way than the challenge: selfie_challenge is not needed, and a person looks at the case."`
	BurstLight     bool        `json:"burst_light,omitempty" doc:"The policy wants the face lit by the client's screen while selfie_burst is taken, and the light of each frame in the file. Who can not light it sends a file without."`
}

// ChallengeRequest asks for a challenge.
type ChallengeRequest struct {
	Hints []string `json:"hints,omitempty" maxItems:"8" doc:"What the client noticed about its camera: virtual_camera, emulator, automation. Weak evidence, never a reason to refuse; other words are dropped."`
}

// Challenge is what the person is to do, once and at once. The frames go into
// the file of a burst with the nonce in its head, as evidence of the kind
// selfie_challenge.
type Challenge struct {
	Nonce     string          `json:"nonce" doc:"In hexadecimal; the file has its bytes."`
	Steps     []ChallengeStep `json:"steps" nullable:"false" doc:"Until the first step the person looks straight ahead."`
	TailMS    int             `json:"tail_ms" doc:"How long frames go on after the last step."`
	Frames    int             `json:"frames" doc:"How many frames to take, evenly over the whole time."`
	ExpiresIn int             `json:"expires_in" doc:"Seconds until an answer is refused."`
	Left      int             `json:"left" doc:"Challenges that this attempt may still ask for."`
}

// ChallengeStep is one turn of the head.
type ChallengeStep struct {
	Turn  string `json:"turn" enum:"left,right,up,down" doc:"As the person sees it."`
	AtMS  int    `json:"at_ms" doc:"When to show it, since the first frame."`
	ForMS int    `json:"for_ms" doc:"How long."`
}

// LiveCheck is one threshold of the session's policy cell that asks for another
// photo when a measure lies beyond it. docs/quality.md defines the measures.
type LiveCheck struct {
	Kind    string   `json:"kind" doc:"The photo it is about."`
	Measure string   `json:"measure"`
	Min     *float64 `json:"min,omitempty"`
	Max     *float64 `json:"max,omitempty"`
	Code    string   `json:"code"`
}

// Ticket lets a client act for its session for some time more.
type Ticket struct {
	ClientToken string `json:"client_token"`
	ExpiresIn   int    `json:"expires_in" doc:"Seconds."`
}

// Handover is a link that moves a capture to another device, once.
type Handover struct {
	URL       string `json:"url" doc:"To be shown as a QR code. The token is in its fragment."`
	ExpiresIn int    `json:"expires_in" doc:"Seconds."`
}

// UploadLimits bound a photo.
type UploadLimits struct {
	MaxBytes int64 `json:"max_bytes"`
}

// Consent records that the person agreed.
type Consent struct {
	Accepted    bool   `json:"accepted" doc:"Must be true; a refusal is not sent."`
	TextVersion string `json:"text_version" minLength:"1" maxLength:"64" doc:"Which wording was shown."`
	Locale      string `json:"locale,omitempty" maxLength:"35"`
	// Scope is what the person agreed to; both when empty.
	Scope []string `json:"scope,omitempty" maxItems:"2" enum:"document,biometric" doc:"What the person agreed to; both when left out. Without biometric no face is compared and no liveness judged, and a person decides."`
}

// Photo is the gate's answer to an upload.
type Photo struct {
	Kind     string    `json:"kind"`
	Accepted bool      `json:"accepted" doc:"False: take it again as the hint says."`
	Kept     bool      `json:"kept" doc:"The photo was stored: it was accepted, or the person insisted."`
	Codes    []string  `json:"codes" nullable:"false"`
	Hint     *Hint     `json:"hint,omitempty"`
	Measures []Measure `json:"measures" nullable:"false"`
}

// Upload is how far an upload in parts has come.
type Upload struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Size     int64  `json:"size"`
	Received int64  `json:"received"`
	Photo    *Photo `json:"photo,omitempty" doc:"The gate's answer, once all bytes are there."`
}

// Measure is one measured value with the threshold it was held against.
type Measure struct {
	Name      string   `json:"name"`
	Value     *float64 `json:"value" doc:"null when it could not be measured"`
	Unit      string   `json:"unit,omitempty"`
	Threshold *float64 `json:"threshold,omitempty"`
	Bound     string   `json:"bound,omitempty" doc:"min or max"`
	Verdict   string   `json:"verdict,omitempty"`
	Code      string   `json:"code,omitempty"`
}

// Erasure answers a request to erase a session's evidence.
type Erasure struct {
	Session string `json:"session"`
	Status  string `json:"status" enum:"accepted,held" doc:"accepted: the erasure is queued; a certificate is in the audit log when it is done. held: the same, once a legal hold is lifted."`
}
