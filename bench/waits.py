# SPDX-License-Identifier: Apache-2.0
"""waits.py [ROUNDS] - what the mutex and block profiles cost, in turns with the
bare program, as ratios

Locks and unlocks that nobody waits for, contended ones, round trips by condition
variables and by pipes (bench_waits), and requests that wrk gets from an nginx.
Beside them: a library that starts a thread which sleeps, one that forwards, one
that tries each lock first (waits/try.c), and perf trace's summary of calls.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from costs import BUILD, LIBRARY, SLEEPER, print_ratios

BENCH = os.path.join(BUILD, "bench")
PROFILED = {"LD_PRELOAD": LIBRARY, "PYROSCOPE_COMMAND": "record",
            "PYROSCOPE_OUTPUT_DIR": "drop"}


def profiled(types):
    return dict(PROFILED, PYROSCOPE_PROFILE_TYPES=types)


WAYS = {
    "without": {},
    "a thread alone": {"LD_PRELOAD": "sleeper.so"},
    "forwarding": {"LD_PRELOAD": BENCH + "/libforward.so"},
    "try first": {"LD_PRELOAD": BENCH + "/libtry.so"},
    "dormant": {"LD_PRELOAD": LIBRARY, "PYROSCOPE_PROFILING_ENABLED": "0"},
    "mutex": profiled("mutex"),
    "block": profiled("block"),
    "all": profiled("cpu,heap,mutex,block"),
}


def environment(way):
    return dict(os.environ, LC_ALL="C", **way)


def number(*words):
    return lambda way: float(subprocess.run(
        [BENCH + "/bench_waits", *words], stdout=subprocess.PIPE, check=True,
        env=environment(way)).stdout)


def traced(*words):
    """The same under perf trace, which asks the kernel."""
    def measure(way):
        command = [BENCH + "/bench_waits", *words]
        if way == "perf":
            command = ["perf", "trace", "-s", "-o", "trace"] + command
        return float(subprocess.run(command, stdout=subprocess.PIPE,
                                    check=True).stdout)
    return measure


CONF = """daemon off; master_process off; worker_processes 1; error_log nginx.log;
pid nginx.pid;
events { worker_connections 256; }
http { access_log off; client_body_temp_path t1; proxy_temp_path t2;
fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
server { listen unix:nginx.sock; listen 127.0.0.1:%d;
location / { return 200 "hello"; } } }
"""


def requests(port, seconds):
    """1 / requests a second: as all else, less is better."""
    def measure(way):
        server = subprocess.Popen(
            ["nginx", "-p", os.getcwd(), "-c", "nginx.conf"],
            env=environment(way), stderr=subprocess.DEVNULL)
        while not os.path.exists("nginx.pid"):
            time.sleep(0.05)
        try:
            out = subprocess.run(
                ["wrk", "-t1", "-c32", "-d%d" % seconds,
                 "http://127.0.0.1:%d/" % port], stdout=subprocess.PIPE,
                check=True).stdout.decode()
        finally:
            server.terminate()
            server.wait()
            os.path.exists("nginx.sock") and os.remove("nginx.sock")
        return 1e6 / float(re.search(r"Requests/sec: *([0-9.]+)", out)[1])
    return measure


def free_port():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def can_trace():
    return shutil.which("perf") and subprocess.run(
        ["perf", "trace", "-s", "-o", "trace", "true"],
        stderr=subprocess.DEVNULL).returncode == 0


def main():
    with open("sleeper.c", "w") as f:
        f.write(SLEEPER)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", "sleeper.so",
                    "sleeper.c", "-pthread"], check=True)
    WAYS["a thread alone"]["LD_PRELOAD"] = os.path.abspath("sleeper.so")
    os.mkdir("drop")
    print_ratios("lock, alone", "ns", number("lock"), WAYS)
    print_ratios("lock, two threads", "ns", number("lock2"), WAYS)
    own = {name: WAYS[name] for name in WAYS
           if name not in ("a thread alone", "forwarding")}
    for count in ("2", "4", "8"):
        print_ratios("contended by " + count, "ns",
                     number("contend", count), own)
    print_ratios("condition variables", "us", number("cond"), own)
    print_ratios("pipes", "us", number("pipe"), own)
    if can_trace():
        print_ratios("pipes, perf trace", "us", traced("pipe"),
                     {"without": "", "perf trace": "perf"})
    if shutil.which("nginx") and shutil.which("wrk"):
        port = free_port()
        with open("nginx.conf", "w") as f:
            f.write(CONF % port)
        print_ratios("nginx, a request", "us", requests(port, 2), own)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pyro-bench.") as home:
        os.chdir(home)
        main()
