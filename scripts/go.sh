#!/usr/bin/env bash
# Makes sure that there is the Go that go.mod asks for. A `go` from 1.21 on
# fetches it by itself. An older one (Debian 12 ships 1.19) can not, but it can
# download the toolchain as what it is, a module: golang.org/toolchain, from
# whatever proxy the machine's Go is set up for and verified against the
# checksum database. That copy goes to .tools/go, which scripts/env.sh puts
# first on PATH.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

want="$(awk '$1 == "go" { print $2; exit }' go.mod)"
home=".tools/go"

# In the module's directory, so that a newer go switches to what go.mod says.
version_of() { "$1" env GOVERSION 2>/dev/null | sed 's/^go//'; }
good() {
	local got
	command -v "$1" >/dev/null || return 1
	got="$(version_of "$1")"
	[ -n "$got" ] && at_least "$want" "$got"
}

if good "$home/bin/go"; then
	exit 0
fi
if good go; then
	exit 0
fi

if ! command -v go >/dev/null; then
	say "no Go on this machine; installing Debian's golang-go to fetch Go $want with"
	command -v apt-get >/dev/null || die "install Go $want or newer"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
		install --no-install-recommends golang-go ||
		die "needs root or sudo; have an administrator run: apt-get install --no-install-recommends golang-go"
	if good go; then
		exit 0
	fi
fi

case "$(uname -m)" in
x86_64) arch=amd64 ;;
aarch64) arch=arm64 ;;
*) die "no Go toolchain is known for $(uname -m); install Go $want or newer" ;;
esac
module="golang.org/toolchain@v0.0.1-go$want.linux-$arch"
say "Go $(version_of go) is older than $want; fetching $module through Go's module proxy"

temp="$(mktemp -d "${TMPDIR:-/tmp}/proofline-go-XXXXXX")"
trap 'chmod -R u+w "$temp"; rm -rf "$temp"' EXIT
# Outside any module, and with a cache of its own: the module cache keeps files
# read-only and an old go must not meet our go.mod.
(cd "$temp" && env -u GOFLAGS GO111MODULE=on GOTOOLCHAIN=local GOMODCACHE="$temp/mod" go mod download "$module") ||
	die "could not fetch $module; install Go $want or newer yourself"
from="$temp/mod/$module"
[ -x "$from/bin/go" ] || [ -e "$from/bin/go" ] || die "$module holds no bin/go"
chmod -R u+w "$from"
# A module's zip holds neither modes nor nested go.mod files: both are put back.
chmod +x "$from"/bin/* "$from"/pkg/tool/*/* 2>/dev/null || true
find "$from" -name _go.mod | while read -r f; do mv "$f" "${f%_go.mod}go.mod"; done
mkdir -p .tools
rm -rf "$home"
mv "$from" "$home"
good "$home/bin/go" || die "the fetched Go does not run"
say "Go $(version_of "$home/bin/go") is in $home"
