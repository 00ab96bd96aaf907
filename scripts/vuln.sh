#!/usr/bin/env bash
# Looks for known vulnerabilities in the code that Proofline's commands reach,
# with a pinned govulncheck. Exit status 0: none; 1: there are some, or it
# failed; 3: the vulnerability database could not be asked, so nothing is known.
# GOVULNDB names a mirror of the database.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"
"$root/scripts/tools.sh" vuln
. scripts/env.sh
mkdir -p dist
report=dist/vulnerabilities.txt
status=0
govulncheck ./cmd/proofline >"$report" 2>&1 || status=$?
case "$status" in
0)
	say "no known vulnerability is reached"
	exit 0
	;;
3) # govulncheck's own status for findings
	cat "$report"
	die "known vulnerabilities are reached (above)"
	;;
esac
if grep -q 'fetching vulnerabilities' "$report"; then
	echo "NOT CHECKED for known vulnerabilities: the database could not be reached" | tee "$report"
	exit 3
fi
cat "$report"
die "govulncheck failed"
