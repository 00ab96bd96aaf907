#!/usr/bin/env bash
# Builds the tools that tests and lint need into .tools, once per version:
# golangci-lint (about 4 minutes on 2 cores) and versitygw, the S3 server that
# storage is tested against (about 3 minutes).
#
# and installs the toolchain of the capture page (esbuild, TypeScript, axe) that
# web's tests rebuild and check the page with.
#
#   scripts/tools.sh [lint] [s3] [web] [vuln]     (the first three are the default)
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

# The lock file pins every version; install scripts stay off.
web() {
	if [ web/capture/node_modules/.package-lock.json -nt web/capture/package-lock.json ]; then
		return
	fi
	say "installing the capture page's toolchain through npm"
	npm ci --prefix web/capture --ignore-scripts --no-audit --no-fund --silent || die "npm could not install the capture page's toolchain"
	touch web/capture/node_modules/.package-lock.json
}

[ $# -gt 0 ] || set -- lint s3 web
for tool in "$@"; do
	case "$tool" in
	lint) build golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint v2.15.0 ;;
	s3) build versitygw github.com/versity/versitygw/cmd/versitygw v1.8.0 ;;
	web) web ;;
	vuln) build govulncheck golang.org/x/vuln/cmd/govulncheck v1.9.0 ;;
	*) die "there are the tools lint, s3, web and vuln, not $tool" ;;
	esac
done
say "tools are in .tools/bin"
