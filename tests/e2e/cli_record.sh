#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cli_record.sh - pyro record: the program's exit code, signals and streams are
# its own, the file is written whole or not at all, and nothing is left behind
. "$(dirname "$0")/_cli.sh"

# Half a second of CPU time in bash, which ends by exit() (dash: by _exit()).
burn='i=0; while [ $i -lt 150000 ]; do i=$((i + 1)); done'

## Exit codes
for code in 0 1 3 126 127 255; do
	run "$pyro" record -- sh -c "exit $code"
	is "exit code $code" $code $rc
done
run "$pyro" record -- ./no-such-program
is "not found" 127 $rc
lines "not found: one line" 1 1 err
has "not found: says so" 'no-such-program: No such file' err
run "$pyro" record -- /etc/passwd
is "not executable" 126 $rc
run "$pyro" record -- /
is "a folder" 126 $rc
# Only exec itself can find this out.
printf '#!/no/such/interpreter\n' >orphan
chmod +x orphan
run "$pyro" record -- ./orphan
is "interpreter not found" 127 $rc
rm -f pyro.pb.gz
printf 'echo from a script without first line; exit 7\n' >bare
chmod +x bare
run "$pyro" record -- ./bare
is "script without #!" "7 from a script without first line" \
	"$rc $(cat out)"
no_leftovers "exit codes"

## Signals that kill
for signal in TERM KILL SEGV ABRT USR1; do
	python3 - "$pyro" $signal >died 2>&1 <<-'EOP'
		import signal, subprocess, sys
		done = subprocess.run([sys.argv[1], "record", "-q", "--", "sh",
			"-c", "kill -%s $$" % sys.argv[2]], timeout=60)
		print(signal.Signals(-done.returncode).name)
	EOP
	is "killed by SIG$signal" SIG$signal "$(cat died)"
done
no_leftovers "killed"

## Signals that are passed on
cat >traps <<'EOF2'
for s in HUP INT QUIT USR1 USR2 ALRM CONT WINCH; do
	trap "echo got $s" $s
done
trap "echo got TERM; exit 9" TERM
echo ready
while :; do sleep 0.05; done
EOF2
touch got
# A shell lets what runs in the background ignore INT and QUIT.
env --default-signal=INT,QUIT "$pyro" record -q -- bash ./traps >got &
pid=$!
for _ in $(seq 200); do grep -q ready got && break; sleep 0.05; done
for signal in HUP INT QUIT USR1 USR2 ALRM WINCH TERM; do
	kill -$signal $pid
	for _ in $(seq 100); do
		grep -q "got $signal" got && break
		sleep 0.05
	done
done
wait $pid
is "passed on: the program's exit code" 9 $?
is "passed on, each once" \
	"ready got HUP got INT got QUIT got USR1 got USR2 got ALRM got WINCH got TERM" \
	"$(xargs <got)"
no_leftovers "passed on"

## What the program finds when it starts
cat >look.py <<'EOF2'
import os
status = dict(l.split(":", 1) for l in open("/proc/self/status"))
print([status[k].strip() for k in ("SigBlk", "SigIgn", "ShdPnd")])
print([os.readlink("/proc/self/fd/%d" % i) if
       os.path.lexists("/proc/self/fd/%d" % i) else None for i in range(3)])
print(os.getsid(0), os.getcwd(), os.umask(0o22), os.nice(0))
EOF2
cat >compare.py <<'EOF2'
# The same from a parent that ignores and blocks this and that.
import os, signal, subprocess, sys
def strange():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGINT])
    os.close(0)
def seen(command):
    with open("seen", "w") as out:
        code = subprocess.run(command + ["python3", "look.py"], stdout=out,
            stderr=subprocess.STDOUT, preexec_fn=strange, timeout=60)
    return code.returncode, open("seen").read()
direct = seen([])
recorded = seen([sys.argv[1], "record", "-q", "--"])
print("same" if direct == recorded else "%s\n%s" % (direct, recorded))
EOF2
is "mask, dispositions, streams, session as without" same \
	"$(python3 compare.py "$pyro")"
run sh -c 'exec ls /proc/self/fd'
wanted=$(xargs <out)
run "$pyro" record -q --no-children -- sh -c 'exec ls /proc/self/fd'
is "no other descriptor is inherited" "$wanted" "$(xargs <out)"
run "$pyro" record -q -- sh -c 'ps -o pgid= -p $$; ps -o pgid= -p $PPID'
is "the process group is the caller's" 1 "$(sort -u out | wc -l)"
printf 'in put' | "$pyro" record -q -- cat >through
is "standard input and output" "in put" "$(cat through)"
run "$pyro" record -q -- sh -c 'echo one; echo two >&2'
is "standard output and error" "one two" "$(cat out) $(cat err)"
# With the reader gone the writer is to die, though pyro goes on.
timeout 20 bash -c 'yes | "$0" record -q -- \
	sh -c "exec 0<&-; while [ -e writing ]; do sleep 0.1; done" &
	sleep 1; pgrep -P $$ -x yes >/dev/null || echo gone; rm -f writing
	wait' "$pyro" >reader
touch writing
is "the writer to a closed input is told" gone "$(cat reader)"

## The file
run "$pyro" record -o some.pb.gz -- bash -c "$burn"
is "written where asked" 0 "$rc$(test -s some.pb.gz || echo missing)"
lines "summary" 3 8 err
has "summary: duration, samples" 's; [0-9]+ samples?, [0-9.]+ of' err
has "summary: what it took" 'CPU seconds \([0-9.]+ % for profiling\), 1 process$' err
has "summary: losses" 'losses: ' err
has "summary: a function and its share" '^pyro: +[0-9.]+ %  .+ \(' err
has "summary: file and next command" 'some.pb.gz; next: pyro top' err
run "$pyro" top some.pb.gz
is "pyro top reads it" 0 $rc
has "pyro top: a function of the shell" '[0-9]%  .+ \(bash\)' out
run "$pyro" record -q -- bash -c "$burn"
is "quiet" "" "$(cat err)"
is "default name" 0 "$(test -s pyro.pb.gz; echo $?)"
is "mode as the umask says" 644 "$(umask 022; "$pyro" record -q \
	-o mode.pb.gz -- true; stat -c %a mode.pb.gz)"
mkdir -p real
touch real/file.pb.gz
ln -sf real/file.pb.gz link.pb.gz
run "$pyro" record -q -o link.pb.gz -- true
is "a symbolic link stays one" "real/file.pb.gz" "$(readlink link.pb.gz)"
is "and is written through" 0 "$(test -s real/file.pb.gz; echo $?)"
"$pyro" record -q -o /dev/stdout -- true | "$pyro" top /dev/stdin >piped
is "to a pipe, from a pipe" 1 "$(grep -c total piped)"

run "$pyro" record -o none/x.pb.gz -- sh -c 'echo ran'
is "no such folder: the program runs" "1 ran" "$rc $(cat out)"
has "no such folder: says so" 'cannot write none/x.pb.gz: No such' err
run "$pyro" record -o none/x.pb.gz -- sh -c 'exit 3'
is "no such folder: the program's code wins" 3 $rc
run "$pyro" record -o /dev/full -- true
is "full disk" 1 $rc
has "full disk: says so" 'cannot write /dev/full: No space left' err
run "$pyro" record -o . -- true
is "a folder is no file" 1 $rc
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
run "$pyro" record -o socket -- true
is "a socket is not replaced" "1 socket" "$rc $(stat -c %F socket)"
has "a socket: says so" 'cannot write socket: No such device' err
is "no temporary file stays" "" "$(find . -name '*.pb.gz.*')"

run "$pyro" record -o nothing.pb.gz -- true
is "no samples: exit code" 0 $rc
lines "no samples: summary" 3 8 err
run "$pyro" top nothing.pb.gz
is "no samples: a sound profile" 0 $rc
has "no samples: of CPU time" '^cpu \(nanoseconds\)' out

## Processes
run "$pyro" record -o many.pb.gz -- bash -c "bash -c '$burn' & bash -c '$burn' & $burn; wait"
is "several processes" 0 $rc
has "several processes are counted" '3 processes' err
run "$pyro" record -o killed.pb.gz -- bash -c "$burn; kill -9 \$\$"
has "a killed process is told" 'last window' err
run "$pyro" record -o execd.pb.gz -- bash -c "$burn; exec true"
is "a shell that executes another" 0 $rc
begin=$SECONDS
run "$pyro" record -o daemon.pb.gz -- \
	sh -c 'setsid sleep 20 >/dev/null 2>&1 </dev/null & exit 4'
is "does not wait for daemons" 4 $rc
is "does not wait for daemons: time" 1 "$((SECONDS - begin < 15))"
run env PYROSCOPE_OUTPUT_DIR=/nowhere "$pyro" record -q -- \
	sh -c 'cd "$PYROSCOPE_OUTPUT_DIR" && mkdir d && touch d/f 1-2-3.pb.gz &&
	ln -s /etc/passwd 4-5-6.pb.gz && mkfifo 7-8-9.pb.gz && echo put'
is "rubbish in the private folder" "0 put" "$rc $(cat out)"
run "$pyro" record -- sh -c 'touch "$PYROSCOPE_OUTPUT_DIR"/1-2-3.pb.gz'
has "rubbish is counted" '1 dropped file unreadable' err
run "$pyro" record -q -- sh -c 'ls -ld "$PYROSCOPE_OUTPUT_DIR"'
# Root's is also written to by servers that become somebody else.
has "the private folder is private" \
	"$([ "$(id -u)" = 0 ] && echo '^drwx-wx-wt' || echo '^drwx------')" out
no_leftovers "processes"
mkdir folder && cd folder && TMPDIR=. run "$pyro" record -q -o x.pb.gz -- \
	sh -c "cd /; $burn"
is "a relative TMPDIR" 0 $rc
is "a relative TMPDIR is left clean" "err out x.pb.gz" "$(ls -A | xargs)"
cd .. || exit 1
TMPDIR=/no/such/folder run "$pyro" record -q -- true
is "a TMPDIR that does not exist" 0 "$rc$(cat err)"

## As an ordinary user
if [ "$(id -u)" = 0 ]; then
	mkdir -m 777 public
	chmod 711 "$work"
	cp -L "$pyro" "$BUILD_DIR/libpyroscope.so.0" public
	(cd public && TMPDIR=/tmp timeout 60 setpriv --reuid 65534 \
		--regid 65534 --clear-groups ./pyro record -o user.pb.gz -- \
		bash -c "$burn; id -u; :") >out 2>err
	is "as uid 65534" "0 65534" "$? $(cat out)"
	has "as uid 65534: samples" '[0-9]{2,} samples' err
	is "as uid 65534: its own file" 65534 "$(stat -c %u public/user.pb.gz)"
	# Not as root: /dev/null is what would be replaced.
	(cd public && TMPDIR=/tmp timeout 60 setpriv --reuid 65534 \
		--regid 65534 --clear-groups ./pyro record -q -o /dev/stdout -- \
		true >stdout.pb.gz) 2>err
	is "as uid 65534: standard output is a file" 0 $?
	is "as uid 65534: the profile is in it" 0 \
		"$("$pyro" top public/stdout.pb.gz >/dev/null; echo $?)"
	chmod 711 "$TMPDIR"
	run "$pyro" record -- python3 -c "
import os
os.setgid(65534), os.setuid(65534)
for i in range(5000000): pass"
	is "a server that drops its rights" 0 $rc
	has "a server that drops its rights: samples" '[0-9]{2,} samples' err
	has "a server that drops its rights: losses" 'losses: ' err
else
	fail "as uid 65534: this test is to be run as root"
fi

no_leftovers "end"
finish
