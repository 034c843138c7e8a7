# SPDX-License-Identifier: Apache-2.0
"""_storm_sums.py - is the CPU time of fork_storm's children theirs, and once there?

    _storm_sums.py OUTPUT FOLDER

OUTPUT has a line "CHILD pid ns" of each child that exited; FOLDER the files that all
processes dropped. A child's profiles sum up to its own clock within TOLERANCE, and
hold nothing of what its parent does. Prints what is wrong, then the sums.
"""
import collections
import glob
import os
import sys

import pprof

TOLERANCE = 25e6  # ns: what comes between the child's look and the library's

clock, again = {}, set()
with open(sys.argv[1]) as f:
    for line in f:
        word = line.split()
        if word and word[0] == "CHILD":
            if word[1] in clock:
                again.add(word[1])  # the kernel has begun anew
            clock[word[1]] = float(word[2])
for pid in again:
    del clock[pid]

total = collections.Counter()
alien = collections.Counter()
for path in glob.glob(sys.argv[2] + "/*[0-9].pb.gz"):
    pid = os.path.basename(path).split("-")[0]
    if pid not in clock:
        continue
    for sample in pprof.load(path).samples:
        total[pid] += sample.values[1]
        if any(f.name == "in_parent" for f in sample.frames):
            alien[pid] += sample.values[1]

for pid, ns in total.items():
    if abs(ns - clock[pid]) > TOLERANCE:
        print("process %s: %.1f ms in its profiles, %.1f by its clock" %
              (pid, ns / 1e6, clock[pid] / 1e6))
    if alien[pid]:
        print("process %s: %.1f ms are its parent's" % (pid, alien[pid] / 1e6))
print("%d children exited, %d with profiles: %.3f s in them, %.3f by clocks" %
      (len(clock), len(total), sum(total.values()) / 1e9,
       sum(clock[pid] for pid in total) / 1e9))
