package storage

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

// vector is one entry of testdata/vectors.json, which other implementations
// may test against; docs/vault-format.md describes it.
type vector struct {
	Name    string `json:"name"`
	Result  string `json:"result"` // ok, format, mismatch, tampered
	DEK     []byte `json:"dek"`
	Session string `json:"session"`
	Class   Class  `json:"class"`
	Object  string `json:"object"`
	Stored  []byte `json:"stored"`
	Plain   []byte `json:"plain,omitempty"` // of ok
}

var results = map[string]error{"ok": nil, "format": ErrFormat, "mismatch": ErrMismatch, "tampered": ErrTampered}

func sealed(t testing.TB, dek []byte, b binding, plain []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := encrypt(&buf, dek, b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if int64(buf.Len()) != storedSize(int64(len(plain))) {
		t.Fatalf("%d bytes became %d, storedSize says %d", len(plain), buf.Len(), storedSize(int64(len(plain))))
	}
	return buf.Bytes()
}

func unsealed(stored, dek []byte, b binding) ([]byte, error) {
	r, err := decrypt(bytes.NewReader(stored), dek, b)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// makeVectors builds one example of every class of failure.
func makeVectors(t *testing.T) []vector {
	dek := bytes.Repeat([]byte{7}, dekSize)
	b := binding{"ses_1", CaptureImage, "obj_1"}
	small := []byte("a passport that does not exist")
	big := bytes.Repeat([]byte("0123456789abcdef"), 9000) // three segments
	s, l := sealed(t, dek, b, small), sealed(t, dek, b, big)
	cut := func(x []byte, n int) []byte { return bytes.Clone(x[:n]) }
	flip := func(x []byte, i int) []byte { y := bytes.Clone(x); y[i] ^= 1; return y }
	const seg = 1 << segmentLog2
	first, second, third := headerSize, headerSize+seg, headerSize+2*seg
	swapped := append(append(append(cut(l, first), l[first:first+tinkHeader]...), l[second:third]...), l[first+tinkHeader:second]...)
	swapped = append(swapped, l[third:]...)
	v := func(name, result string, stored []byte, b binding, dek []byte, plain []byte) vector {
		return vector{name, result, dek, b.session, b.class, b.object, stored, plain}
	}
	return []vector{
		v("empty plaintext", "ok", sealed(t, dek, b, nil), b, dek, []byte{}),
		v("one segment", "ok", s, b, dek, small),
		v("no bytes at all", "format", nil, b, dek, nil),
		v("header cut", "format", cut(s, headerSize-1), b, dek, nil),
		v("magic changed", "format", flip(s, 0), b, dek, nil),
		v("unknown version", "format", flip(s, 7), b, dek, nil),
		v("segment size out of range", "format", append(append(cut(s, 8), 60), s[9:]...), b, dek, nil),
		v("reserved byte set", "format", flip(s, 10), b, dek, nil),
		v("segment size changed", "mismatch", flip(s, 8), b, dek, nil),
		v("commitment changed", "mismatch", flip(s, 20), b, dek, nil),
		v("wrong key", "mismatch", s, b, bytes.Repeat([]byte{8}, dekSize), nil),
		v("another session's object", "mismatch", s, binding{"ses_2", b.class, b.object}, dek, nil),
		v("another class's object", "mismatch", s, binding{b.session, Outcome, b.object}, dek, nil),
		v("another object", "mismatch", s, binding{b.session, b.class, "obj_2"}, dek, nil),
		v("only the header is left", "tampered", cut(s, headerSize), b, dek, nil),
		v("last byte missing", "tampered", cut(s, len(s)-1), b, dek, nil),
		v("one byte appended", "tampered", append(bytes.Clone(s), 0), b, dek, nil),
		v("salt changed", "tampered", flip(s, headerSize+5), b, dek, nil),
		v("content changed", "tampered", flip(s, headerSize+tinkHeader), b, dek, nil),
		v("tag changed", "tampered", flip(s, len(s)-1), b, dek, nil),
		v("another object's body", "tampered", append(cut(s, headerSize), sealed(t, dek, binding{"ses_1", CaptureImage, "obj_9"}, small)[headerSize:]...), b, dek, nil),
		v("last segment missing", "tampered", cut(l, third), b, dek, nil),
		v("segments swapped", "tampered", swapped, b, dek, nil),
		v("extended by an own segment", "tampered", append(bytes.Clone(l), l[second:third]...), b, dek, nil),
	}
}

func TestVectorsOfEveryFailureClass(t *testing.T) {
	const path = "testdata/vectors.json"
	if *update {
		small := []vector{}
		for _, v := range makeVectors(t) {
			if len(v.Stored) < 4096 { // the file stays small; the large ones are made by each run
				small = append(small, v)
			}
		}
		b, err := json.MarshalIndent(small, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var stored []vector
	if err := json.Unmarshal(b, &stored); err != nil {
		t.Fatal(err)
	}
	for _, set := range []struct {
		name string
		v    []vector
	}{{"stored", stored}, {"fresh", makeVectors(t)}} {
		for _, v := range set.v {
			t.Run(set.name+"/"+v.Name, func(t *testing.T) {
				got, err := unsealed(v.Stored, v.DEK, binding{v.Session, v.Class, v.Object})
				want, known := results[v.Result]
				if !known {
					t.Fatalf("unknown result %q", v.Result)
				}
				if !errors.Is(err, want) || (err != nil) != (want != nil) {
					t.Fatalf("error is %v, want %v", err, want)
				}
				if err != nil && !errors.Is(err, ErrCorrupt) {
					t.Fatalf("%v is no ErrCorrupt", err)
				}
				if err == nil && !bytes.Equal(got, v.Plain) {
					t.Fatal("wrong plaintext")
				}
			})
		}
	}
}

func TestEverySingleFlippedByteIsFound(t *testing.T) {
	dek, b := bytes.Repeat([]byte{1}, dekSize), binding{"s", CaptureImage, "o"}
	stored := sealed(t, dek, b, bytes.Repeat([]byte("x"), 300))
	for i := range stored {
		bad := bytes.Clone(stored)
		bad[i] ^= 0x80
		if _, err := unsealed(bad, dek, b); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
	}
	for i := range stored {
		if _, err := unsealed(stored[:i], dek, b); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
}

func TestAReadErrorOfTheStoreIsNoCorruption(t *testing.T) {
	dek, b := bytes.Repeat([]byte{1}, dekSize), binding{"s", CaptureImage, "o"}
	stored := sealed(t, dek, b, bytes.Repeat([]byte("x"), 200_000))
	for _, cause := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} {
		for _, n := range []int{10, 40, 1000, 100_000} {
			src := io.MultiReader(bytes.NewReader(stored[:n]), iotest.ErrReader(cause))
			r, err := decrypt(src, dek, b)
			if err == nil {
				_, err = io.ReadAll(r)
			}
			// A header cut by an unexpected end is indistinguishable from a short object.
			if n > headerSize && (errors.Is(err, ErrCorrupt) || !errors.Is(err, cause)) {
				t.Fatalf("after %d bytes: %v", n, err)
			}
			if err == nil {
				t.Fatalf("after %d bytes: no error", n)
			}
			if r != nil {
				if _, again := r.Read(make([]byte, 1)); again == nil || again == io.EOF {
					t.Fatalf("the error does not last: %v", again)
				}
			}
		}
	}
}

func FuzzDecrypt(f *testing.F) {
	dek, b := bytes.Repeat([]byte{1}, dekSize), binding{"s", CaptureImage, "o"}
	plain := []byte(strings.Repeat("y", 100))
	good := sealed(f, dek, b, plain)
	f.Add(good)
	f.Add(good[:40])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, stored []byte) {
		got, err := unsealed(stored, dek, b)
		if err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("untyped error: %v", err)
		}
		if err == nil && !bytes.Equal(got, plain) {
			t.Fatalf("forged: %s", base64.StdEncoding.EncodeToString(stored))
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	f.Add("k1 " + strings.Repeat("A", 43) + "=\n# c\nk2 " + strings.Repeat("B", 42) + "A=")
	f.Fuzz(func(t *testing.T, text string) {
		if l, err := ParseKeys(text); err == nil && l.keys[l.primary] == nil {
			t.Fatal("a keyring without its primary key")
		}
	})
}

func BenchmarkEncrypt(b *testing.B) {
	dek := make([]byte, dekSize)
	rand.Read(dek)
	data := make([]byte, 8<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		w, err := encrypt(io.Discard, dek, binding{"s", CaptureImage, "o"})
		if err != nil {
			b.Fatal(err)
		}
		w.Write(data)
		w.Close()
	}
}

func BenchmarkDecrypt(b *testing.B) {
	dek := make([]byte, dekSize)
	rand.Read(dek)
	bind := binding{"s", CaptureImage, "o"}
	data := make([]byte, 8<<20)
	stored := sealed(b, dek, bind, data)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		r, err := decrypt(bytes.NewReader(stored), dek, bind)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != int64(len(data)) {
			b.Fatal(n, err)
		}
	}
}
