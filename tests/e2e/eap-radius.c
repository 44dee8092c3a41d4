/* SPDX-License-Identifier: Apache-2.0 */
/* eap-radius READER PINFILE aka|aka-prime PORT SECRET RUNS: authenticates libprose-ue's EAP peer against a RADIUS server
 * (hostapd) on 127.0.0.1, as an access point would carry it, and compares MSK with the MS-MPPE keys that the server sends with
 * Accept. One line a run: "full" or "fast", and whether the keys agree. Exit 1 as soon as a run fails. RUNS "tampered": full,
 * a re-authentication that is tampered with and must fail, and one more run, which must be full again. */
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apdu/base/bytes.h"
#include "crypto/common/rng.h"
#include "host/lib/prose-ue.h"

enum { ACCESS_REQUEST = 1, ACCESS_ACCEPT = 2, ACCESS_CHALLENGE = 11, PACKET_MAX = 4096, CHUNK = 253, TIMEOUT_MS = 3000 };
enum { USER_NAME = 1, STATE = 24, VENDOR_SPECIFIC = 26, NAS_IDENTIFIER = 32, EAP_MESSAGE = 79, MESSAGE_AUTHENTICATOR = 80 };

static int fd;
static const char *secret;
static uint8_t request_authenticator[16], state[253], request_id;
static size_t state_len;

static void put_attribute(struct buf *b, uint8_t type, struct bytes v)
{
	buf_put_u8(b, type);
	buf_put_u8(b, (uint8_t)(v.n + 2));
	buf_put(b, v);
}

static bool send_eap(struct bytes eap, const char *user)
{
	uint8_t raw[PACKET_MAX];
	static const uint8_t zero[16];
	struct buf b = BUF_OF(raw);
	unsigned n = 16;

	if (rng_fill(&rng_system, request_authenticator, 16) != OK)
		return false;
	buf_put(&b, (struct bytes){ (const uint8_t[]){ ACCESS_REQUEST, ++request_id, 0, 0 }, 4 });
	buf_put(&b, BYTES_OF(request_authenticator));
	put_attribute(&b, USER_NAME, bytes_str(user));
	put_attribute(&b, NAS_IDENTIFIER, BYTES_STR("eap-radius"));
	if (state_len > 0)
		put_attribute(&b, STATE, (struct bytes){ state, state_len });
	for (size_t at = 0; at < eap.n; at += CHUNK)
		put_attribute(&b, EAP_MESSAGE, (struct bytes){ eap.p + at, eap.n - at < CHUNK ? eap.n - at : CHUNK });
	put_attribute(&b, MESSAGE_AUTHENTICATOR, BYTES_OF(zero));
	raw[2] = (uint8_t)(b.len >> 8);
	raw[3] = (uint8_t)b.len;
	return !b.failed && HMAC(EVP_md5(), secret, (int)strlen(secret), raw, b.len, raw + b.len - 16, &n) != NULL &&
	       send(fd, raw, b.len, 0) == (ssize_t)b.len;
}

/* RFC 2548 2.4.2: the key that the server hid with the shared secret. */
static bool open_key(struct bytes v, uint8_t out[32])
{
	uint8_t mask[16], plain[64];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct bytes salt, block, previous = { request_authenticator, 16 };
	size_t n = 0;
	bool ok = bytes_take(&v, 2, &salt);

	while (ok && v.n >= 16 && n + 16 <= sizeof plain) {
		ok = bytes_take(&v, 16, &block) && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1 &&
		     EVP_DigestUpdate(ctx, secret, strlen(secret)) == 1 && EVP_DigestUpdate(ctx, previous.p, previous.n) == 1 &&
		     (n > 0 || EVP_DigestUpdate(ctx, salt.p, salt.n) == 1) && EVP_DigestFinal_ex(ctx, mask, NULL) == 1;
		for (int i = 0; i < 16; i++)
			plain[n + (size_t)i] = block.p[i] ^ mask[i];
		previous = block;
		n += 16;
	}
	EVP_MD_CTX_free(ctx);
	if (!ok || n < 33 || plain[0] != 32)
		return false;
	memcpy(out, plain + 1, 32);
	return true;
}

struct reply {
	uint8_t code, eap[PROSE_EAP_PACKET_MAX], msk[64];
	size_t eap_len;
	unsigned keys;
};

static bool receive(struct reply *r)
{
	uint8_t raw[PACKET_MAX];
	struct pollfd p = { fd, POLLIN, 0 };
	ssize_t got = poll(&p, 1, TIMEOUT_MS) == 1 ? recv(fd, raw, sizeof raw, 0) : -1;
	struct bytes in = { raw, got > 0 ? (size_t)got : 0 }, v, head;
	uint64_t type, len;

	*r = (struct reply){ 0 };
	if (!bytes_take(&in, 20, &head))
		return false;
	r->code = raw[0];
	while (bytes_take_uint(&in, 1, &type) && bytes_take_uint(&in, 1, &len) && len >= 2 &&
	        bytes_take(&in, (size_t)len - 2, &v)) {
		if (type == EAP_MESSAGE && r->eap_len + v.n <= sizeof r->eap) {
			memcpy(r->eap + r->eap_len, v.p, v.n);
			r->eap_len += v.n;
		} else if (type == STATE) {
			memcpy(state, v.p, v.n);
			state_len = v.n;
		} else if (type == VENDOR_SPECIFIC && v.n > 6 && bytes_uint((struct bytes){ v.p, 4 }) == 311) {
			bool receive_key = v.p[4] == 17;

			if ((v.p[4] == 16 || v.p[4] == 17) &&
			        open_key((struct bytes){ v.p + 6, v.n - 6 }, r->msk + (receive_key ? 0 : 32)))
				r->keys++;
		}
	}
	return true;
}

static int run(struct prose_eap *e, struct prose_card *card, bool tamper)
{
	uint8_t packet[PROSE_EAP_PACKET_MAX], msk[64], emsk[64];
	size_t n = sizeof packet;
	struct reply r = { .eap = { 1, 1, 0, 5, 1 }, .eap_len = 5 };
	char user[254];
	bool fast;

	state_len = 0;
	if (prose_eap_packet(e, r.eap, r.eap_len, packet, &n) != PROSE_OK || n < 6)
		return 1;
	(void)snprintf(user, sizeof user, "%.*s", (int)(n - 5), (const char *)packet + 5);
	for (int i = 0; i < 12; i++) {
		enum prose_result result;

		if (!send_eap((struct bytes){ packet, n }, user) || !receive(&r)) {
			(void)printf("the server does not answer\n");
			return 1;
		}
		n = sizeof packet;
		if (tamper && r.eap_len > 8 && r.eap[5] == 13)
			r.eap[r.eap_len - 1] ^= 1; /* somebody changes the re-authentication's MAC */
		if ((result = prose_eap_packet(e, r.eap, r.eap_len, packet, &n)) != PROSE_OK) {
			(void)printf("%s (%s)\n", prose_result_text(result), prose_card_error(card));
			return 1;
		}
		if (n == 0)
			break;
	}
	if (prose_eap_keys(e, msk, emsk, &fast) != PROSE_OK || r.code != ACCESS_ACCEPT) {
		(void)printf("failed\n");
		return 1;
	}
	if (r.keys != 2 || memcmp(r.msk, msk, 64) != 0) {
		(void)printf("the keys differ\n");
		return 1;
	}
	(void)printf("%s, as %s: MSK is the server's\n", fast ? "fast" : "full", user);
	return 0;
}

static const char *pin_path;

static bool read_pin(void *context, char pin[9])
{
	FILE *f = fopen(pin_path, "re");
	bool ok = f != NULL && fgets(pin, 9, f) != NULL;

	(void)context;
	if (f != NULL)
		(void)fclose(f);
	pin[strcspn(pin, "\r\n")] = 0;
	return ok;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	const struct prose_options o = { read_pin, NULL };
	struct prose_transport t;
	struct prose_card *card;
	struct prose_eap *e;
	int rc = 0;

	if (argc != 7)
		return 2;
	pin_path = argv[2];
	secret = argv[5];
	to.sin_port = htons((uint16_t)atoi(argv[4]));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) != 0 || prose_pcsc_open(argv[1], &t) != PROSE_OK ||
	        prose_card_open(t, &o, &card) != PROSE_OK ||
	        prose_eap_new(card, strcmp(argv[3], "aka") == 0 ? PROSE_EAP_AKA : PROSE_EAP_AKA_PRIME, NULL, NULL, &e) !=
	                PROSE_OK) {
		(void)printf("no card, or no EAP peer on it\n");
		return 1;
	}
	if (strcmp(argv[6], "tampered") == 0)
		rc = run(e, card, false) != 0 || run(e, card, true) == 0 || run(e, card, false) != 0;
	for (int i = 0; i < atoi(argv[6]) && rc == 0; i++)
		rc = run(e, card, false);
	prose_eap_free(&e);
	prose_card_close(&card);
	(void)close(fd);
	return rc;
}
