/* SPDX-License-Identifier: Apache-2.0 */
/* job.h - what a campaign sends to a card: a profile in JSON, as the script of one secured packet, and how to read it back.
 *
 *   {"tar": "B05F90",                                     of the application; default: DF_ProSe, all or nothing
 *    "files": [{"file": "EF_PROSE_RADIO_MON",             name or path; "record": N, or "offset": N for transparent ones
 *               "content": "0102"}],
 *    "commands": ["00A40004023F00"],                      further C-APDUs, after the files
 *    "repeat": true,                                      may run twice: an unanswered packet is simply sent again
 *    "sealed": "outbox",                                  each card's sealed objects, outbox/ICCID.*, to its ProSe applet
 *    "rotate": 7,                                         a new key set under this number, instead of all of the above
 *    "audit": true}                                       only read the files and compare
 */
#ifndef PROVISIONING_CAMPAIGN_JOB_H
#define PROVISIONING_CAMPAIGN_JOB_H

#include "apdu/aids.h"
#include "apdu/base/status.h"
#include "ota/packet.h"

enum { JOB_FILES_MAX = 64, JOB_DEPTH_MAX = 4, JOB_PIECE = 96, JOB_TEXT_MAX = 49152, JOB_CONTENT_MAX = 16384 };
/* How it travels decides how long it may be. */
enum job_way { JOB_BY_SMS, JOB_BY_HTTPS };

struct job_file {
	uint16_t fid[JOB_DEPTH_MAX]; /* below the TAR's directory, the file last */
	size_t depth;
	unsigned record; /* 0: transparent */
	size_t offset;
	size_t at, len; /* of its content in struct job */
};

struct job {
	uint8_t tar[TAR_LEN];
	bool repeat, audit;
	uint8_t rotate; /* KVN of the new key set; 0: no rotation */
	char sealed[256];
	struct job_file file[JOB_FILES_MAX];
	size_t files, commands_len, content_len;
	uint8_t commands[JOB_CONTENT_MAX], content[JOB_CONTENT_MAX];
	unsigned commands_count;
};

/* ERR_MALFORMED with a sentence that names the field. */
MUST_USE enum status job_parse(const char *text, enum job_way, struct job *, char *reason, size_t n);

/* The script that does it; how many commands it has. more: objects for this card alone. ERR_NO_SPACE: too long for a packet. */
MUST_USE enum status job_script(const struct job *, struct bytes more, struct buf *out, unsigned *commands);

/* Reading back goes piece by piece, each small enough for the answer to one short message. */
unsigned job_pieces(const struct job *);
MUST_USE enum status job_read_script(const struct job *, unsigned piece, struct buf *out);
/* What piece number `piece` has to be, and where it lies, for people ("EF_PROSE_RADIO_MON, octets 96 to 127"). */
struct bytes job_piece(const struct job *, unsigned piece, char *where, size_t n);

/* The sealed objects and I_MESSAGEs in folder/ICCID.*, for TAR_PROSE; ERR_NOT_FOUND: there are none. now: seconds since 1970.
 */
MUST_USE enum status job_sealed(const char *folder, const char *iccid, uint64_t now, struct buf *out);

#endif
