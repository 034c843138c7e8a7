# SPDX-License-Identifier: Apache-2.0
"""_check.py - what the scripts share that look at profiles: "ok" and "FAIL" lines, an
exit code in the end, and sums"""
import sys

failed = 0


def check(what, right, got=""):
    global failed
    print("%s %s%s" % ("ok" if right else "FAIL", what,
                       ": %s" % (got,) if got != "" else ""), flush=True)
    failed |= not right


def near(what, got, want, share, more=0):
    check(what, abs(got - want) <= share * want + more,
          "%.4g of %.4g" % (got, want))


def total(profiles, type_name, function=None):
    """Of those that have the type, and of one function or all."""
    found = 0
    for p in profiles:
        names = [name for name, _ in p.sample_types]
        if type_name in names:
            at = names.index(type_name)
            found += sum(s.values[at] for s in p.samples if not function or
                         any(f.name == function for f in s.frames))
    return found


def finish():
    sys.exit(failed)
