# SPDX-License-Identifier: Apache-2.0
"""simplify.py - what a simplified C++ name is, said a second time

Lines of `c++filt -p`, which leaves parameters out, come from stdin; they go out
without template arguments, parameters of lambdas, and marks of clones.
"""
import re
import sys

OPERATOR = re.compile(
    r"(?<!\w)operator(?!\w)(<=>|<<=|>>=|->\*|<<|>>|<=|>=|->|\(\)|<|>)?")
ANONYMOUS = "(anonymous namespace)"


def behind(text, at, opening, closing):
    """The index behind the bracket that closes the one at at."""
    depth = parentheses = 0
    while at < len(text):
        operator = OPERATOR.match(text, at)
        if opening == "<" and operator:
            at = operator.end()
            continue
        c = text[at]
        if opening == "<" and c == "(":
            parentheses += 1
        elif opening == "<" and c == ")":
            parentheses -= 1
        elif parentheses == 0 and c == opening:
            depth += 1
        elif parentheses == 0 and c == closing and text[at - 1] != "-":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    raise ValueError(text)


def simplify(text):
    out, at = [], 0
    while at < len(text):
        operator = OPERATOR.match(text, at)
        if operator:
            out.append(operator.group())
            at = operator.end()
            if text.startswith(" <", at):
                at += 1
        elif text.startswith(ANONYMOUS, at):
            out.append(ANONYMOUS)
            at += len(ANONYMOUS)
        elif text[at] in "<(":
            at = behind(text, at, text[at], ">" if text[at] == "<" else ")")
        else:
            out.append(text[at])
            at += 1
    return re.sub(r" \[clone .*", "", "".join(out))


for line in sys.stdin:
    print(simplify(line.rstrip("\n")))
