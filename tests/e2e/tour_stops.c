/* SPDX-License-Identifier: Apache-2.0 */
/* The stops of tour.c: a card of the real code with keys, groups and a toolkit, and each function of prose-ue.h. A twin is a
 * copy of that card in another place, who can talk. */
#include "tests/e2e/tour.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <winscard.h>

#include "apdu/birth.h"
#include "apdu/cat.h"
#include "apdu/files.h"
#include "apdu/gba.h"
#include "apdu/tlv.h"
#include "crypto/common/aes.h"
#include "crypto/common/eap_keys.h"
#include "crypto/guarded/aka.h"
#include "host/lib/eap/eap_message.h"
#include "protocols/mikey/message.h"
#include "tests/e2e/faults.h"
#include "tests/support/operator.h"

#define SERVER "naf.example.org"
#define IMPI "001010000000001@ims.mnc001.mcc001.3gppnetwork.org"
#define DIRECT "sip:direct@example.org"
#define SEALED "sip:sealed@example.org"
#define PARTY "sip:party@example.org"
#define PERMANENT "0001010000000001@wlan.mnc001.mcc001.3gppnetwork.org"
#define REAUTH "again@example.org"
enum { LATER = NOW + 10, UNTIL = NOW + 1000, ROOM = 4096, RTP_LEN = 12 + 160, WAIT_S = 2 };

#define OR_RETURN(x)                                                                                                           \
	do {                                                                                                                   \
		enum prose_result r_ = (x);                                                                                    \
		if (r_ != PROSE_OK)                                                                                            \
			return r_;                                                                                             \
	} while (0)

struct rig *tour_rig;
struct prose_card *tour_card;
static char folder[] = "/tmp/prose-tour.XXXXXX";
static int listener;
static uint64_t sqn = 32; /* of the next vector */

/* ---- the card ------------------------------------------------------------------------------------------------------- */

/* The same octets in each process that goes on from the same point. */
static enum status steady_fill(struct rng *rng, uint8_t *out, size_t n)
{
	static uint64_t state = 1;

	(void)rng;
	for (size_t i = 0; i < n; i++) {
		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		out[i] = (uint8_t)(state >> 56);
	}
	return OK;
}
static struct rng steady = { steady_fill };

static struct saved {
	uint8_t octet[ROOM];
	struct bytes b;
} gmk_message, offer, srtp, time_object, check_mac;

static void keep(struct saved *s, struct bytes b)
{
	ck_assert_uint_le(b.n, sizeof s->octet);
	memcpy(s->octet, b.p, b.n);
	s->b = (struct bytes){ s->octet, b.n };
}

static void group(const char *uri, unsigned policy)
{
	struct db_group g = { .policy = policy };

	(void)snprintf(g.uri, sizeof g.uri, "%s", uri);
	(void)snprintf(g.manager_uri, sizeof g.manager_uri, "sip:gms@example.org");
	ck_assert_int_eq(db_group_add(db, &g), OK);
	ck_assert_int_eq(db_member_set(db, uri, ALICE, true), OK);
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(group_record(db, uri, ALICE, 1, &objects), OK);
	ck_assert_uint_eq(install(tour_rig, buf_bytes(&objects)), 0x9000);
}

static struct bytes new_key(const char *uri)
{
	uint32_t id;

	ck_assert_int_eq(group_rekey(db, uri, NOW, NOW, UNTIL, keep_message, NULL, &id), OK);
	return last_message;
}

static void sealed(enum sealed_kind kind, const char *name, uint32_t tag, struct bytes value)
{
	uint8_t raw[256];
	struct buf b = BUF_OF(raw);

	tlv_put(&b, tag, value);
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(operator_seal(db, ICCID_1, kind, bytes_str(name), 0, UINT64_MAX, buf_bytes(&b), &objects), OK);
}

/* EF_UST says that the card computes the SUCI. */
static void suci_by_the_card(void)
{
	char command[32];

	ck_assert_uint_eq(rig_send(tour_rig, "00A4040C10A0000000871002FFFFFFFF8907090000"), 0x9000);
	ck_assert_uint_eq(rig_send(tour_rig, "002000010831323334FFFFFFFF"), 0x9000);
	for (unsigned service = 124; service <= 125; service++) {
		ck_assert_uint_eq(rig_send(tour_rig, "00A4080C047FFF6F38"), 0x9000);
		(void)snprintf(command, sizeof command, "00B000%02X01", (service - 1) / 8);
		ck_assert_uint_eq(rig_send(tour_rig, command), 0x9000);
		(void)snprintf(command, sizeof command, "00D600%02X01%02X", (service - 1) / 8,
		        rig_data().p[0] | 1U << (service - 1) % 8);
		tour_rig->card.channel[0].adm = true;
		ck_assert_uint_eq(rig_send(tour_rig, command), 0x9000);
	}
	tour_rig->card.channel[0].adm = false;
}

/* What the twin sends: an offer, and a packet that the card has ciphered. */
static void twin_talks(void)
{
	struct rig *t = rig_new();
	uint8_t raw[2048], id[PROSE_SESSION_ID_LEN], rtp[RTP_LEN] = { 0x80, 8 };
	struct buf b = BUF_OF(raw);
	struct bytes v;

	store_mem_free(&t->store);
	store_mem_copy(&t->store, &tour_rig->store);
	t->env.backend = &t->store.backend;
	t->env.rng = &steady;
	rig_reboot(t);
	ck_assert_uint_eq(import(t, NOW, gmk_message.b), 0x9000);
	tlv_put_uint(&b, TAG_TIME, 8, LATER);
	tlv_put(&b, TAG_GROUP_URI, BYTES_STR(GROUP));
	tlv_put_uint(&b, TAG_SSRC, 4, 7);
	ck_assert_uint_eq(rig_prose(t, INS_PROSE_START_SESSION, 0, buf_bytes(&b)), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_MESSAGE, &v), OK);
	keep(&offer, v);
	ck_assert_uint_eq(rig_prose(t, INS_PROSE_OPEN_DIRECT, 0, with_time(LATER, TAG_GROUP_URI, BYTES_STR(SEALED))), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_SESSION_ID, &v), OK);
	memcpy(id, v.p, sizeof id);
	b.len = 0;
	tlv_put(&b, TAG_SESSION_ID, BYTES_OF(id));
	ck_assert_uint_eq(rig_prose(t, INS_PROSE_TALK, 0, buf_bytes(&b)), 0x9000);
	tlv_put(&b, TAG_PACKET, BYTES_OF(rtp));
	ck_assert_uint_eq(rig_prose(t, INS_PROSE_PROTECT, 0, buf_bytes(&b)), 0x9000);
	ck_assert_int_eq(tlv_find(rig_data(), TAG_PACKET, &v), OK);
	keep(&srtp, v);
	rig_free(&t);
}

/* Where the toolkit's channel goes. */
static unsigned listen_somewhere(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(listener, (const struct sockaddr *)&at, sizeof at), 0);
	ck_assert_int_eq(listen(listener, 50), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&at, &n), 0);
	return ntohs(at.sin_port);
}

#define TOOLKIT                                                                                                                \
	"{\"toolkit\": [{\"when\": \"profile-download\", \"do\": \"set-up-event-list\", \"events\": [\"data-available\"]},"    \
	"{\"when\": \"profile-download\", \"do\": \"open-channel\", \"address\": \"127.0.0.1\", \"port\": %u, \"buffer\": "    \
	"1400},"                                                                                                               \
	"{\"when\": \"done open-channel\", \"do\": \"send-data\", \"data\": \"48656C6C6F\"},"                                  \
	"{\"when\": \"event data-available\", \"do\": \"receive-data\", \"length\": 200},"                                     \
	"{\"when\": \"done receive-data\", \"do\": \"close-channel\"}]}"

static void keep_check_mac(void)
{
	uint8_t mac[SHA256_LEN];
	SEAL_KEYS k = { 0 };

	ck_assert_int_eq(operator_seal_keys(db, ICCID_1, &k), OK);
	ck_assert_int_eq(hmac_sha256(secret_bytes(&k.ink), &BYTES_STR("signed"), 1, mac), OK);
	keep(&check_mac, BYTES_OF(mac));
}

static enum prose_result card_open(void);
void tour_set_up(void)
{
	char profile[1024];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(profile, sizeof profile, TOOLKIT, listen_somewhere());
	open_operator();
	tour_rig = rig_profile(profile);
	tour_rig->env.rng = &steady;
	rig_reboot(tour_rig);
	make_known(tour_rig);
	ck_assert_uint_eq(install(tour_rig, issue(ALICE, NOW)), 0x9000);
	group(GROUP, GROUP_POLICY_SIGN);
	group(DIRECT, GROUP_POLICY_DIRECT | GROUP_POLICY_EXPORT);
	group(SEALED, GROUP_POLICY_DIRECT);
	ck_assert_uint_eq(
	        permit(tour_rig, PERMISSION_OFF_NETWORK, PERMISSION_ANNOUNCE | PERMISSION_MONITOR, 0, UINT64_MAX), 0x9000);
	ck_assert_uint_eq(permit(tour_rig, "00101", PERMISSION_ANNOUNCE | PERMISSION_MONITOR, 0, UINT64_MAX), 0x9000);
	ck_assert_int_eq(discovery_renew(db, "me", DISCOVERY_33303, 1), OK);
	objects = BUF_OF(object_memory);
	ck_assert_int_eq(discovery_grant(db, "me", ICCID_1, RIGHT_ANNOUNCE | RIGHT_MONITOR, 0, UINT64_MAX, &objects), OK);
	ck_assert_uint_eq(install(tour_rig, buf_bytes(&objects)), 0x9000);
	sealed(SEALED_NAF, "naf", NAF_ID, BYTES_STR(SERVER "\x01\x00\x00\x00\x02"));
	ck_assert_uint_eq(install(tour_rig, buf_bytes(&objects)), 0x9000);
	ck_assert_uint_eq(import(tour_rig, NOW, new_key(DIRECT)), 0x9000);
	ck_assert_uint_eq(import(tour_rig, NOW, new_key(SEALED)), 0x9000);
	keep(&gmk_message, new_key(GROUP));
	suci_by_the_card();
	keep_check_mac();
	sealed(SEALED_TIME, "time", TIME_FLOOR, (struct bytes){ (const uint8_t[]){ 0, 0, 0, 0, 0x6B, 0x49, 0xD2, 0x01 }, 8 });
	keep(&time_object, buf_bytes(&objects));
	twin_talks();
	rig_reboot(tour_rig);
	ck_assert_int_eq(card_open(), PROSE_OK);
}

void tour_close(void)
{
	prose_card_close(&tour_card);
	close_operator();
	rig_free(&tour_rig);
	(void)rmdir(folder);
}

/* ---- ways to it ----------------------------------------------------------------------------------------------------- */

static bool was_reset;

static enum prose_result direct_transmit(void *context, const uint8_t *c, size_t c_len, uint8_t *r, size_t *n)
{
	(void)context;
	return tour_carry(c, c_len, r, n) ? PROSE_OK : PROSE_IO;
}

static enum prose_result direct_begin(void *context)
{
	bool reset = was_reset;

	(void)context;
	was_reset = false;
	return reset ? PROSE_RESET : PROSE_OK;
}

static void direct_close(void *context)
{
	(void)context;
}

static const struct prose_transport direct = { NULL, direct_transmit, direct_begin, NULL, NULL, direct_close };

static bool pin_1234(void *context, char pin[9])
{
	(void)context;
	memcpy(pin, "1234", 5);
	return true;
}
static const struct prose_options with_pin = { pin_1234, NULL };

/* A transport of this kind, used once. */
static enum prose_result use(struct prose_transport t)
{
	struct prose_state s;
	struct prose_card *c;
	enum prose_result r = V(prose_card_open)(t, &with_pin, &c);

	if (r != PROSE_OK)
		return r;
	r = V(prose_state_read)(c, &s);
	if (prose_card_error(c)[0] == 0)
		r = PROSE_FORMAT;
	V(prose_card_close)(&c);
	return r;
}

static enum prose_result card_open(void)
{
	tour_secret((const uint8_t *)"1234\xFF\xFF\xFF\xFF", 8);
	V(prose_card_close)(&tour_card);
	OR_RETURN(V(prose_card_open)(direct, &with_pin, &tour_card));
	V(prose_card_spend_last_try)(tour_card, false);
	for (int r = 0; r <= PROSE_LIBRARY; r++)
		if (V(prose_result_text)((enum prose_result)r)[0] == 0)
			return PROSE_FORMAT;
	return V(prose_card_status)(tour_card) == 0x9000 && V(prose_card_error)(tour_card)[0] != 0 ? PROSE_OK : PROSE_FORMAT;
}

static enum prose_result trace(void)
{
	struct prose_transport t;
	char path[64];
	enum prose_result r;

	(void)snprintf(path, sizeof path, "%s/trace", folder);
	r = V(prose_trace_open)(direct, path, &t);
	if (r == PROSE_OK) {
		V(prose_tap_secrets)(&t);
		r = use(t);
	}
	(void)unlink(path);
	return r;
}

static enum prose_result gsmtap(void)
{
	struct prose_transport t;

	OR_RETURN(V(prose_gsmtap_open)(direct, "127.0.0.1", &t));
	return use(t);
}

const SCARD_IO_REQUEST g_rgSCardT0Pci, g_rgSCardT1Pci;

LONG SCardEstablishContext(DWORD scope, LPCVOID reserved1, LPCVOID reserved2, LPSCARDCONTEXT context)
{
	(void)scope, (void)reserved1, (void)reserved2;
	*context = 1;
	return SCARD_S_SUCCESS;
}

LONG SCardReleaseContext(SCARDCONTEXT context)
{
	(void)context;
	return SCARD_S_SUCCESS;
}

LONG SCardListReaders(SCARDCONTEXT context, LPCSTR groups, LPSTR readers, LPDWORD n)
{
	static const char names[] = "Card 0 00 00\0";

	(void)context, (void)groups;
	if (readers != NULL)
		memcpy(readers, names, sizeof names);
	*n = sizeof names;
	return SCARD_S_SUCCESS;
}

LONG SCardConnect(SCARDCONTEXT context, LPCSTR reader, DWORD mode, DWORD protocols, LPSCARDHANDLE card, LPDWORD protocol)
{
	(void)context, (void)reader, (void)mode, (void)protocols;
	*card = 1;
	*protocol = SCARD_PROTOCOL_T1;
	return SCARD_S_SUCCESS;
}

LONG SCardReconnect(SCARDHANDLE card, DWORD mode, DWORD protocols, DWORD initialization, LPDWORD protocol)
{
	(void)card, (void)mode, (void)protocols, (void)initialization;
	*protocol = SCARD_PROTOCOL_T1;
	return SCARD_S_SUCCESS;
}

LONG SCardDisconnect(SCARDHANDLE card, DWORD disposition)
{
	(void)card, (void)disposition;
	return SCARD_S_SUCCESS;
}

LONG SCardBeginTransaction(SCARDHANDLE card)
{
	(void)card;
	return SCARD_S_SUCCESS;
}

LONG SCardEndTransaction(SCARDHANDLE card, DWORD disposition)
{
	(void)card, (void)disposition;
	return SCARD_S_SUCCESS;
}

LONG SCardTransmit(SCARDHANDLE card, const SCARD_IO_REQUEST *send_pci, LPCBYTE command, DWORD command_len,
        SCARD_IO_REQUEST *receive_pci, LPBYTE response, LPDWORD n)
{
	size_t room = *n;
	bool arrived = tour_carry(command, command_len, response, &room);

	(void)card, (void)send_pci, (void)receive_pci;
	*n = room;
	return arrived ? SCARD_S_SUCCESS : SCARD_F_COMM_ERROR;
}

static enum prose_result pcsc(void)
{
	struct prose_transport t;
	char *names;

	OR_RETURN(V(prose_pcsc_readers)(&names));
	free(names);
	OR_RETURN(V(prose_pcsc_open)("Card", &t));
	return use(t);
}

static bool take(int fd, uint8_t *out, size_t n)
{
	return recv(fd, out, n, MSG_WAITALL) == (ssize_t)n;
}

/* One client of a farm: its first message names the card, and is answered by an ATR. */
static void farm(int at)
{
	static uint8_t in[ROOM], out[APDU_RESPONSE_MAX + 2] = { 0, 1, 0x3B };
	int fd = accept(at, NULL, NULL);
	bool first = true;

	if (faults_leave != NULL)
		faults_leave();
	(void)alarm(20);
	while (take(fd, in, 2)) {
		size_t n = (size_t)(in[0] << 8 | in[1]);
		struct buf b = { out + 2, 0, sizeof out - 2, false };

		if (n > sizeof in || !take(fd, in, n))
			break;
		if (!first)
			card_transmit(&tour_rig->card, (struct bytes){ in, n }, &b);
		else
			buf_put_u8(&b, 0x3B);
		first = false;
		out[0] = (uint8_t)(b.len >> 8);
		out[1] = (uint8_t)b.len;
		if (send(fd, out, b.len + 2, MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

static enum prose_result farm_card(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct prose_transport t;
	enum prose_result r;
	bool was = tour_pause();
	int at = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	(void)snprintf(to.sun_path, sizeof to.sun_path, "%s/farm", folder);
	(void)unlink(to.sun_path);
	if (bind(at, (const struct sockaddr *)&to, sizeof to) != 0 || listen(at, 2) != 0 || (pid = fork()) < 0)
		return PROSE_FORMAT;
	if (pid == 0)
		farm(at);
	(void)close(at);
	tour_resume(was);
	r = V(prose_farm_open)(to.sun_path, "#0", &t);
	if (r == PROSE_OK)
		r = use(t);
	was = tour_pause();
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	(void)unlink(to.sun_path);
	tour_resume(was);
	return r;
}

/* ---- files, PINs ---------------------------------------------------------------------------------------------------- */

static enum prose_result apdu(void)
{
	uint8_t answer[64];
	size_t n = sizeof answer;

	OR_RETURN(V(prose_apdu)(tour_card, (const uint8_t *)"\x80\xF2\x00\x0C\x00", 5, answer, &n));
	return n >= 2 ? PROSE_OK : PROSE_FORMAT;
}

static enum prose_result iccid(void)
{
	char digits[21];

	OR_RETURN(V(prose_iccid)(tour_card, digits));
	return strcmp(digits, ICCID_1) == 0 ? PROSE_OK : PROSE_FORMAT;
}

static const uint16_t imsi_path[] = { FID_CURRENT_ADF, FID_IMSI }, language_path[] = { FID_CURRENT_ADF, 0x6F05 };

static enum prose_result read_file(void)
{
	uint8_t content[EF_IMSI_LEN];
	size_t n = sizeof content;

	OR_RETURN(V(prose_file_read)(tour_card, imsi_path, 2, content, &n));
	return n == EF_IMSI_LEN && content[0] == 8 ? PROSE_OK : PROSE_FORMAT;
}

static enum prose_result update_file(void)
{
	return V(prose_file_update)(tour_card, language_path, 2, 0, (const uint8_t *)"de", 2);
}

static enum prose_result look_at_file(void)
{
	struct prose_file_info f;

	OR_RETURN(V(prose_file_info)(tour_card, imsi_path, 2, &f));
	return f.size == EF_IMSI_LEN ? PROSE_OK : PROSE_FORMAT;
}

static enum prose_result pin(enum prose_pin_action action, const char *first, const char *second)
{
	unsigned tries;

	return V(prose_pin)(tour_card, action, PROSE_PIN1, first, second, &tries);
}

static enum prose_result pin_status(void)
{
	return pin(PROSE_PIN_STATUS, NULL, NULL);
}

static enum prose_result pin_verify(void)
{
	return pin(PROSE_PIN_VERIFY, "1234", NULL);
}

static enum prose_result pin_change(void)
{
	return pin(PROSE_PIN_CHANGE, "1234", "1234");
}

static enum prose_result pin_disable(void)
{
	return pin(PROSE_PIN_DISABLE, "1234", NULL);
}

static enum prose_result pin_enable(void)
{
	return pin(PROSE_PIN_ENABLE, "1234", NULL);
}

static enum prose_result pin_unblock(void)
{
	return pin(PROSE_PIN_UNBLOCK, "00000000", "1234");
}

/* ---- authentication ------------------------------------------------------------------------------------------------- */

struct vector {
	struct bytes rand;
	struct aka_keys keys;
	uint8_t autn[AUTN_LEN];
};

/* The next one of the home network's. */
static void next_vector(bool gba, struct vector *v)
{
	static const uint8_t amf[AMF_LEN] = { 0x80, 0 };
	uint8_t number[SQN_LEN], digest[SHA1_LEN];
	struct aka_subscriber s;
	bool was = tour_pause();

	rig_subscriber(tour_rig, &s);
	bytes_from_uint(sqn, number, sizeof number);
	sqn += 32;
	v->rand = hex(TEST_RAND);
	ck_assert_int_eq(aka_autn(&s, v->rand.p, number, amf, &v->keys, v->autn), OK);
	ck_assert_int_eq(sha1((struct bytes[]){ { v->keys.ik, 16 } }, 1, digest), OK);
	for (int i = 0; gba && i < MAC_LEN; i++)
		v->autn[8 + i] ^= digest[i];
	tour_secret(v->keys.ck, 16);
	tour_secret(v->keys.ik, 16);
	tour_resume(was);
}

static enum prose_result authenticate(void)
{
	struct prose_aka k;
	struct vector v;

	next_vector(false, &v);
	OR_RETURN(V(prose_authenticate)(tour_card, v.rand.p, v.autn, &k));
	return !k.synchronisation_failure && memcmp(k.ck, v.keys.ck, 16) == 0 ? PROSE_OK : PROSE_FORMAT;
}

static enum prose_result bootstrap(void)
{
	struct prose_aka k;
	struct vector v;

	next_vector(true, &v);
	OR_RETURN(V(prose_gba_bootstrap)(tour_card, v.rand.p, v.autn, &k));
	return !k.synchronisation_failure && k.res_len == 8 ? PROSE_OK : PROSE_FORMAT;
}

static enum prose_result naf_key(void)
{
	uint8_t key[32];

	OR_RETURN(
	        V(prose_gba_naf_key)(tour_card, (const uint8_t *)SERVER "\x01\x00\x00\x00\x02", sizeof SERVER + 4, IMPI, key));
	tour_secret(key, sizeof key);
	return PROSE_OK;
}

static enum prose_result suci(void)
{
	uint8_t out[256];
	size_t n = sizeof out;

	OR_RETURN(V(prose_suci)(tour_card, out, &n));
	return n > 8 ? PROSE_OK : PROSE_FORMAT;
}

/* The power goes and comes back. */
static enum prose_result suspend(void)
{
	uint32_t seconds = 1000;
	uint8_t token[8];
	bool was;

	OR_RETURN(V(prose_card_suspend)(tour_card, &seconds, token));
	was = tour_pause();
	card_reset(&tour_rig->card);
	tour_resume(was);
	return V(prose_card_resume)(tour_card, token);
}

/* ---- EAP-AKA -------------------------------------------------------------------------------------------------------- */

static struct prose_eap *eap;
static struct eap_keys eap_key;

static enum prose_result eap_send(struct bytes in, unsigned subtype)
{
	uint8_t out[PROSE_EAP_PACKET_MAX];
	size_t n = sizeof out;

	OR_RETURN(V(prose_eap_packet)(eap, in.p, in.n, out, &n));
	return subtype == 0 || (n > 5 && out[5] == subtype) ? PROSE_OK : PROSE_FORMAT;
}

/* A request of the server's: attributes in the open, then those that are ciphered, then the MAC. */
static enum prose_result eap_request(enum subtype subtype, struct bytes attributes, struct bytes ciphered)
{
	static const uint8_t zeros[16];
	uint8_t raw[400], secret[64];
	struct buf b = BUF_OF(raw);
	bool was = tour_pause();

	eap_begin(&b, PROSE_EAP_AKA, 2, subtype);
	raw[0] = EAP_REQUEST;
	buf_put(&b, attributes);
	if (ciphered.n > 0) {
		ck_assert_int_eq(aes_cbc_iv_encrypt(BYTES_OF(eap_key.k_encr), zeros, ciphered, secret), OK);
		eap_put(&b, AT_IV, 0, BYTES_OF(zeros));
		eap_put(&b, AT_ENCR_DATA, 0, (struct bytes){ secret, ciphered.n });
		eap_put(&b, AT_MAC, 0, BYTES_OF(zeros));
	}
	eap_end(&b);
	if (ciphered.n > 0)
		ck_assert_int_eq(eap_keys_mac(&eap_key, buf_bytes(&b), (struct bytes){ 0 }, raw + b.len - EAP_MAC_LEN), OK);
	tour_resume(was);
	return eap_send(buf_bytes(&b), subtype);
}

static enum prose_result eap_new(void)
{
	V(prose_eap_free)(&eap);
	return V(prose_eap_new)(tour_card, PROSE_EAP_AKA, NULL, NULL, &eap);
}

static enum prose_result eap_success(bool again)
{
	uint8_t msk[PROSE_MSK], emsk[PROSE_MSK];
	bool reauthenticated;

	OR_RETURN(eap_send(BYTES_STR("\x03\x01\x00\x04"), 0));
	if (V(prose_eap_state)(eap) != PROSE_EAP_SUCCESS)
		return PROSE_FORMAT;
	OR_RETURN(V(prose_eap_keys)(eap, msk, emsk, &reauthenticated));
	tour_secret(msk, sizeof msk);
	tour_secret(emsk, sizeof emsk);
	return reauthenticated == again ? PROSE_OK : PROSE_FORMAT;
}

/* A full run, which gives an identity for the next one; and that one. */
static enum prose_result eap_run(void)
{
	uint8_t raw[128], inner_raw[32];
	struct buf b = BUF_OF(raw), inner = BUF_OF(inner_raw);
	struct vector v;
	bool was;

	if (eap == NULL)
		OR_RETURN(eap_new());
	OR_RETURN(eap_send(BYTES_STR("\x01\x01\x00\x05\x01"), 0));
	OR_RETURN(eap_request(IDENTITY, BYTES_STR("\x0A\x01\x00\x00"), (struct bytes){ 0 }));
	next_vector(false, &v);
	was = tour_pause();
	ck_assert_int_eq(eap_keys_full(&eap_key, false, BYTES_STR(PERMANENT), v.keys.ck, v.keys.ik, (struct bytes){ 0 },
	                         (struct bytes){ 0 }),
	        OK);
	tour_resume(was);
	eap_put(&b, AT_RAND, 0, v.rand);
	eap_put(&b, AT_AUTN, 0, BYTES_OF(v.autn));
	eap_put(&inner, AT_NEXT_REAUTH_ID, sizeof REAUTH - 1, BYTES_STR(REAUTH));
	buf_put(&inner, BYTES_STR("\x06\x02\x00\x00\x00\x00\x00\x00"));
	OR_RETURN(eap_request(CHALLENGE, buf_bytes(&b), buf_bytes(&inner)));
	return eap_success(false);
}

static enum prose_result eap_again(void)
{
	static const uint8_t nonce[16] = { 9 };
	uint8_t inner_raw[48], msk[PROSE_MSK], emsk[PROSE_MSK];
	bool spent;
	struct buf inner = BUF_OF(inner_raw);

	/* Each run uses up the identity for the next one. */
	if (eap == NULL || prose_eap_keys(eap, msk, emsk, &spent) != PROSE_OK || spent)
		OR_RETURN(eap_run());
	OR_RETURN(eap_send(BYTES_STR("\x01\x01\x00\x05\x01"), 0));
	OR_RETURN(eap_request(IDENTITY, BYTES_STR("\x0D\x01\x00\x00"), (struct bytes){ 0 }));
	eap_put(&inner, AT_COUNTER, 1, (struct bytes){ 0 });
	eap_put(&inner, AT_NONCE_S, 0, BYTES_OF(nonce));
	buf_put(&inner, BYTES_STR("\x06\x02\x00\x00\x00\x00\x00\x00"));
	OR_RETURN(eap_request(REAUTHENTICATION, (struct bytes){ 0 }, buf_bytes(&inner)));
	return eap_success(true);
}

/* ---- the toolkit ---------------------------------------------------------------------------------------------------- */

static struct prose_terminal *terminal;
static int peer = -1;

/* The other end of the channel that has just been opened; those that nobody came for are in front of it. */
static int pick_up(void)
{
	struct sockaddr_in own = { 0 }, theirs = { 0 };
	socklen_t n = sizeof own, m = sizeof theirs;
	int sockets[PROSE_TERMINAL_CHANNELS], fd = -1;

	ck_assert_uint_eq(prose_terminal_sockets(terminal, sockets), 1);
	ck_assert_int_eq(getsockname(sockets[0], (struct sockaddr *)&own, &n), 0);
	do {
		if (fd >= 0)
			(void)close(fd);
		fd = accept(listener, (struct sockaddr *)&theirs, &m);
	} while (fd >= 0 && theirs.sin_port != own.sin_port);
	return fd;
}

/* The server at the channel's other end says something as soon as it is called. */
static uint8_t each(void *context, struct prose_proactive *p)
{
	uint8_t result = 0x30;
	bool was;

	(void)context;
	if (!V(prose_terminal_command)(terminal, p, &result))
		return 0x30;
	was = tour_pause();
	if (p->type == CAT_OPEN_CHANNEL && result == 0) {
		if (peer >= 0)
			(void)close(peer);
		peer = pick_up();
		ck_assert_int_eq(send(peer, "hello", 5, MSG_NOSIGNAL), 5);
	}
	tour_resume(was);
	return result;
}

static enum prose_result terminal_new(void)
{
	V(prose_terminal_free)(&terminal);
	terminal = V(prose_terminal_new)();
	return terminal != NULL ? PROSE_OK : PROSE_NO_MEMORY;
}

/* Without an answer a proactive session is stuck until the card is reset. */
static enum prose_result toolkit(void)
{
	static bool begun;
	int sockets[PROSE_TERMINAL_CHANNELS];
	bool was = tour_pause();

	if (begun) {
		card_reset(&tour_rig->card);
		was_reset = true;
		prose_terminal_free(&terminal);
		terminal = prose_terminal_new();
	}
	begun = true;
	tour_resume(was);
	OR_RETURN(V(prose_cat)(tour_card, (const uint8_t *)"\xFF\xFF\xFF\xFF", 4, each, NULL));
	if (V(prose_terminal_sockets)(terminal, sockets) > V(prose_terminal_channels)(terminal))
		return PROSE_FORMAT;
	return V(prose_terminal_run)(tour_card, terminal, each, NULL, WAIT_S);
}

static enum prose_result terminal_serve(void)
{
	uint8_t envelope[PROSE_TERMINAL_EVENT_MAX];
	size_t n;

	OR_RETURN(V(prose_terminal_serve)(tour_card, terminal, each, NULL));
	return !V(prose_terminal_event)(terminal, envelope, &n) ? PROSE_OK : PROSE_FORMAT;
}

static enum prose_result envelope(void)
{
	return V(prose_cat_envelope)(
	        tour_card, (const uint8_t *)"\xD6\x0E\x99\x01\x09\x82\x02\x82\x81\xB8\x02\x85\x00\xB7\x01\x20", 16);
}

/* ---- keys and groups ------------------------------------------------------------------------------------------------ */

static enum prose_result provisioning(void)
{
	return V(prose_install)(tour_card, time_object.b.p, time_object.b.n);
}

static enum prose_result import_gmk(void)
{
	struct prose_gmk g;

	OR_RETURN(V(prose_import_gmk)(tour_card, NOW, gmk_message.b.p, gmk_message.b.n, &g));
	return strcmp(g.group_uri, GROUP) == 0 ? PROSE_OK : PROSE_FORMAT;
}

static enum prose_result adhoc_create(void)
{
	struct prose_gmk g;

	return V(prose_adhoc_create)(tour_card, LATER, PARTY, UNTIL, &g);
}

static enum prose_result adhoc_invite(void)
{
	uint8_t message[MIKEY_MESSAGE_MAX];
	size_t n = sizeof message;

	return V(prose_adhoc_invite)(tour_card, LATER, PARTY, BOB, message, &n);
}

static enum prose_result adhoc_without(void)
{
	static const char *const users[] = { BOB };
	struct prose_gmk g;

	return V(prose_adhoc_create_without)(tour_card, LATER, PARTY, UNTIL, users, 1, &g);
}

static enum prose_result adhoc_accept(void)
{
	return V(prose_adhoc_accept)(tour_card, "sip:other@example.org", BOB);
}

static enum prose_result vouch(void)
{
	static const char *const users[] = { BOB };
	uint8_t message[ROOM];
	size_t n = sizeof message;

	return V(prose_vouch)(tour_card, 1, PARTY, ALICE, "btid@example.org", users, 1, UNTIL, NULL, 0, message, &n);
}

static enum prose_result check_signature(void)
{
	return V(prose_check_signature)(tour_card, 1, (const uint8_t *)"signed", 6, check_mac.octet);
}

static enum prose_result certificate_key(void)
{
	uint8_t key[65];

	return V(prose_certificate_key)(tour_card, key);
}

static enum prose_result certificate_sign(void)
{
	static const uint8_t hash[32] = { 1 };
	uint8_t signature[64];

	return V(prose_certificate_sign)(tour_card, hash, signature);
}

static enum prose_result state(void)
{
	struct prose_state s;

	OR_RETURN(V(prose_state_read)(tour_card, &s));
	return V(prose_interface_at_least)(tour_card, 1, 0);
}

static enum prose_result lists(void)
{
	for (int k = PROSE_KEY_SETS; k <= PROSE_CLAIMS; k++)
		OR_RETURN(V(prose_list)(tour_card, (enum prose_list_kind)k, NULL, NULL));
	return PROSE_OK;
}

static enum prose_result permission(void)
{
	struct prose_permission p;

	OR_RETURN(V(prose_permission)(tour_card, LATER, "00101", NULL, &p));
	OR_RETURN(p.item[PROSE_MAY_ANNOUNCE].allowed ? PROSE_OK : PROSE_FORMAT);
	OR_RETURN(V(prose_permission)(tour_card, LATER, "26202", NULL, &p)); /* by the preset's files */
	return p.item[PROSE_MAY_ANNOUNCE].allowed ? PROSE_FORMAT : PROSE_OK;
}

/* ---- calls ---------------------------------------------------------------------------------------------------------- */

static struct prose_session call;

static enum prose_result call_start(void)
{
	uint8_t message[ROOM];
	size_t n = sizeof message;

	return V(prose_call_start)(tour_card, LATER, GROUP, 5, NULL, &call, message, &n);
}

static enum prose_result call_start_at(void)
{
	static const uint8_t at[6] = { 239, 255, 33, 4, 0x17, 0x74 };
	uint8_t message[ROOM];
	size_t n = sizeof message;

	return V(prose_call_start_at)(tour_card, LATER, GROUP, 6, NULL, at, &call, message, &n);
}

static enum prose_result call_key(void)
{
	uint8_t gsk[16], salt[14];
	uint64_t released;

	OR_RETURN(V(prose_call_key)(tour_card, call.id, gsk, salt, &released));
	tour_secret(gsk, sizeof gsk);
	return PROSE_OK;
}

static enum prose_result call_join(void)
{
	struct prose_session s;

	return V(prose_call_join)(tour_card, LATER, offer.b.p, offer.b.n, &s);
}

static enum prose_result direct_open(void)
{
	return V(prose_direct_open)(tour_card, LATER, DIRECT, &call);
}

static enum prose_result direct_key(void)
{
	uint8_t key[16], salt[12];
	uint64_t released;

	OR_RETURN(V(prose_direct_key)(tour_card, call.id, 0, key, salt, &released));
	tour_secret(key, sizeof key);
	return PROSE_OK;
}

static enum prose_result sealed_open(void)
{
	return V(prose_direct_open)(tour_card, LATER, SEALED, &call);
}

static enum prose_result call_talk(void)
{
	uint32_t ssrc;

	return V(prose_call_talk)(tour_card, call.id, NULL, 0, &ssrc);
}

static enum prose_result protect(void)
{
	uint8_t packet[RTP_LEN + 48] = { 0x80, 8 };
	size_t n = RTP_LEN;

	return V(prose_call_protect)(tour_card, call.id, packet, &n, sizeof packet);
}

static enum prose_result unprotect(void)
{
	uint8_t packet[ROOM];
	size_t n = srtp.b.n;

	memcpy(packet, srtp.b.p, n);
	OR_RETURN(V(prose_call_unprotect)(tour_card, call.id, packet, &n, sizeof packet));
	return n == RTP_LEN ? PROSE_OK : PROSE_FORMAT;
}

/* ---- discovery, over the air ---------------------------------------------------------------------------------------- */

static uint8_t frame[PROSE_FRAME];
static struct prose_watch *watch;

static enum prose_result announce(void)
{
	OR_RETURN(V(prose_serving_plmn)(tour_card, NULL));
	return V(prose_announce)(tour_card, LATER, "me", frame);
}

static enum prose_result watch_new(void)
{
	V(prose_watch_free)(&watch);
	return V(prose_watch_new)(&watch);
}

static enum prose_result watch_update(void)
{
	OR_RETURN(V(prose_watch_update)(watch, tour_card, LATER));
	return V(prose_watch_size)(watch) > 0 ? PROSE_OK : PROSE_FORMAT;
}

static enum prose_result watch_update_later(void)
{
	OR_RETURN(V(prose_watch_update)(watch, tour_card, LATER + 1));
	return V(prose_watch_size)(watch) > 0 ? PROSE_OK : PROSE_FORMAT;
}

static enum prose_result watch_frame(void)
{
	struct prose_match m;

	OR_RETURN(V(prose_watch_frame)(watch, tour_card, LATER + 1, frame, &m));
	return strcmp(m.name, "me") == 0 ? PROSE_OK : PROSE_FORMAT;
}

static enum prose_result ota(void)
{
	static uint64_t counter = 1;
	bool was = tour_pause();
	uint8_t por[256];
	size_t n = sizeof por;
	struct bytes all = rig_ota(tour_rig, counter++, "B00001", "00A40004023F00"), tpdu, outer;

	all = (struct bytes){ all.p + 5, all.p[4] };
	ck_assert_int_eq(tlv_find(all, CAT_TAG_SMS_PP_DOWNLOAD, &outer), OK);
	ck_assert_int_eq(tlv_find(outer, CAT_TAG_TPDU, &tpdu), OK);
	tour_resume(was);
	OR_RETURN(V(prose_ota_deliver)(tour_card, tpdu.p, tpdu.n, por, &n));
	return n > 0 ? PROSE_OK : PROSE_FORMAT;
}

#define STOP(name)                                                                                                             \
	{                                                                                                                      \
#name, name, PROSE_OK, PROSE_OK                                                                                \
	}
#define STOP_ONCE(name, again)                                                                                                 \
	{                                                                                                                      \
#name, name, PROSE_OK, again                                                                                   \
	} /* done already, it says so */
const struct stop stops[] = { STOP(card_open), STOP(trace), STOP(gsmtap), STOP(pcsc), STOP(farm_card), STOP(apdu), STOP(iccid),
	STOP(read_file), STOP(update_file), STOP(look_at_file), STOP(pin_status), STOP(pin_verify), STOP(pin_change),
	STOP_ONCE(pin_disable, PROSE_REFUSED), STOP_ONCE(pin_enable, PROSE_REFUSED),
	{ "pin_unblock", pin_unblock, PROSE_PIN_WRONG, PROSE_PIN_WRONG }, STOP(authenticate), STOP(bootstrap), STOP(naf_key),
	STOP(suci), STOP(suspend), STOP(eap_new), STOP(eap_run), STOP(eap_again), STOP(terminal_new), STOP(toolkit),
	STOP(terminal_serve), STOP(envelope), STOP_ONCE(provisioning, PROSE_REFUSED), STOP_ONCE(import_gmk, PROSE_REFUSED),
	STOP(adhoc_create), STOP(adhoc_invite), STOP(adhoc_without), STOP(adhoc_accept), STOP(vouch), STOP(check_signature),
	{ .name = "certificate_key", .go = certificate_key, .unlike = true }, STOP(certificate_sign), STOP(state), STOP(lists),
	STOP(permission), STOP(call_start), STOP(call_start_at), STOP(call_key), STOP(call_join), STOP(direct_open),
	STOP(direct_key), STOP(sealed_open), STOP(call_talk), STOP(protect), STOP_ONCE(unprotect, PROSE_REFUSED),
	STOP(announce), STOP(watch_new), STOP(watch_update), STOP(watch_update_later), STOP_ONCE(watch_frame, PROSE_NOT_FOUND),
	{ .name = "ota", .go = ota, .unlike = true } };
const size_t stop_count = sizeof stops / sizeof *stops;
