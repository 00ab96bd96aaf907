package challenge

import (
	"bytes"
	"testing"
)

func TestAChallengeIsDrawnFromAllOrders(t *testing.T) {
	seen := map[string]bool{}
	for range 4000 {
		steps, err := New()
		if err != nil || len(steps) != Steps {
			t.Fatal(steps, err)
		}
		name, at := "", LeadMS
		for i, s := range steps {
			if s.At != at || s.For < ShortestMS || s.For > LongestMS || i > 0 && s.Turn == steps[i-1].Turn {
				t.Fatalf("%+v", steps)
			}
			at += s.For
			name += string(s.Turn)
		}
		seen[name] = true
	}
	if len(seen) != 108 {
		t.Errorf("%d of 108 orders", len(seen))
	}
}

func FuzzNonceOf(f *testing.F) {
	f.Add([]byte(Magic + "\x03abc\x01"))
	f.Add([]byte(Magic + "\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		n, ok := NonceOf(b)
		if ok && !bytes.Equal(n, b[len(Magic)+1:][:len(n)]) || len(n) > MaxNonce {
			t.Errorf("%x of %x", n, b)
		}
	})
}
