package audit

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// testLog is a log in memory with its signing key.
type testLog struct {
	entries     [][]byte
	checkpoints [][]byte
	nodes       map[int64]tlog.Hash
	front       Frontier
	signer      note.Signer
	verifier    string
}

func newLog(t testing.TB) *testLog {
	t.Helper()
	skey, vkey, err := GenerateKey("proofline.test/audit")
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return &testLog{signer: s, verifier: vkey, nodes: map[int64]tlog.Hash{}}
}

func (l *testLog) add(action string) {
	seq := l.front.Size()
	b, err := Entry{Seq: seq, Time: start.Add(time.Duration(seq) * time.Second), Actor: "worker:w1", Action: action,
		Session: fmt.Sprintf("ses_%d", seq%7), Codes: []string{"capture.blurred"}, Hashes: map[string]string{"policy": "ab", "decision": "cd"}}.Canonical()
	if err != nil {
		panic(err)
	}
	for _, n := range l.front.Append(b) {
		l.nodes[n.Index] = n.Hash
	}
	l.entries = append(l.entries, b)
}

func (l *testLog) sign() {
	msg, err := Checkpoint{Origin: l.signer.Name(), Size: l.front.Size(), Root: l.front.Root()}.Sign(l.signer)
	if err != nil {
		panic(err)
	}
	l.checkpoints = append(l.checkpoints, msg)
}

func each(entries [][]byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func verify(entries, checkpoints [][]byte, verifier string, head *Frontier) (Report, error) {
	return Verify(each(entries), verifier, head, Notes("copies", checkpoints...))
}

func (l *testLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		h, ok := l.nodes[x]
		if !ok {
			return nil, fmt.Errorf("node %d is not stored", x)
		}
		out[i] = h
	}
	return out, nil
}

func filled(t testing.TB, n int, checkpointsAt ...int) *testLog {
	l := newLog(t)
	for i := range n {
		if slices.Contains(checkpointsAt, i) {
			l.sign()
		}
		l.add("session.submit")
	}
	l.sign()
	return l
}

func TestAnIntactLogVerifiesAndSaysHowMuchIsSigned(t *testing.T) {
	l := filled(t, 100, 0, 10, 64)
	l.add("session.approve")
	r, err := verify(l.entries, l.checkpoints, l.verifier, &l.front)
	if err != nil {
		t.Fatal(err)
	}
	if r.Entries != 101 || r.Signed != 100 || r.Checkpoints != 4 || r.Root != l.front.Root() || !r.Last.Equal(start.Add(100*time.Second)) {
		t.Errorf("%+v", r)
	}
	if _, err := verify(nil, nil, l.verifier, &Frontier{}); err != nil {
		t.Errorf("an empty log: %v", err)
	}
}

func TestTheFrontierAgreesWithTheReferenceTree(t *testing.T) {
	l := newLog(t)
	var ref []tlog.Hash // tlog's own stored hashes
	reader := tlog.HashReaderFunc(func(ix []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(ix))
		for i, x := range ix {
			out[i] = ref[x]
		}
		return out, nil
	})
	for n := range int64(300) {
		l.add("a")
		hs, err := tlog.StoredHashes(n, l.entries[n], reader)
		if err != nil {
			t.Fatal(err)
		}
		ref = append(ref, hs...)
		want, err := tlog.TreeHash(n+1, reader)
		if err != nil {
			t.Fatal(err)
		}
		if l.front.Root() != want {
			t.Fatalf("root of %d entries differs", n+1)
		}
		b, _ := l.front.MarshalBinary()
		var again Frontier
		if err := again.UnmarshalBinary(b); err != nil || again.Root() != want || again.Size() != n+1 {
			t.Fatalf("frontier of %d entries does not survive storage: %v", n+1, err)
		}
	}
	for i, h := range ref {
		if l.nodes[int64(i)] != h {
			t.Fatalf("stored hash %d differs", i)
		}
	}
}

// tampered asserts that verification fails with a TamperError.
func tampered(t interface{ Fatalf(string, ...any) }, what string, entries, checkpoints [][]byte, l *testLog, head *Frontier) *TamperError {
	_, err := verify(entries, checkpoints, l.verifier, head)
	var te *TamperError
	if !errors.As(err, &te) {
		t.Fatalf("%s went unnoticed: %v", what, err)
		return &TamperError{}
	}
	return te
}

func TestAnyFlippedByteTruncationReorderOrForkIsDetected(t *testing.T) {
	l := filled(t, 150, 20, 64, 99)
	rapid.Check(t, func(t *rapid.T) {
		copyOf := func() [][]byte {
			c := make([][]byte, len(l.entries))
			for i := range c {
				c[i] = slices.Clone(l.entries[i])
			}
			return c
		}
		at := rapid.IntRange(0, len(l.entries)-1).Draw(t, "entry")

		es := copyOf()
		pos := rapid.IntRange(0, len(es[at])-1).Draw(t, "byte")
		es[at][pos] ^= byte(1 << rapid.IntRange(0, 7).Draw(t, "bit"))
		if te := tampered(t, "a flipped bit", es, l.checkpoints, l, nil); te.To <= int64(at) || te.From > int64(at) {
			t.Fatalf("flip at %d reported at %d to %d", at, te.From, te.To)
		}

		// Truncation, also when the newest checkpoints are cut with it but the
		// head is known.
		tampered(t, "a truncation", l.entries[:at], l.checkpoints, l, nil)
		tampered(t, "a truncation with its checkpoints", l.entries[:at], nil, l, &l.front)

		// Reordering, with and without sequence numbers put right.
		other := rapid.IntRange(0, len(l.entries)-1).Draw(t, "other")
		if other != at {
			es = copyOf()
			es[at], es[other] = es[other], es[at]
			tampered(t, "a swap", es, l.checkpoints, l, nil)
		}
		es = slices.Delete(copyOf(), at, at+1)
		tampered(t, "a removal", es, l.checkpoints, l, nil)

		// A consistent rewrite: from the entry on, all hashes recomputed.
		es = copyOf()
		e, err := ParseEntry(es[at])
		if err != nil {
			t.Fatal(err)
		}
		e.Actor = "worker:w2"
		if es[at], err = e.Canonical(); err != nil {
			t.Fatal(err)
		}
		tampered(t, "a rewritten entry", es, l.checkpoints, l, nil)
	})
}

func TestAForkSignedByTheSameKeyIsDetected(t *testing.T) {
	l := filled(t, 10)
	fork := &testLog{signer: l.signer, verifier: l.verifier, nodes: map[int64]tlog.Hash{}}
	for range 10 {
		fork.add("session.reject")
	}
	fork.sign()
	both := append(slices.Clone(l.checkpoints), fork.checkpoints...)
	for _, entries := range [][][]byte{l.entries, fork.entries} {
		if te := tampered(t, "a fork", entries, both, l, nil); te.Kind != Fork {
			t.Errorf("reported as %s", te.Kind)
		}
	}
	// A fork that goes on longer contradicts the older checkpoint's root.
	fork.add("session.reject")
	fork.sign()
	tampered(t, "a longer fork", fork.entries, append(slices.Clone(l.checkpoints), fork.checkpoints[1]), l, nil)
}

func TestACheckpointOfAnotherKeyOrAlteredIsRefused(t *testing.T) {
	l, other := filled(t, 5), filled(t, 5)
	if te := tampered(t, "another key", l.entries, other.checkpoints, l, nil); te.Kind != BadSignature {
		t.Errorf("reported as %s", te.Kind)
	}
	for i := range l.checkpoints[0] {
		c := slices.Clone(l.checkpoints[0])
		c[i] ^= 1
		if _, err := verify(l.entries, [][]byte{c}, l.verifier, nil); err == nil {
			t.Errorf("checkpoint with byte %d changed was accepted", i)
		}
	}
}

func TestAnExportVerifiesByItselfAndIsTheCanonicalLines(t *testing.T) {
	l := filled(t, 50, 7)
	var buf bytes.Buffer
	if err := Export(&buf, each(l.checkpoints), each(l.entries)); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(buf.String(), "\n"); n != 1+2+50 {
		t.Errorf("%d lines", n)
	}
	cs, es, err := ReadExport(bytes.NewReader(buf.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Verify(es, l.verifier, nil, Source{"export", cs})
	if err != nil || r.Signed != 50 {
		t.Fatalf("%+v, %v", r, err)
	}
	broken := bytes.Replace(buf.Bytes(), []byte(`"seq":33`), []byte(`"seq":34`), 1)
	cs, es, err = ReadExport(bytes.NewReader(broken))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(es, l.verifier, nil, Source{"export", cs}); err == nil {
		t.Error("a changed export verifies")
	}
}

func TestOneEntryHasOneSpelling(t *testing.T) {
	e := Entry{Seq: 3, Time: start.Add(1234567 * time.Nanosecond), Actor: "client:tok_<1>", Action: "a&b", Refs: map[string]string{"z": "1", "a": "2"}}
	b, err := e.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"seq":3,"time":"2026-03-01T12:00:00.001234Z","actor":"client:tok_<1>","action":"a&b","refs":{"a":"2","z":"1"}}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	for _, other := range []string{
		strings.Replace(want, `{"seq":3,`, `{"seq": 3,`, 1), want + " ", want + "{}", strings.Replace(want, "<", `\u003c`, 1),
		strings.Replace(want, `"a":"2","z":"1"`, `"z":"1","a":"2"`, 1), strings.Replace(want, `"seq":3`, `"seq":3,"seq":3`, 1),
		strings.Replace(want, "Z", "+00:00", 1), strings.Replace(want, `"action"`, `"Action"`, 1), strings.Replace(want, `"refs"`, `"tenant":"","refs"`, 1),
	} {
		if _, err := ParseEntry([]byte(other)); err == nil {
			t.Errorf("accepted %s", other)
		}
	}
	for _, bad := range []Entry{{}, {Actor: "a"}, {Actor: "a", Action: "b", Seq: -1}, {Actor: "a", Action: "\xff"}, {Actor: "a", Action: strings.Repeat("x", MaxEntryBytes)}} {
		if _, err := bad.Canonical(); err == nil {
			t.Errorf("encoded %.40v", bad)
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add([]byte(`{"seq":3,"time":"2026-03-01T12:00:00.001234Z","actor":"a","action":"b"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEntry(b)
		if err != nil {
			return
		}
		again, err := e.Canonical()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%q became %q: %v", b, again, err)
		}
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add("proofline.test/audit\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := parseCheckpoint(s); err == nil && (c.Origin == "" || c.Size < 0) {
			t.Fatalf("%q parsed as %+v", s, c)
		}
	})
}

func FuzzReadExport(f *testing.F) {
	f.Add([]byte(exportHeader + "\n{\"checkpoint\":\"x\"}\n{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		cs, es, err := ReadExport(bytes.NewReader(b))
		if err != nil {
			return
		}
		for range cs {
		}
		for range es {
		}
	})
}

func FuzzUnmarshalFrontier(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var fr Frontier
		if fr.UnmarshalBinary(b) != nil {
			return
		}
		again, _ := fr.MarshalBinary()
		if !bytes.Equal(again, b) {
			t.Fatal("not the same bytes")
		}
		fr.Append([]byte("x"))
		fr.Root()
	})
}

func BenchmarkVerify(b *testing.B) {
	l := filled(b, 10000)
	b.ResetTimer()
	for range b.N {
		if _, err := verify(l.entries, l.checkpoints, l.verifier, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*10000/b.Elapsed().Seconds(), "entries/s")
}

func TestThePublicKeyFollowsFromTheSigner(t *testing.T) {
	signer, verifier, err := GenerateKey("proofline.test/audit")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := PublicKey(signer); err != nil || got != verifier {
		t.Errorf("%q, want %q (%v)", got, verifier, err)
	}
	for _, s := range []string{"", "x", verifier, signer[:len(signer)-4], strings.Replace(signer, "test", "tset", 1)} {
		if got, err := PublicKey(s); err == nil {
			t.Errorf("a key of %.12q: %q", s, got)
		}
	}
}

func asTamper(err error, te **TamperError) bool { return errors.As(err, te) }

// The figure in docs/audit-log.md is from this test, run by itself.
func TestAMillionEntriesAreVerifiedInSeconds(t *testing.T) {
	if testing.Short() || os.Getenv("PROOFLINE_MILLION") == "" {
		t.Skip("set PROOFLINE_MILLION=1 to verify a million entries")
	}
	l := newLog(t)
	var buf bytes.Buffer
	for i := range 1_000_000 {
		if i%200 == 0 {
			l.sign()
		}
		l.add("session.submit")
		clear(l.nodes)
	}
	l.sign()
	if err := Export(&buf, each(l.checkpoints), each(l.entries)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	cs, es, err := ReadExport(&buf)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Verify(es, l.verifier, nil, Source{"export", cs})
	took := time.Since(began)
	if err != nil || r.Signed != 1_000_000 || took > 30*time.Second {
		t.Fatalf("%v: %+v %v", took, r, err)
	}
	t.Logf("%d entries of %d bytes under %d checkpoints verified in %v", r.Entries, len(l.entries[0]), r.Checkpoints, took.Round(10*time.Millisecond))
}
