package login_test

import (
	"encoding/base64"
	"testing"

	"golang.org/x/crypto/argon2"
)

// weakHash is a hash of the password as an old release could have made it.
func weakHash(t *testing.T) string {
	t.Helper()
	salt := []byte("0123456789abcdef")
	b := base64.RawStdEncoding
	return "$argon2id$v=19$m=64,t=1,p=1$" + b.EncodeToString(salt) + "$" + b.EncodeToString(argon2.IDKey([]byte(password), salt, 1, 64, 1, 32))
}
