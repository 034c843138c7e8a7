# SPDX-License-Identifier: Apache-2.0
"""cross_gdb.py - runs inside gdb: at each stop of tests/cross/cross.c, gdb's own
frames from the interrupted one on, against the chain that the program hands over

Writes lines of the same form as cross.c does. gdb's frames of inlined functions
and of tail calls are no frames of the stack and are left out.
"""
import os
import struct

import gdb

counts = {"equal": 0, "cut": 0, "short": 0, "different": 0}
lines = []
NO_FRAME = (gdb.INLINE_FRAME, gdb.TAILCALL_FRAME)


def their_chain():
    """Addresses as ours are kept, and whether gdb saw the outermost frame."""
    frame = gdb.newest_frame()
    while frame is not None and frame.type() != gdb.SIGTRAMP_FRAME:
        frame = frame.older()
    if frame is None:
        return [], False
    chain, exact, frame, last = [], True, frame.older(), frame
    while frame is not None and len(chain) < 128:
        if frame.type() not in NO_FRAME:
            chain.append(frame.pc() - (0 if exact else 1))
            exact = frame.type() == gdb.SIGTRAMP_FRAME
        last, frame = frame, frame.older()
    return chain, last.unwind_stop_reason() in (
        gdb.FRAME_UNWIND_OUTERMOST, gdb.FRAME_UNWIND_NO_REASON)


def name(chain, i):
    if i >= len(chain):
        return "-"
    symbol = gdb.execute("info symbol %#x" % chain[i], to_string=True).strip()
    return "%x(%s)" % (chain[i], symbol)


def compare(ours, stop):
    theirs, whole = their_chain()
    both = min(len(ours), len(theirs))
    at = next((i for i in range(both) if ours[i] != theirs[i]), both)
    verdict = "different"
    if at == both and stop == 0 and len(ours) == len(theirs):
        return "equal"
    if at == both and stop != 0 and len(ours) <= len(theirs):
        verdict = "cut"
    elif at == both and not whole and len(theirs) < len(ours):
        verdict = "short"
    lines.append("%s at frame %d of %d, %d, by %d: after %s ours %s theirs %s" % (
        verdict, at, len(ours), len(theirs), stop,
        name(ours, at - 1) if at else "nothing", name(ours, at),
        name(theirs, at)))
    return verdict


class Stop(gdb.Breakpoint):
    def stop(self):
        pc, depth, stop = (int(gdb.parse_and_eval("$" + r)) & (2**64 - 1)
                           for r in ("rdi", "rsi", "edx"))
        memory = gdb.selected_inferior().read_memory(pc, 8 * depth)
        ours = list(struct.unpack("<%dQ" % depth, memory.tobytes()))
        counts[compare(ours, stop)] += 1
        return False


for setting in ("pagination off", "backtrace past-main on",
                "backtrace past-entry on", "startup-with-shell off",
                "breakpoint pending on", "confirm off",
                "debuginfod enabled off",
                "environment LD_PRELOAD " + os.environ["CROSS_LIBRARY"],
                "environment CROSS_WITH gdb"):
    gdb.execute("set " + setting)
gdb.execute("handle all nostop noprint pass", to_string=True)
Stop("cross_stop", internal=True)
gdb.execute("run", to_string=True)
with open(os.environ["CROSS_GDB_OUT"], "w", encoding="ascii") as out:
    out.write("points %d " % sum(counts.values()) +
              " ".join("%s %d" % pair for pair in counts.items()) + "\n")
    out.write("".join(line + "\n" for line in lines))
