# SPDX-License-Identifier: Apache-2.0
"""_prefork.py - what a folder of _server.py's has of a server's processes

    _prefork.py FOLDER FUNCTION PID...

For each process one line, "PID ok" or "PID" and what is missing: profiles of all
five kinds under its pid label ("root": without), CPU time that is mostly in stacks,
and some of it in a function whose name begins as FUNCTION does. "-": in any.
"""
import collections
import glob
import sys

import pprof

KINDS = {"process_cpu", "memory", "mutex", "block", "threads"}


def labels_of(path):
    with open(path) as f:
        return dict(line.rstrip("\n").split("=", 1) for line in f)


def look(folder):
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for path in glob.glob(folder + "/*.labels"):
        labels = labels_of(path)
        found[labels.get("pid", "root")][labels["__name__"]].append(
            pprof.load(path[:-len("labels")] + "pb.gz"))
    return found


def missing(kinds, function):
    out = ["no " + kind for kind in sorted(KINDS - set(kinds))]
    total = sampled = inside = 0
    for profile in kinds["process_cpu"]:
        for sample in profile.samples:
            name = sample.frames[-1].name
            if name == "[pyroscope]":
                continue
            total += sample.values[1]
            if pprof.is_pseudo(name) and not pprof.is_cut(name):
                continue
            sampled += sample.values[1]
            if any(f.name.startswith(function) for f in sample.frames):
                inside += sample.values[1]
    if 2 * sampled < total:
        out.append("%d of %d ms sampled" % (sampled / 1e6, total / 1e6))
    if function != "-" and not inside:
        out.append("nothing in " + function)
    return out


found = look(sys.argv[1])
for pid in sys.argv[3:]:
    print(pid, ", ".join(missing(found[pid], sys.argv[2])) or "ok")
