# SPDX-License-Identifier: Apache-2.0
"""_chaos.py - a server in trouble, and what must be true of what it was sent

    _chaos.py serve STEPS PORT_FILE LOG     on a port of 127.0.0.1
    _chaos.py check LOG CPU_SECONDS         what the program used

STEPS is a list, one for each connection, the last one for ever:

    ok           200
    CODE[:S]     this status, with Retry-After: S, or as a date with :dS
    hang         read the request, and never answer
    drip         answer a byte at a time, for ever
    cut          200, and a body that ends in the middle
    half         close in the middle of the request
    reset        reset instead of an answer
    badcert      a certificate that nobody vouches for ("tls" comes first)
    tls          no connection, but from here on HTTPS
    refuse:S     no connection: for so many seconds nobody listens
    full:S       no connection: nobody accepts, and the backlog is full

Each request that was read to its end is one line of LOG: its step, the answer's
status (0: none), a hash of all of it, its series and its profile's time,
duration, and CPU time.
"""
import email.parser
import email.utils
import gzip
import hashlib
import json
import os
import re
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import pprof

log_lock = threading.Lock()


def read_request(connection, half):
    """(head, body), or None when it is not complete."""
    data = b""
    while True:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\nContent-Length: (\d+)", head)
        if not end or not length:
            continue
        if half and body:
            return None
        if len(body) >= int(length.group(1)):
            return head, body


def of_push(body):
    series = pprof.message(pprof.message(gzip.decompress(body))[1][0])
    labels = {}
    for pair in series[1]:
        found = pprof.message(pair)
        labels[found[1][0].decode()] = found[2][0].decode()
    return labels["__name__"], pprof.message(series[2][0])[1][0]


def of_ingest(head, body):
    target = head.split(b" ")[1].decode()
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)
    content_type = re.search(rb"(?i)\r\nContent-Type: ([^\r]*)", head).group(1)
    whole = email.parser.BytesParser().parsebytes(
        b"Content-Type: " + content_type + b"\r\n\r\n" + body)
    parts = {}
    for part in whole.get_payload():
        name = part.get_param("name", header="content-disposition")
        assert part.get_filename(), "a part without a file name is not seen"
        parts[name] = part.get_payload(decode=True)
    assert "{" in query["name"][0]
    return "ingest", gzip.decompress(parts["profile"])


def keep(path, step, status, head, body):
    ingest = b"/ingest?" in head.split(b"\r\n")[0]
    name, raw = of_ingest(head, body) if ingest else of_push(body)
    profile = pprof.Profile(raw)
    types = [t[0] for t in profile.sample_types]
    cpu = [s.values[types.index("cpu")] for s in profile.samples
           if "cpu" in types]
    line = {
        "at": time.time(), "step": step, "status": status,
        "hash": hashlib.sha256(head + body).hexdigest(),
        "series": name + ":" + types[0],
        "time": profile.time_ns, "duration": profile.duration_ns,
        "cpu": sum(cpu),
    }
    with log_lock, open(path, "a") as f:
        f.write(json.dumps(line) + "\n")


def answer(connection, step):
    code, _, after = step.partition(":")
    head = "HTTP/1.1 %s X\r\nContent-Length: 2\r\n" % code
    if after.startswith("d"):
        now = time.time()
        head += "Date: %s\r\nRetry-After: %s\r\n" % (
            email.utils.formatdate(now, usegmt=True),
            email.utils.formatdate(now + int(after[1:]), usegmt=True))
    elif after:
        head += "Retry-After: %s\r\n" % after
    connection.sendall((head + "\r\n{}").encode())
    return int(code)


def drip(connection):
    while True:
        time.sleep(0.2)
        connection.sendall(b"H")


def talk(connection, step, log):
    request = read_request(connection, step == "half")
    if request is None:
        return
    status = 0
    if step == "cut":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{")
        status = 200
    elif step == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                              struct.pack("ii", 1, 0))
    elif step not in ("hang", "drip"):
        status = answer(connection, "200" if step == "ok" else step)
    keep(log, step, status, *request)
    if step == "hang":
        connection.recv(1)
    elif step == "drip":
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        drip(connection)


def serve_one(connection, step, log, context):
    try:
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        talk(connection, step, log)
    except OSError:
        pass
    finally:
        connection.close()


def tls_context(name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(name + ".pem", name + ".key")
    return context


def listener_at(port):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


def fill(port):
    """Take all of the backlog."""
    taken = []
    for _ in range(8):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(("127.0.0.1", port))
        taken.append(s)
    time.sleep(0.2)
    return taken


def serve(steps, port_file, log):
    steps = steps.split(",")
    listener = listener_at(0)
    port = listener.getsockname()[1]
    tls = False
    while True:
        step = steps[0]
        if len(steps) > 1:
            steps.pop(0)
        wait = step.split(":")
        if wait[0] == "tls":
            tls = True
            continue
        if wait[0] in ("full", "refuse"):
            listener.close()
            listener = listener_at(port)
        if wait[0] == "full":
            listener.listen(1)
            taken = fill(port)
        elif wait[0] != "refuse":
            listener.listen(64)
        if port_file:
            with open(port_file + ".tmp", "w") as f:
                f.write("%d\n" % port)
            os.rename(port_file + ".tmp", port_file)
            port_file = None
        if wait[0] in ("full", "refuse"):
            time.sleep(float(wait[1]))
            if wait[0] == "full":
                for s in taken:
                    s.close()
            continue
        connection, _ = listener.accept()
        context = None
        if tls:
            context = tls_context("bad" if step == "badcert" else "good")
        threading.Thread(target=serve_one, daemon=True,
                         args=(connection, step, log, context)).start()


def fail(*words):
    print(*words)
    sys.exit(1)


def passes(line):
    return (line["status"] in (0, 408, 429, 500, 502, 503, 504) or
            line["status"] == 422 and line["series"].startswith("ingest"))


def check(path, used):
    with open(path) as f:
        lines = [json.loads(line) for line in f]
    requests, windows, cpu = {}, {}, 0
    for line in lines:
        requests.setdefault(line["hash"], []).append(line)
        key = (line["series"], line["time"])
        if windows.setdefault(key, line["hash"]) != line["hash"]:
            fail("two profiles of one time:", key)
    for tries in requests.values():
        last = tries[-1]
        if not all(passes(t) for t in tries[:-1]):
            fail("sent again after it was taken or refused:", tries)
        if passes(last):
            fail("never delivered:", tries)
        cpu += last["cpu"]
    ends = {}
    for (series, start), name in sorted(windows.items()):
        duration = requests[name][0]["duration"]
        if start < ends.get(series, 0) - 50e6:
            fail("windows overlap:", series, start, ends[series])
        ends[series] = start + duration
    if not 0.9 * used - 0.02 <= cpu / 1e9 <= 1.1 * used + 0.02:
        fail("%.3f s of CPU time came of %.3f" % (cpu / 1e9, used))
    refused = sum(t[-1]["status"] != 200 for t in requests.values())
    again = len(lines) - len(requests)
    print("%d profiles, %d of them refused; %d sent again; %.2f of %.2f s" %
          (len(requests), refused, again, cpu / 1e9, used))


if sys.argv[1] == "serve":
    serve(*sys.argv[2:])
else:
    check(sys.argv[2], float(sys.argv[3]))
