#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# truth.sh - known shares, totals and stacks come out as they are; LONG=1: with
# ten times the samples
set -euo pipefail
exec /usr/bin/python3 -B "$(dirname "$0")/truth.py"
