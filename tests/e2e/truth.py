# SPDX-License-Identifier: Apache-2.0
"""truth.py - profiles of programs whose CPU time is known by construction

Shares of functions, totals against getrusage, complete stacks, and time that a
timer on a thread's CPU clock does not see well. With LONG=1: 25,000 samples a
run and every share within a point; else within 3 standard errors of as many
independent samples. Prints the figures, and FAIL where one is not
within its bound.
"""
import collections
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import pprof

LONG = os.environ.get("LONG") == "1"
SHARES = {"f50": 0.50, "f25": 0.25, "f15": 0.15, "f10": 0.10}
RATE = 100
failed = False


def check(good, text):
    global failed
    failed = failed or not good
    print("%s %s" % ("ok" if good else "FAIL", text), flush=True)


def within(what, value, low, high, unit="%"):
    scale = 100 if unit == "%" else 1
    check(low <= value <= high, "%s: %.3f %s (%.3f to %.3f)" %
          (what, value * scale, unit, low * scale, high * scale))


def record(folder, *command):
    """Returns the profile, and the seconds that getrusage told."""
    out = os.path.join(folder, "out.pb.gz")
    name = os.path.join(os.environ["PROGRAMS_DIR"], command[0])
    done = subprocess.run(
        [os.path.join(os.environ["BUILD_DIR"], "pyro"), "record", "-q",
         "--rate", str(RATE), "-o", out, "--", name, *command[1:]],
        stdout=subprocess.PIPE, timeout=3600)
    if done.returncode:
        sys.exit("FAIL %s: exit code %d" % (command[0], done.returncode))
    return pprof.load(out), float(done.stdout)


def is_complete(sample, threaded):
    """Leaf, burn, 10 to 60 calls, f, run, and what starts a thread."""
    names = [f.name for f in sample.frames]
    share = next((s for s in SHARES if s in names), None)
    if share:
        at = names.index(share)
        deep = 0
        while at > deep and names[at - deep - 1] == "recurse":
            deep += 1
        if not 10 <= deep <= 60 or (
                "burn" not in names[:at - deep] and names[0] != "recurse"):
            return False
    if any(pprof.is_cut(name) for name in names):
        return False
    root = sample.frames[-1]
    if not threaded:
        return "main" in names and root.name == "_start"
    # A thread ends in libc's clone3, below the function that it was given.
    return "libc.so" in root.module and (not share or "run" in names) or \
        root.name == "_start"


def shares(folder, threads):
    # Threads that wait for a processor see fewer ticks: signals stand for more.
    seconds = (26000 if LONG else 2700) / RATE * (1 if threads == 1 else 1.3)
    what = "shares, %d thread%s" % (threads, "s" if threads > 1 else "")
    p, cpu = record(folder, "shares", str(seconds / threads), str(threads))
    by_function = collections.Counter()
    whole = every = 0
    for s in p.sampled():
        every += s.values[0]
        whole += s.values[0] * is_complete(s, threads > 1)
        for share in SHARES:
            if any(f.name == share for f in s.frames):
                by_function[share] += s.values[1]
    count = p.counter("samples")
    in_functions = sum(by_function.values())
    # Where threads share processors, ticks merge: fewer signals, same weight.
    check(count >= (25000 if LONG else 2000), "%s: %d samples" % (what, count))
    for share, wanted in SHARES.items():
        error = 3 * (wanted * (1 - wanted) / count) ** 0.5
        if LONG:
            error = 0.01
        within("%s: %s" % (what, share), by_function[share] / in_functions,
               wanted - error, wanted + error)
    within(what + ": total of getrusage", p.total() / 1e9 / cpu, 0.99, 1.01)
    within(what + ": [unsampled]", p.pseudo("[unsampled]") / p.total(), 0,
           0.02)
    within(what + ": in the four functions", in_functions / p.total(), 0.97,
           1.01)
    within(what + ": complete stacks", whole / every, 0.999, 1)


def awkward(folder, *how):
    p, cpu = record(folder, "awkward", *how)
    what = " ".join(how)
    code = sum(s.values[1] for s in p.sampled()
               if not any(f.name == "[signal delayed]" for f in s.frames))
    delayed = p.pseudo("[signal delayed]")
    print("   %s: %.3f s; sampled %.3f, [unsampled] %.3f, "
          "[signal delayed] %.3f" % (what, cpu, code / 1e9,
                                     p.pseudo("[unsampled]") / 1e9,
                                     delayed / 1e9))
    within(what + ": total of getrusage", p.total() / 1e9 / cpu, 0.97, 1.02)
    return p, delayed / 1e9


def main():
    with tempfile.TemporaryDirectory(prefix="pyro-truth.") as folder:
        shares(folder, 1)
        shares(folder, 4)
        # As many as it takes for 2 s; half of the time or more is not seen.
        p, _ = awkward(folder, "threads", "1")
        within("threads 1: [unsampled]", p.pseudo("[unsampled]") / p.total(),
               0.5, 1)
        p, _ = awkward(folder, "threads", "5")
        within("threads 5: [unsampled]", p.pseudo("[unsampled]") / p.total(),
               0.05, 0.75)
        # All, some or nothing of it is seen, by chance.
        awkward(folder, "bursts")
        # Half a second under one signal: 100 ms of it belong to the stack.
        _, delayed = awkward(folder, "blocked")
        within("blocked: [signal delayed]", delayed, 1.5, 1.7, "s")
    sys.exit(failed)


main()
