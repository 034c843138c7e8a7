# SPDX-License-Identifier: Apache-2.0
"""heap_programs.py [NAME...] - the programs that heap_programs.sh prepared

Each runs with the exact counter alone, for the places, and then profiled in front
of it, for the sums. A sum of M bytes out of samples at an interval of R has a
standard deviation of at most sqrt(R * M); four of these are allowed, and five
per cent where they are less. Then the same with other allocators than libc's, two
of the programs, or all with LONG=1. Their operator new does not call malloc, which
is what is counted: C++'s is judged by what the same program did with libc's.
"""
import collections
import glob
import os
import shutil
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import pprof

LIBRARY = os.path.join(os.environ["BUILD_DIR"], "libpyroscope.so")
EXACT = os.path.join(os.environ["PROGRAMS_DIR"], "libexact.so")
LONG = bool(os.environ["LONG"])
ALLOCATORS = ("", ":libjemalloc.so.2", ":libtcmalloc_minimal.so.4",
              ":libmimalloc.so.2")
TOTAL, IN_USE = 1, 3  # of a profile's values, and of the counter's
failed = False


def report(good, text):
    global failed
    failed = failed or not good
    print("%s %s" % ("ok" if good else "FAIL", text), flush=True)


def environment(folder, interval, libraries):
    """With the counter, or the profiler at this interval."""
    env = dict(os.environ, EXACT_DIR=folder, LD_PRELOAD=libraries,
               PYTHONMALLOC="malloc")
    if interval:
        env.update(PYROSCOPE_PROFILE_TYPES="heap",
                   PYROSCOPE_UPLOAD_INTERVAL="1s",
                   PYROSCOPE_OUTPUT_DIR=folder + "/drop",
                   PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES=str(interval))
    return env


def counts(folder, pid="*"):
    """The counter's totals of all processes, or of one."""
    out = [0] * 5
    for path in glob.glob("%s/%s-*" % (folder, pid)):
        if not path.endswith(".txt"):
            with open(path, "rb") as f:
                found = struct.unpack("5Q", f.read(40))
            out = [a + b for a, b in zip(out, found)]
    return out


def profiles(folder, pid="*"):
    """In the order in which they were written."""
    paths = glob.glob("%s/drop/%s-*.heap.pb.gz" % (folder, pid))
    return [pprof.load(p) for p in sorted(
        paths, key=lambda p: int(p.split("-")[-1].split(".")[0]))]


def exact_places(folder):
    """{(module, return address): bytes} of all processes."""
    out = collections.Counter()
    for path in glob.glob(folder + "/*.txt"):
        with open(path) as f:
            for line in f:
                address, _, size, _, _, module = line.split(None, 5)
                module = os.path.basename(module.strip())
                out[module, int(address, 16)] += int(size)
    return out


def wait_ready(process):
    for _ in range(1200):
        if os.path.exists("ready") or process.poll() is not None:
            return
        time.sleep(0.1)


def run_piped(command, text):
    """A program that says "ready" when it rests, until its input ends."""
    def start(env, at_rest):
        process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL)
        process.stdin.write(text)
        process.stdin.flush()
        wait_ready(process)
        at_rest(process.pid)
        process.stdin.close()
        return process.wait()
    return start


def run_git(env, at_rest):
    """Rests never."""
    code = 0
    turns = 40 if LONG else 3
    for turn in range(turns):
        code |= subprocess.run(["git", "-C", "repo", "log", "-p", "main"],
                               env=env, stdout=subprocess.DEVNULL).returncode
    shutil.rmtree("copy", ignore_errors=True)
    shutil.copytree("repo", "copy")
    return code | subprocess.run(["git", "-C", "copy", "gc", "-q",
                                  "--aggressive"], env=env).returncode


def run_redis(env, at_rest):
    socket = os.path.abspath("redis.sock")
    server = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", socket, "--save", ""],
        env=env, stdout=subprocess.DEVNULL)
    while not os.path.exists(socket) and server.poll() is None:
        time.sleep(0.05)
    subprocess.run(["redis-benchmark", "-s", socket, "-q", "-n",
                    "6000000" if LONG else "200000", "-P", "16", "-d", "300",
                    "-r", "50000", "-t", "set,lpush,hset,incr,zadd"],
                   stdout=subprocess.DEVNULL)
    at_rest(server.pid)
    subprocess.run(["redis-cli", "-s", socket, "shutdown", "nosave"],
                   stderr=subprocess.DEVNULL)
    return server.wait()


def read(path):
    with open(path, "rb") as f:
        return f.read()


# name: (how it runs, sampling interval)
PROGRAMS = {
    "sqlite3": (run_piped(["sqlite3", ":memory:"], read("fill.sql")), 65536),
    "python3": (run_piped(["/usr/bin/python3", "work.py"], b""), 65536),
    "c++": (run_piped(["./words"], b""), 65536),
    "redis": (run_redis, 65536),
    "git": (run_git, 65536),
}


def within(found, wanted, period, share):
    return abs(found - wanted) <= max(4 * (period * wanted) ** 0.5,
                                      share * wanted)


def judge_rest(name, folder, pid, counted):
    """After two windows in which nothing happened."""
    time.sleep(2.6)
    wanted = counted or counts(folder, pid)
    last = profiles(folder, pid)[-1:]
    if not last:
        report(False, "%s: no profile at rest" % name)
        return
    # What lives was drawn when the program was busy, and the interval larger.
    period = max(p.period for p in profiles(folder, pid))
    last = last[0]
    found = sum(s.values[IN_USE] for s in last.samples)
    report(within(found, wanted[IN_USE], period, 0.01),
           "%s: %d bytes in use, really %d: %+.2f standard deviations" %
           (name, found, wanted[IN_USE], (found - wanted[IN_USE]) /
            (period * wanted[IN_USE]) ** 0.5))


def judge_places(name, exact, found, period):
    """The profile's first five are the counter's first five, up to chance."""
    fifth = sorted(exact.values())[-5:][0]
    for place, size in found.most_common(5):
        # A return address less one is in the call.
        wanted = max(exact[place], exact[place[0], place[1] + 1])
        good = wanted + max(4 * (period * wanted) ** 0.5, 0.05 * fifth) >= fifth
        good = good and within(size, wanted, period, 0.1)
        report(good, "%s: %s+0x%x: %d bytes, really %d" %
               (name, place[0], place[1], size, wanted))


def judge(name, program, folder, alone, counted):
    exact = counted or counts(folder)
    every = profiles(folder)
    if not every:
        report(False, "%s: no profile" % name)
        return
    period = max(p.period for p in every)
    total = sum(s.values[TOTAL] for p in every for s in p.samples)
    deviation = (period * exact[TOTAL]) ** 0.5
    report(within(total, exact[TOTAL], period, 0.05) and exact[4] == 0,
           "%s: %d bytes allocated, really %d: %+.2f %%, %+.2f standard "
           "deviations" % (name, total, exact[TOTAL], 100 * total /
                           exact[TOTAL] - 100,
                           (total - exact[TOTAL]) / deviation))
    if LONG:
        report(abs(total / exact[TOTAL] - 1) < 0.05, name + ": within 5 %")
    found = collections.Counter()
    main = os.path.basename(PROGRAM_FILES.get(program, program))
    for p in every:
        for s in p.samples:
            module = os.path.basename(s.frames[0].module)
            module = "-" if module == main else module
            found[module, s.frames[0].address] += s.values[TOTAL]
    if not counted:
        judge_places(name, exact_places(alone), found, period)


PROGRAM_FILES = {"c++": "words", "redis": os.path.realpath(
    shutil.which("redis-server")), "python3": os.path.realpath(
        "/usr/bin/python3")}


def check(program, allocator):
    run, interval = PROGRAMS[program]
    interval = 524288 if LONG else interval
    name = program + allocator
    by_libc = allocator and program == "c++"
    rested = []

    def begin(folder):
        os.makedirs(folder + "/drop")
        if os.path.exists("ready"):
            os.remove("ready")
        return os.path.abspath(folder)

    def finished(code):
        if code:
            report(False, "%s: status %d" % (name, code))

    alone = begin(name + ".alone")
    finished(run(environment(alone, 0, EXACT + (not by_libc and allocator or
                                                "")),
                 lambda pid: rested.append(counts(alone, pid))))
    counted = by_libc and rested[0]
    both = begin(name + ".both")
    finished(run(environment(both, interval, LIBRARY + (
        "" if by_libc else ":" + EXACT) + allocator),
                 lambda pid: judge_rest(name, both, pid, counted)))
    judge(name, program, both, alone, counted)


def main():
    for allocator in ALLOCATORS:
        few = ("sqlite3", "c++") if allocator and not LONG else PROGRAMS
        for program in sys.argv[1:] or few:
            check(program, allocator)


main()
sys.exit(failed)
