/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - limits that both ends of a contact keep, each written once: whoever sends knows what the other takes. What one
 * side alone limits is defined beside what it limits; docs/limits.md lists all of them. */
#ifndef APDU_BASE_LIMITS_H
#define APDU_BASE_LIMITS_H

enum {
	/* Octets of a file's content. One more: no such file can be created (6A84) or be in a profile. */
	FILE_CONTENT_MAX = 8192,
	/* Octets of a command of the ProSe applet. One more: the phone's library says PROSE_NO_SPACE, the card 6700. */
	PROSE_REQUEST_MAX = 4096
};

/* What one re-key of a group names (protocols/mikey/keys/order.h). */
enum {
	/* Users excluded. One more: the message says `strict`, so that nobody is heard under an older key. */
	GMK_EXCLUDED_MAX = 16,
	/* Older keys of the group, by GMK-ID. One more: the floor alone says that it is revoked. */
	GMK_REVOKED_MAX = 8
};

/* HTTP between phone and server (http.h of provisioning, gba.h of host/net). */
enum {
	/* Octets of a body, either way. One more: the server answers 413, the phone ends the connection. */
	HTTP_BODY_MAX = 65536,
	/* Octets of a request's line and headers. More: the server answers 400. */
	HTTP_HEAD_MAX = 8192,
	/* A connection's life, unless http_handler.life says otherwise; then the server closes it. */
	HTTP_LIFE_SECONDS = 60,
	/* A request that waits for news is answered 204 then; who asks for more gets this. */
	HTTP_HOLD_SECONDS = 15,
	/* How long a phone waits for an answer, and a server for the next octet: longer than any request is held. */
	HTTP_PATIENCE_SECONDS = 20
};
_Static_assert((int)HTTP_HOLD_SECONDS < (int)HTTP_PATIENCE_SECONDS, "a held request is answered before the phone gives up");
_Static_assert((int)HTTP_PATIENCE_SECONDS < (int)HTTP_LIFE_SECONDS, "a phone that waits is not cut off");

#endif
