# SPDX-License-Identifier: Apache-2.0
"""names.py - functions of a profile, by name and system name

    names.py FILE NAME=SYSTEM_NAME...

Each has to be there, with a tenth of the samples at least.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import pprof  # noqa: E402

profile = pprof.load(sys.argv[1])
samples = profile.sampled()
every = sum(s.values[0] for s in samples)
status = 0
for pair in sys.argv[2:]:
    name, _, system = pair.partition("=")
    ticks = sum(s.values[0] for s in samples
                if any(f.name == name for f in s.frames))
    if ticks * 10 < every or every < 50:
        print("%s: %d of %d samples" % (name, ticks, every))
        status = 1
    elif profile.system_names[name] != {system or name}:
        print("%s is %s" % (name, profile.system_names[name]))
        status = 1
if status:
    print(sorted({f.name for s in samples for f in s.frames}))
sys.exit(status)
