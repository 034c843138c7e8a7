# SPDX-License-Identifier: Apache-2.0
"""perf_compare.py - where real programs spend their time, by perf and by pyro

Both sample by CPU time, perf in user mode only: of ours, those in a system call
are left out. They look at one and the same run: between two runs the shares of
what waits for memory or takes locks differ by more than a point. With LONG=1
also at two runs, one without pyro, of programs that do little of either.

Both profiles' leaf addresses are named here by nm's symbols, so that sampling is
compared and not the choice among aliases; that pyro's own names are among these
is checked beside. Code without symbols counts by page. With LONG=1: 10,000
samples each, and every share above 3 % is within 3 points; else fewer, and 3
standard errors more.
"""
import bisect
import collections
import glob
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import pprof

LONG = os.environ.get("LONG") == "1"
LEAST = 10000 if LONG else 1000
# Short: what the tick of 250 Hz can show, instead of the default.
PERF_RATE, PYRO_RATE = ("99", "100") if LONG else ("499", "250")
failed = False


def check(good, text):
    global failed
    failed = failed or not good
    print("%s %s" % ("ok" if good else "FAIL", text), flush=True)


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True).stdout


class Image:
    """Symbols and segments of an ELF file, as binutils read them."""

    def __init__(self, path):
        self.bytes = b""
        self.loads = []
        symbols = collections.defaultdict(set)
        if os.path.exists(path):
            with open(path, "rb") as f:
                self.bytes = f.read()
            for line in output("readelf", "-lW", path).splitlines():
                m = re.match(r" +LOAD +(0x\w+) (0x\w+) 0x\w+ (0x\w+)", line)
                if m:
                    self.loads.append([int(g, 16) for g in m.groups()])
            m = re.search("Build ID: (..)(.*)", output("readelf", "-n", path))
            files = [("-S", path), ("-SD", path)]
            if m:
                files += [("-S", f) for f in glob.glob(
                    "/usr/lib/debug/.build-id/%s/%s.debug" % m.groups())]
            for option, name in files:
                for line in output("nm", option, "--defined-only",
                                   name).splitlines():
                    m = re.match(r"(\w+) (\w+) [tTwWiuV] (.*)", line)
                    if m:
                        lo, size = int(m[1], 16), int(m[2], 16)
                        symbols[lo, lo + size].add(m[3].split("@")[0])
        self.symbols = sorted(symbols.items())
        self.starts = [lo for (lo, _), _ in self.symbols]

    def find(self, address):
        """The range that holds an address, and all its names."""
        at = bisect.bisect(self.starts, address)
        for (lo, hi), names in reversed(self.symbols[max(at - 8, 0):at]):
            if lo <= address < hi:
                return (lo, hi), names
        return None, set()

    def vaddr(self, offset):
        for start, address, size in self.loads:
            if start <= offset < start + size:
                return offset - start + address
        return offset

    def is_after_syscall(self, address):
        for start, low, size in self.loads:
            if low <= address - 2 < low + size:
                at = address - 2 - low + start
                return self.bytes[at:at + 2] == b"\x0f\x05"
        return False


images = {}


def image(path):
    path = os.path.realpath(path)
    if path not in images:
        images[path] = Image(path)
    return images[path]


def key(path, address):
    """What two samples have in common that are in the same function."""
    name = os.path.basename(os.path.realpath(path))
    if name == "[vdso]":
        return name
    bounds, names = image(path).find(address)
    if bounds:
        return "%s (%s)" % (min(names), name)
    return "%s+0x%x..." % (name, address & ~4095)


def record_by_perf(folder, command, env):
    data = os.path.join(folder, "perf.data")
    done = subprocess.run(
        ["perf", "record", "-q", "-e", "cpu-clock:u", "-F", PERF_RATE, "-o",
         data, "--", *command], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, env=env)
    if done.returncode:
        sys.exit("FAIL perf does not work here: " + done.stderr.decode())
    return data


def by_perf(data, thread):
    """Leaves of the threads that have the program's name."""
    maps = []
    counts = collections.Counter()
    for line in output("perf", "script", "-i", data, "-F", "comm,ip,dso",
                       "--show-mmap-events").splitlines():
        m = re.search(r"MMAP2? .*: \[(\w+)\((\w+)\) @ (\w+) .*\]: \S+ (.*)",
                      line)
        if m:
            maps.append([int(g, 16) for g in m.groups()[:3]] + [m[4]])
            continue
        m = re.match(r" *(\S+) +([0-9a-f]+) \(", line)
        if not m or m[1] != thread:
            continue
        pc = int(m[2], 16)
        for lo, size, offset, path in reversed(maps):
            if lo <= pc < lo + size:
                counts[key(path, image(path).vaddr(pc - lo + offset))] += 1
                break
        else:
            counts["elsewhere"] += 1
    return counts


def by_pyro(path):
    counts = collections.Counter()
    in_calls = right = named = 0
    for s in pprof.load(path).sampled():
        leaf, ticks = s.frames[0], s.values[0]
        file = image(leaf.module)
        if pprof.is_pseudo(leaf.name):
            continue
        if file.is_after_syscall(leaf.address):
            in_calls += ticks
            continue
        counts[key(leaf.module, leaf.address)] += ticks
        names = file.find(leaf.address)[1]
        if names:
            named += ticks
            right += ticks * (leaf.name in names)
    return counts, in_calls, right / max(named, 1)


def compare(folder, command, together=True):
    name = os.path.basename(command[0])
    what = name + ("" if together else ", two runs")
    env = dict(os.environ, LC_ALL="C")
    out = os.path.join(folder, "out.pb.gz")
    recorded = [os.path.join(os.environ["BUILD_DIR"], "pyro"), "record", "-q",
                "--rate", PYRO_RATE, "-o", out, "--", *command]
    data = record_by_perf(folder, recorded if together else command, env)
    if not together:
        subprocess.run(recorded, stdout=subprocess.DEVNULL, check=True,
                       env=env)
    perf = by_perf(data, name)
    pyro, in_calls, right = by_pyro(out)
    n, m = sum(perf.values()), sum(pyro.values())
    check(min(n, m) >= LEAST, "%s: %d samples by perf, %d by pyro and %d in "
          "system calls" % (what, n, m, in_calls))
    check(right > 0.999, "%s: %.2f %% of names are nm's" % (what, 100 * right))
    worst = 0
    for leaf in sorted(perf | pyro, key=lambda k: -perf[k]):
        a, b = perf[leaf] / max(n, 1), pyro[leaf] / max(m, 1)
        if max(a, b) <= 0.03:
            continue
        bound = 0.03
        if not LONG:
            p = (a + b) / 2
            bound += 3 * (p * (1 - p) * (1 / n + 1 / m)) ** 0.5
        worst = max(worst, abs(a - b))
        check(abs(a - b) <= bound, "%s: %5.2f %% by perf, %5.2f %% by pyro: %s"
              % (what, 100 * a, 100 * b, leaf))
    print("   %s: %.2f points at the most" % (what, 100 * worst))


SQL = """CREATE TABLE t(id INTEGER PRIMARY KEY, k INT, s TEXT);
CREATE INDEX by_k ON t(k, s);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
INSERT INTO t SELECT i, i * 7919 %% 10007, printf('%%08x', i) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
SELECT sum((SELECT count(*) FROM t a JOIN t b ON a.k = b.k AND a.s < b.s
WHERE a.id < 3000 + n.i)), sum((SELECT max(upper(s)) FROM t WHERE s LIKE
'%%' || n.i || '%%')) FROM n;"""
LUA = """local function fib(n) if n < 2 then return n end
return fib(n - 1) + fib(n - 2) end
for i = 1, %d do
	fib(26)
	local t = {}
	for j = 1, 40000 do t[j] = string.format("%%x", (j * 7919 + i) %% 10007) end
	table.sort(t)
	for j = 1, #t do t[j] = t[j]:gsub("(%%d)", "<%%1>"):upper() end
end"""
PYTHON = """import re
words = re.compile("[a-m]+")
for i in range(%d):
    count = {}
    for line in open("text"):
        for w in words.findall(line):
            count[w] = count.get(w, 0) + 1
    sorted(str(n * 7919 %% 10007) for n in range(50000))"""


def main():
    times = 20 if LONG else 1
    with tempfile.TemporaryDirectory(prefix="pyro-perf.") as folder:
        os.chdir(folder)
        for name, text, count in (("work.sql", SQL, 700), ("work.py", PYTHON,
                                  60), ("work.lua", LUA, 200)):
            with open(name, "w") as f:
                f.write(text % (count * times))
        with open("text", "w") as f:
            for i in range(200000):
                f.write("%d %x %s\n" % (i * 7919 % 10007, i * i, i % 97))
        lua = ["lua5.4", "work.lua"]
        gzip = ["gzip", "-9", "-c"] + ["text"] * 30 * times
        compare(folder, lua)
        compare(folder, ["xz", "-6", "-c"] + ["text"] * 5 * times)
        compare(folder, ["/usr/bin/python3", "work.py"])
        compare(folder, ["sqlite3", ":memory:", ".read work.sql"])
        if LONG:
            compare(folder, lua, together=False)
            compare(folder, gzip, together=False)
    sys.exit(failed)


main()
