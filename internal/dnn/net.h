#ifndef PROOFLINE_DNN_NET_H
#define PROOFLINE_DNN_NET_H

#ifdef __cplusplus
extern "C" {
#endif

#define PL_DNN_MAX_DIMS 8

// One output of a run. data belongs to pl_dnn_result and is freed with it.
typedef struct {
  float *data;
  int dims;
  int shape[PL_DNN_MAX_DIMS];
  long total;
} pl_dnn_tensor;

typedef struct {
  pl_dnn_tensor *tensors;
  int count;
  char *error; // NULL when the run succeeded
} pl_dnn_result;

// Reads an ONNX model from memory. Returns NULL and sets *error (malloc'ed)
// when OpenCV does not accept it.
void *pl_dnn_open(const char *bytes, long size, char **error);
void pl_dnn_close(void *net);

// Runs the network on one float32 input and copies all its outputs.
pl_dnn_result pl_dnn_run(void *net, const float *in, const int *shape, int dims);
void pl_dnn_free(pl_dnn_result r);

void pl_dnn_threads(int n);

#ifdef __cplusplus
}
#endif
#endif
