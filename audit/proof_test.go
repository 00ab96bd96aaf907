package audit

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func sizeOf(msg []byte) int64 {
	c, err := parseCheckpoint(string(msg))
	if err != nil {
		panic(err)
	}
	return c.Size
}

// proof makes a proof of entries under the last checkpoint, as read back from
// its JSON.
func (l *testLog) proof(t interface{ Fatal(...any) }, seqs []int64, earlier ...int) Proof {
	var es []Entry
	for _, q := range seqs {
		e, err := ParseEntry(l.entries[q])
		if err != nil {
			t.Fatal(err)
		}
		es = append(es, e)
	}
	notes := map[int64][]byte{}
	for _, i := range earlier {
		notes[sizeOf(l.checkpoints[i])] = l.checkpoints[i]
	}
	last := l.checkpoints[len(l.checkpoints)-1]
	p, err := NewProver(last, sizeOf(last), l).Prove(es, notes)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(p, "", "  ") // any layout is the same proof
	if err != nil {
		t.Fatal(err)
	}
	if p, err = ReadProof(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAProofHoldsForItsEntriesAndItsPastAndNothingElse(t *testing.T) {
	l := filled(t, 77, 0, 25, 64)
	rapid.Check(t, func(t *rapid.T) {
		seqs := rapid.SliceOfNDistinct(rapid.Int64Range(0, 76), 1, 5, rapid.ID[int64]).Draw(t, "entries")
		p := l.proof(t, seqs, 0, 1, 2, 3)
		got, err := p.Check(l.verifier)
		if err != nil || got.Checkpoint.Size != 77 || len(got.Entries) != len(seqs) || len(got.Earlier) != 4 {
			t.Fatalf("%+v %v", got, err)
		}
		for i, e := range got.Entries {
			if e.Seq != seqs[i] {
				t.Fatalf("entry %d instead of %d", e.Seq, seqs[i])
			}
		}
		// Any flipped bit of what was hashed or signed.
		bad := l.proof(t, seqs, 1, 2)
		switch rapid.IntRange(0, 4).Draw(t, "what") {
		case 0:
			hs := bad.Entries[rapid.IntRange(0, len(seqs)-1).Draw(t, "of")].Hashes
			hs[rapid.IntRange(0, len(hs)-1).Draw(t, "hash")][rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
		case 1:
			bad.Entries[0].Entry.Outcome = "other"
		case 2:
			bad.Entries[0].Entry.Seq = (bad.Entries[0].Entry.Seq + 1) % 77
		case 3:
			hs := bad.Extends[0].Hashes
			hs[rapid.IntRange(0, len(hs)-1).Draw(t, "hash")][0] ^= 1
		case 4:
			c := []byte(bad.Checkpoint)
			c[rapid.IntRange(0, len(c)-1).Draw(t, "byte")] ^= 1
			bad.Checkpoint = string(c)
		}
		if _, err := bad.Check(l.verifier); err == nil {
			t.Fatal("a changed proof holds")
		}
	})
}

func TestALogDoesNotExtendAPastThatWasNot(t *testing.T) {
	l := filled(t, 40, 25)
	fork := &testLog{signer: l.signer, verifier: l.verifier, nodes: l.nodes}
	for range 25 {
		fork.add("session.reject")
	}
	fork.sign()
	l = filled(t, 40, 25)
	l.signer, l.verifier = fork.signer, fork.verifier
	l.checkpoints = nil
	l.sign()
	p, err := NewProver(l.checkpoints[0], 40, l).Prove(nil, map[int64][]byte{25: fork.checkpoints[0]})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Check(l.verifier); err == nil || !strings.Contains(err.Error(), "does not extend") {
		t.Errorf("a fork's checkpoint passed as this log's past: %v", err)
	}
	if _, err := NewProver(l.checkpoints[0], 40, l).Prove([]Entry{{Seq: 40}}, nil); err == nil {
		t.Error("proved an entry beyond the log")
	}
	if _, err := (Proof{Version: 1, Checkpoint: string(l.checkpoints[0])}).Check(l.verifier); err == nil {
		t.Error("a proof of nothing holds")
	}
	other := filled(t, 40)
	if _, err := l.proof(t, []int64{1}).Check(other.verifier); err == nil {
		t.Error("another log's key was accepted")
	}
}

func TestACopyOfACheckpointElsewhereShowsALogThatWasCutBackWithItsOwn(t *testing.T) {
	l := filled(t, 60, 20, 40)
	copies := slices.Clone(l.checkpoints)
	// The log's owner restores it to 50 entries, with checkpoints and head to
	// match, and goes on: alone it is in perfect order.
	cut := filled(t, 0)
	cut.signer, cut.verifier = l.signer, l.verifier
	cut.checkpoints = slices.Clone(l.checkpoints[:2])
	for i := range 50 {
		cut.add(map[bool]string{true: "session.submit", false: "session.reject"}[i < 40])
	}
	cut.sign()
	if _, err := verify(cut.entries, cut.checkpoints, cut.verifier, &cut.front); err != nil {
		t.Fatal(err)
	}
	_, err := Verify(each(cut.entries), cut.verifier, &cut.front, Notes("own", cut.checkpoints...), Notes("bucket", copies...))
	te := &TamperError{}
	if !asTamper(err, &te) || te.Kind != Truncated || te.Source != "bucket" {
		t.Errorf("a log cut back: %v", err)
	}
	for range 10 {
		cut.add("session.reject")
	}
	cut.sign()
	_, err = Verify(each(cut.entries), cut.verifier, &cut.front, Notes("own", cut.checkpoints...), Notes("bucket", copies...))
	if !asTamper(err, &te) || te.Kind != Fork || te.Source != "bucket" {
		t.Errorf("grown to the same size: %v", err)
	}
	cut.add("session.reject")
	_, err = Verify(each(cut.entries), cut.verifier, &cut.front, Notes("bucket", copies...))
	if !asTamper(err, &te) || te.Kind != BadRoot || te.From != 40 || te.To != 60 {
		t.Errorf("grown beyond it: %v", err)
	}
}

func FuzzReadProof(f *testing.F) {
	l := filled(f, 5, 2)
	b, err := json.Marshal(l.proof(f, []int64{3}, 0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"proofline_audit_proof":1,"checkpoint":"","entries":[{"entry":{},"hashes":[]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ReadProof(bytes.NewReader(b))
		if err != nil {
			return
		}
		got, err := p.Check(l.verifier)
		if err == nil && (got.Checkpoint.Size != 5 || len(got.Entries)+len(got.Earlier) == 0) {
			t.Fatalf("%q proves %+v", b, got)
		}
	})
}
