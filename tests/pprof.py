# SPDX-License-Identifier: Apache-2.0
"""pprof.py - read a pprof profile: a second reader, for the tests

Written against profile.proto, not against src/encode: what both read wrongly in
the same way would stay unseen. Only what tests look at is kept.

    pprof.py FILE       the summary and the heaviest functions
"""
import collections
import gzip
import sys

PSEUDO = {"[lost]", "[unsampled]", "[pyroscope]", "[overflow]",
          "[signal delayed]", "[other]", "[thread not reached]",
          "[creator not seen]"}


def is_cut(name):
    """The root of a stack that is not complete: "[truncated: why]"."""
    return name == "[truncated]" or name.startswith("[truncated: ")


def is_pseudo(name):
    return name in PSEUDO or is_cut(name)


Frame = collections.namedtuple("Frame", "name module address file line")
# frames are leaf first; values as in sample_types
Sample = collections.namedtuple("Sample", "frames values labels")


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def fields(data):
    """The (number, value) pairs of a message; bytes for what has a length."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            size, at = varint(data, at)
            value = data[at:at + size]
            if len(value) != size:
                raise ValueError("cut short")
            at += size
        else:
            raise ValueError("wire type %d" % (key & 7))
        yield key >> 3, value


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def numbers(found):
    """A repeated integer: packed, or one by one."""
    out = []
    for value in found:
        if isinstance(value, int):
            out.append(signed(value))
        else:
            at = 0
            while at < len(value):
                number, at = varint(value, at)
                out.append(signed(number))
    return out


def message(data):
    found = collections.defaultdict(list)
    for number, value in fields(data):
        found[number].append(value)
    return found


class Profile:
    def __init__(self, data):
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        top = message(data)
        self.text = [s.decode("utf-8") for s in top[6]]
        if self.text[:1] != [""]:
            raise ValueError("the first string is not empty")
        self.sample_types = [self.value_type(v) for v in top[1]]
        self.period_type = self.value_type(top[11][0])
        self.period = signed(top[12][0])
        self.time_ns = signed(top[9][0]) if top[9] else 0
        self.duration_ns = signed(top[10][0]) if top[10] else 0
        self.default_type = self.text[top[14][0]] if top[14] else ""
        self.comments = [self.text[i] for i in numbers(top[13])]
        self.read_places(top)
        self.samples = [self.sample(message(m)) for m in top[2]]

    def value_type(self, data):
        m = message(data)
        return self.text[m[1][0]], self.text[m[2][0]]

    def read_places(self, top):
        modules = {0: ""}
        functions = {0: ("", "")}
        self.build_ids = {}
        self.without_functions = set()
        for m in map(message, top[3]):
            path = self.text[m[5][0]] if m[5] else ""
            modules[m[1][0]] = path
            self.build_ids[path] = self.text[m[6][0]] if m[6] else ""
            if not m[7] or not m[7][0]:
                self.without_functions.add(path)
        self.system_names = {}  # of functions, by their names
        for m in map(message, top[5]):
            name = self.text[m[2][0]] if m[2] else ""
            self.system_names.setdefault(name, set()).add(
                self.text[m[3][0]] if m[3] else "")
            functions[m[1][0]] = tuple(
                self.text[m[i][0]] if m[i] else "" for i in (2, 4))
        self.locations = {}
        for m in map(message, top[4]):
            module = modules[m[2][0] if m[2] else 0]
            address = m[3][0] if m[3] else 0
            self.locations[m[1][0]] = [
                self.frame(functions, message(line), module, address)
                for line in m[4]] or [Frame("", module, address, "", 0)]

    @staticmethod
    def frame(functions, line, module, address):
        name, file = functions[line[1][0]]
        return Frame(name, module, address, file,
                     signed(line[2][0]) if line[2] else 0)

    def sample(self, m):
        frames = [f for place in numbers(m[1]) for f in self.locations[place]]
        values = numbers(m[2])
        if len(values) != len(self.sample_types):
            raise ValueError("%d values" % len(values))
        labels = {}
        for label in map(message, m[3]):
            labels[self.text[label[1][0]]] = (
                self.text[label[2][0]] if label[2] else
                signed(label[3][0]) if label[3] else 0)
        return Sample(frames, values, labels)

    def counter(self, name):
        """A number of the library's comment, as in "samples=12"."""
        return sum(int(word.partition("=")[2]) for c in self.comments
                   for word in c.split() if word.startswith(name + "="))

    def total(self):
        """CPU nanoseconds, whatever they are charged to."""
        return sum(s.values[-1] for s in self.samples)

    def pseudo(self, name):
        """Nanoseconds of stacks in which this pseudo frame is."""
        return sum(s.values[-1] for s in self.samples
                   if any(f.name == name for f in s.frames))

    def sampled(self):
        """Samples of code: those that are more than one pseudo frame."""
        return [s for s in self.samples
                if any(not is_pseudo(f.name) for f in s.frames)]

    def incomplete(self):
        """The ticks of code that did not reach its outermost frame, and all."""
        cut = every = 0
        for s in self.sampled():
            every += s.values[0]
            if any(is_cut(f.name) for f in s.frames):
                cut += s.values[0]
        return cut, every


def load(path):
    with open(path, "rb") as f:
        return Profile(f.read())


def main():
    p = load(sys.argv[1])
    cut, every = p.incomplete()
    total = p.total() or 1
    print("%.3f s of CPU time, %d samples, %d ticks, %d incomplete" %
          (p.total() / 1e9, p.counter("samples"), every, cut))
    leaf = collections.Counter()
    for s in p.samples:
        leaf[s.frames[0].name] += s.values[-1]
    for name, ns in leaf.most_common(20):
        print("%6.2f %%  %s" % (100 * ns / total, name))


if __name__ == "__main__":
    main()
