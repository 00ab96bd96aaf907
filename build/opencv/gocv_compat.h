// Makes gocv v0.43 compile against OpenCV 4.5.4 to 4.7, which Debian 12 and
// Ubuntu 22.04 and 24.04 ship. It does nothing from OpenCV 4.8 on.
//
// gocv wraps a few declarations that OpenCV gained in 4.8: the "with params"
// variants of blobFromImage, and a face detector that reads its model from
// memory. They are declared here so that gocv's wrappers of them compile.
// Proofline calls none of them; whoever does gets an OpenCV exception that says
// which version is needed, never a wrong result.
//
// opencv4.pc force-includes this file ahead of each C and C++ source that is
// built with its flags, hence the guard for C.
#if defined(__cplusplus) && !defined(PROOFLINE_GOCV_COMPAT_H)
#define PROOFLINE_GOCV_COMPAT_H

#include <opencv2/core/version.hpp>
#if CV_VERSION_MAJOR == 4 && CV_VERSION_MINOR < 8

#include <opencv2/dnn.hpp>
#include <opencv2/objdetect.hpp>
#include <vector>

namespace proofline {
[[noreturn]] inline void needs_4_8() {
  CV_Error(cv::Error::StsNotImplemented, "this call needs OpenCV 4.8");
}
} // namespace proofline

namespace cv {
namespace dnn {

enum DataLayout {
  DNN_LAYOUT_UNKNOWN,
  DNN_LAYOUT_ND,
  DNN_LAYOUT_NCHW,
  DNN_LAYOUT_NCDHW,
  DNN_LAYOUT_NHWC,
  DNN_LAYOUT_NDHWC,
  DNN_LAYOUT_PLANAR
};

enum ImagePaddingMode {
  DNN_PMODE_NULL,
  DNN_PMODE_CROP_CENTER,
  DNN_PMODE_LETTERBOX
};

struct Image2BlobParams {
  Image2BlobParams(const Scalar &, const Size &, const Scalar &, bool, int,
                   DataLayout, ImagePaddingMode, const Scalar &) {}
  Rect blobRectToImageRect(const Rect &, const Size &) {
    proofline::needs_4_8();
  }
  void blobRectsToImageRects(const std::vector<Rect> &, std::vector<Rect> &,
                             const Size &) {
    proofline::needs_4_8();
  }
};

inline Mat blobFromImageWithParams(InputArray, const Image2BlobParams &) {
  proofline::needs_4_8();
}
inline void blobFromImagesWithParams(InputArrayOfArrays, OutputArray,
                                     const Image2BlobParams &) {
  proofline::needs_4_8();
}

} // namespace dnn

// OpenCV's FaceDetectorYN with the missing overload beside those it has; the
// macro puts it in the place of the original for everything included later.
// An object of it is never made: the pointers are those of the base class.
struct FaceDetectorYNCompat : public FaceDetectorYN {
  static Ptr<FaceDetectorYNCompat>
  create(const String &model, const String &config, const Size &size,
         float score = 0.9f, float nms = 0.3f, int top_k = 5000,
         int backend = 0, int target = 0) {
    return FaceDetectorYN::create(model, config, size, score, nms, top_k,
                                  backend, target)
        .staticCast<FaceDetectorYNCompat>();
  }
  static Ptr<FaceDetectorYNCompat>
  create(const String &, const std::vector<uchar> &,
         const std::vector<uchar> &, const Size &, float = 0.9f, float = 0.3f,
         int = 5000, int = 0, int = 0) {
    proofline::needs_4_8();
  }
};

} // namespace cv

#define FaceDetectorYN FaceDetectorYNCompat

#endif
#endif
