// Package dnn runs ONNX networks on OpenCV's DNN module.
//
// [Open] reads a model file once and gives a [Net], a bounded pool of network
// instances that any number of goroutines may call [Net.Run] on: an OpenCV
// network holds its intermediate results and so must never be run by two
// goroutines at once. A [Tensor] is a plain slice of float32 with its shape.
//
// The package talks to OpenCV through its own few lines of C++ (net.cpp)
// rather than through gocv.Net, for three reasons that show up in a service
// which runs for months: gocv's ForwardLayers leaks the output names and the
// array of outputs on each call, gocv keeps the last C++ exception in one
// global variable that goroutines share, and denormal weights (the default
// face embedding has thousands) have to be flushed to zero on the thread that
// multiplies them, or each costs a microcode trap.
//
// OpenCV's own thread pool is shared by the whole process: [SetThreads] sets
// it. One thread per worker gives the best throughput when workers run side
// by side; a single interactive command is quicker with all cores.
package dnn
