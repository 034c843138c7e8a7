#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cross_compile.sh CC - does all of src/ compile for another CPU?
#
# Nothing is linked. Headers of libraries come from the host, after the other
# compiler's own, as that compiler has none.
set -euo pipefail
cd "$(dirname "$0")/.."
host=$(gcc -print-multiarch)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
find src -name '*.c' | sort | xargs -P 2 -I{} bash -c '
	name=${1//\//_}
	if ! "$2" -std=c11 -D_GNU_SOURCE -DPYROSCOPE -O1 -fPIC -Wall -Wextra \
		-Werror -Iinclude -Isrc -idirafter /usr/include \
		-idirafter "/usr/include/$3" -c "$1" -o "$4/$name.o"; then
		echo "$1: failed" >&2
		exit 1
	fi' - {} "$1" "$host" "$out"
echo "$(find "$out" -name '*.o' | wc -l) files compiled by $1"
