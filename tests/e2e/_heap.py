# SPDX-License-Identifier: Apache-2.0
"""_heap.py - heap profiles of known content, as the library would drop them

    _heap.py FILE SPEC...

writes one profile. A spec is "STACK ALLOC_OBJECTS ALLOC_SPACE INUSE_OBJECTS
INUSE_SPACE [AGE]", the stack's functions from the leaf, joined by ";".
"""
import gzip
import sys

TYPES = (("alloc_objects", "count"), ("alloc_space", "bytes"),
         ("inuse_objects", "count"), ("inuse_space", "bytes"))


def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def number(field, value):
    return varint(field << 3) + varint(value)


def text(field, value):
    return varint(field << 3 | 2) + varint(len(value)) + value


class Writer:
    def __init__(self):
        self.strings = [""]
        self.functions = []

    def string(self, s):
        if s not in self.strings:
            self.strings.append(s)
        return self.strings.index(s)

    def value_type(self, field, names):
        return text(field, number(1, self.string(names[0])) +
                    number(2, self.string(names[1])))

    def place(self, name):
        """The number of a function and of its only location."""
        if name not in self.functions:
            self.functions.append(name)
        return self.functions.index(name) + 1

    def sample(self, stack, values, age=None):
        out = b"".join(number(1, self.place(f)) for f in stack.split(";"))
        out += b"".join(number(2, v) for v in values)
        if age is not None:
            out += text(3, number(1, self.string("age")) + number(3, age) +
                        number(4, self.string("seconds")))
        return text(2, out)

    def profile(self, samples, comment="", types=TYPES):
        out = b"".join(self.value_type(1, t) for t in types)
        out += b"".join(self.sample(*s) for s in samples)
        out += text(3, number(1, 1) + number(5, self.string("/usr/bin/app")))
        for i, name in enumerate(self.functions, 1):
            out += text(4, number(1, i) + number(2, 1) + number(3, 4096 + i) +
                        text(4, number(1, i)))
            out += text(5, number(1, i) + number(2, self.string(name)))
        out += self.value_type(11, ("space", "bytes")) + number(12, 4096)
        if comment:
            out += number(13, self.string(comment))
        out += b"".join(text(6, s.encode()) for s in self.strings)
        return gzip.compress(out)


def write(path, samples, comment="", types=TYPES):
    with open(path, "wb") as f:
        f.write(Writer().profile(samples, comment, types))


def parse(spec):
    words = spec.split()
    return (words[0], [int(w) for w in words[1:5]],
            int(words[5]) if words[5:] else None)


if __name__ == "__main__":
    write(sys.argv[1], [parse(s) for s in sys.argv[2:]])
