/* SPDX-License-Identifier: Apache-2.0 */
/* operator.h - an operator of the real code for the unit tests: database, KMS, one group, and what a card installs from them.
 * Call operator_open as a fixture; the rest uses the one database it opened. */
#ifndef TESTS_SUPPORT_OPERATOR_H
#define TESTS_SUPPORT_OPERATOR_H

#include "apdu/prose.h"
#include "provisioning/operator.h"
#include "tests/support/support.h"

#define ICCID_1 "8900101000000000017"
#define GROUP "sip:fire@example.org"
#define ALICE "sip:alice@example.org"
#define BOB "sip:bob@example.org"
enum { NOW = 1800000000 };

extern struct db *db;
extern uint8_t object_memory[16384];
extern struct buf objects;        /* over object_memory: what was issued last */
extern struct bytes last_message; /* ALICE's, of the last re-key */

void open_operator(void);
void close_operator(void);
/* The rig's card, known to the operator with its secrets. */
struct rig *known_card(void);
void make_known(const struct rig *);
/* Sealed KMS certificate and key set for the card. */
struct bytes issue(const char *uri, uint64_t when);
/* Install each sealed object of a sequence; the last status word. */
unsigned install(struct rig *, struct bytes);
/* A permission (enum permission) of the operator's for a PLMN, or for PERMISSION_OFF_NETWORK; 0: taken back. */
unsigned permit(struct rig *, const char *plmn, unsigned rights, uint64_t from, uint64_t until);
/* Key set and group record of ALICE. */
void provision(struct rig *);
/* A db callback that keeps ALICE's message. */
enum status keep_message(void *context, const char *user, const char *iccid, struct bytes message);
/* A new GMK of GROUP; ALICE's message. */
struct bytes rekey(uint64_t now, uint64_t from, uint64_t to);
/* TLVs: the time, then one value. */
struct bytes with_time(uint64_t now, uint32_t tag, struct bytes value);
unsigned import(struct rig *, uint64_t now, struct bytes message);

#endif
