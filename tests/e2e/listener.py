# SPDX-License-Identifier: Apache-2.0
"""listener.py - fetches what programs/serve serves

    listener.py PORT            all checks
    listener.py PORT index      prints the index
    listener.py PORT paused     what it tells of types that are paused, mutex and
                                block_count; or with resumed, of all
    listener.py PORT wall OUT FILE  the profile of all time that it wrote
    listener.py PORT threads    whether all threads are in their pages
    listener.py PORT TOKEN      only what a token changes
"""
import collections
import concurrent.futures
import http.client
import re
import socket
import sys
import time

import pprof
from _check import check, finish

port = int(sys.argv[1])


def fetch(path, method="GET", headers={}):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers


def get(name):
    status, body, headers = fetch(
        name if name[0] == "/" else "/debug/pprof/" + name)
    if status != 200:
        raise SystemExit("FAIL %s: %d %r" % (name, status, body))
    profile = pprof.Profile(body)
    profile.headers = headers
    return profile


def total(profile, type_name, function=None):
    at = [name for name, _ in profile.sample_types].index(type_name)
    return sum(s.values[at] for s in profile.samples if not function or
               any(f.name == function for f in s.frames))


def contents():
    cpu = get("profile?seconds=2")
    check("profile: length", 1.8e9 < cpu.duration_ns < 20e9, cpu.duration_ns)
    burnt = total(cpu, "cpu", "burn")
    mixed = total(cpu, "cpu", "mix_burn")
    check("profile: most is burnt in burn", 0 < mixed < burnt and
          burnt + mixed > 0.9 * total(cpu, "cpu"), (burnt, mixed))
    check("profile: no more than there was", burnt < 1.1 * cpu.duration_ns)
    check("profile: a file for browsers",
          cpu.headers["Content-Disposition"] ==
          'attachment; filename="profile"', cpu.headers)
    size = 512 * 16384
    # 512 samples, at a mean of one interval each: four standard deviations.
    for name in "heap", "allocs":
        heap = get(name)
        for kind in "inuse_space", "alloc_space":
            found = total(heap, kind, "keep_memory")
            check("%s: %s" % (name, kind), abs(found - size) < 0.23 * size,
                  found)
    check("allocs: shown first", get("allocs").default_type == "alloc_space")
    first, second = get("mutex"), get("mutex")
    check("mutex: who holds", total(first, "delay", "hold_lock") > 0)
    check("mutex: since the start", total(second, "delay") >=
          total(first, "delay"))
    check("block: who wants", total(get("block"), "delay", "want_lock") > 0)
    all_threads()


def all_threads():
    for name in "threads", "goroutine":
        threads = get(name)
        check("%s: all" % name, total(threads, name) == 5 and
              total(threads, name, "main") == 1, total(threads, name))


def deltas():
    get("delta_mutex")
    least = total(get("mutex?seconds=1"), "delay")
    most = total(get("mutex"), "delay")
    between = total(get("delta_mutex"), "delay")
    check("mutex: of a second", 0 < least < 3e9, least)
    check("delta_mutex: since the last", least <= between <= most,
          (least, between, most))
    heap = get("delta_heap"), get("delta_heap")
    check("delta_heap: nothing new, all in use",
          total(heap[1], "alloc_space", "keep_memory") == 0 and
          total(heap[1], "inuse_space", "keep_memory") > 0)


def wrong_questions():
    for path, status in (("/", 404), ("/debug/pprof/nothing", 404),
                         ("/debug/pprof/profile?seconds=x", 400),
                         ("/debug/pprof/heap?seconds=-1", 400),
                         ("/debug/fgprof?seconds=3601", 400),
                         ("/debug/pprof/" + "x" * 2000, None),
                         ("/debug/pprof/../../etc/passwd", 404)):
        try:
            got = fetch(path)[0]
        except (OSError, http.client.HTTPException):
            got = None
        check("%d for %s" % (status or 0, path[:40]), got == status, got)
    check("405 for POST", fetch("/debug/pprof/heap", "POST")[0] == 405)
    for garbage in b"\0\xff" * 500, b"GET", b"GET / HTTP/9.9\r\n\r\n":
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(garbage)
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(8)]
    check("after garbage, with idle clients",
          fetch("/debug/pprof/")[0] == 200)
    for s in idle:
        s.close()


def many_at_once():
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(
            lambda _: fetch("/debug/pprof/profile?seconds=2"), range(10)))
    codes = sorted(status for status, _, _ in answers)
    check("ten at once: eight, and two are told", codes ==
          [200] * 8 + [503] * 2, codes)
    check("each has all", all(
        total(pprof.Profile(body), "cpu", "burn") > 0
        for status, body, _ in answers if status == 200))


def texts():
    _, text, headers = fetch("/debug/pprof/mutex?debug=1")
    check("text", b"hold_lock" in text and
          headers["Content-Type"].startswith("text/plain"), text[:200])
    _, text, _ = fetch("/metrics")
    samples = [line for line in text.decode().splitlines() if
               line.startswith('pyroscope_cpu_samples_total{end="complete"}')]
    check("metrics", len(samples) == 1 and int(samples[0].split()[1]) > 0,
          text[:200])
    check("metrics: what it takes", all(b"\npyroscope_%s " % name in text for
          name in (b'own_cpu_seconds_total{part="handlers"}',
                   b'own_cpu_seconds_total{part="hooks"}',
                   b'own_cpu_seconds_total{part="reading"}',
                   b'own_cpu_seconds_total{part="threads"}',
                   b"overhead_ratio", b"rate_halvings")), text[-900:])


def token(word):
    for given, status in ((None, 401), ("Bearer wrong-one", 401),
                          ("Bearer " + word + "x", 401),
                          ("Basic " + word, 401), ("Bearer " + word, 200)):
        headers = {"Authorization": given} if given else {}
        for path in "/debug/pprof/", "/metrics":
            got = fetch(path, headers=headers)[0]
            check("%d for %s" % (status, given), got == status, got)


def by_thread(profile):
    """Nanoseconds of each, and of each with one of its functions."""
    of, within = collections.Counter(), collections.Counter()
    for s in profile.samples:
        thread = s.labels.get("thread")
        of[thread] += s.values[1]
        for function in {f.name for f in s.frames}:
            within[thread, function] += s.values[1]
    return of, within


def wall(profile):
    """All the time of each thread, to its stacks, and how many moments."""
    check("wall: types", profile.sample_types == [
        ("samples", "count"), ("time", "nanoseconds")] and
        profile.period_type == ("wallclock", "nanoseconds"))
    of, within = by_thread(profile)
    for name in "serve", "burns", "holds", "wants", "mixes":
        check("wall: all of %s" % name, abs(of[name] - profile.duration_ns) <
              0.01 * profile.duration_ns,
              (of[name], profile.duration_ns))
    for thread, function in (("serve", "main"), ("burns", "burn"),
                             ("holds", "hold_lock"), ("mixes", "mix_burn"),
                             ("mixes", "mix_sleep")):
        check("wall: %s in %s" % (thread, function),
              0 < within[thread, function] <= 1.01 * profile.duration_ns,
              within[thread, function])
    return within, total(profile, "samples") / 5


def written(out, path):
    """Against what the thread has measured itself. A share of p is right by
    sqrt(p (1 - p) / n) at n moments. Where the machine had no time for as many as
    there should be, those that are missing are not just any."""
    line = next(l for l in open(out) if l.startswith("wall"))
    error, burnt, slept, interrupted = map(int, line.split()[1:])
    check("wall: written", error == 0, error)
    check("wall: no call is interrupted", interrupted == 0, interrupted)
    profile = pprof.load(path)
    within, n = wall(profile)
    missing = max(0, 1 - n / (99e-9 * profile.duration_ns))
    unreached = within["mixes", "[thread not reached]"] / profile.duration_ns
    share = burnt / (burnt + slept)
    bound = 4 * (share * (1 - share) / n) ** 0.5 + 0.02 + missing
    for function, part in ("mix_burn", share), ("mix_sleep", 1 - share):
        got = within["mixes", function] / profile.duration_ns
        check("wall: %s" % function, part - unreached - bound < got <
              part + bound, (got, part, bound, missing, unreached))


def pauses(are):
    deadline = time.monotonic() + 20
    while True:
        text = fetch("/metrics")[1].decode()
        now = re.search(r'^pyroscope_paused\{type="mutex"} (\d)$', text, re.M)
        if now and now[1] == str(int(are)) or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    check("metrics: mutex", now and now[1] == str(int(are)), now)
    check("metrics: heap", 'pyroscope_paused{type="heap"} 0\n' in text)
    for name in "mutex", "delta_mutex", "mutex?seconds=1":
        status, body, _ = fetch("/debug/pprof/" + name)
        check("%s: paused, or not" % name, (status, b"paused" in body) ==
              ((409, True) if are else (200, False)), (status, body[:80]))
    index = fetch("/debug/pprof/")[1]
    check("index", (b"mutex" in index) != are)
    # One of two types: its times go on, and its counts do not.
    block = get("block?seconds=1")
    check("block: one type", total(block, "delay", "want_lock") > 0 and
          [name for name, _ in block.sample_types] ==
          ["contentions", "delay"][are:], block.sample_types)
    names = [name for name, _ in get("block").sample_types]
    check("block: both since the start", names == ["contentions", "delay"],
          names)


if len(sys.argv) == 2:
    contents()
    wall(get("/debug/fgprof?seconds=3"))
    deltas()
    wrong_questions()
    many_at_once()
    texts()
elif sys.argv[2] in ("paused", "resumed"):
    pauses(sys.argv[2] == "paused")
elif sys.argv[2] == "wall":
    written(sys.argv[3], sys.argv[4])
elif sys.argv[2] == "threads":
    all_threads()
elif sys.argv[2] == "index":
    print(fetch("/debug/pprof/")[1].decode())
else:
    token(sys.argv[2])
finish()
