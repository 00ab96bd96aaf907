#!/usr/bin/env bash
# Runs every fuzz target of the module for a while: scripts/fuzz.sh 30s
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
. scripts/env.sh
time="${1:-10s}"
count=0
while IFS=: read -r file target; do
	say "$target in ./$(dirname "$file") for $time"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$(dirname "$file")"
	count=$((count + 1))
done < <(git ls-files '*_test.go' | xargs -r grep -oE '^func Fuzz[A-Za-z0-9_]*' | sed 's/:func /:/')
[ "$count" -gt 0 ] || die "found no fuzz target; is this a checkout with git?"
say "$count fuzz targets passed"
