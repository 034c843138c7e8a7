# SPDX-License-Identifier: Apache-2.0
"""_profile.py - one number or word about some profiles

    _profile.py EXPRESSION FILE...

The expression is Python's and may use the functions below.
"""
import sys

import pprof

profiles = [pprof.load(path) for path in sys.argv[2:]]


def samples():
    return [s for p in profiles for s in p.sampled()]


def ticks(function=""):
    """Ticks of stacks of code, or of those that this function is in; "x_" is
    any function whose name begins so."""
    return sum(s.values[0] for s in samples()
               if not function or any(is_of(f.name, function)
                                      for f in s.frames))


def is_of(name, function):
    return name == function or (function[-1] == "_" and
                                name.startswith(function))


def incomplete():
    return sum(p.incomplete()[0] for p in profiles)


def root(name):
    """Ticks of stacks with this frame at the root."""
    return sum(s.values[0] for p in profiles for s in p.samples
               if s.frames[-1].name == name)


def seconds():
    return sum(p.total() for p in profiles) / 1e9


def mixed(caller, alien):
    """Ticks of stacks with caller and with a name that begins with alien."""
    return sum(s.values[0] for s in samples()
               if any(f.name == caller for f in s.frames) and
               any(f.name.startswith(alien) for f in s.frames))


def without(caller, name):
    """Ticks of whole stacks with a name that begins so, and no such caller."""
    return sum(s.values[0] for s in samples()
               if any(f.name.startswith(name) for f in s.frames) and
               not any(f.name == caller for f in s.frames) and
               not pprof.is_cut(s.frames[-1].name))


def files():
    return len(profiles)


def heap(name, function=""):
    """The sum of one of a heap profile's values over all stacks, or those with
    this function."""
    return sum(s.values[i] for p in profiles for s in p.samples
               for i, (found, _) in enumerate(p.sample_types)
               if found == name and
               (not function or any(is_of(f.name, function)
                                    for f in s.frames)))


print(eval(sys.argv[1]))
