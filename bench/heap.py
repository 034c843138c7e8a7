# SPDX-License-Identifier: Apache-2.0
"""heap.py [ROUNDS] [NAME...] - what heap profiling costs, ours and others'

Each way of profiling beside the same allocator without it, runs in turns: pairs
of malloc and free (bench_heap), sqlite3's inserts, a redis-server under load,
and the resident memory of both. The thread alone is a library that starts one
which sleeps; forwarding is a library whose functions only call the next. NAMEs
are of ways; all, if there is none.
"""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from costs import SLEEPER

BUILD = os.environ["BUILD_DIR"]
BENCH = os.path.join(BUILD, "bench")
LIBRARY = os.path.join(BUILD, "libpyroscope.so.0")
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 11
SQL = """CREATE TABLE t(id INTEGER PRIMARY KEY, k INT, s TEXT);
CREATE INDEX by_k ON t(k, s);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250000)
INSERT INTO t SELECT i, i * 7919 % 10007, printf('%08x', i * 7919) FROM n;
"""
PROF = "prof:true,lg_prof_sample:19"
# name: (the same allocator without, environment, command before the program)
WAYS = {
    "glibc": (None, {}, []),
    "a thread alone": ("glibc", {"LD_PRELOAD": "sleeper.so"}, []),
    "forwarding": ("glibc", {"LD_PRELOAD": BENCH + "/libforward.so"}, []),
    "pyroscope": ("glibc", {"LD_PRELOAD": LIBRARY}, []),
    "jemalloc": (None, {"LD_PRELOAD": "libjemalloc.so.2"}, []),
    "jemalloc prof": ("jemalloc", {"LD_PRELOAD": "libjemalloc.so.2",
                                   "MALLOC_CONF": PROF}, []),
    "pyroscope, jemalloc": ("jemalloc", {"LD_PRELOAD": LIBRARY +
                                         ":libjemalloc.so.2"}, []),
    "tcmalloc": (None, {"LD_PRELOAD": "libtcmalloc.so.4"}, []),
    "tcmalloc sampling": ("tcmalloc", {
        "LD_PRELOAD": "libtcmalloc.so.4",
        "TCMALLOC_SAMPLE_PARAMETER": "524288"}, []),
    "tcmalloc heap profiler": ("tcmalloc", {
        "LD_PRELOAD": "libtcmalloc.so.4", "HEAPPROFILE": "tcmalloc",
        "HEAP_PROFILE_ALLOCATION_INTERVAL": "0",
        "HEAP_PROFILE_INUSE_INTERVAL": "0"}, []),
    "heaptrack": ("glibc", {}, ["heaptrack", "-r", "-o", "heaptrack.raw"]),
}
SLOW = {"tcmalloc heap profiler": 3, "heaptrack": 3}


def environment(way):
    env = dict(os.environ, LC_ALL="C", PYROSCOPE_PROFILE_TYPES="heap",
               PYROSCOPE_COMMAND="record", PYROSCOPE_OUTPUT_DIR="drop")
    env.update(WAYS[way][1])
    return env


def run(way, command, **options):
    return subprocess.run(WAYS[way][2] + command, env=environment(way),
                          stderr=subprocess.DEVNULL, check=True, **options)


def pair(*words):
    def measure(way):
        out = run(way, [BENCH + "/bench_heap", *words],
                  stdout=subprocess.PIPE).stdout.split()
        # heaptrack has its say before and after.
        return [next(float(w) for w in out if w.replace(b".", b"").isdigit()
                     and b"." in w)]
    return measure


def sqlite(way):
    """CPU seconds and resident KiB."""
    process = subprocess.Popen(
        WAYS[way][2] + ["sqlite3", ":memory:", ".read insert.sql"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=environment(way))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        sys.exit("%s: status %d" % (way, status))
    return [usage.ru_utime + usage.ru_stime, usage.ru_maxrss]


def kib(pid, name):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith(name))


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def server_of(parent):
    """The process that listens: heaptrack starts it as its child."""
    found = subprocess.run(["pgrep", "-P", str(parent), "-x", "redis-server"],
                           stdout=subprocess.PIPE).stdout.split()
    return int(found[0]) if found else parent


def redis(way):
    """CPU seconds and resident KiB of the server after the same commands."""
    socket = os.path.abspath("redis.sock")
    server = subprocess.Popen(
        WAYS[way][2] + ["redis-server", "--port", "0", "--unixsocket", socket,
                        "--save", ""], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=environment(way))
    while not os.path.exists(socket):
        time.sleep(0.05)
    subprocess.run(["redis-benchmark", "-s", socket, "-q", "-n", "100000",
                    "-P", "8", "-d", "200", "-r", "50000", "-t",
                    "set,lpush,lpop,hset,zadd,incr"],
                   stdout=subprocess.DEVNULL, check=True)
    pid = server_of(server.pid)
    got = [cpu_seconds(pid), kib(pid, "VmRSS")]
    subprocess.run(["redis-cli", "-s", socket, "shutdown", "nosave"],
                   stderr=subprocess.DEVNULL)
    server.wait()
    return got


def compare(what, units, measure, ways):
    got = {way: [] for way in ways}
    for turn in range(ROUNDS):
        for way in ways:
            if turn < SLOW.get(way, ROUNDS):
                got[way].append(measure(way))
            for name in os.listdir("drop"):
                os.remove("drop/" + name)
    for i, unit in enumerate(units):
        for way in ways:
            values = [v[i] for v in got[way]]
            base = [v[i] for v in got.get(WAYS[way][0], [])]
            line = "%-14s %-24s %12.3f %-4s" % (
                what, way, statistics.median(values), unit)
            if base:
                line += (" %+11.3f x %.4f of medians, %+.3f x %.4f of minima"
                         % (statistics.median(values) - statistics.median(base),
                            statistics.median(values) / statistics.median(base),
                            min(values) - min(base),
                            min(values) / min(base)))
            print(line, flush=True)


def main():
    ways = sys.argv[2:] or [w for w in WAYS if not WAYS[w][2] or
                            shutil.which(WAYS[w][2][0])]
    with open("sleeper.c", "w") as f:
        f.write(SLEEPER)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", "sleeper.so",
                    "sleeper.c", "-pthread"], check=True)
    WAYS["a thread alone"][1]["LD_PRELOAD"] = os.path.abspath("sleeper.so")
    with open("insert.sql", "w") as f:
        f.write(SQL)
    os.mkdir("drop")
    for words in (("tight",), ("tight", "2"), ("random",), ("random", "2"),
                  ("tree",)):
        compare(" ".join(words), ["ns"], pair(*words), ways)
    compare("sqlite3", ["s", "KiB"], sqlite, ways)
    compare("redis-server", ["s", "KiB"], redis, ways)


with tempfile.TemporaryDirectory(prefix="pyro-bench.") as home:
    os.chdir(home)
    main()
