#!/usr/bin/env bash
# Installs the Debian or Ubuntu packages that are missing, and a Go toolchain
# where the machine's own is too old. Asks the machine first, so that it is
# quick and changes nothing when all is there.
#
#   scripts/install.sh [build] [test]     (build alone is the default)
#
# Without root, sudo or apt-get it installs nothing and says what is missing.
set -euo pipefail
shopt -s extglob
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Each line: a package (or several names of it, the first that apt knows is
# taken), and the question whose "yes" makes it unnecessary.
build_packages() {
	cat <<-'LIST'
		ca-certificates         test -e /etc/ssl/certs/ca-certificates.crt
		git                     command -v git
		make                    command -v make
		gcc                     command -v gcc
		g++                     command -v g++
		libc6-dev               header stdio.h
		pkg-config              command -v pkg-config
		libopencv-core-dev      header opencv4/opencv2/core.hpp
		libopencv-imgproc-dev   header opencv4/opencv2/imgproc.hpp
		libopencv-imgcodecs-dev header opencv4/opencv2/imgcodecs.hpp
		libopencv-dnn-dev       header opencv4/opencv2/dnn.hpp
		libopencv-objdetect-dev header opencv4/opencv2/objdetect.hpp
		libopencv-calib3d-dev   header opencv4/opencv2/calib3d.hpp
		libopencv-features2d-dev header opencv4/opencv2/features2d.hpp
		libopencv-photo-dev     header opencv4/opencv2/photo.hpp
		libopencv-stitching-dev header opencv4/opencv2/stitching.hpp
		libopencv-video-dev     header opencv4/opencv2/video.hpp
		libtesseract-dev        header tesseract/baseapi.h
		libleptonica-dev        header leptonica/allheaders.h
		tesseract-ocr           command -v tesseract
		tesseract-ocr-eng       tessdata eng
		tesseract-ocr-script-latn tessdata Latin
		libzxing-dev            header ZXing/ReadBarcode.h
		libheif-dev             header libheif/heif.h
		fonts-ocr-b             test -e /usr/share/fonts/opentype/ocr-b/OCRB.otf
		nodejs                  command -v node
		npm                     command -v npm
	LIST
}

test_packages() {
	cat <<-'LIST'
		curl                    command -v curl
		openssl                 command -v openssl
		redis-server            command -v redis-server
		postgresql              any /usr/lib/postgresql/*/bin/postgres
		chromium|chromium-browser browser
		fonts-dejavu-core       test -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
		fonts-liberation        any /usr/share/fonts/truetype/liberation*/LiberationSans-Regular.ttf
	LIST
}

header() { any "/usr/include/$1" "/usr/include/*-linux-gnu/$1" "/usr/local/include/$1"; }
any() {
	local pattern
	for pattern in "$@"; do
		# shellcheck disable=SC2086 # the pattern is meant to expand
		if compgen -G $pattern >/dev/null; then return 0; fi
	done
	return 1
}
tessdata() { any "/usr/share/tesseract-ocr/*/tessdata/$1.traineddata" "/usr/share/tessdata/$1.traineddata"; }
browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

missing_of() {
	local package question
	while read -r package question; do
		eval "$question" >/dev/null 2>&1 || printf '%s ' "$package"
	done
}

missing=""
[ $# -gt 0 ] || set -- build
for group in "$@"; do
	case "$group" in
	build | test) missing+="$("${group}_packages" | missing_of)" ;;
	*) die "there are the groups build and test, not $group" ;;
	esac
done

if [ -n "$missing" ]; then
	say "missing: ${missing//|*([! ])/}"
	command -v apt-get >/dev/null ||
		die "this machine has no apt-get; install what these Debian packages hold: ${missing//|*([! ])/}"
	status=0
	as_root apt-get -q -o DPkg::Lock::Timeout=300 update || status=$?
	[ "$status" != 126 ] ||
		die "needs root or sudo; have an administrator run: apt-get install --no-install-recommends ${missing//|*([! ])/}"
	[ "$status" = 0 ] || say "apt-get update failed; trying with the lists that are here"
	wanted="" unknown=""
	for names in $missing; do
		for package in ${names//|/ } ""; do
			if [ -z "$package" ]; then
				unknown+="$names "
			elif apt-cache show "$package" >/dev/null 2>&1; then
				wanted+="$package "
				break
			fi
		done
	done
	# shellcheck disable=SC2086 # one word per package
	[ -z "$wanted" ] || as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
		install --no-install-recommends $wanted ||
		die "apt-get could not install all of: $wanted"
	[ -z "$wanted" ] || say "installed: $wanted"
	[ -z "$unknown" ] || die "apt knows no package $unknown; install what it holds another way"
fi

"$root/scripts/go.sh"
say "all packages for $* are installed"
