#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# perf_compare.sh - leaf functions of three programs as perf sees them and as
# pyro does; LONG=1: 10,000 samples each
set -euo pipefail
exec /usr/bin/python3 -B "$(dirname "$0")/perf_compare.py"
