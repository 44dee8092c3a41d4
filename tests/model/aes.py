# SPDX-License-Identifier: Apache-2.0
"""AES (FIPS 197) of the models beside it: keys of 16, 24 and 32 octets, one block at a time."""


def xtime(a):
    return (a << 1 ^ (0x1B if a & 0x80 else 0)) & 0xFF


def multiply(a, b):
    r = 0
    while b:
        r ^= a if b & 1 else 0
        a, b = xtime(a), b >> 1
    return r


def sbox_of(a):
    inverse = next((b for b in range(256) if multiply(a, b) == 1), 0)
    r = 0x63
    for i in range(5):
        r ^= (inverse << i | inverse >> 8 - i) & 0xFF
    return r


SBOX = [sbox_of(a) for a in range(256)]
INVERSE = [SBOX.index(a) for a in range(256)]
TIMES = {k: [multiply(a, k) for a in range(256)] for k in (1, 2, 3, 9, 11, 13, 14)}


def expand(key):
    n = len(key) // 4
    words, rcon = [list(key[4 * i:4 * i + 4]) for i in range(n)], 1
    for i in range(n, 4 * (n + 7)):
        w = words[-1]
        if i % n == 0:
            w = [SBOX[b] for b in w[1:] + w[:1]]
            w[0] ^= rcon
            rcon = xtime(rcon)
        elif n > 6 and i % n == 4:
            w = [SBOX[b] for b in w]
        words.append([a ^ b for a, b in zip(words[i - n], w)])
    return [sum(words[i:i + 4], []) for i in range(0, len(words), 4)]


def mixed(s, row):
    return [TIMES[row[0]][s[c + i]] ^ TIMES[row[1]][s[c + (i + 1) % 4]] ^ TIMES[row[2]][s[c + (i + 2) % 4]]
            ^ TIMES[row[3]][s[c + (i + 3) % 4]] for c in range(0, 16, 4) for i in range(4)]


def encrypt(key, block):
    keys = expand(key)
    s = [a ^ b for a, b in zip(block, keys[0])]
    for k in keys[1:]:
        s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        s = [a ^ b for a, b in zip(s if k is keys[-1] else mixed(s, (2, 3, 1, 1)), k)]
    return bytes(s)


def decrypt(key, block):
    keys = expand(key)
    s = list(block)
    for k in keys[:0:-1]:
        s = [a ^ b for a, b in zip(s, k)]
        s = s if k is keys[-1] else mixed(s, (14, 11, 13, 9))
        s = [INVERSE[s[(i - 4 * (i % 4)) % 16]] for i in range(16)]
    return bytes(a ^ b for a, b in zip(s, keys[0]))
