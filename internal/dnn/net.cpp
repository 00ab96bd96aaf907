#include "net.h"

#include <opencv2/core.hpp>
#include <opencv2/dnn.hpp>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace {

// Flushes denormal numbers to zero for the life of one call. The thread goes
// back to Go's scheduler afterwards, so its control word is restored.
class FlushDenormals {
public:
#if defined(__SSE2__)
  FlushDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(saved_); }

private:
  unsigned int saved_;
#endif
};

char *copy_text(const std::string &s) {
  char *out = static_cast<char *>(std::malloc(s.size() + 1));
  if (out != nullptr) std::memcpy(out, s.c_str(), s.size() + 1);
  return out;
}

} // namespace

void *pl_dnn_open(const char *bytes, long size, char **error) {
  *error = nullptr;
  try {
    cv::dnn::Net net = cv::dnn::readNetFromONNX(bytes, static_cast<size_t>(size));
    if (net.empty()) {
      *error = copy_text("the model has no layers");
      return nullptr;
    }
    net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
    return new cv::dnn::Net(net);
  } catch (const std::exception &e) {
    *error = copy_text(e.what());
  } catch (...) {
    *error = copy_text("unknown C++ exception");
  }
  return nullptr;
}

void pl_dnn_close(void *net) { delete static_cast<cv::dnn::Net *>(net); }

pl_dnn_result pl_dnn_run(void *net, const float *in, const int *shape, int dims) {
  pl_dnn_result r = {nullptr, 0, nullptr};
  FlushDenormals flush;
  try {
    cv::Mat input(dims, shape, CV_32F, const_cast<float *>(in));
    std::vector<cv::Mat> outs;
    cv::dnn::Net *n = static_cast<cv::dnn::Net *>(net);
    n->setInput(input);
    n->forward(outs, n->getUnconnectedOutLayersNames());
    r.tensors = static_cast<pl_dnn_tensor *>(std::calloc(outs.size(), sizeof(pl_dnn_tensor)));
    if (r.tensors == nullptr) CV_Error(cv::Error::StsNoMem, "output table");
    for (const cv::Mat &out : outs) {
      if (out.type() != CV_32F || out.dims > PL_DNN_MAX_DIMS)
        CV_Error(cv::Error::StsUnsupportedFormat, "output is not a float32 tensor of few dimensions");
      const cv::Mat whole = out.isContinuous() ? out : out.clone();
      pl_dnn_tensor &t = r.tensors[r.count];
      t.total = static_cast<long>(whole.total());
      t.data = static_cast<float *>(std::malloc(sizeof(float) * (t.total > 0 ? t.total : 1)));
      if (t.data == nullptr) CV_Error(cv::Error::StsNoMem, "output");
      r.count++;
      std::memcpy(t.data, whole.ptr<float>(), sizeof(float) * t.total);
      t.dims = whole.dims;
      for (int i = 0; i < whole.dims; i++) t.shape[i] = whole.size[i];
    }
  } catch (const std::exception &e) {
    r.error = copy_text(e.what());
  } catch (...) {
    r.error = copy_text("unknown C++ exception");
  }
  return r;
}

void pl_dnn_free(pl_dnn_result r) {
  for (int i = 0; i < r.count; i++) std::free(r.tensors[i].data);
  std::free(r.tensors);
  std::free(r.error);
}

void pl_dnn_threads(int n) { cv::setNumThreads(n); }
