#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# heap_programs.sh [NAME...] - heap profiles of real programs against an exact
# count of their allocations (tests/heap/exact.c): bytes in total, the five places
# that allocate most, what is in use at rest. With LONG=1 at least 4 GiB each, at
# the default interval.
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d /tmp/pyro-heap.XXXXXX)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset LD_PRELOAD ${!PYROSCOPE_@}
export LC_ALL=C HOME=$work TZ=UTC LONG=${LONG:-} PYTHONHASHSEED=0
factor=${LONG:+12}
factor=${factor:-1}
turns=${LONG:+110} # of sqlite3's, 40 MB each
turns=${turns:-1}

cat >fill.sql <<EOF2
CREATE TABLE t(id INTEGER PRIMARY KEY, k INT, s TEXT);
CREATE INDEX by_k ON t(k, s);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
INSERT INTO t SELECT i, i * 7919 % 10007, printf('%040x', i * 7919) FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $turns)
SELECT sum((SELECT count(*) FROM (SELECT k + n.i, group_concat(s)
FROM t GROUP BY 1))) FROM n;
.shell touch ready
EOF2

cat >work.py <<EOF2
import json, sys
kept = {}
for turn in range(4 * $factor):
    data = [{"i": i, "s": str(i * i), "l": list(range(i % 10))}
            for i in range(40000)]
    kept[turn % 3] = json.loads(json.dumps(data))
data = None
open("ready", "w").close()
sys.stdin.read()
EOF2

cat >work.cpp <<EOF2
#include <cstdio>
#include <map>
#include <string>
#include <vector>

static std::map<std::string, std::vector<int>> fill(int seed)
{
	std::map<std::string, std::vector<int>> words;

	for (int i = 0; i < 200000; i++) {
		std::string key = "the key of number " +
				  std::to_string(i * 7919L % 100003 + seed);
		std::vector<int> &list = words[key];

		for (int j = 0; j < i % 12; j++)
			list.push_back(j);
	}
	return words;
}

int main()
{
	std::map<std::string, std::vector<int>> kept;
	size_t sum = 0;

	for (int turn = 0; turn < 12 * $factor; turn++) {
		auto words = fill(turn);

		sum += words.size();
		if (turn % 3 == 0)
			kept.swap(words);
	}
	std::printf("%zu\n", sum);
	if (FILE *f = std::fopen("ready", "w"))
		std::fclose(f);
	while (std::getchar() != EOF)
		;
}
EOF2
g++ -O2 -g -fomit-frame-pointer -o words work.cpp || exit 1

# 300 commits, each of 7 of 20 files of 300 lines, by git's own import.
awk 'BEGIN {
	srand(2)
	for (c = 1; c <= 300; c++) {
		print "commit refs/heads/main\ncommitter A <a@b> " 1e9 + c " +0000"
		print "data 2\nc\n"
		for (f = 1 + c % 3; f <= 20; f += 3) {
			body = ""
			for (l = 0; l < 300; l++) {
				if (c < 4 || rand() < 0.05)
					line[f, l] = int(rand() * 1e6) * 7919 \
						" and " int(rand() * 100)
				body = body line[f, l] "\n"
			}
			print "M 644 inline file" f "\ndata " length(body)
			print body
		}
	}
}' >import
git init -q -b main repo 2>/dev/null
git -C repo fast-import --quiet <import
git -C repo config pack.threads 1
git -C repo config gc.autoDetach false

/usr/bin/python3 -B "$here/heap_programs.py" "$@"
