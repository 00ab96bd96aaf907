#!/usr/bin/env bash
# Builds the tools that tests and lint need into .tools, once per version:
# golangci-lint (about 4 minutes on 2 cores) and versitygw, the S3 server that
# storage is tested against (about 3 minutes).
#
#   scripts/tools.sh [lint] [s3]     (both are the default)
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
. scripts/env.sh
unset GOFLAGS # the tags are for Proofline's own packages

build() { # name, package, version
	local name="$1" package="$2" version="$3"
	local dir="$root/.tools/$name-$version"
	if [ ! -x "$dir/$name" ]; then
		say "building $name $version (once, some minutes)"
		local start=$SECONDS
		GOBIN="$dir" go install "$package@$version" || die "could not build $name $version"
		say "built $name $version in $((SECONDS - start)) s"
	fi
	mkdir -p "$root/.tools/bin"
	ln -sfn "../$name-$version/$name" "$root/.tools/bin/$name"
}

[ $# -gt 0 ] || set -- lint s3
for tool in "$@"; do
	case "$tool" in
	lint) build golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint v2.15.0 ;;
	s3) build versitygw github.com/versity/versitygw/cmd/versitygw v1.8.0 ;;
	*) die "there are the tools lint and s3, not $tool" ;;
	esac
done
say "tools are in .tools/bin"
