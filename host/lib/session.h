/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - one card on one logical channel: exchange with 61xx and 6Cxx followed, recovery after somebody's reset. */
#ifndef HOST_LIB_SESSION_H
#define HOST_LIB_SESSION_H

#include "apdu/apdu.h"
#include "apdu/preset.h"
#include "host/lib/prose-ue.h"

struct prose_card {
	struct prose_transport transport;
	struct prose_options options;
	unsigned channel;
	bool channel_open;
	bool pin_given; /* and to be taken back: on the basic channel */
	bool spend_last_try;
	bool fresh;     /* neither channel nor applet yet, or not any more */
	bool elsewhere; /* our channel may have something else selected than the applet */
	unsigned sw;
	char error[160];
	char plmn[PLMN_ROOM]; /* that serves; empty: none */
	uint8_t command[APDU_COMMAND_MAX], response[APDU_RESPONSE_MAX];
	struct bytes answer; /* data of the last exchange, in `response` or `gathered` */
	uint8_t gathered[APDU_NE_MAX];
};

/* What is selected on our channel before a sequence. */
enum session_place { PLACE_PROSE, PLACE_MF, PLACE_ANY };

struct request {
	uint8_t cla, ins, p1, p2;
	struct bytes data;
	size_t ne; /* 0: no data expected */
};

/* The rounds of one call: `for (unsigned round = 0; session_round(c, place, &round, &r);) { ...; r = ...; }`
 * Begins exclusive use before the body and ends it after. After a foreign reset channel and applet are restored first. A body
 * that ends with PROSE_RESET runs again: pcscd lets another client's power-off through between two commands of a transaction,
 * and refuses the next one unsent. *r: the last round's result, or why the body could not
 * run. Where the power went between a command and its GET RESPONSE, the command is sent twice: AUTHENTICATE then answers AUTS.
 */
bool session_round(struct prose_card *, enum session_place, unsigned *round, enum prose_result *r);

/* What the caller is told of this machine's failure or of a malformed input. */
enum prose_result session_result(enum status);

/* One command, inside begin and end. On PROSE_OK card->answer holds the data; PROSE_REFUSED for any status but 9000, 91xx,
 * 62xx. */
enum prose_result session_exchange(struct prose_card *, const struct request *);

/* VERIFY PIN1 with what the callback gives, inside begin and end (pin.c). Afterwards the ProSe applet is selected. */
enum prose_result session_verify_pin(struct prose_card *);
/* What a client on the basic channel leaves behind is taken back. */
void session_forget_pin(struct prose_card *);

/* Select the ProSe applet again after other places; the last status word stays what it was. */
void session_back_to_applet(struct prose_card *);

/* begin, exchange on the ProSe applet (PIN asked for on 6982, once), end. */
enum prose_result session_command(struct prose_card *, uint8_t ins, uint8_t p1, struct bytes data, size_t ne);

/* The same for what needs a permission (a PROSE_MAY_ item) at the serving PLMN, whose TLV is put behind the data
 * (permission.c). */
enum prose_result session_permitted(struct prose_card *, unsigned item, uint8_t ins, uint8_t p1, struct buf *data, size_t ne);

#endif
