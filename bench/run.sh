#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh [ROUNDS] - all benchmarks, one after the other
#
# Each compares within one run, by medians of runs in turns: ratios hold on
# another machine, figures do not. ROUNDS (25) is of whole programs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bench=${BUILD_DIR:?}/bench

echo "## Walking a stack"
"$bench/bench_unwind"
echo
echo "## Looking at all threads"
"$bench/bench_threads"
echo
echo "## Building tables: the largest libraries here"
mapfile -t largest < <(find /usr/lib -name '*.so*' -type f -size +1000k \
	-printf '%s %p\n' | sort -rnu -k1,1 | awk 'NR <= 8 { print $2 }')
libc=$(ldd "$BUILD_DIR/pyro" | awk '$1 == "libc.so.6" { print $3 }')
"$bench/bench_cfi" "${largest[@]}" "$libc"
echo
echo "## Lines and inlined functions"
"$here/lines.sh"
echo
echo "## Whole programs"
/usr/bin/python3 -B "$here/costs.py" "$@"
echo
echo "## The heap"
/usr/bin/python3 -B "$here/heap.py"
echo
echo "## Waits"
/usr/bin/python3 -B "$here/waits.py"
echo
echo "## Labels and spans"
"$here/labels.sh"
