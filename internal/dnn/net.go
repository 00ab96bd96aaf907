package dnn

/*
#cgo pkg-config: opencv4
#cgo CXXFLAGS: --std=c++11 -DNDEBUG
#include <stdlib.h>
#include "net.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"
)

// MaxModelBytes bounds the file that Open reads into memory. The largest
// model of the manifest has 39 MB.
const MaxModelBytes = 256 << 20

// ErrClosed is returned by Run on a closed Net.
var ErrClosed = errors.New("network is closed")

// live counts open instances, so that tests can prove that none is left over.
var live atomic.Int64

// Live returns the number of network instances that are open in this process.
func Live() int { return int(live.Load()) }

// SetThreads sets how many threads OpenCV uses inside one call, for the whole
// process: 1 for a worker that runs several cases side by side, 0 or less for
// OpenCV's own choice.
func SetThreads(n int) {
	if n <= 0 {
		n = -1
	}
	C.pl_dnn_threads(C.int(n))
}

// Tensor is a dense float32 array in row-major order.
type Tensor struct {
	Shape []int
	Data  []float32
}

// Net is a bounded pool of instances of one network.
type Net struct {
	model []byte

	idle   chan unsafe.Pointer // instances waiting for work
	grow   chan struct{}       // one permit per instance that may still be made
	closed chan struct{}
	once   sync.Once
	busy   sync.WaitGroup
	mu     sync.Mutex // orders busy.Add against Close
}

// Open reads an ONNX file and prepares a pool of at most instances networks
// (at least one). The first instance is made at once, so a file that OpenCV
// can not read fails here; the others are made when goroutines wait for them.
func Open(file string, instances int) (*Net, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("open model: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open model: %w", err)
	}
	if st.Size() == 0 || st.Size() > MaxModelBytes {
		return nil, fmt.Errorf("model has %d bytes, want 1 to %d", st.Size(), MaxModelBytes)
	}
	model := make([]byte, st.Size()) // at once: a buffer that grows leaves twice as much behind
	if _, err := io.ReadFull(f, model); err != nil {
		return nil, fmt.Errorf("read model: %w", err)
	}
	instances = max(instances, 1)
	n := &Net{
		model:  model,
		idle:   make(chan unsafe.Pointer, instances),
		grow:   make(chan struct{}, instances),
		closed: make(chan struct{}),
	}
	first, err := n.instance()
	if err != nil {
		return nil, err
	}
	n.idle <- first
	for range instances - 1 {
		n.grow <- struct{}{}
	}
	return n, nil
}

func (n *Net) instance() (unsafe.Pointer, error) {
	var msg *C.char
	p := C.pl_dnn_open((*C.char)(unsafe.Pointer(&n.model[0])), C.long(len(n.model)), &msg)
	if p == nil {
		defer C.free(unsafe.Pointer(msg))
		return nil, fmt.Errorf("load network: %s", C.GoString(msg))
	}
	live.Add(1)
	return p, nil
}

// acquire takes an idle instance, makes one if the pool may still grow, or
// waits.
func (n *Net) acquire() (unsafe.Pointer, error) {
	n.mu.Lock()
	select {
	case <-n.closed:
		n.mu.Unlock()
		return nil, ErrClosed
	default:
		n.busy.Add(1)
	}
	n.mu.Unlock()
	select {
	case p := <-n.idle:
		return p, nil
	default:
	}
	select {
	case p := <-n.idle:
		return p, nil
	case <-n.grow:
		p, err := n.instance()
		if err != nil {
			n.grow <- struct{}{}
			n.busy.Done()
			return nil, err
		}
		return p, nil
	}
}

// Run feeds one input through the network and returns copies of its outputs,
// in the order in which the network lists its unconnected layers. OpenCV
// versions differ in how they name and order them: tell outputs apart by
// their shape.
func (n *Net) Run(in Tensor) ([]Tensor, error) {
	total := 1
	shape := make([]C.int, len(in.Shape))
	for i, s := range in.Shape {
		total *= max(s, 0)
		shape[i] = C.int(s)
	}
	if len(shape) == 0 || len(shape) > C.PL_DNN_MAX_DIMS || total <= 0 || total != len(in.Data) {
		return nil, fmt.Errorf("input of shape %v does not fit %d values", in.Shape, len(in.Data))
	}
	p, err := n.acquire()
	if err != nil {
		return nil, err
	}
	defer func() {
		n.idle <- p
		n.busy.Done()
	}()

	r := C.pl_dnn_run(p, (*C.float)(unsafe.Pointer(&in.Data[0])), &shape[0], C.int(len(shape)))
	defer C.pl_dnn_free(r)
	if r.error != nil {
		return nil, fmt.Errorf("run network: %s", C.GoString(r.error))
	}
	outs := make([]Tensor, int(r.count))
	for i, t := range unsafe.Slice(r.tensors, int(r.count)) {
		for d := range int(t.dims) {
			outs[i].Shape = append(outs[i].Shape, int(t.shape[d]))
		}
		outs[i].Data = make([]float32, int(t.total))
		copy(outs[i].Data, unsafe.Slice((*float32)(unsafe.Pointer(t.data)), int(t.total)))
	}
	return outs, nil
}

// Close waits for runs under way and frees every instance. Runs that start
// afterwards fail with ErrClosed. Close may be called twice.
func (n *Net) Close() {
	n.once.Do(func() {
		n.mu.Lock()
		close(n.closed)
		n.mu.Unlock()
		n.busy.Wait()
		for len(n.idle) > 0 {
			C.pl_dnn_close(<-n.idle)
			live.Add(-1)
		}
	})
}
