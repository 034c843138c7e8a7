# SPDX-License-Identifier: Apache-2.0
"""waits.py - does a block profile say what the program has measured itself?

    waits.py CLASSES TRUTH PROFILE

CLASSES: "sleep" if sleeps are in the profile, too. Waits of 100 ms are right by
3 %, and those that the ticking clock times by half a tick of up to 10 ms each, at
four standard deviations. Ten thousand short ones are sampled: their sum is right by
five standard deviations, of which one is sqrt(sum * rate), with the rate that many
samples have raised it to.
"""
import math
import sys

import pprof

LONG_NS = 100e6
TICK_NS = 10e6
RATE_NS = 8e6


def main():
    classes, truth, path = sys.argv[1:]
    profile = pprof.load(path)
    types = [name for name, _ in profile.sample_types]
    found, counts, wrong = {}, {}, 0
    for sample in profile.samples:
        kind = sample.labels.get("wait_class")
        for name in {frame.name for frame in sample.frames}:
            if not name.startswith("wait_"):
                continue
            key = name, kind
            found[key] = (found.get(key, 0) +
                          sample.values[types.index("delay")])
            if "contentions" in types:
                counts[key] = (counts.get(key, 0) +
                               sample.values[types.index("contentions")])
    for line in open(truth):
        name, kind, waits, ns = line.split()
        waits, ns = int(waits), int(ns)
        got = found.pop((name, kind), 0)
        count = counts.get((name, kind))
        if kind == "sleep" and classes != "sleep":
            bound = ns = 0
        elif waits < 1000:
            bound = 0.03 * ns
            if kind == "io":
                bound += 4 * math.sqrt(waits / 6) * TICK_NS / 2.5
            if count is not None and not (waits <= count <= 1.1 * waits):
                print("FAIL %s: %d waits of %d" % (name, count, waits))
                wrong = 1
        else:
            bound = 0.1 * ns + 5 * math.sqrt(ns * RATE_NS)
        ok = abs(got - ns) <= bound
        wrong |= not ok
        print("%s %s %s: %.1f ms of %.1f" % (
            "ok" if ok else "FAIL", name, kind, got / 1e6, ns / 1e6))
    # wait_child forks, and so on: what is left is no wait of the call.
    for key, ns in found.items():
        if ns > LONG_NS / 2 and key[1] != "sleep":
            print("FAIL %s %s: %.1f ms" % (*key, ns / 1e6))
            wrong = 1
    return wrong


sys.exit(main())
