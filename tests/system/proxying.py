"""PROXY headers as bytes, made here and not by parley."""

import socket
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
LOCAL, PROXY = 0x20, 0x21
IPV4, IPV6, UNIX = 0x11, 0x21, 0x31


def crc32c(data):
    """Castagnoli's, bit by bit."""
    total = 0xFFFFFFFF
    for byte in data:
        total ^= byte
        for _ in range(8):
            total = total >> 1 ^ (0x82F63B78 if total & 1 else 0)
    return total ^ 0xFFFFFFFF


def v1(source=("10.0.0.1", 40000), destination=("10.0.0.2", 80)):
    family = "TCP6" if ":" in source[0] else "TCP4"
    return f"PROXY {family} {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode()


def tlv(kind, value):
    return struct.pack("!BH", kind, len(value)) + value


def header(command, family, block):
    return SIGNATURE + struct.pack("!BBH", command, family, len(block)) + block


def addresses(source=("10.0.0.1", 40000), destination=("10.0.0.2", 80)):
    family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    hosts = b"".join(socket.inet_pton(family, host) for host, _ in (source, destination))
    return hosts + struct.pack("!HH", source[1], destination[1])


def v2(source=("10.0.0.1", 40000), destination=("10.0.0.2", 80), facts=b""):
    return header(PROXY, IPV6 if ":" in source[0] else IPV4, addresses(source, destination) + facts)


def v2_unix(source, destination=b""):
    return header(PROXY, UNIX, source.ljust(108, b"\0") + destination.ljust(108, b"\0"))


def with_sum(made, wrong=0):
    """A version 2 header with its CRC32C, or with one that is wrong."""
    block = made[16:] + tlv(3, bytes(4))
    made = made[:14] + struct.pack("!H", len(block)) + block
    return made[:-4] + struct.pack("!I", crc32c(made) ^ wrong)
