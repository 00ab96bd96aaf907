package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/proofline/proofline/audit"
)

// Challenge is something that a person is asked to do before the camera, once
// and at once, so that frames which were made before can not be the answer.
type Challenge struct {
	ID      string
	Session string
	Attempt int
	// Steps is what is asked, as package liveness writes it.
	Steps json.RawMessage
	// Hints is what the client said of its camera: weak evidence, stable words.
	Hints      []string
	CreatedAt  time.Time
	ExpiresAt  time.Time
	AnsweredAt time.Time // zero: not yet
}

const (
	// ChallengePrefix begins a challenge's id.
	ChallengePrefix = "chl_"
	// NonceBytes is the length of a challenge's nonce: 256 bits.
	NonceBytes = 32
	// MaxChallenges is how many a session gets in one attempt: who may draw for
	// ever would draw the one that a recording answers.
	MaxChallenges = 6
	// maxHints bounds what a client says of its camera.
	maxHints = 8
)

// Why an answer to a challenge is not taken.
var (
	// ErrChallengeUnknown: no challenge of this session has that nonce.
	ErrChallengeUnknown = errors.New("the nonce is of no challenge of this session")
	// ErrChallengeExpired: the answer came too late.
	ErrChallengeExpired = errors.New("the challenge has expired")
	// ErrChallengeUsed: another answer came before, or a newer challenge.
	ErrChallengeUsed = errors.New("the challenge was answered or replaced already")
	// ErrChallengesSpent: the attempt has had MaxChallenges.
	ErrChallengesSpent = errors.New("no more challenges in this attempt")
)

const challengeColumns = "id, session, attempt, steps, hints, created_at, expires_at, answered_at"

func scanChallenge(r scanner) (Challenge, error) {
	var c Challenge
	var steps, hints string
	var created, expires, answered int64
	err := r.Scan(&c.ID, &c.Session, &c.Attempt, &steps, &hints, &created, &expires, &answered)
	if errors.Is(err, sql.ErrNoRows) {
		return c, ErrNotFound
	}
	if err == nil && hints != "" {
		err = json.Unmarshal([]byte(hints), &c.Hints)
	}
	c.Steps = json.RawMessage(steps)
	c.CreatedAt, c.ExpiresAt, c.AnsweredAt = fromMicros(created), fromMicros(expires), fromMicros(answered)
	return c, err
}

// waits tells whether the session waits for the person.
func (s *Session) waits(now time.Time) bool {
	return s.Consent != nil && (s.State == CaptureInProgress || s.State == NeedsResubmission) && now.Before(s.ExpiresAt)
}

// IssueChallenge makes a challenge and ends the open one, if any. The nonce is
// returned here only: the store has its hash. ErrConflict when the session does
// not wait for the person, ErrChallengesSpent.
func (s *Store) IssueChallenge(ctx context.Context, by Actor, session string, steps json.RawMessage, hints []string, life time.Duration) (c Challenge, nonce []byte, err error) {
	if len(steps) == 0 || len(steps) > 4096 || !json.Valid(steps) || life <= 0 || life > time.Hour || len(hints) > maxHints {
		return c, nil, fmt.Errorf("issue challenge: %w", ErrInvalid)
	}
	for _, h := range hints {
		if err := checkField(h); err != nil {
			return c, nil, fmt.Errorf("issue challenge: %w", err)
		}
	}
	said, err := jsonOrEmpty(len(hints) > 0, hints)
	if err != nil {
		return c, nil, fmt.Errorf("issue challenge: %w", err)
	}
	nonce = make([]byte, NonceBytes)
	rand.Read(nonce)
	hash := sha256.Sum256(nonce)
	err = s.write(ctx, "issue challenge", func(tx *Tx) error {
		ses, err := tx.lockSession(session)
		if err != nil {
			return err
		}
		if !ses.waits(tx.Now) {
			return ErrConflict
		}
		var made int64
		if err := tx.row("SELECT COUNT(*) FROM challenges WHERE session = ? AND attempt = ?", session, ses.Attempt).Scan(&made); err != nil {
			return err
		}
		if made >= MaxChallenges {
			return ErrChallengesSpent
		}
		if _, err := tx.exec("UPDATE challenges SET expires_at = 0 WHERE session = ? AND answered_at = 0", session); err != nil {
			return err
		}
		c = Challenge{ID: s.ids.next(ChallengePrefix, tx.Now), Session: session, Attempt: ses.Attempt, Steps: steps, Hints: slices.Clone(hints),
			CreatedAt: tx.Now, ExpiresAt: tx.Now.Add(life)}
		tx.Audit(audit.Entry{Actor: by.String(), Action: "challenge.issue", Session: ses.ID, Tenant: ses.Tenant, Attempt: ses.Attempt,
			Refs: map[string]string{"challenge": c.ID}, Correlation: ses.CorrelationID})
		_, err = tx.exec("INSERT INTO challenges ("+challengeColumns+", nonce, answer) VALUES ("+marks(10)+")", c.ID, session, c.Attempt, string(steps), said,
			micros(c.CreatedAt), micros(c.ExpiresAt), 0, hash[:], "")
		return err
	})
	if err != nil {
		return Challenge{}, nil, err
	}
	return c, nonce, nil
}

// AnswerChallenge takes the answer to a challenge, once: digest names the file
// that is it. The same file again is the same answer, because its sender may not
// have heard of the first. ErrChallengeUnknown, ErrChallengeExpired,
// ErrChallengeUsed.
func (s *Store) AnswerChallenge(ctx context.Context, by Actor, session string, nonce []byte, digest string) (c Challenge, err error) {
	if digest == "" || !sha256Form.MatchString(digest) {
		return c, fmt.Errorf("answer challenge: %w: digest", ErrInvalid)
	}
	hash := sha256.Sum256(nonce)
	err = s.write(ctx, "answer challenge", func(tx *Tx) error {
		ses, err := tx.lockSession(session)
		if err != nil {
			return err
		}
		var answer string
		c, err = scanChallenge(scanMore{tx.row("SELECT "+challengeColumns+", answer FROM challenges WHERE session = ? AND nonce = ?", session, hash[:]), []any{&answer}})
		switch {
		case errors.Is(err, ErrNotFound):
			return ErrChallengeUnknown
		case err != nil:
			return err
		case !c.AnsweredAt.IsZero() && answer == digest:
			return nil
		case !c.AnsweredAt.IsZero(), c.ExpiresAt.IsZero():
			return ErrChallengeUsed
		case !tx.Now.Before(c.ExpiresAt):
			return ErrChallengeExpired
		case !ses.waits(tx.Now):
			return ErrConflict
		}
		c.AnsweredAt = tx.Now
		n, err := tx.exec("UPDATE challenges SET answered_at = ?, answer = ? WHERE id = ? AND answered_at = 0", micros(tx.Now), digest, c.ID)
		if err == nil && n == 0 {
			err = ErrChallengeUsed
		}
		if err != nil {
			return err
		}
		tx.Audit(audit.Entry{Actor: by.String(), Action: "challenge.answer", Session: ses.ID, Tenant: ses.Tenant, Attempt: ses.Attempt,
			Refs: map[string]string{"challenge": c.ID}, Correlation: ses.CorrelationID})
		return nil
	})
	if err != nil {
		return Challenge{}, err
	}
	return c, nil
}

// AnsweredChallenge is the challenge that a nonce is of, when it was answered;
// otherwise ErrNotFound.
func (s *Store) AnsweredChallenge(ctx context.Context, session string, nonce []byte) (Challenge, error) {
	hash := sha256.Sum256(nonce)
	c, err := scanChallenge(s.queryRow(ctx, "SELECT "+challengeColumns+" FROM challenges WHERE session = ? AND nonce = ? AND answered_at <> 0", session, hash[:]))
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("read challenge: %w", err)
	}
	return c, err
}

// ChallengesLeft is how many challenges the session's attempt may still get.
func (s *Store) ChallengesLeft(ctx context.Context, session string, attempt int) (int, error) {
	n, err := s.number(ctx, "count challenges", "SELECT COUNT(*) FROM challenges WHERE session = ? AND attempt = ?", session, attempt)
	return max(0, MaxChallenges-int(n)), err
}

// ChooseAssistance records that the person takes another way than a challenge: a
// person looks at the case. A challenge that is answered later counts instead, until
// it is chosen again. Chosen twice in one attempt it changes nothing.
// ErrConflict when the session does not wait for the person.
func (s *Store) ChooseAssistance(ctx context.Context, by Actor, session string) error {
	return s.write(ctx, "choose assistance", func(tx *Tx) error {
		ses, err := tx.lockSession(session)
		if err != nil {
			return err
		}
		if !ses.waits(tx.Now) {
			return ErrConflict
		}
		var chosen, answered int64
		if err := tx.row(`SELECT COALESCE((SELECT MAX(at) FROM assisted WHERE session = ? AND attempt = ?), 0),
			COALESCE((SELECT MAX(answered_at) FROM challenges WHERE session = ?), 0)`, session, ses.Attempt, session).Scan(&chosen, &answered); err != nil {
			return err
		}
		if chosen != 0 && chosen >= answered {
			return nil // said before: who says it for ever would fill the log
		}
		tx.Audit(audit.Entry{Actor: by.String(), Action: "challenge.assistance", Session: ses.ID, Tenant: ses.Tenant, Attempt: ses.Attempt, Correlation: ses.CorrelationID})
		_, err = tx.exec("INSERT INTO assisted (session, attempt, at) VALUES (?, ?, ?) ON CONFLICT (session) DO UPDATE SET attempt = excluded.attempt, at = excluded.at",
			session, ses.Attempt, micros(tx.Now))
		return err
	})
}

// Assisted is when the person chose assistance; zero: they did not.
func (s *Store) Assisted(ctx context.Context, session string) (time.Time, error) {
	us, err := s.number(ctx, "look for assistance", "SELECT COALESCE(MAX(at), 0) FROM assisted WHERE session = ?", session)
	return fromMicros(us), err
}
