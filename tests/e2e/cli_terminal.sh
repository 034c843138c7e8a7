#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cli_terminal.sh - pyro record on a terminal, under a shell with job control:
# keys reach the program once, Ctrl-Z stops the job and fg continues it
. "$(dirname "$0")/_cli.sh"

cat >count.sh <<'EOF2'
trap 'echo "got INT"' INT
trap 'echo "got QUIT"' QUIT
trap 'echo "got CONT"' CONT
echo READY
for ((i = 0; i < $1; i++)); do sleep 0.1; done
echo DONE
exit 6
EOF2
cat >drive.py <<'EOF2'
import os, pty, re, select, sys, time
pyro = sys.argv[1]
pid, master = pty.fork()
if pid == 0:
    os.environ["PS1"] = "$ "
    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
seen = ""
def until(pattern, seconds=20):
    """Read on to the pattern, which is taken out of what was seen."""
    global seen
    end = time.time() + seconds
    while True:
        found = re.search(pattern, seen)
        if found:
            before, seen = seen[:found.end()], seen[found.end():]
            return before
        ready = select.select([master], [], [], max(0, end - time.time()))[0]
        data = os.read(master, 4096) if ready else b""
        if not data:
            print("FAIL no %r in %r" % (pattern, seen))
            os.kill(pid, 9)
            sys.exit(1)
        seen += data.decode(errors="replace")
def send(text):
    os.write(master, text.encode())
def check(what, good, detail=""):
    print("%s %s" % ("ok" if good else "FAIL", what), "" if good else detail)

until(r"\$ ")
send("stty -echo\n")
until(r"\$ ")
send(pyro + " record -q -- bash count.sh 60\n")
until("READY")
send("\x03")
until("got INT")
send("\x1c")
until("got QUIT")
send("\x1a")
text = until(r"Stopped[^\n]*\n")
check("Ctrl-Z stops the job", True)
send("jobs\n")
text = until(r"Stopped[^\n]*\n")
check("one job", text.count("Stopped") == 1, text)
time.sleep(1)
send("fg\n")
text = until("DONE", 60)
check("fg continues it, once", text.count("got CONT") <= 1, text)
check("Ctrl-C and Ctrl-\\ came once", "got INT" not in text and
      "got QUIT" not in text, text)
until(r"\$ ")
send("echo code $?\n")
check("exit code after all that", "code 6" in until("code [0-9]+"))

# A program that stops itself, and a default reaction to Ctrl-C.
send(pyro + " record -q -- sh -c 'kill -STOP $$; exit 5'\n")
until(r"Stopped[^\n]*\n")
send("fg\n")
until(r"\$ ")
send("echo code $?\n")
check("a program that stops itself", "code 5" in until("code [0-9]+"))
send(pyro + " record -q -- sleep 30\n")
time.sleep(2)
seen = ""
send("\x03")
until(r"\$ ")
send("echo code $?\n")
check("Ctrl-C kills: as without", "code 130" in until("code [0-9]+"))
send(pyro + " record -q -- bash count.sh 10 &\n")
until("READY")
until("DONE")
send("wait; fg; exit\n")
until("exit|no such job|current", 20)
check("in the background", True)
os.close(master)
os.waitpid(pid, 0)
EOF2
timeout 150 python3 drive.py "$pyro" >log 2>&1 || failed=1
cat log
grep -q FAIL log && failed=1
# A continue for pyro alone reaches a stopped program.
"$pyro" record -q -- sh -c 'kill -STOP $$; exit 8' &
pid=$!
for _ in $(seq 100); do
	child=$(pgrep -P $pid)
	[ -n "$child" ] && grep -q '^State:.T' /proc/$child/status && break
	sleep 0.1
done
kill -CONT $pid
kill -CONT "$child"
wait $pid
is "stopped and continued without a terminal" 8 $?
no_leftovers "end"
finish
