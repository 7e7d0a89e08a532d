"""Connects and closes, as fast as it goes, from a hundred addresses, so that closed ports that wait (TIME_WAIT) are not
the limit: storm.py NETWORK HOST PORT COUNT, with sources 127.NETWORK.0.x. A process by itself: one is half a
processor's worth."""

import socket
import sys

IP_BIND_ADDRESS_NO_PORT = 24  # the port is chosen by connect(2), so that it need only be free towards this server


def main():
    network, host, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    for number in range(count):
        with socket.socket() as sock:
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((f"127.{network}.0.{number % 100 + 1}", 0))
            sock.connect((host, port))


if __name__ == "__main__":
    main()
