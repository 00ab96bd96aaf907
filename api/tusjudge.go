package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/proofline/proofline/client"
	"github.com/proofline/proofline/session"
	"github.com/proofline/proofline/storage"
)

type uploadAnswerInput struct {
	Upload string `path:"upload" maxLength:"64"`
}

type uploadAnswerOutput struct{ Body client.Upload }

func (u *uploads) answer(ctx context.Context, in *uploadAnswerInput) (*uploadAnswerOutput, error) {
	up, err := u.find(ctx, clientToken(ctx).Session, in.Upload)
	if err == nil && up.Complete() && up.Answer == nil {
		up, err = u.finish(ctx, up.ID)
	}
	if err != nil {
		return nil, fromError(err)
	}
	out := client.Upload{ID: up.ID, Kind: up.Kind, Size: up.Size, Received: up.Received}
	if up.Answer != nil {
		out.Photo = &client.Photo{}
		if err := json.Unmarshal(up.Answer, out.Photo); err != nil {
			return nil, fromError(fmt.Errorf("read upload's answer: %w", err))
		}
	}
	return &uploadAnswerOutput{Body: out}, nil
}

// finish judges a complete upload once and ends it; repeated calls get the same
// answer.
func (u *uploads) finish(ctx context.Context, id string) (session.Upload, error) {
	v, err, _ := u.judging.Do(id, func() (any, error) {
		// Others wait for the same answer, so it does not end with this request; but
		// it does end, or the upload could never be asked for again.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), u.api.limits.JudgeTime)
		defer cancel()
		return u.judge(ctx, id)
	})
	up, _ := v.(session.Upload)
	return up, err
}

func (u *uploads) judge(ctx context.Context, id string) (session.Upload, error) {
	a := u.api
	up, err := a.deps.Store.Upload(ctx, id)
	if err != nil || up.Answer != nil {
		return up, err
	}
	ses, err := a.deps.Store.Get(ctx, up.Session)
	if err != nil {
		return up, err
	}
	if p := a.mayUpload(ses, up.DocumentType); p != nil {
		u.discard(ctx, up)
		return up, p
	}
	weight := min(up.Size, a.limits.BytesInFlight)
	if !a.bytes.TryAcquire(weight) {
		return up, newProblem(client.CodeBusy, "Many photos are arriving. Ask again.").after(2 * time.Second)
	}
	defer a.bytes.Release(weight)
	photo, err := u.whole(ctx, up)
	if err != nil {
		return up, err
	}
	defer clear(photo)
	if up.SHA256 != "" && digest(photo) != up.SHA256 {
		u.discard(ctx, up)
		return up, newProblem(client.CodeChecksumMismatch, "The file is not the one that was announced.")
	}
	answer, err := a.accept(ctx, ses, &uploadInput{Kind: up.Kind, DocumentType: up.DocumentType, Insist: up.Insist}, photo)
	if err != nil {
		return up, err
	}
	if up.Answer, err = json.Marshal(answer); err != nil {
		return up, fmt.Errorf("encode upload's answer: %w", err)
	}
	if err := a.deps.Store.EndUpload(ctx, id, up.Answer); err != nil {
		return up, err
	}
	u.removeParts(ctx, up)
	return up, nil
}

// whole joins the parts in memory, where the gate wants the photo.
func (u *uploads) whole(ctx context.Context, up session.Upload) ([]byte, error) {
	parts, err := u.api.deps.Store.UploadParts(ctx, up.ID)
	if err != nil {
		return nil, err
	}
	photo := make([]byte, 0, up.Size)
	for _, p := range parts {
		if p.At != int64(len(photo)) {
			break
		}
		o, err := u.api.deps.Store.GetObject(ctx, p.Object)
		if err != nil {
			return nil, fmt.Errorf("join upload: %w", err)
		}
		r, err := u.api.deps.Vault.Open(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("join upload: %w", err)
		}
		b, err := io.ReadAll(io.LimitReader(r, p.Size+1))
		_ = r.Close()
		if err != nil {
			return nil, fmt.Errorf("join upload: %w", err)
		}
		photo = append(photo, b...)
	}
	if int64(len(photo)) != up.Size {
		return nil, fmt.Errorf("join upload: its parts make %d of %d bytes", len(photo), up.Size)
	}
	return photo, nil
}

// discard ends an upload that will not be judged.
func (u *uploads) discard(ctx context.Context, up session.Upload) {
	if err := u.api.deps.Store.EndUpload(ctx, up.ID, nil); err != nil {
		u.api.log.WarnContext(ctx, "end upload", "request_id", requestID(ctx), "session", up.Session, "cause", err.Error())
		return
	}
	u.removeParts(ctx, up)
}

// removeParts deletes the pieces. One that can not be deleted now keeps its row
// and is tried again by sweep; the vault's own sweeper is the net below.
func (u *uploads) removeParts(ctx context.Context, up session.Upload) {
	parts, err := u.api.deps.Store.UploadParts(ctx, up.ID)
	for _, p := range parts {
		var o storage.Object
		if o, err = u.api.deps.Store.GetObject(ctx, p.Object); err != nil && !errors.Is(err, storage.ErrNotFound) {
			break
		}
		if err == nil {
			if err = u.api.deps.Vault.Remove(ctx, o); err != nil {
				break
			}
		}
		if err = u.api.deps.Store.ForgetUploadPart(ctx, up.ID, p.At); err != nil {
			break
		}
	}
	if err != nil {
		u.api.log.WarnContext(ctx, "remove pieces of an upload", "request_id", requestID(ctx), "session", up.Session, "cause", err.Error())
	}
}

// sweep removes what uploads left behind that nobody went on with, at most once
// a minute and a few at a time; it rides on the creation of others.
func (u *uploads) sweep(ctx context.Context) {
	u.mu.Lock()
	due := u.api.now().Sub(u.swept) >= time.Minute
	if due {
		u.swept = u.api.now()
	}
	u.mu.Unlock()
	if !due {
		return
	}
	stale, err := u.api.deps.Store.StaleUploads(ctx, 20)
	if err != nil {
		u.api.log.WarnContext(ctx, "list abandoned uploads", "request_id", requestID(ctx), "cause", err.Error())
		return
	}
	for _, up := range stale {
		u.discard(ctx, up)
	}
}
