package models

import (
	"fmt"
	"strings"
)

// convertDlibFace makes an ONNX file of dlib's face recognition network
// (dlib_face_recognition_resnet_model_v1: 29 convolutions, 150×150 RGB to 128
// numbers) from the weights manifest and the weights that face-api keeps for
// TensorFlow.js. The result depends on nothing but these bytes.
func convertDlibFace(files [][]byte) ([]byte, error) {
	w, err := readTFJS(files[0], files[1])
	if err != nil {
		return nil, err
	}
	b := &dlibBuilder{w: w}
	x := b.relu(b.conv("conv32_down", "input", 2, 0))
	x = b.node("MaxPool", "pool", []string{x}, onnxInts{"kernel_shape", []int{3, 3}}, onnxInts{"strides", []int{2, 2}})
	side := 35
	for _, n := range []string{"conv32_1", "conv32_2", "conv32_3"} {
		x = b.residual(n, x)
	}
	x, side = b.down("conv64_down", x, side, 32)
	for _, n := range []string{"conv64_1", "conv64_2", "conv64_3"} {
		x = b.residual(n, x)
	}
	x, side = b.down("conv128_down", x, side, 64)
	for _, n := range []string{"conv128_1", "conv128_2"} {
		x = b.residual(n, x)
	}
	x, side = b.down("conv256_down", x, side, 128)
	for _, n := range []string{"conv256_1", "conv256_2"} {
		x = b.residual(n, x)
	}
	x, _ = b.down("conv256_down_out", x, side, 0)
	x = b.node("GlobalAveragePool", "mean", []string{x})
	x = b.node("Flatten", "flat", []string{x})
	fc := b.get("fc", 2)
	if b.err != nil {
		return nil, b.err
	}
	b.node("MatMul", "embedding", []string{x, b.tensor("fc", fc.values, fc.shape...)})
	return b.model("dlib_face_recognition_resnet", onnxValue("input", 1, 3, 150, 150), onnxValue("embedding", 1, 128)), nil
}

// dlibBuilder adds layers until one's weights are missing; err keeps the first.
type dlibBuilder struct {
	onnxGraph
	w   map[string]tfjsTensor
	err error
}

func (b *dlibBuilder) get(name string, dims int) tfjsTensor {
	t, ok := b.w[name]
	if b.err == nil && (!ok || len(t.shape) != dims) {
		b.err = &ConvertError{fmt.Sprintf("no array %s of %d dimensions", name, dims)}
	}
	if b.err != nil {
		return tfjsTensor{shape: make([]int, dims)}
	}
	return t
}

// conv is a convolution with the affine layer behind it folded in.
func (b *dlibBuilder) conv(name, in string, stride, pad int) string {
	filters := b.get(name+"/conv/filters", 4) // rows, columns, in, out
	bias := b.get(name+"/conv/bias", 1).values
	scale := b.get(name+"/scale/weights", 1).values
	shift := b.get(name+"/scale/biases", 1).values
	kh, kw, ci, co := filters.shape[0], filters.shape[1], filters.shape[2], filters.shape[3]
	if b.err == nil && (len(bias) != co || len(scale) != co || len(shift) != co) {
		b.err = &ConvertError{fmt.Sprintf("layer %s has arrays of different lengths", name)}
	}
	if b.err != nil {
		return ""
	}
	w, c := make([]float32, len(filters.values)), make([]float32, co)
	for o := range co {
		for i := range ci {
			for k := range kh * kw {
				w[(o*ci+i)*kh*kw+k] = filters.values[(k*ci+i)*co+o] * scale[o]
			}
		}
		c[o] = float32(bias[o]*scale[o]) + shift[o] // not fused, see tfjsEntry.read
	}
	n := strings.ReplaceAll(name, "/", "_")
	inputs := []string{in, b.tensor(n+"_w", w, co, ci, kh, kw), b.tensor(n+"_b", c, co)}
	return b.node("Conv", n, inputs, onnxInts{"kernel_shape", []int{kh, kw}},
		onnxInts{"strides", []int{stride, stride}}, onnxInts{"pads", []int{pad, pad, pad, pad}})
}

func (b *dlibBuilder) relu(in string) string { return b.node("Relu", in+"_relu", []string{in}) }

// residual is x + f(x).
func (b *dlibBuilder) residual(name, in string) string {
	y := b.relu(b.conv(name+"/conv1", in, 1, 1))
	y = b.conv(name+"/conv2", y, 1, 1)
	return b.relu(b.node("Add", name+"_sum", []string{y, in}))
}

// down halves the sides and adds channels. Where the side is even, pooling gives
// one row and column more than the convolution; dlib fills up both with zeros.
func (b *dlibBuilder) down(name, in string, side, more int) (out string, half int) {
	y := b.relu(b.conv(name+"/conv1", in, 2, 0))
	y = b.conv(name+"/conv2", y, 1, 1)
	x := b.node("AveragePool", name+"_pool", []string{in}, onnxInts{"kernel_shape", []int{2, 2}}, onnxInts{"strides", []int{2, 2}})
	half = side / 2
	if d := half - (side-1)/2; d > 0 {
		y = b.node("Pad", name+"_pad", []string{y}, onnxInts{"pads", []int{0, 0, 0, 0, 0, 0, d, d}})
	}
	if more > 0 {
		x = b.node("Pad", name+"_more", []string{x}, onnxInts{"pads", []int{0, 0, 0, 0, 0, more, 0, 0}})
	}
	return b.relu(b.node("Add", name+"_sum", []string{y, x})), half
}
