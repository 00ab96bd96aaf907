package session

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// Upload is a file that arrives in parts. It ends when it is answered (Answer),
// terminated, or pushed out by newer ones; then its parts are to be removed.
type Upload struct {
	ID           string
	Session      string
	Kind         string
	DocumentType string
	Insist       bool
	SHA256       string // of the whole file as the client announced it, "" when it did not or after the end
	Size         int64
	Received     int64
	Parts        int             // that it came in so far
	Answer       json.RawMessage // nil until judged
	CreatedAt    time.Time
	ExpiresAt    time.Time
	EndedAt      time.Time
}

// Complete reports whether all bytes are there.
func (u Upload) Complete() bool { return u.Received == u.Size }

// UploadPart is one piece of an upload: an object of the vault.
type UploadPart struct {
	At, Size int64
	Object   string
}

// MaxUploadParts is how many parts an upload may come in. Each is an object of the
// vault: the largest photo that is taken (25 MiB) needs parts of 100 KiB.
const MaxUploadParts = 256

// MaxUploads is how many uploads of one session can be open at once. One more
// ends the oldest: what a person left behind must not be a dead end.
const MaxUploads = 6

const uploadColumns = "id, session, kind, document_type, insist, sha256, size, received, answer, created_at, expires_at, ended_at"

var sha256Form = regexp.MustCompile(`^([0-9a-f]{64})?$`)

func scanUpload(r scanner) (Upload, error) {
	var u Upload
	var insist int
	var answer string
	var created, expires, ended int64
	err := r.Scan(&u.ID, &u.Session, &u.Kind, &u.DocumentType, &insist, &u.SHA256, &u.Size, &u.Received, &answer, &created, &expires, &ended)
	if errors.Is(err, sql.ErrNoRows) {
		return u, ErrNotFound
	}
	u.Insist = insist != 0
	if answer != "" {
		u.Answer = json.RawMessage(answer)
	}
	u.CreatedAt, u.ExpiresAt, u.EndedAt = fromMicros(created), fromMicros(expires), fromMicros(ended)
	return u, err
}

// BeginUpload opens an upload, or finds the open one of the same file again
// when the client announces its digest: a creation may be repeated. over are
// uploads of the session that ended by it, because their time was over or there
// were too many.
func (s *Store) BeginUpload(ctx context.Context, u Upload, life time.Duration) (out Upload, over []Upload, err error) {
	if u.Session == "" || u.Kind == "" || u.Size < 1 || life <= 0 || !sha256Form.MatchString(u.SHA256) || checkField(u.Kind) != nil || checkField(u.DocumentType) != nil {
		return Upload{}, nil, fmt.Errorf("begin upload: %w: session, kind, size, digest and time are needed", ErrInvalid)
	}
	err = s.write(ctx, "begin upload", func(tx *Tx) error {
		out, over = Upload{}, nil
		if _, err := tx.lockSession(u.Session); err != nil {
			return err
		}
		rows, err := tx.rows("SELECT "+uploadColumns+" FROM uploads WHERE session = ? AND ended_at = 0 ORDER BY id", u.Session)
		open, err := collect(rows, err, "list uploads", scanUpload)
		if err != nil {
			return err
		}
		left := len(open)
		for _, o := range open {
			expired := !tx.Now.Before(o.ExpiresAt)
			if !expired && u.SHA256 != "" && o.SHA256 == u.SHA256 && o.Kind == u.Kind && o.Size == u.Size && o.Insist == u.Insist && o.DocumentType == u.DocumentType {
				out = o
				out.ExpiresAt = tx.Now.Add(life)
				_, err := tx.exec("UPDATE uploads SET expires_at = ? WHERE id = ?", micros(out.ExpiresAt), o.ID)
				return err
			}
			if expired || left >= MaxUploads {
				left--
				over = append(over, o)
				if _, err := tx.exec("UPDATE uploads SET ended_at = ?, sha256 = '' WHERE id = ?", micros(tx.Now), o.ID); err != nil {
					return err
				}
			}
		}
		out = u
		out.ID, out.Received, out.Answer = s.ids.next(UploadPrefix, tx.Now), 0, nil
		out.CreatedAt, out.ExpiresAt, out.EndedAt = tx.Now, tx.Now.Add(life), time.Time{}
		insist := 0
		if u.Insist {
			insist = 1
		}
		_, err = tx.exec("INSERT INTO uploads ("+uploadColumns+") VALUES ("+marks(12)+")", out.ID, u.Session, u.Kind, u.DocumentType, insist,
			u.SHA256, u.Size, 0, "", micros(out.CreatedAt), micros(out.ExpiresAt), 0)
		return err
	})
	if err != nil {
		return Upload{}, nil, err
	}
	return out, over, nil
}

// Upload reads an upload, ended or not.
func (s *Store) Upload(ctx context.Context, id string) (Upload, error) {
	var parts int
	u, err := scanUpload(scanMore{s.queryRow(ctx, "SELECT "+uploadColumns+", (SELECT COUNT(*) FROM upload_parts p WHERE p.upload = uploads.id) FROM uploads WHERE id = ?", id), []any{&parts}})
	u.Parts = parts
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("read upload: %w", err)
	}
	return u, err
}

// AddUploadPart appends a part at a byte offset and prolongs the upload's time.
// ErrConflict when the upload stands elsewhere (another request was faster), has
// ended or has MaxUploadParts: the part's object is then the caller's to remove.
func (s *Store) AddUploadPart(ctx context.Context, id string, p UploadPart, life time.Duration) error {
	if p.At < 0 || p.Size < 1 || p.Object == "" {
		return fmt.Errorf("add upload part: %w", ErrInvalid)
	}
	return s.write(ctx, "add upload part", func(tx *Tx) error {
		n, err := tx.exec(`UPDATE uploads SET received = received + ?, expires_at = ? WHERE id = ? AND received = ? AND received + ? <= size AND ended_at = 0
			AND (SELECT COUNT(*) FROM upload_parts q WHERE q.upload = uploads.id) < ?`,
			p.Size, micros(tx.Now.Add(life)), id, p.At, p.Size, MaxUploadParts)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrConflict
		}
		_, err = tx.exec("INSERT INTO upload_parts (upload, at_byte, size, object) VALUES (?, ?, ?, ?)", id, p.At, p.Size, p.Object)
		return err
	})
}

// UploadParts lists an upload's parts in order.
func (s *Store) UploadParts(ctx context.Context, id string) ([]UploadPart, error) {
	return list(ctx, s, "list upload parts", func(r scanner) (UploadPart, error) {
		var p UploadPart
		return p, r.Scan(&p.At, &p.Size, &p.Object)
	}, "SELECT at_byte, size, object FROM upload_parts WHERE upload = ? ORDER BY at_byte", id)
}

// EndUpload ends an upload, with the answer when it was judged. The first end
// counts; ending again changes nothing.
func (s *Store) EndUpload(ctx context.Context, id string, answer json.RawMessage) error {
	if len(answer) > 1<<20 {
		return fmt.Errorf("end upload: %w: answer of %d bytes", ErrInvalid, len(answer))
	}
	return s.write(ctx, "end upload", func(tx *Tx) error {
		_, err := tx.exec("UPDATE uploads SET ended_at = ?, sha256 = '', answer = ? WHERE id = ? AND ended_at = 0", micros(tx.Now), string(answer), id)
		return err
	})
}

// ForgetUploadPart drops the row of a part whose object was removed.
func (s *Store) ForgetUploadPart(ctx context.Context, id string, at int64) error {
	return s.write(ctx, "forget upload part", func(tx *Tx) error {
		_, err := tx.exec("DELETE FROM upload_parts WHERE upload = ? AND at_byte = ?", id, at)
		return err
	})
}

// StaleUploads lists uploads that ended or expired and still have parts.
func (s *Store) StaleUploads(ctx context.Context, limit int) ([]Upload, error) {
	return list(ctx, s, "list stale uploads", scanUpload, staleUploads, micros(s.clock()), limit)
}

// staleUploads begins with the parts: uploads stay, and few of them have any.
var staleUploads = "SELECT " + qualified("u", uploadColumns) + ` FROM (SELECT DISTINCT upload FROM upload_parts) p CROSS JOIN uploads u
	WHERE u.id = p.upload AND (u.ended_at <> 0 OR u.expires_at <= ?) ORDER BY u.id LIMIT ?`
