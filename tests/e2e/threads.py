# SPDX-License-Identifier: Apache-2.0
"""threads.py - does a threads profile show each thread where it stands?

    threads.py TRUTH PROFILE

TRUTH is what tests/programs/threads.c prints. Each of its threads is in the profile
once for each moment, under its name; who stands in a known place, with that place
and state. Of those that run, most have answered.
"""
import collections
import sys

import pprof

UNREACHED = "[thread not reached]"


def main():
    truth, path = sys.argv[1:]
    profile = pprof.load(path)
    assert profile.sample_types == [("threads", "count")], profile.sample_types
    threads, places = collections.Counter(), collections.Counter()
    states = set()
    for sample in profile.samples:
        name, state = sample.labels.get("thread"), sample.labels.get("state")
        threads[name] += sample.values[0]
        states.add(state)
        for function in {frame.name for frame in sample.frames}:
            places[name, state, function] += sample.values[0]
        if any("libpyroscope" in frame.module for frame in sample.frames):
            print("FAIL the library in %s" % sample.frames)
            return 1
    lines = [line.split() for line in open(truth)]
    moments = next(int(l[1]) for l in lines if l[0] == "moments")
    wrong = 0
    for function, name, state, count in (l for l in lines if len(l) == 4):
        want = int(count) * moments
        if state != "any":
            got = places[name, state, function]
            ok = got == want == threads[name]
        else:
            # With a name, and a state of the kernel's, in any case.
            got = sum(n for (who, _, where), n in places.items()
                      if who == name and where == function)
            lost = sum(n for (who, _, where), n in places.items()
                       if who == name and where == UNREACHED)
            ok = threads[name] == want and got + lost == want and got >= want / 2
        wrong |= not ok
        print("%s %s: %d of %d in %s" % (
            "ok" if ok else "FAIL", name, got, want, function))
    others = {name: n for name, n in threads.items()
              if name not in {l[1] for l in lines if len(l) == 4}}
    if others != {"threads": moments}:
        print("FAIL other threads: %s" % others)
        wrong = 1
    return wrong


sys.exit(main())
