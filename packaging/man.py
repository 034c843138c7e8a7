# SPDX-License-Identifier: Apache-2.0
"""man.py PYRO HEADER FOLDER - the manual pages, made from what says it first

pyro.1 is what the verbs' --help prints, pyroscope.3 the functions, types and macros
of the public header with their comments, and a page for each of them that leads
there, pyroscope.7 the settings that `pyro help settings` prints.
"""
import pathlib
import re
import subprocess
import sys

pyro, header, folder = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(
    sys.argv[3])
source = header.read_text()
version = re.search(r'VERSION_STRING "(.*)"', source)[1]


def run(*args):
    return subprocess.run([pyro, *args], check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def text(line):
    """A line as it is: no request, no escape, hyphens that can be copied."""
    line = line.replace("\\", "\\e").replace("-", "\\-")
    line = line.replace("'", "\\(aq").replace("^", "\\(ha").replace(
        "~", "\\(ti").replace("`", "\\(ga")
    return ("\\&" if line.startswith(".") else "") + line


def example(lines):
    return [".PP", ".RS 4", ".nf", *map(text, lines), ".fi", ".RE"]


def page(name, section, what, body):
    # Where nothing stands before it, it is no paragraph.
    body = [line for line, before, after in
            zip(body, [""] + body, body[1:] + [""])
            if line != ".PP" or not (before.startswith((".SH", ".SS")) or
                                     after.startswith((".SH", ".IP", ".TP")))]
    lines = ['.\\" Made by packaging/man.py.',
             f'.TH {name.upper()} {section} "" "pyroscope-c {version}"',
             ".SH NAME", f"{what}"]
    (folder / f"{name}.{section}").write_text("\n".join(lines + body) + "\n")


def entry(tag, words):
    return [".TP", f".B {text(tag)}", text(words)]


# pyro.1

def options(lines):
    """[tag, words] of lines like '  -o FILE  text' with text going on below."""
    found = []
    for line in lines:
        begin = re.match(r"  (-\S+(?: [A-Z]\S*)?) *(.*)", line)
        if begin:
            found.append([begin[1], begin[2]])
        else:
            found[-1][1] = f"{found[-1][1]} {line.strip()}".strip()
    return found


def verb(name):
    blocks = run(name, "--help").rstrip("\n").split("\n\n")
    body = [f".SS {name}", *example(line[2:] for line in
                                    blocks[0].splitlines())]
    for block in blocks[1:]:
        lines = block.splitlines()
        if lines[0].startswith("  "):
            for tag, words in options(lines):
                body += entry(tag, words)
        else:
            body += [".PP", *map(text, lines)]
    return body


def page_of_command():
    overview = run("help").split("\n\n")
    body = [".SH SYNOPSIS", ".B pyro", ".I verb", r".RI [ options ]", ".I ...",
            ".SH DESCRIPTION", text(overview[0]),
            *example(line[2:] for line in overview[1].splitlines()),
            ".SH VERBS"]
    for name in re.findall(r"^  pyro (\w+)", overview[1], re.M):
        if name != "version" and f".SS {name}" not in body:
            body += verb(name)
    body += [".SH EXIT STATUS", "That of the program, of",
             ".B pyro record", "and", text("pyro exec."),
             "Else 0; 1 if it failed; 2 if the command line is wrong.",
             ".SH SEE ALSO", ".BR pyroscope (3),", ".BR pyroscope (7),",
             ".BR perf (1)"]
    page("pyro", 1, r"pyro \- continuous profiling for native programs", body)


# pyroscope.3

def words_of(comment):
    """The paragraphs of a comment: text, and what is indented as it is."""
    body = []
    lines = [re.sub(r"^ ?\* ?", "", line)
             for line in comment.lstrip().replace(
                 "docs/configuration.md", "pyroscope(7)").splitlines()]
    for block in "\n".join(lines).strip("\n").split("\n\n"):
        block = [line.replace("\t", "        ") for line in block.splitlines()]
        indented = [line.startswith("  ") for line in block]
        if all(indented):
            body += example(line[2:] for line in block)
        elif any(indented):
            body += [".PP", ".nf", *map(text, block), ".fi"]
        else:
            body += [".PP", *map(text, block)]
    return body


def reference():
    """(comment, code) of the header: a comment that begins a line, and the lines
    up to the next blank one; of a struct, all of it."""
    public = source[:source.index("#if PYROSCOPE_ENABLED\n")]
    return re.findall(r"^/\*((?:(?!\*/).)*)\*/\n"
                      r"(struct (?:(?!^};).)*^};\n|(?:[^\n]+\n)*)",
                      public, re.S | re.M)


def is_public(macro):
    return not macro.endswith("_") and macro not in ("PYROSCOPE_API",
                                                     "PYROSCOPE_PYROSCOPE_H")


def names_of(code):
    """What the code declares; macros that are ours alone are not for users."""
    names = re.findall(r"^PYROSCOPE_API [^;]*?(pyroscope_\w+)\(", code, re.M)
    names += re.findall(r"^struct (pyroscope_\w+) \{", code, re.M)
    names += re.findall(r"^typedef .*?(pyroscope_\w+)[(;]", code, re.M)
    macros = re.findall(r"^#define (PYROSCOPE_\w+)", code, re.M)
    names += [name for name in macros if is_public(name)]
    return list(dict.fromkeys(names))


def declaration(code):
    """The code as one would write it, without how it is done."""
    body = []
    for prototype in re.findall(r"^(?:PYROSCOPE_API|typedef) [^;]*;", code,
                                re.M):
        body.append(" ".join(prototype.replace("PYROSCOPE_API ",
                                               "").split()))
    for line in re.findall(r"^#define .*", code, re.M):
        name = line.split()[1].split("(")[0]
        if not is_public(name):
            continue
        # Several lines: a name, and what it is called with, if anything.
        body.append(line if not line.endswith("\\") else
                    re.match(r"#define \w+(?:\([^)]*\))?", line)[0])
    return [line.replace("\t", " ") for line in body]


def fields(struct):
    """Each field of a struct, with the comment before it."""
    body = []
    for comment, code in re.findall(
            r"^\t/\*((?:(?!\*/).)*)\*/\n((?:\t[^/\n][^\n]*\n)+)", struct,
            re.S | re.M):
        body += [".TP", f".B {text('; '.join(code.split(';')[:-1]).strip())}"
                 .replace("\n", "").replace("\t", "")]
        lines = [re.sub(r"^\s*\* ?", "", line).strip("\t")
                 for line in comment.splitlines()]
        body += field_words("\n".join(lines).strip("\n ").splitlines())
    return body


def field_words(lines):
    """A field's words; what is indented, and what goes on with it, as it is."""
    body, inside = [], False
    for line in lines:
        line = line.strip("\n")
        indented = line.startswith("  ")
        if indented != inside:
            body.append(".nf" if indented else ".fi")
            inside = indented
        body.append(text(line if indented else line.strip()))
    return body + ([".fi"] if inside else [])


def page_of_library():
    functions, others = [], []
    body = [".SH SYNOPSIS", ".nf", ".B #include <pyroscope/pyroscope.h>", ".PP",
            "Link with \\fI\\-lpyroscope\\fP.", ".fi", ".SH DESCRIPTION",
            *words_of(re.search(r"/\* pyroscope\.h - .*?\n(.*?)\*/", source,
                                re.S)[1]), ".SH REFERENCE"]
    for comment, code in reference():
        names = names_of(code)
        if not names:
            continue
        is_function = bool(re.search("^PYROSCOPE_API ", code, re.M))
        (functions if is_function else others).extend(names)
        if code.startswith("struct "):
            body += [".SS struct " + names[0], *words_of(comment),
                     *fields(code)]
            continue
        body += [".SS " + ", ".join(names), *example(declaration(code)),
                 *words_of(comment)]
    wanted = re.findall(r"^PYROSCOPE_API[^;]*?(pyroscope_\w+)\(", source, re.M)
    if sorted(functions) != sorted(wanted):
        sys.exit(f"man.py: not found: {set(wanted) ^ set(functions)}")
    body += [".SH SEE ALSO", ".BR pyro (1),", ".BR pyroscope (7)"]
    page("pyroscope", 3, ", ".join(functions) +
         r" \- continuous profiling of this process", body)
    # A struct has the name of a function, or a page of its own.
    for name in functions + others:
        (folder / f"{name}.3").write_text(".so man3/pyroscope.3\n")


# pyroscope.7

def cells(line):
    return [cell.strip().replace("`", "") for cell in line.split("|")[1:-1]]


def page_of_settings():
    body = [".SH DESCRIPTION"]
    for line in run("help", "settings").splitlines()[2:]:
        if line.startswith("## "):
            body += [f".SH {line[3:].upper()}"]
        elif line.startswith(("| setting", "| name")):
            body += [".SH SETTINGS"] if "setting" in line else []
        elif line.startswith("| ---") or "This page is what" in line:
            continue
        elif line.startswith("|"):
            row = cells(line)
            if len(row) == 4:
                body += entry(row[0], f"{row[3]}. Values: {row[2]}." + (
                    f" Default: {row[1]}." if row[1] else ""))
            else:
                body += entry(row[0], f"{row[1]}, as {row[2]}.")
        elif re.match(r"(-|\d+\.) ", line):
            mark, rest = line.split(" ", 1)
            body += [f'.IP "{text(mark)}" 4', text(rest.replace("`", ""))]
        elif not line:
            body += [".PP"] if body[-1] != ".PP" else []
        else:
            body += [text(line.strip().replace("`", ""))]
    body += [".SH SEE ALSO", ".BR pyro (1),", ".BR pyroscope (3)"]
    page("pyroscope", 7, r"pyroscope \- settings of pyro and libpyroscope",
         body)


folder.mkdir(parents=True, exist_ok=True)
page_of_command()
page_of_library()
page_of_settings()
