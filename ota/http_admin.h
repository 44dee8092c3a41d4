/* SPDX-License-Identifier: Apache-2.0 */
/* http_admin.h - remote administration over HTTP (SCP81; GlobalPlatform 2.3 Amendment B, TS 102 226 for scripts): the message
 * that makes a card call its server, the requests that the card sends then, and the answers that it takes. The transport is TLS
 * with a pre-shared key (crypto/network/tls.h); the server's side of HTTP is a library's. */
#ifndef OTA_HTTP_ADMIN_H
#define OTA_HTTP_ADMIN_H

#include "apdu/base/bytes.h"

/* Key versions of pre-shared keys. */
enum { KVN_PSK_FIRST = 0x40, KVN_PSK_LAST = 0x4F };

/* ---- what makes a card call ---------------------------------------------------------------------------------------- */

enum { ADMIN_TAG_TRIGGER = 0x81, ADMIN_NAME_MAX = 63, ADMIN_URI_MAX = 127, ADMIN_CONNECTION_MAX = 100 };

/* Administration session parameters. Views: valid as long as what was parsed. */
struct admin_trigger {
	struct bytes connection; /* TLVs of OPEN CHANNEL (TS 102 223): buffer size, transport level, address */
	struct bytes identity;   /* for the TLS handshake */
	uint8_t kvn, kid;        /* of the pre-shared key */
	uint16_t retries;        /* after a session that could not be held */
	unsigned delay;          /* seconds before each */
	struct bytes host;       /* for the Host field */
	struct bytes agent;      /* for the From field; may be empty: the card makes its own */
	struct bytes uri;        /* of the first request: path and query */
};
/* Append the trigger, which goes in a secured packet to the security domain. */
void admin_trigger_put(struct buf *, const struct admin_trigger *);
/* ERR_MALFORMED: something is missing, too long, or has characters that cannot be in a header. */
MUST_USE enum status admin_trigger_parse(struct bytes in, struct admin_trigger *out);

/* ---- the card's requests -------------------------------------------------------------------------------------------- */

/* How the last script fared, as the server hears it. */
enum admin_status { ADMIN_OK, ADMIN_UNKNOWN_APPLICATION, ADMIN_NOT_A_DOMAIN, ADMIN_SECURITY_ERROR };
const char *admin_status_text(enum admin_status);

struct admin_request {
	struct bytes uri, host, agent;
	bool has_answer;
	bool etsi; /* the answer is a response script of TS 102 226, not GlobalPlatform's */
	enum admin_status status;
	struct bytes answer;
};
/* Append a whole POST. */
void admin_request_put(struct buf *, const struct admin_request *);

/* ---- the server's answers ------------------------------------------------------------------------------------------- */

enum { ADMIN_HEAD_MAX = 2048, ADMIN_BODY_MAX = 16384 };
#define ADMIN_PROTOCOL "globalplatform-remote-admin/1.0"
#define ADMIN_TYPE_GP "application/vnd.globalplatform.card-content-mgt;version=1.0"
#define ADMIN_TYPE_ETSI "application/vnd.etsi.scp.command-data;version=1.0"
#define ADMIN_TYPE_GP_ANSWER "application/vnd.globalplatform.card-content-mgt-response;version=1.0"
#define ADMIN_TYPE_ETSI_ANSWER "application/vnd.etsi.scp.response-data;version=1.0"

struct admin_answer {
	unsigned status; /* of HTTP: 200 with a script, 204 at the end */
	bool etsi;
	bool has_next;
	struct bytes next;   /* URI of the next request */
	struct bytes target; /* AID of the application that the script is for; empty: the security domain */
	struct bytes script;
	uint8_t aid[16]; /* memory of target */
};
/* Take the answer from what has come so far; chunks are joined in place. ERR_TRUNCATED: the rest is still to come;
 * ERR_MALFORMED: this is no answer to such a request; ERR_NO_SPACE: longer than the limits above. */
MUST_USE enum status admin_answer_take(uint8_t *in, size_t n, struct admin_answer *out);

/* A TAR as an AID for the target field (TS 101 220: octets 13 to 15), and back. */
void admin_aid_of_tar(const uint8_t tar[static 3], uint8_t aid[static 16]);
bool admin_tar_of_aid(struct bytes aid, uint8_t tar[static 3]);
/* Append "aid/RID/PIX". */
void admin_aid_put(struct buf *, struct bytes aid);

#endif
