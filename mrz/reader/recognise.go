package reader

import (
	_ "embed"
	"fmt"
	"math"

	"gocv.io/x/gocv"
)

// ocrb is the line recogniser: a small convolutional network that gives, for
// every fourth column of a strip, scores of the 37 characters and of "between
// characters". train/ holds the generator of its training data (rendered text
// only), the training script and its seed.
//
//go:embed ocrb.onnx
var ocrb []byte

const (
	alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<"
	classes  = len(alphabet) + 1
	gap      = len(alphabet) // the class between characters
	filler   = len(alphabet) - 1

	fullCols  = 832 // 44 characters and eight of margin
	probeCols = 320 // 20 characters: enough to tell a zone from other text
)

func classOf(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10
	}
	return filler
}

// network holds one copy of the recogniser per strip width: changing the
// width of a loaded network makes OpenCV plan it anew. One goroutine at a time.
type network struct{ full, probe gocv.Net }

func newNetwork() (*network, error) {
	var n network
	for _, p := range []*gocv.Net{&n.full, &n.probe} {
		net, err := gocv.ReadNetFromONNXBytes(ocrb)
		if err != nil || net.Empty() {
			return nil, fmt.Errorf("load the OCR-B recogniser: %w", err)
		}
		*p = net
	}
	return &n, nil
}

func (n *network) close() {
	n.full.Close()
	n.probe.Close()
}

// columns holds log probabilities, classes values per column of four pixels.
type columns struct {
	n int
	p []float32
}

func (c columns) at(i int) []float32 { return c.p[i*classes : (i+1)*classes] }

// read runs the network over a strip of fullCols or probeCols.
func (n *network) read(strip gocv.Mat) (columns, error) {
	px, err := strip.DataPtrUint8()
	if err != nil {
		return columns{}, err
	}
	cols := strip.Cols()
	var sum, sq float64
	for _, v := range px {
		sum += float64(v)
		sq += float64(v) * float64(v)
	}
	mean := sum / float64(len(px))
	dev := math.Sqrt(math.Max(0, sq/float64(len(px))-mean*mean)) + 4
	blob := gocv.NewMatWithSizes([]int{1, 1, stripHeight, cols}, gocv.MatTypeCV32F)
	defer blob.Close()
	in, err := blob.DataPtrFloat32()
	if err != nil {
		return columns{}, err
	}
	for i, v := range px {
		in[i] = float32((float64(v) - mean) / dev)
	}
	net := &n.full
	if cols == probeCols {
		net = &n.probe
	}
	net.SetInput(blob, "")
	out := net.Forward("")
	defer out.Close()
	scores, err := out.DataPtrFloat32()
	if err != nil {
		return columns{}, fmt.Errorf("recognise a strip: %w", err)
	}
	return logSoftmax(scores, cols/stride), nil
}

// logSoftmax turns class-major scores into column-major log probabilities.
func logSoftmax(scores []float32, n int) columns {
	c := columns{n: n, p: make([]float32, n*classes)}
	for i := range n {
		top := float32(math.Inf(-1))
		for k := range classes {
			top = max(top, scores[k*n+i])
		}
		var sum float64
		for k := range classes {
			sum += math.Exp(float64(scores[k*n+i] - top))
		}
		ls := float32(math.Log(sum)) + top
		for k := range classes {
			c.p[i*classes+k] = scores[k*n+i] - ls
		}
	}
	return c
}

// best is the most probable character of a column.
func best(p []float32) (int, float32) {
	at, top := 0, p[0]
	for k := 1; k < gap; k++ {
		if p[k] > top {
			at, top = k, p[k]
		}
	}
	return at, top
}
