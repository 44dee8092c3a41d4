/* SPDX-License-Identifier: Apache-2.0 */
/* support.h - what the unit tests share: vectors, a store that loses power, a card in process, requirement marks. */
#ifndef TESTS_SUPPORT_SUPPORT_H
#define TESTS_SUPPORT_SUPPORT_H

#include <check.h>

#include "apdu/base/hex.h"
#include "card/os/card.h"
#include "crypto/guarded/aka.h"
#include "crypto/common/rng.h"

/* Octets of a name in a section of tests/vectors/mikey-sakke.txt; fails the test if it is not there. */
struct bytes vector(const char *section, const char *name);
struct bytes vector_in(const char *file, const char *section, const char *name);
/* Octets of a hex text; memory lives until the process ends. */
struct bytes hex(const char *text);
/* A heap copy of exactly n octets, so that a sanitizer sees any read beyond. */
struct bytes exact_copy(struct bytes);

/* Last statement of a test that shows a requirement: it is reached only when the test passes. */
void covers(const char *id);

/* A generator that gives out the octets it is told to, then a counter. */
struct rng_fixed {
	struct rng rng;
	struct bytes script;
	uint8_t counter;
};
struct rng_fixed rng_fixed_of(struct bytes script);

/* The model store: a map in RAM whose write is atomic. cut_after writes it loses power: that write and all later ones fail.
 * torn: the write that fails has half its changes applied, which only a store without transactions would do. */
enum { STORE_MEM_MAX = 256 };
struct store_mem {
	struct store_backend backend;
	struct {
		struct record_name name;
		uint8_t *value;
		size_t n;
	} row[STORE_MEM_MAX];
	size_t count;
	long writes, cut_after; /* cut_after < 0: never */
	bool torn;
};
void store_mem_init(struct store_mem *);
/* A deep copy, to go back to. */
void store_mem_copy(struct store_mem *to, const struct store_mem *from);
void store_mem_free(struct store_mem *);
bool store_mem_equal(const struct store_mem *, const struct store_mem *);
/* The same, records whose name contains infix apart: counters of failures. */
bool store_mem_equal_but(const struct store_mem *, const struct store_mem *, const char *infix);

/* A born test card (PLMN 001-01, PIN 1234) on a store. */
struct rig {
	struct store_mem store;
	struct card card;
	struct card_env env;
	struct bytes secrets; /* TLVs of apdu/birth.h */
};
extern struct card_work rig_work; /* of every rig: they run in turn */
struct rig *rig_new(void);
/* A test card with what this JSON says of it: "keys", "toolkit", "files". */
struct rig *rig_profile(const char *profile);
/* The same card on another store; born: it is on that store already. */
struct rig *rig_on(struct store_backend *, bool born);
void rig_free(struct rig **);
/* Power off and on again with whatever the store holds. */
void rig_reboot(struct rig *);
/* Send hex, get the status word; the data goes to rig_data. 61xx is followed when follow is set. */
unsigned rig_send(struct rig *, const char *command);
unsigned rig_send_bytes(struct rig *, struct bytes command);
struct bytes rig_data(void);
unsigned rig_prose(
        struct rig *, uint8_t ins, uint8_t p1, struct bytes data); /* selects the applet, verifies the PIN, follows 61xx */

/* The user's card sees this time: a frame that matches nothing. */
unsigned rig_pass(struct rig *, uint64_t now);

/* ENVELOPE with a secured packet of the operator's key set 1: ciphered, MACed, counter higher, PoR asked. */
struct bytes rig_ota(const struct rig *, uint64_t counter, const char *tar, const char *script);

/* The test subscriber's key, and the RAND of TS 35.208 set 1, which is made for it. */
#define TEST_RAND "23553cbe9637a89d218ae64dae47bf35"
void rig_subscriber(const struct rig *, struct aka_subscriber *);
/* AUTHENTICATE in the 3G context for the test subscriber, with a sequence number (SEQ || IND). */
struct bytes rig_authenticate(const struct rig *, uint64_t sqn);

Suite *suite_apdu(void);
TCase *tcase_ranges(void);                        /* of suite apdu */
TCase *tcase_hearing(void), *tcase_callers(void); /* of suite host */
Suite *suite_crypto(void);
Suite *suite_sakke(void);
Suite *suite_aka(void);
Suite *suite_mikey(void);
Suite *suite_ota(void);
Suite *suite_card(void);
Suite *suite_usim(void);
Suite *suite_profile(void);
Suite *suite_prose(void);
Suite *suite_media(void);
Suite *suite_attacks(void);
Suite *suite_wipe(void);
Suite *suite_sandbox(void);
TCase *tcase_strangers(void);                     /* of suite attacks */
TCase *tcase_keeper(void);                        /* likewise */
TCase *tcase_clients(void), *tcase_refused(void); /* of suite attacks */
TCase *tcase_rights(void);                        /* of suite attacks, as the next */
TCase *tcase_fields(void);
TCase *tcase_revoked(void);
Suite *suite_image(void);
Suite *suite_image_migration(void);
Suite *suite_power(void);
Suite *suite_epoch(void);
Suite *suite_host(void);
Suite *suite_farm(void);
Suite *suite_cat(void);
Suite *suite_rfm(void);
Suite *suite_scp03(void);
Suite *suite_isd(void);
Suite *suite_domain(void);
Suite *suite_smpp(void);
Suite *suite_campaign(void);
Suite *suite_network(void);
Suite *suite_migration(void);
Suite *suite_pcsc(void);
Suite *suite_text(void);
Suite *suite_agent(void);

#endif
