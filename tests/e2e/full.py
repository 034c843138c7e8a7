# SPDX-License-Identifier: Apache-2.0
"""full.py - what could not be written is in the next profile, and its time, too

    full.py TRUTH FOLDER

TRUTH is what tests/programs/full.c prints, FOLDER has its profiles.
"""
import pathlib
import sys

import pprof
from _check import check, finish, near, total

# What tells how much there is of a function, and how much there has to be.
KINDS = {"pb.gz": "cpu", "heap.pb.gz": "alloc_objects", "mutex.pb.gz": "delay"}
BLOCKS, BURN_NS = 512, 0.3e9
SKEW_NS = 0.05e9  # of two clocks that are not read at once


def load(folder):
    """The profiles of each kind, in the order of their windows."""
    found = {end: [] for end in KINDS}
    for path in pathlib.Path(folder).iterdir():
        found[path.name.split(".", 1)[1]].append(pprof.load(str(path)))
    for profiles in found.values():
        profiles.sort(key=lambda p: p.time_ns)
    return found


def end_of(p):
    return p.time_ns + p.duration_ns


def holding(end, word):
    """Those with what work_WORD has done."""
    return [p for p in profiles[end] if total([p], KINDS[end], "work_" + word)]


def check_times(end):
    """One begins where the one before has ended, but for what is lost."""
    written, kept = holding(end, "written"), holding(end, "kept")
    check("%s: one profile of all that was kept" % end, len(written) == 1 and
          len(kept) == 1 and kept == holding(end, "kept_on") ==
          holding(end, "after"), len(kept))
    if not written or not kept:
        return
    gap = kept[0].time_ns - end_of(written[0])
    check("%s: which begins where the one before ends" % end,
          abs(gap) < SKEW_NS, gap)
    _, ends, _, _, before = truth["kept"][0]
    check("%s: and ends when it was written" % end,
          before - SKEW_NS < end_of(kept[0]) < ends + SKEW_NS,
          (end_of(kept[0]) - before, ends - end_of(kept[0])))
    overlaps = [(p.time_ns, p.duration_ns) for p in profiles[end]
                for begins, ends in truth["lost"]
                if p.time_ns < ends and end_of(p) > begins]
    check("%s: none of what is lost" % end, not overlaps, overlaps or "")
    for word in "lost", "paused", "too_large":
        check("%s: nothing of %s" % (end, word), not holding(end, word))
    for word in "on", "last":
        check("%s: one of %s" % (end, word), len(holding(end, word)) == 1)


truth = {"kept": [], "lost": [], "rest": [], "dropped": []}
for name, *values in map(str.split, open(sys.argv[1])):
    truth[name].append(values if name == "dropped" else
                       [float(value) for value in values])
profiles = load(sys.argv[2])
for end in KINDS:
    check_times(end)
check("dropped", truth["dropped"] == [["kept", "0"], ["paused", "3"],
                                      ["too_large", "6"]], truth["dropped"])

for begins, ends, cpu, waited, *_ in truth["kept"] + truth["rest"]:
    cpus, mutexes = ([p for p in profiles[end] if end_of(p) > begins and
                      p.time_ns < ends] for end in ("pb.gz", "mutex.pb.gz"))
    near("cpu: the clock's", total(cpus, "cpu"), cpu, 0.01, 40e6)
    check("cpu: nothing lost", total(cpus, "cpu", "[lost]") == 0)
    near("mutex: all waits", total(mutexes, "delay"), waited, 0.05, 20e6)
# 512 samples, at a mean of one interval each: four standard deviations.
for word in "written", "kept", "kept_on", "after", "on", "last":
    function = "work_" + word
    near("cpu: " + word, total(profiles["pb.gz"], "cpu", function), BURN_NS,
         0.05, 30e6)
    near("heap: " + word, total(profiles["heap.pb.gz"], "alloc_objects",
                                function), BLOCKS, 0.18)
finish()
