# SPDX-License-Identifier: Apache-2.0
"""costs.py [ROUNDS] - what a whole program pays, as ratios of runs in turns

CPU seconds of programs without the library, at 100 Hz and at 1000 Hz; single
calls; memory and the library's own threads in a redis-server under load, and there
what it says itself that it takes, with all types of profiles. The
thread alone is a library that starts one that sleeps: what glibc charges a
program for no longer being single-threaded.
"""
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

BUILD = os.environ["BUILD_DIR"]
LIBRARY = os.path.join(BUILD, "libpyroscope.so.0")
CALLS = os.path.join(BUILD, "bench", "bench_calls")
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 25
LUA = """local function fib(n) if n < 2 then return n end
return fib(n - 1) + fib(n - 2) end fib(37)"""
SQL = """CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500000)
INSERT INTO t SELECT i, printf('%08x', i * 7919) FROM n;
SELECT max(upper(s)) FROM t WHERE s LIKE '%7%';"""
# Row by row out of an index: sqlite locks and allocates all the time.
SQL_LOCKS = """CREATE TABLE t(id INTEGER PRIMARY KEY, k INT, s TEXT);
CREATE INDEX by_k ON t(k, s);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO t SELECT i, i * 7919 % 10007, printf('%08x', i) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
SELECT sum((SELECT count(*) FROM t a JOIN t b ON a.k = b.k AND a.s < b.s
WHERE a.id < 3000 + n.i)), sum((SELECT max(upper(s)) FROM t WHERE s LIKE
'%' || n.i || '%')) FROM n;"""
SLEEPER = """#include <pthread.h>
#include <signal.h>
#include <unistd.h>
static void *run(void *arg)
{
	sigset_t all;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, 0);
	for (;;)
		pause();
	return arg;
}
__attribute__((constructor)) static void start(void)
{
	pthread_t id;
	pthread_create(&id, 0, run, 0);
}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


PORT = free_port()


def environment(folder, how):
    env = dict(os.environ, LC_ALL="C")
    if how == "own":
        env.update(LD_PRELOAD=LIBRARY, PYROSCOPE_OUTPUT_DIR=folder,
                   PYROSCOPE_PPROF_ADDRESS="127.0.0.1:%d" % PORT)
    elif how == "thread":
        env["LD_PRELOAD"] = os.path.join(folder, "sleeper.so")
    elif how:
        env.update(LD_PRELOAD=LIBRARY, PYROSCOPE_COMMAND="record",
                   PYROSCOPE_OUTPUT_DIR=folder, PYROSCOPE_SAMPLE_RATE=how)
    return env


def cpu_seconds(command, env):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        sys.exit("%s: status %d" % (command, status))
    return usage.ru_utime + usage.ru_stime


def print_ratios(what, unit, measure, ways):
    """measure(way) of each way in turns; ways: {name: way}, the first is 1."""
    got = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            got[name].append(measure(way))
    base = next(iter(got.values()))
    for name, values in got.items():
        # Neighbours in time share the machine's moods.
        paired = statistics.median(v / b for v, b in zip(values, base))
        print("%-28s %-16s %9.3f %s  x %.4f of medians, %.4f of pairs, "
              "%.4f of minima" %
              (what, name, statistics.median(values), unit,
               statistics.median(values) / statistics.median(base), paired,
               min(values) / min(base)), flush=True)


def slow_down(folder):
    ways = {"without": "", "a thread alone": "thread", "100 Hz": "100",
            "1000 Hz": "1000"}
    for file, text in (("work.lua", LUA), ("scan.sql", SQL),
                       ("join.sql", SQL_LOCKS)):
        with open(file, "w") as f:
            f.write(text)
    for command in (["lua5.4", "work.lua"],
                    ["sqlite3", ":memory:", ".read scan.sql"],
                    ["sqlite3", ":memory:", ".read join.sql"]):
        print_ratios("CPU time, " + command[-1], "s", lambda how:
                     cpu_seconds(command, environment(folder, how)), ways)


def calls(folder):
    def number(*words):
        return lambda how: float(subprocess.run(
            [CALLS, *words], stdout=subprocess.PIPE, check=True,
            env=environment(folder, how)).stdout)
    ways = {"without": "", "a thread alone": "thread", "100 Hz": "100"}
    print_ratios("read of a byte", "ns", number("read"), ways)
    print_ratios("thread", "us", number("thread"), ways)
    took = sorted(number("load", LIBRARY)("") for _ in range(ROUNDS))
    print("%-28s %-16s %9.3f us, %.3f at the most" %
          ("pyroscope_load()", "", statistics.median(took), took[-1]))


def private_kib(pid):
    with open("/proc/%d/smaps_rollup" % pid) as f:
        return sum(int(line.split()[1]) for line in f
                   if line.startswith("Private_"))


def library_cpu_ns(pid):
    total = 0
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/comm" % (pid, tid)) as f:
            ours = f.read().startswith("pyro-")
        if ours:
            with open("/proc/%d/task/%s/schedstat" % (pid, tid)) as f:
                total += int(f.read().split()[0])
    return total


def own_cpu():
    """Seconds by part, as the library measures them."""
    text = urllib.request.urlopen("http://127.0.0.1:%d/metrics" % PORT,
                                  timeout=60).read().decode()
    return {part: float(value) for part, value in re.findall(
        r'^pyroscope_own_cpu_seconds_total{part="(\w+)"} (\S+)$', text, re.M)}


def redis(folder, how, seconds):
    """Returns private KiB, shares of a core: the library's, the server's; and the
    parts of the former, where it tells."""
    socket = os.path.join(folder, "redis.sock")
    server = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", socket, "--save", ""],
        stdout=subprocess.DEVNULL, env=environment(folder, how))
    while not os.path.exists(socket):
        time.sleep(0.05)
    load = ["redis-benchmark", "-s", socket, "-q", "-n", "50000", "-P", "4",
            "-t", "set,get,lpush,lpop,zadd", "-r", "10000"]
    # Start-up is not what a server pays for long.
    subprocess.run(load, stdout=subprocess.DEVNULL, check=True)
    parts = own_cpu() if how == "own" else {}
    begin, cpu = time.monotonic(), library_cpu_ns(server.pid)
    while time.monotonic() < begin + seconds:
        subprocess.run(load, stdout=subprocess.DEVNULL, check=True)
    took = time.monotonic() - begin
    cpu = library_cpu_ns(server.pid) - cpu
    if parts:
        after = own_cpu()
        parts = {part: (after[part] - parts[part]) / took for part in parts}
    kib = private_kib(server.pid)
    subprocess.run(["redis-cli", "-s", socket, "shutdown", "nosave"],
                   stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(server.pid, 0)
    server.returncode = 0
    return kib, cpu / took / 1e9, usage.ru_utime + usage.ru_stime, parts


def server(folder):
    seconds = 60 if ROUNDS >= 25 else 5
    without, _, _, _ = redis(folder, "", 5)
    kib, share, _, _ = redis(folder, "100", seconds)
    print("%-28s %-16s %9.2f MiB private, %.2f without: + %.2f MiB" %
          ("redis-server, memory", "100 Hz", kib / 1024, without / 1024,
           (kib - without) / 1024))
    print("%-28s %-16s %9.3f %% of a core in %d s of load" %
          ("redis-server, our threads", "100 Hz", 100 * share, seconds))
    _, _, _, parts = redis(folder, "own", seconds)
    for part, share in parts.items():
        print("%-28s %-16s %9.3f %% of a core by itself" %
              ("redis-server, all types", part, 100 * share))


def main():
    with tempfile.TemporaryDirectory(prefix="pyro-bench.") as folder:
        os.chdir(folder)
        with open("sleeper.c", "w") as f:
            f.write(SLEEPER)
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", "sleeper.so",
                        "sleeper.c", "-lpthread"], check=True)
        slow_down(folder)
        calls(folder)
        server(folder)


if __name__ == "__main__":
    main()
