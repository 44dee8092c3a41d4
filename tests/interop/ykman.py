#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Yubico's library for SCP03 (yubikit of python3-ykman 5.6) and a card's issuer domain: what it says of itself, sessions at level 33,
new keys in the place of old ones. It is the card's reader: says "port N", and waits for the card there.
usage: ykman.py ENC MAC DEK"""
import os
import socket
import struct
import sys

import yubikit.core.smartcard as smartcard
from yubikit.core import TRANSPORT
from yubikit.core.smartcard import ShortApduProcessor, SmartCardConnection, SmartCardProtocol
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, StaticKeys
from yubikit.securitydomain import SecurityDomainSession

GET_RESPONSE = 0xC0


class Session(smartcard.ScpProcessor):
    """The library's, in its short format: a YubiKey takes extended APDUs, a card of T=0 does not."""

    def __init__(self, connection, *rest, **options):
        super().__init__(connection, *rest, **options)
        self.processor = ShortApduProcessor(connection)
        self._get_data = bytes([0, GET_RESPONSE, 0, 0, 0])


def short(protocol, _version):
    protocol._ins_send_remaining = GET_RESPONSE
    protocol._reset_processor()


smartcard.ScpProcessor = Session
SmartCardProtocol.configure = short


class Reader(SmartCardConnection):
    transport = TRANSPORT.USB

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(120)
            print("port", server.getsockname()[1], flush=True)
            self.link = server.accept()[0]
        self.link.settimeout(120)
        self.put(b"\x01")

    def put(self, octets):
        self.link.sendall(struct.pack(">H", len(octets)) + octets)

    def close(self):
        self.link.close()

    def send_and_receive(self, apdu):
        self.put(bytes(apdu))
        n, = struct.unpack(">H", self.link.recv(2, socket.MSG_WAITALL))
        answer = self.link.recv(n, socket.MSG_WAITALL)
        print(" >", bytes(apdu).hex(), "\n <", answer.hex())
        return answer[:-2], int.from_bytes(answer[-2:], "big")


def expect(holds, what):
    if not holds:
        sys.exit("ykman.py: expected " + what)


def main():
    card, keys, kvn = Reader(), StaticKeys(*map(bytes.fromhex, sys.argv[1:4])), 0x30
    domain = SecurityDomainSession(card)
    expect({KeyRef(i, kvn) for i in (1, 2, 3)} <= set(domain.get_key_information()), "three keys of set 30")
    expect(bytes.fromhex("2A864886FC6B01") in domain.get_card_recognition_data(), "a GlobalPlatform card")
    for new in (0x31, 0x31, 0x30):
        domain = SecurityDomainSession(card)
        domain.authenticate(Scp03KeyParams(KeyRef(1, kvn), keys))
        registry = domain.protocol.send_apdu(0x80, 0xF2, 0x80, 0x02, bytes.fromhex("4F00"))
        expect(bytes.fromhex("4F08A000000151000000") in registry, "the issuer's domain in the registry")
        fresh, old = StaticKeys(*(os.urandom(16) for _ in range(3))), keys
        domain.put_key(KeyRef(1, new), fresh, kvn)  # it compares the check values that the card repeats
        keys, kvn = fresh, new
        try:
            SecurityDomainSession(card).authenticate(Scp03KeyParams(KeyRef(1, kvn), old))
        except ValueError:
            continue
        expect(False, "the old keys to open nothing")
    SecurityDomainSession(card).authenticate(Scp03KeyParams(KeyRef(1, kvn), keys))


main()
