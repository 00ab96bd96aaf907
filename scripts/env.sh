# Build environment of Proofline. Source it (". scripts/env.sh") before a bare
# `go build` or `go test`; the Makefile does so by itself.
proofline_root="$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)"

# gocv is built against the parts of OpenCV that Proofline uses, through the
# pkg-config file in build/opencv, so that Debian 12's OpenCV 4.6 suffices.
export PKG_CONFIG_PATH="$proofline_root/build/opencv${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
export GOFLAGS="-buildvcs=false -tags=gocv_specific_modules,gocv_calib3d,gocv_features2d,gocv_photo,gocv_dnn,gocv_objdetect"

# Tesseract reads this once at process start; one thread per client measures
# faster than many threads sharing a line.
export OMP_THREAD_LIMIT=1

# Tools that scripts/ built or fetched; the Go toolchain only where the
# machine's own is too old.
for proofline_dir in .tools/go/bin .tools/bin; do
	case ":$PATH:" in
	*":$proofline_root/$proofline_dir:"*) ;;
	*) PATH="$proofline_root/$proofline_dir:$PATH" ;;
	esac
done
export PATH
unset proofline_dir
