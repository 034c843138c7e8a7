#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lines.sh - source lines from a large DWARF: python3.11-dbg's, and more than
# 100 MB that are one C++ unit, linked 75 times
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bench=${BUILD_DIR:?}/bench
copies=75
work=$(mktemp -d /tmp/pyro-bench.XXXXXX)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Without groups and unique symbols, no copy is thrown away for another.
g++ -O2 -g -fno-gnu-unique -c "$here/lines/unit.cpp" -o unit.o
ld -r --force-group-allocation unit.o -o plain.o
work_function=$(nm plain.o | awk '$2 == "T" && $3 ~ "work" { print $3 }')
objcopy --keep-global-symbol="$work_function" plain.o
{
	for ((i = 1; i <= copies; i++)); do
		echo "int work_$i(void *, int);"
	done
	echo "int main(int argc, char **argv) { int sum = 0;"
	for ((i = 1; i <= copies; i++)); do
		echo "if (argc > $i) sum += work_$i(argv, argc);"
	done
	echo "return sum; }"
} >main.c
for ((i = 1; i <= copies; i++)); do
	objcopy --redefine-sym "$work_function=work_$i" plain.o "copy_$i.o"
done
gcc -c main.c -o main.o
g++ main.o copy_*.o -o large
rm -f copy_*.o
"$bench/bench_lines" "$work/large" /usr/bin/python3.11-dbg
