"""Holds so many connections to a server and says nothing: crowd.py HOST PORT COUNT. Writes "held" when all are there,
and when all have ended {"ends": {how: count}, "shortest": s, "longest": s}. A process by itself, since one may have
20,000 descriptors at most."""

import json
import select
import socket
import sys
import time
from collections import Counter


def how_it_ended(sock):
    try:
        return "bytes" if sock.recv(1) else "end"
    except ConnectionResetError:
        return "reset"


def main():
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    held, ends, lives = {}, Counter(), []
    ended = select.epoll()
    for _ in range(count):
        began = time.monotonic()
        sock = socket.create_connection((host, port), 60)
        held[sock.fileno()] = sock, began
        ended.register(sock, select.EPOLLIN)
    print("held", flush=True)
    while held:
        for descriptor, _ in ended.poll(120):
            sock, began = held.pop(descriptor)
            ends[how_it_ended(sock)] += 1
            lives.append(time.monotonic() - began)
            sock.close()
    print(json.dumps({"ends": ends, "shortest": min(lives), "longest": max(lives)}), flush=True)


if __name__ == "__main__":
    main()
