package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// Parameters of new hashes: OWASP's Password Storage Cheat Sheet, argon2id with
// 19 MiB of memory, two passes and one lane. A hash made with others is made
// again at the next login.
const (
	hashMemory = 19 * 1024 // KiB
	hashTime   = 2
	hashLanes  = 1
	saltBytes  = 16
	hashBytes  = 32
)

// Bounds of a password. The lower one is NIST SP 800-63B-4's for a password
// that stands alone (section 3.1.1.2); the upper one keeps a login from hashing
// whatever is sent.
const (
	MinPassword = 15
	MaxPassword = 256
)

// ErrPassword refuses a new password for its length.
var ErrPassword = fmt.Errorf("a password has %d to %d characters", MinPassword, MaxPassword)

// CheckNewPassword accepts a password by its length and variety; rules about
// kinds of characters make passwords weaker (SP 800-63B-4, section 3.1.1.2).
func CheckNewPassword(p, accountName string) error {
	n := utf8.RuneCountInString(p)
	if !utf8.ValidString(p) || n < MinPassword || len(p) > MaxPassword {
		return ErrPassword
	}
	seen := map[rune]bool{}
	for _, r := range p {
		seen[r] = true
	}
	if len(seen) < 5 {
		return errors.New("the password repeats the same few characters")
	}
	if accountName != "" && strings.Contains(strings.ToLower(p), strings.ToLower(accountName)) {
		return errors.New("the password contains the account's name")
	}
	return nil
}

// HashPassword returns the password's argon2id hash as a PHC string.
func HashPassword(p string) string {
	salt := make([]byte, saltBytes)
	rand.Read(salt)
	return encodeHash(params{hashMemory, hashTime, hashLanes}, salt, derive(p, params{hashMemory, hashTime, hashLanes}, salt, hashBytes))
}

type params struct {
	memory, time uint32
	lanes        uint8
}

func derive(p string, k params, salt []byte, n uint32) []byte {
	return argon2.IDKey([]byte(p), salt, k.time, k.memory, k.lanes, n)
}

func encodeHash(k params, salt, sum []byte) string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, k.memory, k.time, k.lanes, b.EncodeToString(salt), b.EncodeToString(sum))
}

// CheckPassword compares a password with a hash. outdated says that the hash
// was made with other parameters than today's and is to be made again. The
// error is for a hash that can not be read, not for a wrong password.
func CheckPassword(hash, p string) (ok, outdated bool, err error) {
	if len(p) > MaxPassword {
		return false, false, nil
	}
	k, salt, want, err := decodeHash(hash)
	if err != nil {
		return false, false, err
	}
	got := derive(p, k, salt, uint32(len(want)))
	ok = subtle.ConstantTimeCompare(got, want) == 1
	return ok, k != params{hashMemory, hashTime, hashLanes} || len(want) != hashBytes || len(salt) != saltBytes, nil
}

var errHash = errors.New("a stored password hash can not be read")

// Bounds on what a stored hash may ask for: the store is trusted, yet a row
// that was damaged or planted must not make a login use all memory.
const (
	maxHashMemory = 256 * 1024
	maxHashTime   = 16
)

func decodeHash(h string) (k params, salt, sum []byte, err error) {
	part := strings.Split(h, "$")
	if len(h) > 256 || len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return k, nil, nil, errHash
	}
	if _, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &k.memory, &k.time, &k.lanes); err != nil || part[3] != fmt.Sprintf("m=%d,t=%d,p=%d", k.memory, k.time, k.lanes) {
		return k, nil, nil, errHash
	}
	if k.memory < 8 || k.memory > maxHashMemory || k.time < 1 || k.time > maxHashTime || k.lanes < 1 || k.lanes > 16 {
		return k, nil, nil, errHash
	}
	b := base64.RawStdEncoding.Strict()
	if salt, err = b.DecodeString(part[4]); err != nil || len(salt) < 8 || len(salt) > 64 {
		return k, nil, nil, errHash
	}
	if sum, err = b.DecodeString(part[5]); err != nil || len(sum) < 16 || len(sum) > 64 {
		return k, nil, nil, errHash
	}
	return k, salt, sum, nil
}

// decoy is hashed against when there is no such account, so that the answer
// takes as long as for one that exists.
var decoy = encodeHash(params{hashMemory, hashTime, hashLanes}, make([]byte, saltBytes), make([]byte, hashBytes))

// Waste takes the time of CheckPassword and never succeeds.
func Waste(p string) { _, _, _ = CheckPassword(decoy, p) }

// Commit is the salted hash by which the audit log knows a text that it must
// not hold, such as the words behind a purpose: with salt and text it proves
// them, without the salt it says nothing.
func Commit(salt []byte, text string) string {
	h := sha256.New()
	h.Write(salt)
	h.Write([]byte(text))
	return fmt.Sprintf("%x", h.Sum(nil))
}
