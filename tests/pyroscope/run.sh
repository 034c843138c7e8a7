#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Tests against Grafana Pyroscope and google/pprof, after ./dev build.
#
#     tests/pyroscope/run.sh [arguments of go test]
#
# Builds the server into build/pyroscope-server if its version has changed, runs
# the tests and ends with "N passed, N failed". A missing tool is a failure.
# BUILD_DIR may name another folder than build.
set -u
cd "$(dirname "$0")" || exit 1
export BUILD_DIR="${BUILD_DIR:-$(cd ../.. && pwd)/build}"
build=$BUILD_DIR

fail()
{
	echo "test-pyroscope: $*" >&2
	echo "0 passed, 1 failed"
	exit 1
}

missing=
for tool in go cc readelf sqlite3 python3; do
	command -v "$tool" >/dev/null || missing="$missing $tool"
done
[ -z "$missing" ] || fail "not installed:$missing"

# Never another toolchain than the one in PATH, and a plain word if it is old:
# before 1.21, go itself only finds go.mod malformed.
export GOTOOLCHAIN=local
want=$(awk '$1 == "go" { print $2 }' go.mod)
have=$(go env GOVERSION | sed 's/^go//; s/ .*//')
[ "$(printf '%s\n%s\n' "$want" "$have" | sort -V | head -n 1)" = "$want" ] ||
	fail "Go $want or later is needed, this is ${have:-older than 1.15}"

for file in libpyroscope.so pyro; do
	[ -e "$build/$file" ] || fail "no $build/$file: run ./dev build first"
done

# The same settings for the server and the tests, so that they share packages.
export CGO_ENABLED=0
state=$( (cat go.mod go.sum && go version) | cksum)
if ! [ -x "$build/pyroscope-server" ] ||
	[ "$state" != "$(cat "$build/pyroscope-server.state" 2>/dev/null)" ]; then
	echo "Building Grafana Pyroscope (several minutes the first time)"
	rm -f "$build/pyroscope-server.state"
	go build -ldflags '-s -w' -o "$build/pyroscope-server" \
		github.com/grafana/pyroscope/cmd/pyroscope ||
		fail "Grafana Pyroscope cannot be built"
	echo "$state" >"$build/pyroscope-server.state"
fi

log=$build/test-pyroscope.log
(
	go test -count=1 -timeout 25m -v "$@" .
	echo "exit $?"
) 2>&1 | tee "$log"

# Counts the tests that have no tests below them. A skipped one has shown
# nothing, so it has failed, as has a run that ended early.
awk '
/^ *--- (PASS|FAIL|SKIP): / {
	result[$3] = $2
	parent = $3
	while (sub("/[^/]*$", "", parent))
		has_child[parent] = 1
}
/^exit [0-9]+$/ { code = $2 }
END {
	for (name in result) {
		if (name in has_child)
			continue
		if (result[name] == "PASS:")
			passed++
		else
			failed++
	}
	if (failed == 0 && (code != 0 || passed == 0))
		failed = 1
	printf "%d passed, %d failed\n", passed, failed
	exit failed > 0
}' "$log"
