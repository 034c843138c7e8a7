# SPDX-License-Identifier: Apache-2.0
"""cross.py - our walks at random points of real programs, against libunwind's and
gdb's from the same registers (tests/cross/cross.c, cross_gdb.py)

A chain of ours that is complete has to be theirs, frame by frame, to the end.
Chains that differ are printed with the functions where they part; at most two
in 1000 may. They have so far been places where a library's CFI is wrong, so that
each unwinder makes something else of it. Ours may be cut, with the same frames
up to there, in one of 200; where more is known to be, the program says so.
"""
import os
import re
import subprocess
import sys
import tempfile

LIBRARY = os.path.join(os.environ["PROGRAMS_DIR"], "libcross.so")
HERE = os.path.dirname(os.path.abspath(__file__))
LONG = os.environ.get("LONG")
UNWIND_POINTS = 14000 if LONG else 1700
GDB_POINTS = 2000 if LONG else 120
TIMES = 8 if LONG else 1
SEED = os.environ.get("CROSS_SEED", "1")

LUA = """local function fib(n) if n < 2 then return n end
return fib(n - 1) + fib(n - 2) end
local function less(a, b) return a < b end
for i = 1, %d do fib(25) local t = {}
for k = 1, 3000 do t[k] = (k * 7919) %% 3001 .. "" end table.sort(t, less)
string.gsub(table.concat(t), "1(%%d)", string.upper) end"""
SQL = """CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
INSERT INTO t SELECT i, printf('%%08x', i * 7919) FROM n;
CREATE INDEX by_s ON t(s);
SELECT count(*), max(upper(a.s)) FROM t a JOIN t b ON a.s = b.s
WHERE b.s LIKE '%%7%%' GROUP BY a.id %% 100 ORDER BY 2;"""
PYTHON = """import decimal, hashlib, json, re
for i in range(%d):
    json.loads(json.dumps([{"a": i, "b": [1.5] * 50, "c": "x" * 30}] * 30))
    sorted([str(x) for x in range(1000)], key=len)
    re.findall(r"(a+)b", "aaab" * 500)
    hashlib.sha256(b"x" * 20000).digest()
    decimal.Decimal(2).sqrt() ** i
"""
PERL = """for my $i (1..%d) { my %%h; $h{$_ %% 97} .= sprintf("%%g", $_ / 7)
for 1..2000; my @s = sort { $h{$a} cmp $h{$b} } keys %%h;
join(",", @s) =~ s/(\\d+)/<$1>/gr; }"""
CXX = """#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <regex>
#include <stdexcept>
#include <string>
struct guard { volatile int *n; ~guard() { ++*n; } };
static volatile int cleaned;
__attribute__((noinline)) static int fail(int depth, int x)
{
	guard g{&cleaned};
	if (depth == 0)
		throw std::runtime_error(std::to_string(x));
	return fail(depth - 1, x) + 1;
}
static int by_sine(const void *a, const void *b)
{
	double x = std::sin(*(const int *)a), y = std::sin(*(const int *)b);
	return (x > y) - (x < y);
}
int main(int, char **argv)
{
	size_t sum = 0;
	std::regex re("([a-z]+)[0-9]*x");
	for (int i = 0; i < std::atoi(argv[1]); i++) {
		std::map<std::string, int> m;
		int v[100];
		for (int k = 0; k < 100; k++)
			m[std::to_string(v[k] = k * i % 101)] = k;
		std::qsort(v, 100, sizeof(v[0]), by_sine);
		std::smatch found;
		std::string text = "abc" + std::to_string(i) + "x";
		sum += std::regex_search(text, found, re) + v[3] + m.size();
		try {
			fail(i % 20, i);
		} catch (const std::exception &e) {
			sum += e.what()[0];
		}
	}
	return sum == 42;
}
"""
failed = []


class Program:
    """name; command; text for its input; how many of 1000 may differ, be cut."""

    def __init__(self, name, command, text="", differ=2, cut=5, gdb=False):
        self.name, self.command, self.text = name, command, text
        self.differ, self.cut, self.gdb = differ, cut, gdb


def programs(folder):
    def write(name, text):
        path = os.path.join(folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    source = write("shapes.cc", CXX)
    cxx = os.path.join(folder, "shapes")
    subprocess.run(["g++", "-O2", "-fomit-frame-pointer", "-o", cxx, source],
                   check=True)
    speed = ["openssl", "speed", "-seconds", str(TIMES), "-bytes", "1024"]
    return [
        Program("lua5.4", ["lua5.4", write("a.lua", LUA % (70 * TIMES))],
                gdb=True),
        Program("sqlite3", ["sqlite3", ":memory:"], SQL % (450000 * TIMES),
                gdb=True),
        Program("python3", ["/usr/bin/python3", "-B",
                            write("a.py", PYTHON % (750 * TIMES))],
                gdb=True),
        Program("xz", ["xz", "-c", "-T1", "-3" if not LONG else "-9",
                       "/usr/bin/gdb"], gdb=True),
        Program("perl", ["perl", "-e", PERL % (400 * TIMES)]),
        Program("C++", [cxx, str(25000 * TIMES)], differ=10, cut=10,
                gdb=True),
        # Outer frames that are found by rax, while it is the caller's.
        Program("AES-GCM", speed + ["-evp", "aes-256-gcm"]),
        Program("SHA-256", speed + ["-evp", "sha256"]),
    ]


def check(name, path, points, program):
    with open(path, encoding="utf-8") as lines:
        head, *rest = lines.read().splitlines()
    words = head.split()
    found = {words[i]: int(words[i + 1]) for i in range(0, len(words), 2)}
    print("%-22s %s" % (name, head))
    for line in rest:
        if line.startswith("different"):
            print("    " + line)
    kinds = {}
    for line in rest:
        if not line.startswith("different"):
            kind = re.sub(r" at frame \d+ of \d+, \d+,|\+?\b[0-9a-f]{4,}\b", "",
                          line)
            kinds[kind] = kinds.get(kind, 0) + 1
    for kind, count in sorted(kinds.items(), key=lambda k: -k[1])[:5]:
        print("    %d x %s" % (count, kind))
    total = found["points"]
    if total < points / 3:
        failed.append("%s: %d points" % (name, total))
    if found["different"] * 1000 > program.differ * max(total, 1000):
        failed.append("%s: %d differ" % (name, found["different"]))
    if found["cut"] * 1000 > program.cut * max(total, 1000):
        failed.append("%s: %d cut" % (name, found["cut"]))
    if found["short"] * 50 > total:
        failed.append("%s: %d end early there" % (name, found["short"]))
    return total


def run(program, folder, with_gdb):
    out = os.path.join(folder, "out")
    env = dict(os.environ, CROSS_SEED=SEED, CROSS_LIBRARY=LIBRARY,
               CROSS_POINTS=str(GDB_POINTS if with_gdb else UNWIND_POINTS))
    command = program.command
    if with_gdb:
        env["CROSS_GDB_OUT"] = out
        command = ["gdb", "-nx", "-nh", "-batch", "-x",
                   os.path.join(HERE, "cross_gdb.py"), "--args"] + command
    else:
        env.update(CROSS_OUT=out, LD_PRELOAD=LIBRARY)
    if os.path.exists(out):
        os.unlink(out)
    got = subprocess.run(command, input=program.text, encoding="latin-1",
                         env=env, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, timeout=3000, check=False)
    if got.returncode != 0 or not os.path.exists(out):
        failed.append("%s: exit code %d: %s" % (
            program.name, got.returncode, got.stderr[-500:]))
        return 0
    return check(program.name + (", gdb" if with_gdb else ", libunwind"), out,
                 GDB_POINTS if with_gdb else UNWIND_POINTS, program)


def main():
    print("seed", SEED)
    with tempfile.TemporaryDirectory() as folder:
        ours = programs(folder)
        unwind = sum(run(p, folder, False) for p in ours)
        gdb = sum(run(p, folder, True) for p in ours if p.gdb)
    print("%d points with libunwind, %d with gdb" % (unwind, gdb))
    if unwind < 10000 or gdb < (10000 if LONG else 500):
        failed.append("too few points")
    for line in failed:
        print("FAIL " + line)
    sys.exit(1 if failed else 0)


main()
