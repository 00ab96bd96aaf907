#!/usr/bin/env bash
# Measures the tables of docs/capacity.md and writes them there: 1, 2 and 4
# workers, embedded and on Redis, PostgreSQL and S3 (started for it), and open
# loops that the capacity model is held against. Let the machine rest meanwhile.
#
#   scripts/capacity.sh [CASES [DIR]]     cases a point (100, about 45 minutes on
#                                         2 cores); the raw results go to DIR
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
. scripts/env.sh
[ -z "${2:-}" ] || mkdir -p "$2"
PROOFLINE_REQUIRE=all PROOFLINE_CAPACITY="${1:-100}" PROOFLINE_CAPACITY_OUT="${2:+$(cd "$2" && pwd)}" \
	go test ./cmd/proofline -count=1 -v -timeout 4h -run '^TestCapacityTables$'
say "docs/capacity.md has the new tables"
