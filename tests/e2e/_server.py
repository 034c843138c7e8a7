# SPDX-License-Identifier: Apache-2.0
"""_server.py - a server for profiles, or something that is none

    _server.py MODE PORT_FILE [FOLDER]

Listens on a port of 127.0.0.1 and writes its number to PORT_FILE. MODE:

    ok      take pushes: the profile into FOLDER/N.pb.gz, its labels into
            FOLDER/N.labels
    500     answer 500 to everything
    reset   accept and reset
    hang    accept and never answer
    drip    answer a byte at a time, for ever
    full    never accept: connections hang or are answered by the kernel
    closed  do not listen at all
"""
import gzip
import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                ".."))
import pprof

mode, port_file = sys.argv[1:3]
folder = sys.argv[3] if len(sys.argv) > 3 else None
count = 0
lock = threading.Lock()


def read_request(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        more = connection.recv(65536)
        if not more:
            return None
        body += more
    return body[:length]


def keep(body):
    global count
    for series in pprof.message(gzip.decompress(body))[1]:
        fields = pprof.message(series)
        labels = {}
        for pair in fields[1]:
            found = pprof.message(pair)
            labels[found[1][0].decode()] = found[2][0].decode()
        for sample in fields[2]:
            raw = pprof.message(sample)[1][0]
            with lock:
                count += 1
                name = os.path.join(folder, "%d" % count)
            with open(name + ".tmp", "wb") as f:
                f.write(raw if raw[:2] == b"\x1f\x8b" else
                        gzip.compress(raw))
            with open(name + ".labels", "w") as f:
                for key in sorted(labels):
                    f.write("%s=%s\n" % (key, labels[key]))
            os.rename(name + ".tmp", name + ".pb.gz")


def answer(connection, status):
    connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n"
                       b"Content-Type: application/json\r\n\r\n{}")


def drip(connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        time.sleep(0.2)
        connection.sendall(b"x")


def serve(connection):
    try:
        if mode == "hang":
            time.sleep(1000)
        elif mode == "drip":
            drip(connection)
        elif mode == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  struct.pack("ii", 1, 0))
        else:
            while True:
                body = read_request(connection)
                if body is None:
                    break
                if mode == "500":
                    answer(connection, b"500 Internal Server Error")
                else:
                    keep(body)
                    answer(connection, b"200 OK")
    except OSError:
        pass
    finally:
        connection.close()


def main():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    if mode != "closed":
        listener.listen(1 if mode == "full" else 64)
    with open(port_file + ".tmp", "w") as f:
        f.write("%d\n" % listener.getsockname()[1])
    os.rename(port_file + ".tmp", port_file)
    if mode in ("closed", "full"):
        if mode == "closed":
            listener.close()
        time.sleep(1000)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,),
                         daemon=True).start()


main()
