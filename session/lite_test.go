package session

import (
	"testing"
	"time"

	"github.com/proofline/proofline/audit"
)

// A rollback that fails leaves the transaction open, and the connection is the only
// one that writes.
func TestATransactionThatWasLeftOpenDoesNotStopAllWritingForGood(t *testing.T) {
	s := openTest(t, "sqlite", time.Now)
	entry := audit.Entry{Actor: "service:key_1", Action: "some.action"}
	ok(t, s.Audit(ctx, entry))
	// Nobody writes now, so the connection is free.
	_, err := s.lite.ExecContext(ctx, "BEGIN IMMEDIATE")
	ok(t, err)
	if err := s.Audit(ctx, entry); err == nil {
		t.Error("written into a transaction that nobody ends")
	}
	if err := s.Audit(ctx, entry); err != nil {
		t.Errorf("the store does not write any more: %v", err)
	}
}
