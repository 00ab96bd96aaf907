package storage

import (
	"bytes"
	"context"
	"fmt"
)

// SealSecret wraps a short secret that belongs to no session, such as the
// signing keys of a webhook endpoint, under the keyring's primary key. purpose
// is authenticated: a secret sealed for one thing does not open as another.
func SealSecret(ctx context.Context, k Keyring, purpose string, secret []byte) ([]byte, error) {
	id, wrapped, err := k.Wrap(ctx, secret, secretAD(purpose))
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", purpose, err)
	}
	return append(append([]byte(id), 0), wrapped...), nil
}

// OpenSecret undoes SealSecret.
func OpenSecret(ctx context.Context, k Keyring, purpose string, sealed []byte) ([]byte, error) {
	id, wrapped, ok := bytes.Cut(sealed, []byte{0})
	if !ok {
		return nil, fmt.Errorf("open %s: %w", purpose, ErrFormat)
	}
	secret, err := k.Unwrap(ctx, string(id), wrapped, secretAD(purpose))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", purpose, err)
	}
	return secret, nil
}

func secretAD(purpose string) []byte { return []byte("proofline secret v1 " + purpose) }
