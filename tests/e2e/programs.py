# SPDX-License-Identifier: Apache-2.0
"""programs.py - what programs.sh looks at in one profile

    programs.py NAME FILE MODULE LEAST CHECKED

The profile is valid and has LEAST samples and code of MODULE; the share of
complete stacks is printed, and where the incomplete ones end. CHECKED is the
fraction of stacks that has to be complete, up to chance.
"""
import collections
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import pprof


def main():
    name, path, module, least, wanted = sys.argv[1:]
    p = pprof.load(path)
    cut, every = p.incomplete()
    problems = []
    if p.sample_types != [("samples", "count"), ("cpu", "nanoseconds")]:
        problems.append("types %s" % p.sample_types)
    if p.period_type != ("cpu", "nanoseconds") or p.period <= 0:
        problems.append("period %s %d" % (p.period_type, p.period))
    if every < int(least):
        problems.append("%d samples, wanted %s" % (every, least))
    if not any(module in f.module for s in p.samples for f in s.frames):
        problems.append("no code of " + module)
    if any(v < 0 for s in p.samples for v in s.values):
        problems.append("a negative value")
    # Three standard errors of a count this small, and one for good measure.
    expected = (1 - float(wanted)) * every
    if cut > expected + 3 * expected ** 0.5 + 1:
        problems.append("too many incomplete stacks")
    named = sum(s.values[0] for s in p.sampled() if "+0x" not in
                s.frames[0].name and not s.frames[0].name.startswith("["))
    print("%s %s: %d samples, %.2f %% complete, %.1f %% of leaves named, "
          "%.1f %% [unsampled]%s" %
          ("FAIL" if problems else "ok", name, every,
           100 - 100 * cut / max(every, 1), 100 * named / max(every, 1),
           100 * p.pseudo("[unsampled]") / max(p.total(), 1),
           "".join("; " + t for t in problems)))
    ends = collections.Counter()
    for s in p.sampled():
        names = [f.name for f in s.frames]
        roots = [i for i, name in enumerate(names) if pprof.is_cut(name)]
        if roots:
            last = s.frames[roots[0] - 1]
            ends["%s (%s 0x%x)" % (last.name, os.path.basename(last.module),
                                   last.address)] += s.values[0]
    for end, count in ends.most_common(8):
        print("   %s: %d end at %s" % (name, count, end))
    sys.exit(bool(problems))


main()
