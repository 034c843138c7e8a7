#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tidy.sh BUILD - clang-tidy over the library and the command
set -euo pipefail
cd "$(dirname "$0")/.."
find src cli -name '*.c' | sort |
	xargs -P 2 -n 4 clang-tidy -p "$1" --quiet --warnings-as-errors='*'
