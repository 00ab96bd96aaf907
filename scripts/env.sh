# Build environment of Proofline: source it (". scripts/env.sh") before a bare
# `go build` or `go test`; the Makefile does so by itself.
#
# gocv is built against the parts of OpenCV that Proofline uses, through the
# pkg-config file in build/opencv, so that Debian 12's OpenCV 4.6 suffices.
proofline_root="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)"
export PKG_CONFIG_PATH="$proofline_root/build/opencv${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
export GOFLAGS="-tags=gocv_specific_modules,gocv_calib3d,gocv_features2d,gocv_photo,gocv_dnn,gocv_objdetect"
# Tesseract reads this once at process start; one thread per client measures
# faster than many threads sharing a line.
export OMP_THREAD_LIMIT=1
