/* SPDX-License-Identifier: Apache-2.0 */
/* domain.h - security domains inside the card: sessions and keys (domain.c), content management (domain_content.c). The
 * issuer's domain is the one with the privileges of an issuer; others are supplementary.
 *
 * Records of a domain: scp   KVN || ENC || MAC || DEK, AES-128
 *                      seq   of a key set from before 2026-11-27: the SCP03 sequence counter, 3 octets, of the last
 *                            challenge that was answered, written by put_now before the session opens; without it
 *                            challenges are random
 *                      dap   AES-128: load files for a domain with the DAP privilege carry a CMAC by it
 *                      key/KK, cnt/KK, bad/KK   as rfm.h, of a supplementary domain; psk/KK as agent.h
 *                      elf/AID  of the issuer: a load file, its class number and its domain's slot */
#ifndef CARD_APPLETS_DOMAIN_DOMAIN_H
#define CARD_APPLETS_DOMAIN_DOMAIN_H

#include "card/applets/applets.h"
#include "card/os/card.h"
#include "ota/scp03.h"

enum { DOMAIN_KEY_LEN = 16, DOMAIN_ANSWER_MAX = 1024, LOAD_MAX = 512, STORE_DATA_MAX = 1024, KVN_DAP = 0x73 };

/* Of each channel that has the domain selected: a session is the terminal's who opened it (GlobalPlatform 2.3, 10.2). The
 * instance has one more, for scripts, which go on from one secured packet to the next. */
struct domain_state {
	struct scp03 session; /* level 0 until EXTERNAL AUTHENTICATE */
	bool aborted; /* a session has ended by a security error: until another, nothing is answered (Amendment D 5.6) */
	uint8_t host[SCP03_S8], card[SCP03_S8];
	uint32_t sequence; /* that the card's challenge was made of; 0: it is random */
	/* INSTALL for load, then LOAD */
	uint8_t elf[16], elf_len, elf_domain, hash[32], hash_len;
	/* INSTALL for personalisation, then STORE DATA: slot + 1 */
	uint8_t personalised;
	/* what LOAD or STORE DATA has brought so far */
	uint8_t next_block;
	size_t len;
	uint8_t data[STORE_DATA_MAX];
};

struct domain_state *domain_state(const struct command *);
bool domain_is_issuer(const struct applet *);
/* Whose instance this is: its domain's applet; the issuer's for DOMAIN_ISSUER. NULL: a card without an issuer domain. */
struct applet *domain_of(struct card *, const struct applet *);
/* Where a domain's key sets for secured packets are: with the remote file management for the issuer, else its own. */
struct applet *domain_ota_keys(struct card *, struct applet *domain);

enum sw domain_get_status(struct command *);
enum sw domain_set_status(struct command *);
enum sw domain_install_command(struct command *);
enum sw domain_load(struct command *);
enum sw domain_delete(struct command *);
enum sw domain_store_data_command(struct command *);

#endif
