#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The ORDER part of a group key's I_MESSAGE, read as docs/prose-applet.md ("Order of group keys") says: an implementation apart
from the product's. usage: order.py GMK-IN-HEX [URI KMS-URI PERIOD OFFSET] <MESSAGE; with a user, whether that one is excluded."""
import hashlib
import hmac
import struct
import sys

from aes import encrypt

# ---- GCM (SP 800-38D) ----


def ghash(h, data):
    y, h = 0, int.from_bytes(h, "big")
    for i in range(0, len(data), 16):
        x, v, y = y ^ int.from_bytes(data[i:i + 16], "big"), h, 0
        for bit in range(127, -1, -1):
            y ^= v if x >> bit & 1 else 0
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
    return y.to_bytes(16, "big")


def padded(data):
    return data + bytes(-len(data) % 16)


def gcm_open(key, iv, aad, text):
    h, body, tag = encrypt(key, bytes(16)), text[:-16], text[-16:]
    j0 = ghash(h, padded(iv) + struct.pack(">QQ", 0, 8 * len(iv)))
    mark = ghash(h, padded(aad) + padded(body) + struct.pack(">QQ", 8 * len(aad), 8 * len(body)))
    if bytes(a ^ b for a, b in zip(mark, encrypt(key, j0))) != tag:
        sys.exit("the tag is wrong")
    out, counter = b"", int.from_bytes(j0[12:], "big")
    for i in range(0, len(body), 16):
        counter = counter + 1 & 0xFFFFFFFF
        stream = encrypt(key, j0[:12] + struct.pack(">I", counter))
        out += bytes(a ^ b for a, b in zip(body[i:i + 16], stream))
    return out


# ---- MIKEY (RFC 3830, 6043, 6509): the payloads that such a message may have ----


def extension_of(message, wanted):
    payload, at = message[2], 10
    if message[9] != 1:
        sys.exit("not the empty map")
    while payload != 4:  # SIGN is the last
        following, size = message[at], {
            5: lambda: 10,
            11: lambda: 2 + message[at + 1],
            14: lambda: 5 + int.from_bytes(message[at + 3:at + 5], "big"),
            21: lambda: 4 + int.from_bytes(message[at + 2:at + 4], "big"),
            26: lambda: 5 + int.from_bytes(message[at + 3:at + 5], "big"),
        }[payload]()
        if payload == 21 and message[at + 1] == wanted:
            return message[at + 4:at + size]
        payload, at = following, at + size
    sys.exit("no ORDER part")


def uid_of(uri, kms, period, offset, at):
    """TS 33.180 F.2.1: the time counts from 1900."""
    def integer(n):
        return n.to_bytes(max(1, (n.bit_length() + 7) // 8), "big")
    s = b"\x00"
    number = (at + 2208988800 - offset) // period
    for p in (b"MIKEY-SAKKE-UID", uri.encode(), kms.encode(), integer(period), integer(offset), integer(number)):
        s += p + struct.pack(">H", len(p))
    return hashlib.sha256(s).digest()


def main():
    gmk, message = bytes.fromhex(sys.argv[1]), sys.stdin.buffer.read()
    csb_id, data = message[4:8], extension_of(message, 251)
    aad, length = data[:32], int.from_bytes(data[33:35], "big")
    if data[0] != 0x4F or data[11] != 1 or data[28:32] != csb_id or len(data) != 35 + length:
        sys.exit("not the container of an ORDER part")
    key = hmac.new(gmk, b"\x53" + csb_id + b"\x00\x04", hashlib.sha256).digest()[16:]
    plain = gcm_open(key, data[12:28], aad, data[35:])
    number, floor, at, flags, n = struct.unpack(">QQQBB", plain[:26])
    revoked = [struct.unpack(">II", plain[26 + 8 * i:34 + 8 * i]) for i in range(n)]
    rest = plain[26 + 8 * n:]
    uids = [rest[1 + 32 * i:33 + 32 * i] for i in range(rest[0])]
    print(f"number {number} floor {floor} at {at} strict {flags & 1}", end="")
    print(" revoked", *(f"{i:08x}" for i, status in revoked if status & 1 == 0), end="")
    print(f" excluded {len(uids)}", end="")
    if len(sys.argv) > 2:
        uri, kms, period, offset = sys.argv[2:6]
        print(" that one", "yes" if uid_of(uri, kms, int(period), int(offset), at) in uids else "no", end="")
    print()


main()
