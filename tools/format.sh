#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# format.sh [--check] - lay out all C files by .clang-format, or check them
set -euo pipefail
cd "$(dirname "$0")/.."
mode=(-i)
[ "${1:-}" != --check ] || mode=(--dry-run --Werror)
find include src cli tests fuzz bench examples demo -name '*.[ch]' \
	2>/dev/null | sort | xargs clang-format "${mode[@]}"
