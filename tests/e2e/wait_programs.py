# SPDX-License-Identifier: Apache-2.0
"""wait_programs.py - what a profile of waits has, and what strace saw

    wait_programs.py sum PROFILE [CLASS]     nanoseconds of a class, of all
    wait_programs.py within PROFILE TEXT     those under a frame or module with it
    wait_programs.py futex LOG               nanoseconds in the futex calls of
                                             threads that are not the library's

LOG is of strace -f -Y -T -e trace=futex.
"""
import re
import sys

import pprof


def delay(path, wanted):
    profile = pprof.load(path)
    at = [name for name, _ in profile.sample_types].index("delay")
    return sum(s.values[at] for s in profile.samples if wanted(s))


def futex(path):
    total = 0.0
    with open(path) as f:
        for line in f:
            took = re.search(r"<([0-9.]+)>$", line)
            if took and not re.match(r"\d+<pyro-", line):
                total += float(took[1])
    return int(total * 1e9)


def main():
    what, path, *more = sys.argv[1:]
    if what == "sum":
        print(delay(path, lambda s: not more or
                    s.labels.get("wait_class") == more[0]))
    elif what == "within":
        print(delay(path, lambda s: any(
            more[0] in f.name or more[0] in (f.module or "")
            for f in s.frames)))
    else:
        print(futex(path))


if __name__ == "__main__":
    main()
