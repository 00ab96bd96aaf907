package models

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
)

// Bounds on a set of TensorFlow.js weights; that of dlib's network has 6.4 MB.
const (
	maxTFJSWeights  = 32 << 20
	maxTFJSManifest = 1 << 20
)

// ConvertError says that a package's file is not what its converter expects.
type ConvertError struct{ Reason string }

func (e *ConvertError) Error() string { return "convert weights: " + e.Reason }

// tfjsTensor is one array of a TensorFlow.js weights file, as floats.
type tfjsTensor struct {
	shape  []int
	values []float32
}

// readTFJS reads the weights manifest of TensorFlow.js and the file beside it,
// in which the arrays follow one another as 32-bit floats or as bytes with a
// scale and an offset.
func readTFJS(manifest, bin []byte) (map[string]tfjsTensor, error) {
	if len(bin) > maxTFJSWeights || len(manifest) > maxTFJSManifest {
		return nil, &ConvertError{"too large"}
	}
	var groups []struct {
		Weights []tfjsEntry `json:"weights"`
	}
	if err := json.Unmarshal(manifest, &groups); err != nil || len(groups) != 1 {
		return nil, &ConvertError{"not a weights manifest of one group"}
	}
	out := map[string]tfjsTensor{}
	for _, e := range groups[0].Weights {
		t, rest, err := e.read(bin)
		if err != nil {
			return nil, err
		}
		out[e.Name], bin = t, rest
	}
	if len(bin) != 0 {
		return nil, &ConvertError{fmt.Sprintf("%d bytes too many", len(bin))}
	}
	return out, nil
}

type tfjsEntry struct {
	Name         string            `json:"name"`
	Shape        []int             `json:"shape"`
	Dtype        string            `json:"dtype"`
	Quantization *tfjsQuantization `json:"quantization,omitempty"`
}

type tfjsQuantization struct {
	Dtype string  `json:"dtype"`
	Scale float64 `json:"scale"`
	Min   float64 `json:"min"`
}

// read takes the entry's values from the front of bin.
func (e tfjsEntry) read(bin []byte) (t tfjsTensor, rest []byte, err error) {
	n, q := 1, e.Quantization
	for _, s := range e.Shape {
		if s < 1 || s > 4096 || n*s > maxTFJSWeights {
			return t, nil, &ConvertError{"shape of an array"}
		}
		n *= s
	}
	width := 4
	if q != nil {
		width = 1
	}
	if e.Dtype != "float32" || q != nil && q.Dtype != "uint8" || n*width > len(bin) {
		return t, nil, &ConvertError{fmt.Sprintf("an array of %d values of type %.20s", n, e.Dtype)}
	}
	t = tfjsTensor{e.Shape, make([]float32, n)}
	for i := range t.values {
		if q == nil {
			t.values[i] = math.Float32frombits(binary.LittleEndian.Uint32(bin[4*i:]))
		} else {
			// The conversion forbids a fused multiply-add, whose rounding differs
			// between processors: the file made here has a digest to meet.
			t.values[i] = float32(float64(float64(bin[i])*q.Scale) + q.Min)
		}
	}
	return t, bin[n*width:], nil
}
