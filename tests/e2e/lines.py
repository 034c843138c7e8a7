# SPDX-License-Identifier: Apache-2.0
"""lines.py HOW PROFILE PROGRAM REFERENCE - are the frames of a program what
addr2line -fiC says of their addresses?

lines: function, file and line of each, inlined ones included; names: the
function whose code it is. REFERENCE has the same code, and debug information
that addr2line can read. Where addr2line is wrong (tests/test_lines.c says when),
llvm-addr2line has to agree. The name of a clone and of a nested function is
the original's here: only the symbol table tells them apart.
"""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import pprof

how, profile, program, reference = sys.argv[1:]
UNEXPLAINED_MAX = 0.01
BY_LLVM_MAX = 0.2


def plain(name):
    if re.fullmatch(r".*\+0x[0-9a-f]+", name):
        return "??"  # the linker's own code
    name = re.sub(r"( \[clone [^]]*\])+$", "", name)
    return re.sub(r"(\.(part|constprop|isra|cold|lto_priv|\d+))+$", "",
                  name)


def oracle(command, addresses):
    """Chains of (function, file, line), innermost first, by address."""
    out = subprocess.run(
        command + ["-e", reference], check=True, text=True,
        input="".join("%#x\n" % a for a in addresses),
        stdout=subprocess.PIPE).stdout
    chains = {}
    name = None
    for text in out.split("\n"):
        if re.fullmatch("0x[0-9a-f]+", text):
            chain = chains[int(text, 16)] = []
            name = None
        elif text and name is None:
            name = text
        elif text:
            place, _, line = text.split(" (")[0].rpartition(":")
            line = int(line) if line.isdigit() else 0
            chain.append((plain(name), place if line else "", line))
            name = None
    return chains


def ours(frames):
    return [(plain(f.name), f.file if f.line else "", f.line) for f in frames]


def same(chain, theirs):
    if how == "names":
        return chain[-1][0] == theirs[-1][0]
    return chain == theirs


def main():
    p = pprof.load(profile)
    chains = {frames[0].address: ours(frames)
              for frames in p.locations.values()
              if frames[0].module == program}
    gnu = oracle(["addr2line", "-fiaC"], chains)
    llvm = oracle(["llvm-addr2line", "-fiaC"], chains)
    by_gnu = by_llvm = 0
    unexplained = []
    for address, chain in chains.items():
        if same(chain, gnu[address]):
            by_gnu += 1
        elif same(chain, llvm[address]):
            by_llvm += 1
        else:
            unexplained.append(address)
    inlined = sum(len(chain) > 1 for chain in chains.values())
    print("%d addresses, %d with inlined functions; %d as addr2line, %d as "
          "llvm alone, %d unexplained" % (len(chains), inlined, by_gnu,
                                          by_llvm, len(unexplained)))
    for address in unexplained[:3]:
        print("%#x: %s, not %s" % (address, chains[address], gnu[address]))
    good = len(chains) >= 5 and (inlined == 0 or how == "lines")
    good = good and by_llvm <= 1 + BY_LLVM_MAX * len(chains)
    return 0 if good and \
        len(unexplained) <= UNEXPLAINED_MAX * len(chains) else 1


sys.exit(main())
