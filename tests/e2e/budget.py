# SPDX-License-Identifier: Apache-2.0
"""budget.py - a program that costs more than two thousandths, then nothing

A sample at each tick, and a profile each second: that is more than the budget, and
rates halve after five seconds. Then the program sleeps, and they come back. The
CPU time of all profiles is what getrusage tells. Prints the figures.
"""
import glob
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import pprof
from _check import check, finish

PROGRAM = """
import resource, sys, time
def spend(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        sum(range(1000))
def deep(n, seconds):
    return deep(n - 1, seconds) if n else spend(seconds)
while time.process_time() < 7:
    deep(100, 0.05)
print(flush=True)
sys.stdin.read()
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_utime + usage.ru_stime, flush=True)
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def metrics(port):
    text = urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port,
                                  timeout=60).read().decode()
    return {name: float(value) for name, value in
            re.findall(r"^pyroscope_(\S+) (\S+)$", text, re.M)}


def wait_for(port, good):
    """The metrics as soon as they are good, or after a minute."""
    end = time.monotonic() + 60
    while True:
        now = metrics(port)
        if good(now) or time.monotonic() > end:
            return now
        time.sleep(5)  # to ask costs, too


def begin(folder, port):
    env = dict(
        os.environ, PYROSCOPE_PPROF_ADDRESS="127.0.0.1:%d" % port,
        PYROSCOPE_OUTPUT_DIR=folder, PYROSCOPE_UPLOAD_INTERVAL="1s",
        PYROSCOPE_PROFILE_TYPES="cpu", PYROSCOPE_OVERHEAD_PERMILLE="2",
        PYROSCOPE_SAMPLE_RATE="1000",
        LD_PRELOAD=os.path.join(os.environ["BUILD_DIR"],
                                "libpyroscope.so.0"))
    return subprocess.Popen(
        ["/usr/bin/python3", "-S", "-c", PROGRAM], env=env,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)


def check_profiles(folder, used, ours):
    profiles = sorted((pprof.load(path) for path in
                       glob.glob(os.path.join(folder, "*.pb.gz"))),
                      key=lambda p: p.time_ns)
    total = sum(p.total() for p in profiles) / 1e9
    unsampled = sum(p.pseudo("[unsampled]") for p in profiles) / 1e9
    # The last sample of the longest period may say too much.
    most = max(p.period for p in profiles) / 1e9
    check("CPU time, of %.2f s of getrusage" % used,
          abs(total - used) < 0.01 * used + most, "%.2f s" % total)
    check("what no sample explains", unsampled < 0.03 * used,
          "%.2f s" % unsampled)
    periods = [p.period // 1000000 for p in profiles]
    check("periods rise", periods[0] == 1 and 2 in periods and
          set(periods) <= {1 << i for i in range(7)}, periods)
    for p in profiles:
        halved = [c for c in p.comments if c.startswith("rates were halved")]
        if len(halved) != (p.period > 1000000):
            check("a profile says so", False, (p.period, p.comments))
        # A late signal has the period that it was armed with.
        bad = [s.values for s in p.sampled() if s.values[-1] % 1000000 or
               s.values[-1] > s.values[0] * 64000000]
        check("samples are whole periods", not bad, bad) if bad else None
    check("own time", ours > 0, "%.1f ms" % (ours * 1e3))


def main():
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pyro-budget.") as folder:
        program = begin(folder, port)
        program.stdout.readline()
        busy = wait_for(port, lambda m: m["rate_halvings"] >= 1)
        check("halved", busy["rate_halvings"] >= 1, busy["rate_halvings"])
        check("share", 0.001 < busy["overhead_ratio"] < 0.1,
              busy["overhead_ratio"])
        parts = {part: busy['own_cpu_seconds_total{part="%s"}' % part]
                 for part in ("handlers", "hooks", "threads", "reading")}
        samples = sum(busy['cpu_samples_total{end="%s"}' % end]
                      for end in ("complete", "depth", "gap"))
        # Of up to ten at a tick; at most a long walk's time.
        each = parts["handlers"] / samples * 1e6
        check("a sample's time", 0.23 < each < 100, "%.1f us" % each)
        check("no hooks without their profiles", parts["hooks"] == 0, parts)
        check("threads, reading", parts["threads"] > 0 < parts["reading"],
              parts)
        idle = wait_for(port, lambda m: m["rate_halvings"] <
                        busy["rate_halvings"])
        check("comes back", idle["rate_halvings"] < busy["rate_halvings"],
              idle["rate_halvings"])
        out, err = program.communicate("")
        check("a line", err.count("overhead_permille=2 allows") == 1 and
              err.count("\n") == 1, err)
        check_profiles(folder, float(out), sum(parts.values()))
    finish()


if __name__ == "__main__":
    main()
