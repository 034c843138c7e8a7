# SPDX-License-Identifier: Apache-2.0
"""locks.py - does a mutex profile say what a program has measured itself?

    locks.py TRUTH PROFILE

TRUTH has lines of a function and the nanoseconds that others waited until it
unlocked; "all" is the sum of all waits. Each is right by 3 %.
"""
import sys

import pprof


def main():
    profile = pprof.load(sys.argv[2])
    at = [name for name, _ in profile.sample_types].index("delay")
    found, wrong = {}, 0
    for sample in profile.samples:
        for name in {frame.name for frame in sample.frames} | {"all"}:
            found[name] = found.get(name, 0) + sample.values[at]
    for line in open(sys.argv[1]):
        name, truth = line.rsplit(None, 1)
        got, truth = found.get(name, 0), int(truth)
        if abs(got - truth) > 0.03 * truth:
            print("FAIL %s: %d ns of %d" % (name, got, truth))
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main())
