# SPDX-License-Identifier: Apache-2.0
"""pauses.py - what is paused is in no profile, and all else is

    pauses.py TRUTH FOLDER

TRUTH is what tests/programs/pauses.c prints, FOLDER has its profiles.
"""
import collections
import pathlib
import sys

import pprof
from _check import check, finish, near, total

KINDS = {"pb.gz": "process_cpu", "heap.pb.gz": "memory",
         "mutex.pb.gz": "mutex", "block.pb.gz": "block",
         "threads.pb.gz": "threads", "creation.pb.gz": "threads"}
BLOCKS, BLOCK_BYTES, BURN_NS = 512, 16384, 0.8e9


def load(folder):
    """The profiles of each process and kind, in the order of their windows."""
    found = collections.defaultdict(list)
    for path in pathlib.Path(folder).iterdir():
        name, end = path.name.split(".", 1)
        if end != "open":
            found[int(name.split("-")[0]), KINDS[end], end].append(
                pprof.load(str(path)))
    for profiles in found.values():
        profiles.sort(key=lambda p: p.time_ns)
    return found


lines = [line.split() for line in open(sys.argv[1])]
profiles = load(sys.argv[2])
child = next(int(l[1]) for l in lines if l[0] == "child")
parent = next(pid for pid, _, _ in profiles if pid != child)


def of(end, pid=parent):
    return profiles[pid, KINDS[end], end]


for word, kind, begin, end in (l for l in lines if l[0] == "paused"):
    within = [(p.time_ns, p.duration_ns) for (pid, k, _), all_of in
              profiles.items() if (pid, k) == (parent, kind) for p in all_of
              if p.time_ns < int(end) and
              p.time_ns + p.duration_ns > int(begin)]
    check("%s: none while it is paused" % kind, not within, within or "")

# The clock and the samples of it, and each function's own. What is shown does not
# depend on how they agree, but for a period of each thread at either end.
cpu = of("pb.gz")
truth = next(float(l[1]) for l in lines if l[0] == "cpu")
last = max(p.time_ns for p in cpu if total([p], "cpu", "burn_after"))
near("cpu: all that was not paused", total(
    (p for p in cpu if p.time_ns <= last), "cpu"), truth, 0.01, 40e6)
near("cpu: before", total(cpu, "cpu", "burn_before"), 2 * BURN_NS, 0.03, 30e6)
near("cpu: after", total(cpu, "cpu", "burn_after"), 2 * BURN_NS, 0.03, 30e6)
check("cpu: nothing within", total(cpu, "cpu", "burn_within") == 0)
check("cpu: it is sampled", total(cpu, "cpu", "[unsampled]") < 0.05 * truth,
      total(cpu, "cpu", "[unsampled]"))

# 512 samples, at a mean of one interval each: four standard deviations.
heap, size = of("heap.pb.gz"), BLOCKS * BLOCK_BYTES
for when in "before", "after":
    near("heap: allocated %s" % when,
         total(heap, "alloc_objects", "allocate_" + when), BLOCKS, 0.14)
check("heap: nothing within", not any(
    total([p], name, "allocate_within") for p in heap
    for name, _ in p.sample_types))
final = heap[-1]
near("heap: in use, what was freed within is not",
     total([final], "inuse_space", "allocate_before"), size / 2, 0.2)
near("heap: in use, from after",
     total([final], "inuse_space", "allocate_after"), size, 0.14)
check("heap: the profile says so", any("paused for" in c for c in
                                       final.comments), final.comments)
without = [p for p in heap if ("alloc_space", "bytes") not in p.sample_types]
check("heap: one type alone", len(without) == 1 and
      len(without[0].sample_types) == 3 and
      total(without, "inuse_space", "allocate_after") > 0, len(without))
near("heap: of the others, all", total(without, "alloc_objects",
                                       "allocate_apart"), BLOCKS, 0.14)
check("heap: of it, nothing later",
      total(heap, "alloc_space", "allocate_apart") == 0)

mutex, block = of("mutex.pb.gz"), of("block.pb.gz")
waited = next(float(l[1]) for l in lines if l[0] == "waited")
near("mutex: all waits that were not paused", total(mutex, "delay"), waited,
     0.05, 20e6)
for when, count in (("before", 1), ("within", 0), ("across", 0), ("after", 1)):
    check("block: %s" % when, total(block, "contentions", "lock_" + when) ==
          total(block, "contentions", "read_" + when) == count,
          (total(block, "contentions", "lock_" + when),
           total(block, "contentions", "read_" + when)))

births = of("creation.pb.gz")
check("threads: there, and who came within", any(
    total([p], "threads", "sleep_on") == 2 for p in of("threads.pb.gz")))
check("thread_creation", any(total([p], "threads", "create_before") == 1 and
                             total([p], "threads", "[creator not seen]") == 1
                             for p in births) and
      total(births, "threads", "create_within") == 0)

cpu = of("pb.gz", child)
truth = next(float(l[2]) for l in lines if l[0] == "child")
near("child: all that was not paused", total(cpu, "cpu"), truth, 0.01, 40e6)
check("child: nothing within", total(cpu, "cpu", "burn_within") == 0)
near("child: after", total(cpu, "cpu", "burn_after"), BURN_NS, 0.03, 30e6)
finish()
