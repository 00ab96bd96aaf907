package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/proofline/proofline/policy"
)

// A tenant's sandbox is a tenant of its own: "acme" has "acme:test". Test keys
// belong to it, so everything that keeps tenants apart (sessions, lists,
// idempotency keys, webhook endpoints, figures) keeps live and test apart, too,
// and the name says in every record, log and page which of the two it is.

// testSuffix marks the tenant of a sandbox.
const testSuffix = ":test"

// TestTenant is the sandbox of a tenant.
func TestTenant(tenant string) string {
	if IsTest(tenant) {
		return tenant
	}
	return tenant + testSuffix
}

// IsTest reports whether a tenant is a sandbox.
func IsTest(tenant string) bool { return strings.HasSuffix(tenant, testSuffix) }

// Test reports whether the session is of a sandbox: it is decided by what its
// external reference asks for, and nothing in it is about a person.
func (s *Session) Test() bool { return IsTest(s.Tenant) }

// Test reports whether the key is of a sandbox.
func (k APIKey) Test() bool { return IsTest(k.Tenant) }

// notTest is the SQL condition that leaves sandboxes out. It compares exactly:
// LIKE would take "acme:TEST", which is a live tenant, for one on SQLite.
func notTest(column string) string {
	return fmt.Sprintf("substr(%s, length(%[1]s) - %d) <> '%s'", column, len(testSuffix)-1, testSuffix)
}

// keySecret is the prefix of a tenant's keys, so that people and secret scanners
// see which kind a key is of.
func keySecret(tenant string) string {
	if IsTest(tenant) {
		return TestKeySecret
	}
	return APIKeySecret
}

// keyKind is the prefix that a secret has.
func keyKind(secret string) string {
	if strings.HasPrefix(secret, TestKeySecret) {
		return TestKeySecret
	}
	return APIKeySecret
}

// Sandbox is what a session made with a test key is to come to. Its external
// reference says so:
//
//	anything that does not begin with "test:"   approved
//	test:approved
//	test:CODE[,CODE…]             those reason codes, once: a next attempt is approved
//	test:always:CODE[,CODE…]      those reason codes at every attempt
//	test:review=OUTCOME           referred, then decided as a reviewer would:
//	                              approved, rejected or needs_resubmission
//	test:submitted                approved, a minute after the submission
//	test:expired                  expires as soon as it is made
//
// The findings are made up; what they lead to is decided by the session's own
// policy, as for a live case. docs/sandbox.md is for its users.
type Sandbox struct {
	Codes   []policy.Code
	Always  bool
	Review  policy.Outcome
	Slow    bool
	Expired bool
}

// sandboxPrefix begins references that ask for something.
const sandboxPrefix = "test:"

// ParseSandbox reads an external reference of a test session. One that begins
// with "test:" and asks for nothing that exists is an error: a misspelt code
// would be an approval.
func ParseSandbox(ref string) (Sandbox, error) {
	var s Sandbox
	ask, ok := strings.CutPrefix(ref, sandboxPrefix)
	if !ok {
		return s, nil
	}
	if outcome, ok := strings.CutPrefix(ask, "review="); ok {
		s.Review = policy.Outcome(outcome)
		if !slices.Contains([]policy.Outcome{policy.Approved, policy.Rejected, policy.NeedsResubmission}, s.Review) {
			return s, fmt.Errorf("a reviewer decides approved, rejected or needs_resubmission, not %q", outcome)
		}
		return s, nil
	}
	switch ask {
	case "approved":
		return s, nil
	case "submitted":
		s.Slow = true
		return s, nil
	case "expired":
		s.Expired = true
		return s, nil
	}
	ask, s.Always = strings.CutPrefix(ask, "always:")
	for c := range strings.SplitSeq(ask, ",") {
		if _, known := policy.Code(c).Info(); !known {
			return s, errors.New("test: is followed by approved, submitted, expired, review=OUTCOME, or reason codes of the catalogue")
		}
		s.Codes = append(s.Codes, policy.Code(c))
	}
	return s, nil
}
