# SPDX-License-Identifier: Apache-2.0
# check_layers.awk - who may include whom
#
#     awk -f tools/check_layers.awk tools/layers.txt src/*/*.[ch] cli/*.[ch]
#
# A line of layers.txt is a folder and what it may include: folders, or single
# headers of one. Project headers are included as "folder/file.h".

FNR == NR {
	own = $1
	sub(/:$/, "", own)
	known[own] = 1
	ok[own, own] = 1
	for (i = 2; i <= NF; i++)
		ok[own, $i] = 1
	next
}

FNR == 1 {
	n = split(FILENAME, part, "/")
	own = part[n - 1]
	if (!(own in known)) {
		printf "%s: folder %s is not in layers.txt\n", FILENAME, own
		bad = 1
	}
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, quoted, "\"")
	split(quoted[2], dir, "/")
	if (!(dir[1] in known)) {
		printf "%s:%d: \"%s\" does not begin with a folder\n",
			FILENAME, FNR, quoted[2]
		bad = 1
	} else if (!((own, dir[1]) in ok) && !((own, quoted[2]) in ok)) {
		printf "%s:%d: %s must not include %s\n",
			FILENAME, FNR, own, quoted[2]
		bad = 1
	}
}

END { exit bad }
