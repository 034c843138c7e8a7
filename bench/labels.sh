#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# labels.sh - what labels and spans cost a thread, beside two calls of an empty
# function and, where there is Go, beside its own labels; and that a release build
# has not an instruction of them
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD_DIR:?}
runs=${1:-7}
work=$(mktemp -d /tmp/pyro-bench.XXXXXX)
trap 'rm -rf "$work"' EXIT
cd "$work"

# As programs are: in the library's place by the procedure linkage table.
flags="-O2 -I$here/../include -I$here -I$here/labels"
echo 'void nothing(void) {}' | gcc -O2 -shared -fPIC -x c - -o libnothing.so
gcc $flags -DSCOPE=scope_c -c "$here/labels/scope.c" -o scope_c.o
g++ $flags -DSCOPE=scope_cxx -x c++ -c "$here/labels/scope.c" -o scope_cxx.o
gcc $flags -c "$here/labels/calls.c"
g++ calls.o scope_c.o scope_cxx.o -o calls -L. -lnothing \
	-Wl,-rpath,"$work" -L"$build" -Wl,-rpath,"$build" -lpyroscope
programs=(./calls)
if command -v go >/dev/null; then
	go build -o peer "$here/labels/peer.go" && programs+=(./peer)
fi
for ((i = 0; i < runs; i++)); do
	for program in "${programs[@]}"; do
		$program
	done
done >numbers
echo "| | ns | to two calls |"
echo "| --- | --- | --- |"
awk -F '\t' -v runs="$runs" '
	!($1 in count) { name[++names] = $1 }
	{ value[$1, ++count[$1]] = $2 }
	function median(of, i, j, less) {
		for (i = 1; i <= runs; i++) {
			less = 0
			for (j = 1; j <= runs; j++)
				less += value[of, j] < value[of, i] ||
					(value[of, j] == value[of, i] && j < i)
			if (less == int(runs / 2))
				return value[of, i]
		}
	}
	END {
		for (i = 1; i <= names; i++)
			printf "| %s | %.1f | %.1f |\n", name[i],
				median(name[i]), median(name[i]) / median(name[1])
	}' numbers

# instructions COMPILER FLAG...: of the function, without their addresses
instructions()
{
	"$@" -O2 -I"$here/../include" -I"$here/labels" -c \
		"$here/labels/scope.c" -DSCOPE=scope -o release.o
	objdump -d --no-show-raw-insn release.o | sed -n 's/^ *[0-9a-f]*:\t//p'
}
for compiler in gcc "g++ -x c++"; do
	[ "$(instructions $compiler -DRELEASE)" = \
		"$(instructions $compiler -DBARE)" ] || {
		echo "$compiler: a release build has instructions" >&2
		exit 1
	}
done
echo
echo "In release builds a scope is no instruction, with gcc and with g++."
