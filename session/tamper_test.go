package session

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/proofline/proofline/audit"
)

// What somebody with write access to the database can do to the log, at random
// places. The database is put back after each try.
func TestAnyTamperingWithTheStoredLogIsDetected(t *testing.T) {
	c := &testClock{t: testStart}
	s := openTest(t, "sqlite", c.Now)
	signer, verifier := testKey(t)
	for i := range 40 {
		must[*Session](t)(s.Create(ctx, newSession()))
		if i%9 == 8 {
			_, _, err := s.Checkpoint(ctx, signer)
			ok(t, err)
		}
	}
	type row struct {
		seq  int64
		body []byte
	}
	var log []row
	seq := int64(0)
	for b, err := range s.AuditLog(ctx, 0, 0) {
		ok(t, err)
		log = append(log, row{seq, slices.Clone(b)})
		seq++
	}
	var copies [][]byte
	for n, err := range s.Checkpoints(ctx, 1000) {
		ok(t, err)
		copies = append(copies, n)
	}
	exec := func(q string, args ...any) {
		ok(t, s.writeApart(ctx, "tamper", func(tx *Tx) error { _, err := tx.exec(q, args...); return err }))
	}
	exec("CREATE TABLE kept AS SELECT * FROM audit_entries")
	restore := func() {
		exec("DELETE FROM audit_entries")
		exec("INSERT INTO audit_entries SELECT * FROM kept")
	}
	rapid.Check(t, func(rt *rapid.T) {
		at := log[rapid.IntRange(0, len(log)-1).Draw(rt, "entry")]
		what := rapid.SampledFrom([]string{"flip", "truncate", "remove", "swap", "fork"}).Draw(rt, "what")
		switch what {
		case "flip":
			b := slices.Clone(at.body)
			b[rapid.IntRange(0, len(b)-1).Draw(rt, "byte")] ^= byte(1 << rapid.IntRange(0, 7).Draw(rt, "bit"))
			exec("UPDATE audit_entries SET body = ? WHERE seq = ?", b, at.seq)
		case "truncate":
			exec("DELETE FROM audit_entries WHERE seq >= ?", at.seq)
		case "remove":
			exec("DELETE FROM audit_entries WHERE seq = ?", at.seq)
		case "swap":
			other := log[rapid.IntRange(0, len(log)-1).Draw(rt, "other")]
			if other.seq == at.seq {
				rt.Skip("the same entry")
			}
			exec("UPDATE audit_entries SET body = ? WHERE seq = ?", at.body, other.seq)
			exec("UPDATE audit_entries SET body = ? WHERE seq = ?", other.body, at.seq)
		case "fork":
			e, err := audit.ParseEntry(at.body)
			ok(t, err)
			e.Actor = "worker:other"
			b, err := e.Canonical()
			ok(t, err)
			exec("UPDATE audit_entries SET body = ? WHERE seq = ?", b, at.seq)
		}
		_, err := s.VerifyAuditWith(ctx, verifier, nil, audit.Notes("copies", copies...))
		restore()
		var te *audit.TamperError
		if !errors.As(err, &te) {
			rt.Fatalf("%s at entry %d went unnoticed: %v", what, at.seq, err)
		}
	})
	if _, err := s.VerifyAudit(ctx, verifier); err != nil {
		t.Errorf("put back: %v", err)
	}
}
