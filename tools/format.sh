#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# format.sh [--check] - lay out all C files by .clang-format, or name those that
# are not
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t files < <(find include src cli tests fuzz bench examples demo \
	-name '*.[ch]' 2>/dev/null | sort)

if [ "${1:-}" != --check ]; then
	clang-format -i "${files[@]}"
	exit
fi
status=0
for file in "${files[@]}"; do
	if ! clang-format "$file" | cmp -s - "$file"; then
		echo "$file: run ./dev format" >&2
		status=1
	fi
done
exit $status
