/* SPDX-License-Identifier: Apache-2.0 */
/* gba.h - the phone's side of GBA (TS 33.220, 33.222, 24.109): bootstrapping with the BSF, then HTTPS under Ks_ext_NAF. */
#ifndef HOST_NET_GBA_H
#define HOST_NET_GBA_H

#include "apdu/gba.h"
#include "apdu/base/limits.h"
#include "apdu/base/secret.h"
#include "crypto/network/tls.h"
#include "crypto/network/tls_key.h"
#include "host/cli/cli.h"

/* One HTTP server, and what it said last. */
struct exchange {
	const char *url;
	struct tls_key key;                        /* of TLS-PSK; identity NULL: none */
	const struct tls_certificate *certificate; /* instead, with `ca` for the server's; NULL: none */
	const char *ca;                            /* with `certificate`, or with HTTP Digest under `key` */
	bool digest;
	char authorization[1024]; /* to send; "" for none */
	bool post;
	struct bytes body; /* with post */
	long status;
	char challenge[1024], info[1024], item[64]; /* WWW-Authenticate, Authentication-Info and X-Item of the answer */
	uint8_t answer[HTTP_BODY_MAX];
	size_t n;
};
/* False, with a sentence, if there is no answer. */
bool gba_talk(struct exchange *, const char *path);

/* What was not said and the card knows: --naf, the KMS that EF_PROSE_KMS names, or the one of its certificate; *url, https://
 * and that name. 0, or an exit code and a sentence. */
int gba_defaults(struct arguments *, const char **url);
/* Bootstrap with --bsf (NULL: the home network's, TS 23.003 16.2), and make the key for --naf: what gba_talk with a server at
 * `url` needs. 0, or an exit code and a sentence. */
struct gba {
	struct secret key, key13; /* of TLS 1.2 or HTTP Digest, and of TLS 1.3 */
	char identity[BTID_MAX + 32];
	struct exchange exchange;
};
void gba_wipe(struct gba *);
#define GBA __attribute__((cleanup(gba_wipe))) struct gba
/* The IMPI that belongs to the card's IMSI (TS 23.003 13.3). */
enum prose_result gba_impi(struct arguments *, char out[IMPI_MAX]);
int gba_connect(struct arguments *, const char *url, struct gba *);
/* fetch.c: what waits for this card, handed over, confirmed and printed. 0, or the last exit code. */
int fetch_items(struct arguments *, struct exchange *);
/* "prose-ue: who: why"; the exit code. */
int gba_refused(const char *who, const char *why);

#endif
