/* SPDX-License-Identifier: Apache-2.0 */
/* sw.h - status words: what the card answers (TS 102 221 10.2, and 9Cxx of the ProSe applet, docs/prose-applet.md). */
#ifndef APDU_SW_H
#define APDU_SW_H

#include <stdbool.h>

enum sw {
	SW_OK = 0x9000,
	SW_FETCH = 0x9100,
	SW_BYTES_READY = 0x6100,
	SW_CAT_BUSY = 0x9300,
	SW_AUTHENTICATION_FAILED = 0x6300,
	SW_END_OF_FILE = 0x6282,
	SW_FILE_DEACTIVATED = 0x6283,
	SW_FILE_TERMINATED = 0x6285,
	SW_MORE_DATA = 0x62F1,
	SW_MORE_EXPECTED = 0x63F1,
	SW_TRIES_LEFT = 0x63C0,
	SW_MEMORY_PROBLEM = 0x6581,
	SW_WRONG_LENGTH = 0x6700,
	SW_CHANNEL_NOT_SUPPORTED = 0x6881,
	SW_SECURE_MESSAGING_NOT_SUPPORTED = 0x6882,
	SW_LAST_COMMAND_EXPECTED = 0x6883,
	SW_CHAINING_NOT_SUPPORTED = 0x6884,
	SW_WRONG_FILE_STRUCTURE = 0x6981,
	SW_SECURITY_NOT_SATISFIED = 0x6982,
	SW_METHOD_BLOCKED = 0x6983,
	SW_DATA_INVALIDATED = 0x6984,
	SW_CONDITIONS_NOT_SATISFIED = 0x6985,
	SW_NO_EF_SELECTED = 0x6986,
	SW_WRONG_DATA = 0x6A80,
	SW_FUNCTION_NOT_SUPPORTED = 0x6A81,
	SW_FILE_NOT_FOUND = 0x6A82,
	SW_RECORD_NOT_FOUND = 0x6A83,
	SW_NO_MEMORY = 0x6A84,
	SW_WRONG_P1P2 = 0x6A86,
	SW_REFERENCE_NOT_FOUND = 0x6A88,
	SW_FILE_EXISTS = 0x6A89,
	SW_WRONG_OFFSET = 0x6B00,
	SW_WRONG_LE = 0x6C00,
	SW_INS_NOT_SUPPORTED = 0x6D00,
	SW_CLA_NOT_SUPPORTED = 0x6E00,
	SW_TECHNICAL_PROBLEM = 0x6F00,

	SW_INCREASE_MAX = 0x9850,
	/* USIM (TS 31.102 7.3) */
	SW_AKA_MAC = 0x9862,       /* authentication error: MAC wrong */
	SW_AKA_CONTEXT = 0x9864,   /* security context not supported */
	SW_GBA_NO_MEMORY = 0x9866, /* no memory space available in the USIM for keys */
	/* ProSe applet */
	SW_PROSE_SIGNATURE = 0x9C01,       /* signature or MAC wrong */
	SW_PROSE_RECIPIENT = 0x9C02,       /* not addressed to this card */
	SW_PROSE_SIGNER = 0x9C03,          /* signed by somebody the group record does not name */
	SW_PROSE_TIME = 0x9C04,            /* outside the time window */
	SW_PROSE_REPLAY = 0x9C05,          /* seen before, or sequence not newer */
	SW_PROSE_EXPIRED = 0x9C06,         /* the key's period is over or not begun */
	SW_PROSE_NO_KEY = 0x9C07,          /* no key for this group, name or identity */
	SW_PROSE_DECAPSULATION = 0x9C08,   /* SAKKE check failed */
	SW_PROSE_RIGHT = 0x9C09,           /* the key does not carry this right */
	SW_PROSE_BUDGET = 0x9C0A,          /* slot budget of this power-on spent */
	SW_PROSE_POLICY = 0x9C0B,          /* the group's policy forbids it */
	SW_PROSE_NOT_PROVISIONED = 0x9C0C, /* no KMS certificate or key set yet */
	SW_PROSE_COLLISION = 0x9C0D,       /* somebody else sends with this SSRC: TALK again */
	SW_PROSE_OLD_KEY = 0x9C10,         /* a newer key of the group's has put an end to this one */
	SW_PROSE_PERMISSION = 0x9C14,      /* the user has no permission for this here */
	SW_PROSE_REVOKED = 0x9C15          /* a KMS has revoked this identity */
};

/* One sentence for people; never NULL. */
const char *sw_text(unsigned sw);

/* True if the handler's changes are to be kept: 9000, 91xx, 62xx, 63Cx (DESIGN.md 3.2). */
bool sw_commits(enum sw sw);

#endif
