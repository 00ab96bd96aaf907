package storage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"github.com/minio/minio-go/v7"
)

// Errors that callers decide on.
var (
	// ErrNotFound: there is no such object, key row or blob.
	ErrNotFound = errors.New("not found")
	// ErrErased: the data key of this session and class was destroyed.
	ErrErased = errors.New("evidence erased")
	// ErrExists: a row with this id is already there.
	ErrExists = errors.New("already exists")
	// ErrHeld: a legal hold keeps this session's evidence from being erased.
	ErrHeld = errors.New("evidence is under legal hold")
	// ErrRegion: evidence has to lie in a region that is not configured.
	ErrRegion = errors.New("storage region is not configured")
	// ErrUnavailable: the store did not answer, refused for the moment, or
	// failed. Trying again later can help; a client is told so (503).
	ErrUnavailable = errors.New("evidence storage is unavailable")
	// ErrFull: there is no room. It is an ErrUnavailable too.
	ErrFull = fmt.Errorf("%w: it is full", ErrUnavailable)
)

// diskFailure gives an error of the file system the type that callers decide
// on: no room, over quota, a broken or read-only disk.
func diskFailure(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", ErrFull, err)
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ESTALE),
		errors.Is(err, syscall.ENOTCONN), errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// serverFailure does the same for an answer of an S3 server, or for none. ctx is
// the caller's: that the caller gave up is no failure of the store.
func serverFailure(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, ErrNotFound) || ctx.Err() != nil {
		return err
	}
	r := minio.ToErrorResponse(err)
	var network net.Error
	switch {
	case r.Code == "XMinioStorageFull", r.Code == "QuotaExceeded", r.Code == "XMinioAdminBucketQuotaExceeded", r.StatusCode == http.StatusInsufficientStorage:
		return fmt.Errorf("%w: %w", ErrFull, err)
	case r.StatusCode >= 500, r.StatusCode == http.StatusTooManyRequests, r.Code == "SlowDown", r.Code == "RequestTimeout",
		errors.As(err, &network), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case r.Code == "" || r.StatusCode == 0 && r.Code == "InternalError":
		// No answer of the protocol at all: a connection that broke.
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}
