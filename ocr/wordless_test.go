package ocr

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// trained builds a traineddata file of the given parts; nil is an absent one.
func trained(parts ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(parts)))
	at := int64(4 + 8*len(parts))
	for _, p := range parts {
		if p == nil {
			b = binary.LittleEndian.AppendUint64(b, ^uint64(0))
			continue
		}
		b = binary.LittleEndian.AppendUint64(b, uint64(at))
		at += int64(len(p))
	}
	return append(b, bytes.Join(parts, nil)...)
}

func TestTheWordListIsLeftOutAndTheRestIsAsItWas(t *testing.T) {
	parts := make([][]byte, 24)
	parts[0], parts[17], parts[wordListPart], parts[20], parts[23] = []byte("config"), []byte("network"), bytes.Repeat([]byte("word"), 1000), []byte("numbers"), []byte("5.0")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "xx.traineddata"), trained(parts...), 0o600); err != nil {
		t.Fatal(err)
	}
	lean, err := withoutWords(dir, "xx")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(lean)
	got, err := os.ReadFile(filepath.Join(lean, "xx.traineddata"))
	if err != nil {
		t.Fatal(err)
	}
	parts[wordListPart] = nil
	if !bytes.Equal(got, trained(parts...)) {
		t.Errorf("%q", got)
	}
}

func TestAPoolWithoutWordsReadsAndLeavesNoFileBehind(t *testing.T) {
	if _, err := SystemTessdata("eng"); err != nil {
		t.Skip(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	p, err := NewPool(PoolOptions{Clients: 2, NoWords: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	m := printed("SURNAME ERIKSSON\nBORN 12 AUG 1974")
	defer m.Close()
	page, err := p.Read(t.Context(), m, Request{PSM: 6})
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, w := range page.Words {
		words = append(words, w.Text)
	}
	if !strings.Contains(strings.Join(words, " "), "ERIKSSON") {
		t.Errorf("read %q", words)
	}
}

func FuzzTrainedDataTable(f *testing.F) {
	f.Add(trained([]byte("a"), nil, []byte("bc")))
	f.Add([]byte{255, 255, 255, 127})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, err := trainedParts(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for _, p := range parts {
			if p.at < 0 || p.size < 0 || p.at+p.size > int64(len(b)) {
				t.Fatalf("part %+v of %d bytes", p, len(b))
			}
		}
	})
}
