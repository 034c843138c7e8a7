# SPDX-License-Identifier: Apache-2.0
"""_static.py - a profile of tests/programs/shares.c, which ran with two threads

    _static.py WHAT ROOTS FILE < CPU_SECONDS

ROOTS is a regular expression for what whole stacks begin with; CPU_SECONDS what
getrusage told. Says "ok" or "FAIL" for each figure.
"""
import collections
import re
import sys

import pprof

SHARES = {"f50": 0.50, "f25": 0.25, "f15": 0.15, "f10": 0.10}
what, roots, p = sys.argv[1], re.compile(sys.argv[2]), pprof.load(sys.argv[3])
cpu = float(sys.stdin.read())
failed = False


def within(name, value, low, high):
    global failed
    good = low <= value <= high
    failed = failed or not good
    print("%s %s: %s %.4f (%.4f to %.4f)" %
          ("ok" if good else "FAIL", what, name, value, low, high))


by_function = collections.Counter()
broken = collections.Counter()
every = 0
for s in p.sampled():
    names = [f.name for f in s.frames]
    every += s.values[0]
    if any(map(pprof.is_cut, names)) or not roots.fullmatch(names[-1]):
        broken[" < ".join(names[-3:])] += s.values[0]
    for share in SHARES:
        if share in names and "run" in names and "burn" in names:
            by_function[share] += s.values[0]
signals, inside = p.counter("samples"), sum(by_function.values())
within("signals", signals, 60, 1e9)
for share, wanted in SHARES.items():
    # 4.5 standard errors: by chance once in 100,000.
    error = 4.5 * (wanted * (1 - wanted) / max(signals, 1)) ** 0.5
    within(share, by_function[share] / max(inside, 1), wanted - error,
           wanted + error)
within("part in the four functions", inside / max(every, 1), 0.95, 1)
within("total of getrusage's", p.total() / 1e9 / cpu, 0.98, 1.02)
# On a machine that others use, timers expire late. truth.sh measures finer.
within("part of [unsampled]", p.pseudo("[unsampled]") / p.total(), -0.1, 0.1)
within("complete", 1 - sum(broken.values()) / max(every, 1), 0.999, 1)
for stack, value in broken.most_common(5):
    print("    %d %s" % (value, stack))
sys.exit(failed)
