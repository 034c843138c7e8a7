#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cross.sh - our walks against libunwind's and gdb's at random points of real
# programs; LONG=1: 10,000 points with gdb, 100,000 with libunwind
set -euo pipefail
exec /usr/bin/python3 -B "$(dirname "$0")/cross.py"
