# SPDX-License-Identifier: Apache-2.0
"""heap_calls.py - what a heap profile says of functions against what they did

    heap_calls.py PROFILE... < TABLE

A line of the table is "function objects bytes in-use-objects in-use-bytes".
Allocations are added up over all profiles, in-use is the last one's.
"""
import sys

import pprof

# What was allocated before main.
FINE = {"[vdso]", "[truncated: tables not built yet]"}

TYPES = [("alloc_objects", "count"), ("alloc_space", "bytes"),
         ("inuse_objects", "count"), ("inuse_space", "bytes")]


def of(profile, function):
    found = [s.values for s in profile.samples
             if any(f.name == function for f in s.frames)]
    return [sum(column) for column in zip(*found)] or [0, 0, 0, 0]


def order(path):
    return int(path.rsplit("-", 1)[1].split(".")[0])


def main():
    profiles = [pprof.load(p) for p in sorted(sys.argv[1:], key=order)]
    bad = 0
    for p in profiles:
        if p.sample_types != TYPES or p.period_type != ("space", "bytes"):
            print("types:", p.sample_types, p.period_type)
            bad += 1
    for line in sys.stdin:
        name, *want = line.split()
        want = [int(n) for n in want]
        seen = [of(p, name) for p in profiles]
        got = [sum(s[i] for s in seen) for i in (0, 1)] + seen[-1][2:]
        if got != want:
            print("%s: wanted %s, got %s" % (name, want, got))
            bad += 1
    cut = {f.name for p in profiles for s in p.samples for f in s.frames
           if f.name.startswith("[") and f.name not in FINE}
    if cut:
        print("pseudo frames:", cut)
        bad += 1
    sys.exit(bad > 0)


main()
