# SPDX-License-Identifier: Apache-2.0
"""symbols.py HOW PROFILE PROGRAM SOURCE - what is said of the frames of
tests/programs/inlined.c

names: its functions. lines: those that are inlined, too, each with its line of
the source. server: addresses and build ID, from which addr2line gets the same.
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import pprof

how, profile, program, source = sys.argv[1:]
CHAIN = ["innermost", "middle", "outer", "main"]


def marked():
    """The lines of the source, by the function that they are in."""
    lines = {}
    with open(source) as f:
        for number, line in enumerate(f, 1):
            found = re.search(r"/\* at: (\w+) \*/", line)
            if found:
                lines.setdefault(found[1], set()).add(number)
    return lines


def by_addr2line(address):
    """Pairs of function and line, innermost first."""
    out = subprocess.run(
        ["addr2line", "-fie", program, hex(address)], check=True,
        stdout=subprocess.PIPE, text=True).stdout.split("\n")
    found = [re.match(r".*:(\d+)", place) for place in out[1::2]]
    return [(name, int(line[1]) if line else 0)
            for name, line in zip(out[::2], found)]


def chain(sample, wanted):
    """What the profile says, or what it leaves to be found."""
    frames = [f for f in sample.frames if f.module == wanted]
    if how == "server":
        return [pair for f in frames for pair in by_addr2line(f.address)]
    return [(f.name, f.line) for f in frames]


def main():
    p = pprof.load(profile)
    lines = marked()
    whole = right = 0
    for s in p.samples:
        found = [pair for pair in chain(s, program) if pair[0] in CHAIN]
        if "main" not in [name for name, _ in found] or \
                "outer" not in [name for name, _ in found]:
            continue
        whole += s.values[0]
        names = [name for name, _ in found]
        if how == "names":
            right += s.values[0] * (names == ["outer", "main"] and
                                    all(line == 0 for _, line in found))
        elif names[-len(CHAIN):] == CHAIN[-len(names):]:
            # A few instructions belong to the loop's head, or to no inlined
            # function.
            right += s.values[0] * all(
                line in lines[name] or name == "innermost"
                for name, line in found)
    unnamed = [f for s in p.samples for f in s.frames
               if f.module == program and not f.name]
    print("%s: %d samples, %d as they should be" % (how, whole, right))
    good = whole >= 30 and right >= 0.95 * whole
    good = good and bool(unnamed) == (how == "server")
    # What is in the loop is at the loop's lines.
    if how == "lines":
        at = sum(s.values[0] for s in p.samples
                 if s.frames[0].name == "innermost" and
                 s.frames[0].line in lines["innermost"] and
                 os.path.basename(s.frames[0].file) == "inlined.c")
        print("%d of them at the marked lines" % at)
        good = good and at >= 0.8 * whole
    # "server" leaves names to the server in all but the frames of no code.
    if how == "server":
        good = good and program in p.without_functions
        wanted = subprocess.run(["readelf", "-n", program], check=True,
                                stdout=subprocess.PIPE, text=True).stdout
        good = good and p.build_ids[program] in wanted and \
            len(p.build_ids[program]) >= 16
    sys.exit(not good)


main()
