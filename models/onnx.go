package models

import (
	"encoding/binary"
	"math"
)

// onnxGraph collects the fields of a GraphProto (onnx.proto, IR version 4,
// operator set 9: what OpenCV 4.6 reads). Only what the converters need.
type onnxGraph struct{ nodes, weights []byte }

// Wire types of Protocol Buffers.
const (
	wireVarint = 0
	wireBytes  = 2
)

func protoNumber(b []byte, field int, v int64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(field)<<3|wireVarint), uint64(v))
}

func protoBytes[T string | []byte](b []byte, field int, v T) []byte {
	b = binary.AppendUvarint(b, uint64(field)<<3|wireBytes)
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

// tensor adds a constant of 32-bit floats and returns its name.
func (g *onnxGraph) tensor(name string, values []float32, dims ...int) string {
	const float = 1 // TensorProto.DataType
	var t []byte
	for _, d := range dims {
		t = protoNumber(t, 1, int64(d))
	}
	t = protoNumber(t, 2, float)
	t = protoBytes(t, 8, name)
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	g.weights = protoBytes(g.weights, 5, protoBytes(t, 9, raw))
	return name
}

// onnxInts is an attribute that lists numbers.
type onnxInts struct {
	name   string
	values []int
}

// node adds an operation and returns the name of what it gives.
func (g *onnxGraph) node(op, out string, in []string, attributes ...onnxInts) string {
	const ints = 7 // AttributeProto.AttributeType
	var n []byte
	for _, s := range in {
		n = protoBytes(n, 1, s)
	}
	n = protoBytes(n, 2, out)
	n = protoBytes(n, 3, out)
	n = protoBytes(n, 4, op)
	for _, a := range attributes {
		b := protoBytes(nil, 1, a.name)
		for _, v := range a.values {
			b = protoNumber(b, 8, int64(v))
		}
		n = protoBytes(n, 5, protoNumber(b, 20, ints))
	}
	g.nodes = protoBytes(g.nodes, 1, n)
	return out
}

// onnxValue describes an input or output of floats (ValueInfoProto).
func onnxValue(name string, dims ...int) []byte {
	const float = 1
	var shape []byte
	for _, d := range dims {
		shape = protoBytes(shape, 1, protoNumber(nil, 1, int64(d)))
	}
	tensor := protoBytes(protoNumber(nil, 1, float), 2, shape)
	return protoBytes(protoBytes(nil, 1, name), 2, protoBytes(nil, 1, tensor))
}

// model is the whole file (ModelProto).
func (g *onnxGraph) model(name string, in, out []byte) []byte {
	graph := protoBytes(append([]byte{}, g.nodes...), 2, name)
	graph = append(graph, g.weights...)
	graph = protoBytes(protoBytes(graph, 11, in), 12, out)
	m := protoBytes(protoNumber(nil, 1, 4), 2, "proofline")
	m = protoBytes(m, 7, graph)
	return protoBytes(m, 8, protoNumber(protoBytes(nil, 1, ""), 2, 9))
}
