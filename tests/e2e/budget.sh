#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# budget.sh - rates halve above the budget and come back, and profiles stay true
set -euo pipefail
exec /usr/bin/python3 -B "$(dirname "$0")/budget.py"
