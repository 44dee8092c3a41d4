/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h - the HTTP administration agent (SCP81; GlobalPlatform 2.3 Amendment B): called by a secured packet, it opens a
 * channel of the terminal's, speaks TLS with its domain's pre-shared key, and runs the scripts that the server answers with.
 *
 * Records: psk/KK of a domain, KK being 40 to 4F: a pre-shared key
 *          http   of the remote management: how many scripts have come this way; written with what the script did, so that the
 *                 agent can see whether that is durable before it tells the server */
#ifndef CARD_APPLETS_REMOTE_AGENT_H
#define CARD_APPLETS_REMOTE_AGENT_H

#include "card/applets/applets.h"
#include "card/os/card.h"

enum { PSK_LEN_MIN = 16, PSK_LEN_MAX = 64 };

/* A domain's key of this version. ERR_MALFORMED: not 40 to 4F, or of no length that TLS takes. */
MUST_USE enum status agent_put_key(struct applet *domain, uint8_t kvn, struct bytes key);

struct agent_session;
/* Begin a session for a domain, as `trigger` says. SW_OK: the terminal will be asked for a channel. */
enum sw agent_call(struct applet *rfm, struct agent_session **, struct applet *domain, struct bytes trigger);
/* What the terminal says to the remote management's instance. */
void agent_event(struct applet *rfm, struct agent_session **, const struct cat_event *);
void agent_end(struct agent_session **);

#endif
