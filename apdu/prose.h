/* SPDX-License-Identifier: Apache-2.0 */
/* prose.h - the ProSe applet's interface: instructions, data objects, limits. docs/prose-applet.md explains each. */
#ifndef APDU_PROSE_H
#define APDU_PROSE_H

/* The interface's version, which STATUS tells: see "Interface version" in docs/prose-applet.md for when each part grows. */
enum { PROSE_INTERFACE_MAJOR = 1, PROSE_INTERFACE_MINOR = 1 };

/* Every name below lies in a range of its purpose (docs/prose-applet.md, "Ranges"; tests/apdu/test_ranges.c). */
enum prose_instruction {
	INS_PROSE_STATUS = 0x10,        /* state of the domain */
	INS_PROSE_INSTALL = 0x12,       /* a sealed object */
	INS_PROSE_IMPORT_GMK = 0x14,    /* a MIKEY-SAKKE I_MESSAGE */
	INS_PROSE_START_SESSION = 0x16, /* make GSK and the MIKEY-PSK offer */
	INS_PROSE_JOIN_SESSION = 0x18,  /* open an offer */
	INS_PROSE_RELEASE_KEY = 0x1A,   /* GSK and salt of a session, counted */
	INS_PROSE_LIST = 0x1C,          /* P1: enum prose_list */
	INS_PROSE_COMPUTE_CODES = 0x20, /* codes (announce) or look-up values (monitor) for a slot range */
	INS_PROSE_ANNOUNCE = 0x22,      /* one PC5_DISCOVERY frame, profile 33.303 */
	INS_PROSE_MATCH = 0x24,         /* one received frame: match or no match */
	INS_PROSE_ADHOC = 0x26,         /* P1: enum prose_adhoc: groups whose manager is this card */
	INS_PROSE_OPEN_DIRECT = 0x28,   /* a session under keys straight from the GMK (gmk-direct) */
	INS_PROSE_TALK = 0x2A,          /* an SSRC of this card's for a session */
	INS_PROSE_PROTECT = 0x2C,       /* RTP to SRTP on the card */
	INS_PROSE_UNPROTECT = 0x2E,     /* SRTP to RTP on the card */
	INS_PROSE_VOUCH = 0x30,         /* P1: enum vouched_type of apdu/push.h */
	INS_PROSE_CERTIFICATE = 0x32,   /* P1: enum prose_certificate */
	INS_PROSE_CHECK = 0x34          /* whether a MAC under InK is right */
};

enum prose_adhoc { ADHOC_CREATE = 1, ADHOC_INVITE, ADHOC_ACCEPT };
enum prose_certificate { CERTIFICATE_KEY = 1, CERTIFICATE_SIGN };
enum prose_list {
	PROSE_LIST_KEY_SETS = 1,
	PROSE_LIST_GROUPS,
	PROSE_LIST_GMKS,
	PROSE_LIST_DISCOVERY,
	PROSE_LIST_PERMISSIONS,
	PROSE_LIST_CLAIMS /* where the phone has said that it is, newest first */
};
/* Where a permission was judged: the PLMN that the phone named, that of the last registration, or none. */
enum prose_place { PLACE_NAMED = 1, PLACE_LAST, PLACE_OFF };

/* Data objects of commands and responses. Times are seconds since 1970 in 8 octets. */
enum prose_tag {
	TAG_TIME = 0x80,
	TAG_GROUP_URI = 0x81,
	TAG_MESSAGE = 0x82, /* a whole MIKEY message */
	TAG_GMK_ID = 0x83,
	TAG_NOT_BEFORE = 0x84,
	TAG_NOT_AFTER = 0x85,
	TAG_SESSION_ID = 0x86,
	TAG_SSRC = 0x87,
	TAG_KNOWN = 0x88, /* 01: this offer was opened before */
	TAG_GSK = 0x89,
	TAG_SALT = 0x8A,
	TAG_COUNT = 0x8B,
	TAG_PROFILE = 0x8C,
	TAG_USER_URI = 0x8D,
	TAG_KMS_URI = 0x8E,
	TAG_PERIOD_NUMBER = 0x8F,
	TAG_NAME = 0x90,
	TAG_RIGHTS = 0x91,
	TAG_SLOT = 0x92,
	TAG_CODES = 0x93,
	TAG_FRAME = 0x94,
	TAG_MATCH = 0x95,
	TAG_FLOOR = 0x96,
	TAG_LATEST = 0x97,
	TAG_SENDER_URI = 0x98,
	TAG_BUDGET = 0x99,
	TAG_INDEX = 0x9A,
	TAG_SLOT_SECONDS = 0x9B,
	TAG_POLICY = 0x9C,
	TAG_CARD_ID = 0x9D,
	TAG_GUK_ID = 0x9E,
	TAG_PACKET = 0x9F1F, /* RTP or SRTP */
	TAG_PLMN = 0x9F20,
	TAG_RADIO = 0x9F21,
	TAG_PUBLIC_KEY = 0x9F22, /* 04 || x || y on P-256 */
	TAG_HASH = 0x9F23,       /* 32 octets */
	TAG_SIGNATURE = 0x9F24,  /* r || s; a MAC of 32 octets */
	TAG_TRK_ID = 0x9F25,
	TAG_INTERFACE = 0x9F26, /* major, minor: one octet each */
	TAG_OLD_KEY = 0x9F2A,   /* 01: an offer under a key that a newer one has put an end to */
	TAG_PLACE = 0x9F2C,     /* enum prose_place */
	TAG_VALIDITY = 0x9F2D,  /* in records: not-before, not-after of the sealed object, 8 octets each */
	TAG_MEDIA_AT = 0x9F2E,  /* where the media of a call go: IPv4 address and port */
	TAG_JUDGED = 0x9F2F,    /* 00: this domain has given no permission yet, and was born open */
	TAG_ENTRY = 0xA0,
	TAG_IMPORT = 0xA2 /* over the air: the data of IMPORT GMK as one object */
};

/* What travels inside a sealed object (apdu/sealed.h), as TLVs. */
enum kms_certificate_tag {
	KMSC_URI = 0x80,
	KMSC_Z,
	KMSC_KPAK,
	KMSC_PERIOD,
	KMSC_OFFSET,
	KMSC_DOMAIN /* of an external KMS: what is behind the @ of its users' URIs */
};
enum key_set_tag { KEYSET_KMS_URI = 0x80, KEYSET_USER_URI, KEYSET_PERIOD_NUMBER, KEYSET_RSK, KEYSET_SSK, KEYSET_PVT };
/* A group signer's keys are a key set without RSK: USER_URI is the identity that signs the group's messages. */
enum group_record_tag {
	GROUP_URI = 0x80,
	GROUP_SIGNER_URI,
	GROUP_POLICY,
	GROUP_KMS_URI,
	GROUP_MEMBER_URI /* as whom the card talks if it has no key set; optional */
};
enum discovery_key_tag {
	DISC_PROFILE = 0x80,
	DISC_RIGHTS,
	DISC_CODE,            /* ProSe ID (tr-2.1) or ProSe Restricted Code (33.303), 1..23 octets */
	DISC_APPLICATION_KEY, /* tr-2.1: 16..64 octets */
	DISC_DUSK,            /* 33.303: 16 or 32 octets */
	DISC_DUIK,
	DISC_SLOT_SECONDS
};
enum revoked_tag {
	REVOKED_KMS = 0x80, /* whose list: our KMS's, or an external one's */
	REVOKED_NUMBER,     /* 8: a list of a lower or the same number is refused */
	REVOKED_UIDS        /* the first REVOKED_UID_LEN octets of each, at most REVOKED_MAX; may be empty */
};
enum time_tag { TIME_FLOOR = 0x80 };
enum naf_tag { NAF_ID = 0x80 };
enum permission_tag {
	PERMISSION_PLMN = 0x80, /* MCC and MNC, 5 or 6 digits, or PERMISSION_OFF_NETWORK; also the object's name */
	PERMISSION_RIGHTS,      /* 1: enum permission */
	PERMISSION_RADIO        /* radio parameters out of coverage, opaque, up to 128; optional */
};
#define PERMISSION_OFF_NETWORK "off" /* instead of a PLMN: where none serves */
enum permission { PERMISSION_ANNOUNCE = 1, PERMISSION_MONITOR = 2, PERMISSION_COMMUNICATE = 4 };
enum group_key_tag {
	GROUP_KEY_URI = 0x80,
	GROUP_KEY_ID,
	GROUP_KEY_GMK,
	GROUP_KEY_NOT_BEFORE,
	GROUP_KEY_NOT_AFTER,
	GROUP_KEY_MADE,
	GROUP_KEY_NUMBER, /* and the floor, 8 octets each, as in an ORDER part (protocols/mikey/keys/order.h); both or neither
	                   */
	GROUP_KEY_FLOOR
};

enum group_policy {
	GROUP_POLICY_SIGN = 0x01,      /* offers carry and need an ECCSI signature */
	GROUP_POLICY_IN_CARD = 0x02,   /* GSK never leaves the card */
	GROUP_POLICY_PROFILE_B = 0x04, /* offers use PRF-HMAC-SHA-256 and the key id extension */
	GROUP_POLICY_ADHOC = 0x08,     /* made by its members' cards alone; never in a sealed object */
	GROUP_POLICY_DIRECT = 0x10,    /* media keys straight from the GMK (TS 33.180 7.4), no offers */
	GROUP_POLICY_EXPORT = 0x20,    /* with DIRECT: these keys, which live as long as the GMK, may leave the card */
	GROUP_POLICY_SHARED = 0x40,    /* all talkers of a session under one GSK; else each talker starts his own */
	GROUP_POLICY_LISTEN =
	        0x80 /* with SIGN: offers under an older key are listened to until it ends (order.c of the card) */
};

enum discovery_profile { DISCOVERY_TR_21 = 1, DISCOVERY_33303 = 2 };
enum discovery_right { RIGHT_ANNOUNCE = 1, RIGHT_MONITOR = 2 };

enum {
	PROSE_CODE_LEN = 23,    /* a code on the air */
	PROSE_LOOKUP_LEN = 16,  /* what a monitor key yields: truncated SHA-256 of the octets on the air */
	PROSE_FRAME_LEN = 29,   /* PC5_DISCOVERY */
	PROSE_CODES_MAX = 2048, /* per COMPUTE CODES */
	PROSE_URI_MAX = 128,
	PROSE_NAME_MAX = 64,
	PERMISSION_RADIO_MAX = 128,
	PERMISSIONS_MAX = 16,   /* PLMNs on a card */
	PROSE_SESSIONS_MAX = 8, /* open at a time; one more: the one used least lately is dropped, keys and all */
	PROSE_SESSION_ID_LEN = 8,
	GSK_LEN = 16,
	GSK_SALT_LEN = 14,
	DIRECT_SALT_LEN = 12,                              /* AES-GCM */
	DIRECT_MKI_LEN = 8,                                /* GMK-ID || GUK-ID of the talker */
	PROSE_PACKET_MAX = 1500,                           /* RTP; one octet more: 6A80 */
	PROSE_SRTP_PACKET_MAX = PROSE_PACKET_MAX + 48,     /* the same, protected: with tag and MKI; one octet more: 6A80 */
	PROSE_PACKET_REQUEST_MAX = PROSE_PACKET_MAX + 100, /* PROTECT and UNPROTECT: with session and SRTP; one more: 6700 */
	PROSE_SSRCS_MAX = 64,                              /* that TALK takes */
	REVOKED_UID_LEN = 16,
	REVOKED_MAX = 100, /* UIDs on a list; one more: not made, and refused (6A80) */
	GMK_LEN = 16,
	DISCOVERY_KEY_MIN = 16
};

/* Keys of ad-hoc groups have this bit in their id, those of the network do not: neither can be taken for the other. */
enum { GMK_ID_RANDOM = 0x07FFFFFF, GMK_ID_ADHOC = 0x08000000 };

/* Clocks (DESIGN.md 3.5), seconds. */
enum {
	PROSE_ADHOC_LIFE_MAX = 30 * 86400, /* of an ad-hoc group's key */
	PROSE_OFFER_WINDOW = 60,           /* T of an offer against the phone's time */
	PROSE_CODE_WINDOW = 60,            /* codes leave for latest +- this; it is durable when it is more ahead */
	PROSE_SLOT_BUDGET = 1 << 20,       /* slots times keys per power-on */
	PROSE_FLOOR_STEP_MAX = 400 * 86400 /* one sealed time moves floor by at most this */
};

#endif
