#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The off-card side of SCP03, and the reader: an implementation apart from the product's, written from the text of GlobalPlatform's
Card Specification 2.3.1 (GPCS) and its Amendment D 1.2 (D). It sends what pySim and GlobalPlatformPro send, command by command.
usage: scp03.py vectors
       scp03.py LAW random|counter ENC MAC DEK -- PROGRAM...: the card that PROGRAM puts into the reader at PORT (so written)
It says what it saw, and fails with the last APDUs."""
import os
import socket
import struct
import subprocess
import sys

from aes import decrypt, encrypt

# ---- CMAC (SP 800-38B), CBC ----


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def cbc_encrypt(key, iv, data):
    out = b""
    for i in range(0, len(data), 16):
        iv = encrypt(key, xor(iv, data[i:i + 16]))
        out += iv
    return out


def cbc_decrypt(key, iv, data):
    out = b""
    for i in range(0, len(data), 16):
        out += xor(iv, decrypt(key, data[i:i + 16]))
        iv = data[i:i + 16]
    return out


def doubled(block):
    n = int.from_bytes(block, "big") << 1
    return (n & (1 << 128) - 1 ^ (0x87 if n >> 128 else 0)).to_bytes(16, "big")


def cmac(key, data):
    last = doubled(encrypt(key, bytes(16)))
    if not data or len(data) % 16:
        last, data = doubled(last), pad(data)
    return cbc_encrypt(key, bytes(16), data[:-16] + xor(data[-16:], last))[-16:]


def pad(data):
    """GPCS B.2.3."""
    return data + b"\x80" + bytes(-(len(data) + 1) % 16)


def unpad(data):
    rest = data.rstrip(b"\0")
    expect(rest[-1:] == b"\x80" and len(data) - len(rest) < 16, "padding of GPCS B.2.3")
    return rest[:-1]


# ---- keys (D 4.1.5, 6.2) ----


def derived(key, constant, context, octets):
    out = b""
    for i in (1, 2):
        if len(out) < octets:
            out += cmac(key, bytes(11) + bytes([constant, 0]) + struct.pack(">HB", 8 * octets, i) + context)
    return out[:octets]


def check_value(key):
    """GPCS B.6."""
    return encrypt(key, b"\x01" * 16)[:3]


class Session:
    """Both challenges are there; the octets of D 6.2 from there on. size: 8 (S8) or 16 (S16)."""

    def __init__(self, keys, host, card):
        self.host, self.size, self.level, self.counter, self.chain = host, len(host), 0, 0, bytes(16)
        self.enc = derived(keys[0], 4, host + card, len(keys[0]))
        self.mac = derived(keys[1], 6, host + card, len(keys[1]))
        self.rmac = derived(keys[1], 7, host + card, len(keys[1]))
        self.card_cryptogram = derived(self.mac, 0, host + card, self.size)
        self.host_cryptogram = derived(self.mac, 1, host + card, self.size)

    def maced(self, header, data):
        """D 6.2.4: the class without its channel, the length with the MAC's."""
        head = bytes([header[0] & 0xF0 | 4]) + header[1:4] + bytes([len(data) + self.size])
        self.chain = cmac(self.mac, self.chain + head + data)
        return bytes([header[0] | 4]) + head[1:] + data + self.chain[:self.size]

    def external_authenticate(self, level, cla=0x80):
        return self.maced(bytes([cla, 0x82, level, 0]), self.host_cryptogram)

    def block(self, first):
        return encrypt(self.enc, bytes([first]) + self.counter.to_bytes(15, "big"))

    def wrapped(self, header, data, le=b""):
        self.counter += 1
        if self.level & 1 == 0:
            return header + (bytes([len(data)]) + data if data else b"") + le
        if self.level & 2 and data:
            data = cbc_encrypt(self.enc, self.block(0), pad(data))
        return self.maced(header, data) + le

    def unwrapped(self, answer, sw):
        if self.level & 0x10 == 0:
            return answer
        if sw != 0x9000 and sw >> 8 not in (0x62, 0x63):
            expect(answer == b"", "D 6.2.5: no R-MAC, and no data, with an error")
            return answer
        data, mac = answer[:-self.size], answer[-self.size:]
        expect(mac == cmac(self.rmac, self.chain + data + struct.pack(">H", sw))[:self.size], "R-MAC")
        return unpad(cbc_decrypt(self.enc, self.block(0x80), data)) if self.level & 0x20 and data else data


# ---- the reader: vsmartcard's protocol, the side of the reader ----


class Failed(Exception):
    pass


def expect(holds, what, *seen):
    if not holds:
        raise Failed(what + "".join(f", not {s}" for s in seen))


class Reader:
    def __init__(self, program):
        self.trace = []
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.settimeout(120)
            self.program = subprocess.Popen([p.replace("PORT", str(server.getsockname()[1])) for p in program])
            try:
                self.link = server.accept()[0]
            except OSError:
                self.program.kill()
                raise Failed("no card came") from None
        self.link.settimeout(120)
        self.reset(1)

    def send(self, octets):
        self.link.sendall(struct.pack(">H", len(octets)) + octets)

    def receive(self):
        def exactly(n):
            got = b""
            while len(got) < n:
                part = self.link.recv(n - len(got))
                expect(part, "the card has left")
                got += part
            return got
        return exactly(struct.unpack(">H", exactly(2))[0])

    def reset(self, how=2):
        self.send(bytes([how]))
        self.send(b"\x04")
        expect(self.receive()[:1] == b"\x3b", "an ATR")

    def apdu(self, command):
        """Data and status word; what a T=0 client does when it is told to come again (TS 102 221 7.3.1.1)."""
        data = b""
        while True:
            self.send(command)
            answer = self.receive()
            self.trace.append((command.hex().upper(), answer.hex().upper()))
            data, sw = data + answer[:-2], int.from_bytes(answer[-2:], "big")
            if sw >> 8 == 0x61:
                command = bytes([command[0] & 3, 0xC0, 0, 0, sw & 0xFF])
            elif sw >> 8 == 0x6C:
                command = command[:-1] + bytes([sw & 0xFF])
            else:
                return data, sw

    def ok(self, command, *also):
        data, sw = self.apdu(command)
        expect(sw in (0x9000, *also), "9000", f"{sw:04X}")
        return data

    def close(self):
        self.link.close()
        self.program.terminate()
        self.program.wait(120)


def tlvs(data):
    """BER-TLV, one level: a list of tag and value."""
    out, at = [], 0
    while at < len(data):
        start, at = at, at + 1
        if data[start] & 0x1F == 0x1F:
            while data[at] & 0x80:
                at += 1
            at += 1
        tag, n = int.from_bytes(data[start:at], "big"), data[at]
        at += 1
        if n & 0x80:
            n, at = int.from_bytes(data[at:at + (n & 0x7F)], "big"), at + (n & 0x7F)
        expect(at + n <= len(data), "TLVs end with their data")
        out.append((tag, data[at:at + n]))
        at += n
    return out


def value(data, *path):
    for tag in path:
        data = next((v for t, v in tlvs(data) if t == tag), None)
        expect(data is not None, f"a tag {tag:X}")
    return data


# ---- what the two tools send ----
H = bytes.fromhex
ISD = H("A000000151000000")
REGISTRY = (0x80, 0x40, 0x20, 0x10)


class Tool:
    """An off-card entity at one card: keys by key set; channel of TS 102 221."""

    def __init__(self, card, kind, keys, channel=0):
        self.card, self.kind, self.keys, self.channel, self.session = card, kind, keys, channel, None

    def cla(self, first):
        return bytes([first | self.channel])

    def update(self, kvn, le=b"\0", host=None):
        """INITIALIZE UPDATE (D 7.1.1), answered; the session that follows, and what the card said."""
        host = host or os.urandom(8)
        said = self.card.ok(self.cla(0x80) + bytes([0x50, kvn, 0, len(host)]) + host + le)
        expect(len(said) == (32 if self.kind == "counter" else 29), "29 octets, or 32 with a sequence counter", len(said))
        expect(said[11:13] == H("0370" if self.kind == "counter" else "0360"), "SCP03 and its i", said[11:13].hex())
        expect(kvn in (0, said[10]), "the key set that was named", said[10])
        if self.kind == "counter":
            expect(said[13:21] == derived(self.keys[said[10]][0], 2, said[29:] + ISD, 8), "D 6.2.2.1: a pseudo-random challenge")
        return Session(self.keys[said[10]], host, said[13:21]), said

    def open(self, level, kvn=0, le=b"\0"):
        session, said = self.update(kvn, le)
        expect(said[21:29] == session.card_cryptogram, "the card's cryptogram under our keys")
        self.card.ok(session.external_authenticate(level, self.cla(0x80)[0]))
        session.level, self.session = level, session
        return said

    def command(self, header, data=b"", le=b"", *also):
        sent = self.session.wrapped(self.cla(0x80) + H(header), data, le)
        answer, sw = self.card.apdu(sent)
        expect(sw in (0x9000, *also), "9000", f"{sw:04X} to {header}")
        return self.session.unwrapped(answer, sw), sw

    def registry(self, subset, criteria):
        """GET STATUS (GPCS 11.4), all parts."""
        out, part, sw = b"", 2, 0x6310
        while sw == 0x6310:
            data, sw = self.command(f"F2{subset:02X}{part:02X}", criteria, b"\0", 0x6310, 0x6A88)
            out, part = out + data, 3
        return [value(e, 0x4F) for t, e in tlvs(out) if t == 0xE3]

    def look_round(self):
        found = {s: self.registry(s, self.CRITERIA) for s in REGISTRY}
        expect(found[0x80] == [ISD], "the issuer's domain", found[0x80])
        expect(len(found[0x40]) > 0 and found[0x20] == found[0x10], "applications, and load files twice")
        template, _ = self.command("CA00E0", b"", b"\0")
        return {v[1] for t, v in tlvs(value(template, 0xE0)) if t == 0xC0}

    def put(self, old, new, keys, right=True):
        """PUT KEY of three AES keys (GPCS 11.8): the data that the card should repeat, and what it answered."""
        used = self.keys[self.under]
        data, repeated = bytes([new]), bytes([new])
        for key in keys:
            block, kcv = cbc_encrypt(used[2], bytes(16), key), check_value(key)
            kcv = kcv if right or key is not keys[2] else xor(kcv, b"\0\0\1")
            block = bytes([len(key)]) * self.LENGTH_FIRST + block
            data += bytes([0x88, len(block)]) + block + b"\x03" + kcv
            repeated += kcv
        sent = self.session.wrapped(self.cla(0x80) + bytes([0xD8, old, 0x81]), data, self.PUT_LE)
        answer, sw = self.card.apdu(sent)
        answer = self.session.unwrapped(answer, sw)
        if sw == 0x9000 and self.PUT_LE:
            expect(answer == repeated, "GPCS 11.8.3.1: the key set's number and check values", answer.hex())
        return sw


class PySim(Tool):
    """pySim-shell: select ADF.ISD; establish_scp03; get_status; put_key; delete_key. Le is 00 in each command that it is told may answer."""
    CRITERIA, LENGTH_FIRST, PUT_LE = H("4F005C054F9F70C5CC"), 0, b"\0"

    def select(self):
        said = self.card.ok(self.cla(0) + H("A4040408A00000000300000000"))
        expect(value(said, 0x6F, 0x84), "an FCI with an AID")

    def begin(self, level, kvn):
        self.select()
        self.under = self.open(level, kvn)[10]

    def forget(self, kvn):
        return self.card.apdu(self.session.wrapped(self.cla(0x80) + H("E40000"), bytes([0xD2, 1, kvn]), b"\0"))[1]


class Pro(Tool):
    """GlobalPlatformPro: gp --list, --put-key, --delete-key. Finds the domain, looks before it opens."""
    CRITERIA, LENGTH_FIRST, PUT_LE = H("4F00"), 1, b""

    def select(self):
        said = self.card.ok(self.cla(0) + H("A4040000" "00"))
        aid = value(said, 0x6F, 0x84)
        expect(aid == ISD, "GPCS 11.9.2.3: without an AID, the issuer's domain", aid.hex())
        expect(0 < int.from_bytes(value(said, 0x6F, 0xA5, 0x9F65), "big") <= 255, "GPCS 11.9.3.1: the longest data field")

    def begin(self, level, kvn):
        self.select()
        for name in ("9F7F", "0042", "0045", "00CF", "00C1", "0066", "0067"):  # gp --info; it takes any status for "not there"
            _, sw = self.card.apdu(self.cla(0x80) + H("CA" + name + "00"))
            expect(sw in (0x9000, 0x6A88), "an object or 6A88", f"{sw:04X} to {name}")
        data = self.card.ok(self.cla(0x80) + H("CA006600"))
        expect(value(data, 0x66, 0x73, 0x06) == H("2A864886FC6B01"), "GPCS H.2: a GlobalPlatform card")
        scp = value(data, 0x66, 0x73, 0x64, 0x06)
        sets = {v[1] for t, v in tlvs(value(self.card.ok(self.cla(0x80) + H("CA00E000")), 0xE0))}
        self.under = self.open(level, kvn)[10]
        i = 0x70 if self.kind == "counter" else 0x60
        expect(scp == H("2A864886FC6B0403") + bytes([i]), "GPCS H.2: the protocol that the domain speaks", scp.hex())
        expect(self.under in sets, "a key set that the template has")

    def forget(self, kvn):
        return self.card.apdu(self.session.wrapped(self.cla(0x80) + H("E40000"), bytes([0xD2, kvn])))[1]


LEVELS = (0x01, 0x03, 0x11, 0x13, 0x33)


# ---- laws ----


def opens(card, kind, keys):
    """Both tools, each level, the key set named and not; a channel of TS 102 221; each closed by a reset."""
    number = 0
    for make in (PySim, Pro):
        for level in LEVELS:
            for kvn in (0, 0x30):
                tool = make(card, kind, {0x30: keys})
                tool.begin(level, kvn)
                expect(tool.look_round() >= {0x30}, "our key set in the template")
                number += 1
                card.reset()
    channel = card.ok(H("0070000001"))[0]
    tool = PySim(card, kind, {0x30: keys}, channel)
    tool.begin(0x33, 0)
    tool.look_round()
    card.reset()
    tool = PySim(card, kind, {0x30: keys})
    tool.select()
    tool.open(0x13, 0x30, b"")
    print(f"{number} sessions, one on channel {channel}, one without Le")


def answers(card, kind, keys):
    """What the text of D 7 says of each refusal."""
    tool = PySim(card, kind, {0x30: keys})
    tool.select()
    for sent, sw, why in (
            ("8050310008" + "00" * 8 + "00", 0x6A88, "a key set that is not there"),
            ("8050000007" + "00" * 7 + "00", 0x6700, "a challenge of 7"),
            ("8050000010" + "00" * 16 + "00", 0x6700, "a challenge of S16 in S8")):
        seen = card.apdu(H(sent))[1]
        expect(seen == sw, f"{sw:04X} for {why}", f"{seen:04X}")
    for level in (0x00, 0x02, 0x10, 0x23, 0x31, 0x04, 0x81):  # 00 is D's, and our card's policy is against it
        session, _ = tool.update(0)
        seen = card.apdu(session.external_authenticate(level))[1]
        expect(seen == 0x6A86, f"6A86 for level {level:02X}", f"{seen:04X}")


def refuses(card, kind, keys):
    """Wrong keys, wrong cryptograms, replays, MACs with a bit changed: refused, and the session is over."""
    other = tuple(xor(k, bytes(15) + b"\1") for k in keys)
    tool = PySim(card, kind, {0x30: keys})

    def dead(session, was_open=True):
        """Neither the next command in order, nor one in clear, is done; what anybody may ask only where none was open (D 5.6)."""
        for sent in [session.wrapped(H("80CA00E0"), b"", b"\0"), H("80F28002024F0000")] + [H("80CA00E000")] * was_open:
            seen = card.apdu(sent)[1]
            expect(seen >> 8 == 0x69, "a security error", f"{seen:04X} to {sent.hex()}")

    def begun(level=0x13):
        tool.select()
        tool.open(level)
        tool.command("CA00E0", b"", b"\0")
        return tool.session

    tool.select()
    session, said = tool.update(0)
    stranger = Session(other, session.host, said[13:21])
    expect(said[21:29] == session.card_cryptogram != stranger.card_cryptogram, "the model to notice a card of other keys")
    session, _ = tool.update(0)
    session.host_cryptogram = xor(session.host_cryptogram, b"\1" + bytes(7))
    expect(card.apdu(session.external_authenticate(1))[1] == 0x6300, "D 7.1.2.7: 6300 for a wrong host cryptogram")
    session.level = 1
    dead(session, False)
    session, _ = tool.update(0)
    sent = session.external_authenticate(1)
    expect(card.apdu(xor(sent, bytes(len(sent) - 1) + b"\1"))[1] >> 8 in (0x63, 0x69), "EXTERNAL AUTHENTICATE with a bit of its MAC changed")
    expect(card.apdu(sent)[1] >> 8 == 0x69, "no second try of a challenge")
    tool.select()
    session, _ = tool.update(0)
    sent = session.external_authenticate(1)
    card.ok(sent)
    expect(card.apdu(sent)[1] >> 8 == 0x69, "EXTERNAL AUTHENTICATE again in its session")
    card.reset()
    tool.select()
    expect(card.apdu(sent)[1] >> 8 == 0x69, "EXTERNAL AUTHENTICATE again after a reset")
    tool.update(0)
    expect(card.apdu(sent)[1] in (0x6300, 0x6982), "EXTERNAL AUTHENTICATE again under a new challenge")
    card.reset()
    second, host = PySim(card, kind, {0x30: keys}, card.ok(H("0070000001"))[0]), os.urandom(8)
    tool.select()
    second.select()
    session, _ = tool.update(0, host=host)
    second.update(0, host=host)
    sent = session.external_authenticate(1)
    card.ok(sent)
    seen = card.apdu(bytes([sent[0] | second.channel]) + sent[1:])[1]
    expect(seen >> 8 == 0x69, "one answer to a challenge, whatever channel has it", f"{seen:04X}")
    card.reset()
    for what, change in (("a bit of the MAC", lambda s: xor(s, bytes(len(s) - 2) + b"\1\0")),
                         ("another P2", lambda s: s[:3] + bytes([s[3] ^ 1]) + s[4:]), ("no MAC", lambda s: H("80CA00E000")),
                         ("the command before", None)):
        session = begun()
        before = session.wrapped(H("80CA00E0"), b"", b"\0")
        session.unwrapped(*card.apdu(before))
        seen, sw = card.apdu(before if change is None else change(session.wrapped(H("80CA00E0"), b"", b"\0")))
        expect(sw == 0x6982 and seen == b"", f"6982 for {what}", f"{sw:04X}")
        dead(session)
    tool.select()
    tool.open(0x33)
    expect(card.apdu(tool.session.external_authenticate(0x01))[1] == 0x6985, "D 7.1.2.1: EXTERNAL AUTHENTICATE after INITIALIZE UPDATE only")
    card.reset()
    tool.select()
    tool.open(0x33)
    tool.look_round()


def strangers(card, kind, keys):
    """1,000 INITIALIZE UPDATEs that nobody answers: both tools open, and the counter has not moved for them."""
    tool = PySim(card, kind, {0x30: keys})
    tool.select()
    _, first = tool.update(0)
    challenges = {card.ok(H("8050000008") + os.urandom(8) + b"\0")[13:21] for _ in range(1000)}
    expect(len(challenges) == (1 if kind == "counter" else 1000), "challenges: one for a counter, else each its own", len(challenges))
    for make in (PySim, Pro):
        make(card, kind, {0x30: keys}).begin(0x33, 0)
        card.reset()
    tool.select()
    _, last = tool.update(0)
    if kind == "counter":
        seen = [int.from_bytes(s[29:], "big") for s in (first, last)]
        expect(seen[1] == seen[0] + 2, "two steps for two sessions", *seen)


def changes(card, kind, keys):
    """PUT KEY, as either tool has it: another key set in the place of ours and back; what is refused changes nothing; the card keeps
    its only key set. Challenges are random from the first on: there is no counter to drive."""
    kvn = 0x30
    for make in (PySim, Pro):
        for old, new in ((0x30, 0x31), (0x31, 0x31), (0x31, 0x30)):
            fresh = tuple(os.urandom(16) for _ in keys)
            tool = make(card, kind, {kvn: keys})
            tool.begin(0x33, kvn)
            expect(tool.put(0, 0x32, fresh) == 0x6A84, "GPCS 11.8.3.2: no room for a set beside")
            expect(tool.put(old, new, fresh, right=False) == 0x6982, "GPCS 11.8.3.2: 6982 for a wrong check value")
            expect(tool.look_round() >= {old} and 0x32 not in tool.look_round(), "no key set of a refused command")
            make(card, kind, {kvn: keys}).begin(0x13, kvn)
            tool.begin(0x13, kvn)
            expect(tool.forget(kvn) >> 8 == 0x6A, "the only key set stays")
            expect(tool.put(old, new, fresh) == 0x9000, "a key set replaced")
            expect(new in tool.look_round(), "the new key set in the template")
            before, kvn, keys, kind = (kvn, keys), new, fresh, "random"
            tool = make(card, kind, {kvn: before[1]})
            tool.select()
            session, said = tool.update(kvn)
            expect(said[21:29] != session.card_cryptogram, "the old keys to be no more")
            if before[0] != kvn:
                seen = card.apdu(H("8050") + bytes([before[0]]) + H("0008") + bytes(8) + b"\0")[1]
                expect(seen == 0x6A88, "D 7.1.1.3: 6A88 for the old number", f"{seen:04X}")
            for level in LEVELS:
                tool = make(card, kind, {kvn: keys})
                tool.begin(level, kvn)
                tool.look_round()
            card.reset()
    strangers(card, kind, keys)


# ---- published numbers ----


def vectors():
    def same(got, wanted, what):
        expect(got == H(wanted), what, got.hex())
    plain = H("00112233445566778899aabbccddeeff")
    for octets, wanted in ((16, "69c4e0d86a7b0430d8cdb78070b4c55a"), (24, "dda97ca4864cdfe06eaf70a0ec0d7191"),
                           (32, "8ea2b7ca516745bfeafc49904b496089")):
        key = bytes(range(octets))
        same(encrypt(key, plain), wanted, f"FIPS 197 appendix C, {octets} octets")
        same(decrypt(key, H(wanted)), plain.hex(), f"FIPS 197 appendix C, {octets} octets, back")
    key = H("2b7e151628aed2a6abf7158809cf4f3c")
    text = H("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411")
    for n, wanted in ((0, "bb1d6929e95937287fa37d129b756746"), (16, "070a16b46b4d4144f79bdd9dd04a287c"),
                      (40, "dfa66747de9ae63030ca32611497c827")):
        same(cmac(key, text[:n]), wanted, f"RFC 4493, {n} octets")
    # An exchange of a real card, published with pySim: tests/unittests/test_globalplatform.py, SCP03_Test_AES128_11; its S keys are
    # the project's own, from the same inputs.
    keys = bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48))
    said = H("000000000000000000003003703eb51047495b249f66c484c1d2ef1948000002")
    s = Session(keys, H("b13e5f938fc108c4"), said[13:21])
    same(s.enc, "c4e87149f2114da66bb015a567d751f9", "S-ENC")
    same(s.mac, "8b2635556e987a6b84f43d9ffc197d3f", "S-MAC")
    same(s.rmac, "3f6b2ce3b3abd9a99bd4453afa54cc7b", "S-RMAC")
    same(s.card_cryptogram, said[21:29].hex(), "card cryptogram")
    same(s.external_authenticate(0x11), "84821100107d5f5826a993ebc89eea24957fa0b3ce", "EXTERNAL AUTHENTICATE")
    s.level = 0x11
    same(s.wrapped(H("80e29100"), H("bf3e035c015a")), "84e291000ebf3e035c015a558d036518a28297", "STORE DATA, C-MAC")
    same(s.unwrapped(H("bf3e125a1089882119900000000000000000000005971be68992dbbdfa"), 0x9000),
         "bf3e125a1089882119900000000000000000000005", "its answer, R-MAC")
    # The same, SCP03_Test_AES128_03: C-ENC.
    said = H("0000000000000000000030037030760cd2c47c1dd395065fe5ead8a9d7000001")
    s = Session(keys, H("8e1552d0513c60f3"), said[13:21])
    same(s.card_cryptogram, said[21:29].hex(), "card cryptogram")
    same(s.external_authenticate(0x03), "8482030010fd4721a14d9b07003c451d2f8ae6bb21", "EXTERNAL AUTHENTICATE")
    s.level = 0x03
    same(s.wrapped(H("80e29100"), H("bf3e035c015a")), "84e2910018ca9c00f6713d79bc8baa642bdff51c3f6a4082d3bd9ad26c", "STORE DATA, C-ENC")


LAWS = {f.__name__: f for f in (opens, answers, refuses, strangers, changes)}


def main():
    if sys.argv[1:] == ["vectors"]:
        return vectors()
    law, kind, keys, at = LAWS[sys.argv[1]], sys.argv[2], tuple(map(H, sys.argv[3:6])), sys.argv.index("--")
    card = Reader(sys.argv[at + 1:])
    try:
        law(card, kind, keys)
    except Failed:
        for command, answer in card.trace[-6:]:
            print(f"  > {command}\n  < {answer}", file=sys.stderr)
        raise
    finally:
        card.close()


try:
    main()
except Failed as e:
    sys.exit(f"scp03.py: expected {e}")
