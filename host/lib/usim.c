/* SPDX-License-Identifier: Apache-2.0 */
/* The USIM's commands: AUTHENTICATE, GBA, PINs. */
#include <string.h>

#include "apdu/aids.h"
#include "apdu/base/secret.h"
#include "apdu/tlv.h"
#include "host/lib/pin.h"

enum { TAG_SUCCESS = 0xDB, TAG_SYNCHRONISATION = 0xDC, CONTEXT_3G = 0x81, CONTEXT_GBA = 0x84 };
enum { MODE_BOOTSTRAPPING = 0xDD, MODE_NAF = 0xDE };

static enum prose_result select_and_run(struct prose_card *c, const struct request *q)
{
	const struct request select = { 0x00, INS_SELECT, 0x04, 0x0C, BYTES_STR(AID_USIM), 0 };
	enum prose_result r = session_exchange(c, &select);

	return r == PROSE_OK ? session_exchange(c, q) : r;
}

/* Select the USIM on our channel, run one command (PIN1 asked for on 6982, once), select our applet again. */
static enum prose_result on_usim(struct prose_card *c, const struct request *q, uint8_t *out, size_t *n)
{
	enum prose_result r = PROSE_OK;

	for (unsigned round = 0; session_round(c, PLACE_MF, &round, &r);) {
		r = select_and_run(c, q);
		if (r == PROSE_REFUSED && c->sw == SW_SECURITY_NOT_SATISFIED && (r = session_verify_pin(c)) == PROSE_OK)
			r = select_and_run(c, q);
		if (r == PROSE_OK && c->answer.n > *n)
			r = PROSE_NO_SPACE;
		if (r == PROSE_OK) {
			*n = c->answer.n;
			if (*n > 0)
				memcpy(out, c->answer.p, *n);
		}
		session_back_to_applet(c);
	}
	return r;
}

static bool take_field(struct bytes *in, uint8_t *out, size_t room, size_t *n)
{
	uint64_t len;

	if (!bytes_take_uint(in, 1, &len) || len > room)
		return false;
	*n = (size_t)len;
	return bytes_take_copy(in, out, *n);
}

static enum prose_result parse_aka(struct bytes in, bool keys, struct prose_aka *out)
{
	uint64_t tag;
	size_t n;

	if (!bytes_take_uint(&in, 1, &tag))
		return PROSE_FORMAT;
	if (tag == TAG_SYNCHRONISATION) {
		out->synchronisation_failure = true;
		return take_field(&in, out->auts, sizeof out->auts, &n) && n == sizeof out->auts && in.n == 0 ? PROSE_OK
		                                                                                              : PROSE_FORMAT;
	}
	if (tag != TAG_SUCCESS || !take_field(&in, out->res, sizeof out->res, &out->res_len))
		return PROSE_FORMAT;
	if (!keys)
		return in.n == 0 ? PROSE_OK : PROSE_FORMAT;
	if (!take_field(&in, out->ck, sizeof out->ck, &out->ck_len) || !take_field(&in, out->ik, sizeof out->ik, &out->ik_len))
		return PROSE_FORMAT;
	out->has_kc = in.n > 0;
	return in.n == 0 || (take_field(&in, out->kc, sizeof out->kc, &n) && n == sizeof out->kc && in.n == 0) ? PROSE_OK
	                                                                                                       : PROSE_FORMAT;
}

static enum prose_result challenge(
        struct prose_card *c, uint8_t context, const uint8_t rand[16], const uint8_t autn[16], struct prose_aka *out)
{
	uint8_t raw[40], answer[160];
	struct buf b = BUF_OF(raw);
	struct request q = { 0x00, INS_AUTHENTICATE, 0x00, context, { 0 }, 256 };
	size_t n = sizeof answer;
	enum prose_result r;

	*out = (struct prose_aka){ 0 };
	if (context == CONTEXT_GBA)
		buf_put_u8(&b, MODE_BOOTSTRAPPING);
	buf_put_u8(&b, 16);
	buf_put(&b, (struct bytes){ rand, 16 });
	buf_put_u8(&b, 16);
	buf_put(&b, (struct bytes){ autn, 16 });
	q.data = buf_bytes(&b);
	r = on_usim(c, &q, answer, &n);
	if (r == PROSE_OK)
		r = parse_aka((struct bytes){ answer, n }, context == CONTEXT_3G, out);
	secret_clean(answer, sizeof answer);
	return r;
}

enum prose_result prose_authenticate(
        struct prose_card *c, const uint8_t rand[16], const uint8_t autn[16], struct prose_aka *out)
{
	return challenge(c, CONTEXT_3G, rand, autn, out);
}

enum prose_result prose_gba_bootstrap(
        struct prose_card *c, const uint8_t rand[16], const uint8_t autn[16], struct prose_aka *out)
{
	return challenge(c, CONTEXT_GBA, rand, autn, out);
}

enum prose_result prose_gba_naf_key(
        struct prose_card *c, const uint8_t *naf_id, size_t naf_id_len, const char *impi, uint8_t ks_ext_naf[32])
{
	uint8_t raw[255], answer[40];
	struct buf b = BUF_OF(raw);
	struct request q = { 0x00, INS_AUTHENTICATE, 0x00, CONTEXT_GBA, { 0 }, 256 };
	size_t n = sizeof answer, len = 0;
	struct bytes in;
	enum prose_result r;

	buf_put_u8(&b, MODE_NAF);
	buf_put_u8(&b, (uint8_t)naf_id_len);
	buf_put(&b, (struct bytes){ naf_id, naf_id_len });
	buf_put_u8(&b, (uint8_t)strlen(impi));
	buf_put(&b, bytes_str(impi));
	if (b.failed || naf_id_len > 255)
		return PROSE_FORMAT;
	q.data = buf_bytes(&b);
	r = on_usim(c, &q, answer, &n);
	in = (struct bytes){ answer + 1, n > 0 ? n - 1 : 0 };
	if (r == PROSE_OK && (n < 1 || answer[0] != TAG_SUCCESS || !take_field(&in, ks_ext_naf, 32, &len) || len != 32))
		r = PROSE_FORMAT;
	secret_clean(answer, sizeof answer);
	return r;
}

static const struct pin_action {
	uint8_t ins;
	bool first, second; /* which of the two values the command carries */
} pin_actions[] = {
	[PROSE_PIN_STATUS] = { INS_VERIFY_PIN, false, false },
	[PROSE_PIN_VERIFY] = { INS_VERIFY_PIN, true, false },
	[PROSE_PIN_CHANGE] = { INS_CHANGE_PIN, true, true },
	[PROSE_PIN_DISABLE] = { INS_DISABLE_PIN, true, false },
	[PROSE_PIN_ENABLE] = { INS_ENABLE_PIN, true, false },
	[PROSE_PIN_UNBLOCK] = { INS_UNBLOCK_PIN, true, true },
};

static enum prose_result act(struct prose_card *c, const struct pin_target *t, enum prose_pin_action action,
        const struct request *q, unsigned *tries)
{
	const struct request select = { 0x00, INS_SELECT, 0x04, 0x0C, BYTES_STR(AID_USIM), 0 };
	enum prose_result r = session_exchange(c, &select);

	if (r != PROSE_OK && r != PROSE_REFUSED)
		return r;
	if (action != PROSE_PIN_STATUS && (r = pin_may_spend(c, t)) != PROSE_OK) {
		*tries = r == PROSE_PIN_LAST_TRY ? 1 : 0;
		return r;
	}
	r = pin_judge(c, t, session_exchange(c, q), tries);
	return action == PROSE_PIN_STATUS && r == PROSE_PIN_WRONG ? PROSE_OK : r; /* that is how the card says it */
}

enum prose_result prose_pin(struct prose_card *c, enum prose_pin_action action, unsigned reference, const char *first,
        const char *second, unsigned *tries)
{
	const struct pin_action *a = &pin_actions[action];
	const struct pin_target t = { (uint8_t)reference, action == PROSE_PIN_UNBLOCK };
	uint8_t raw[2 * PIN_OCTETS];
	struct buf b = BUF_OF(raw);
	struct request q = { 0x00, 0, 0x00, (uint8_t)reference, { 0 }, 0 };
	enum prose_result r = PROSE_PIN_FORMAT;

	*tries = 0;
	if ((unsigned)action > PROSE_PIN_UNBLOCK)
		return PROSE_FORMAT;
	if ((!a->first || pin_put(&b, first, t.puk ? PIN_OCTETS : PIN_DIGITS_MIN)) &&
	        (!a->second || pin_put(&b, second, PIN_DIGITS_MIN))) {
		q.ins = a->ins;
		q.data = buf_bytes(&b);
		r = PROSE_OK;
		for (unsigned round = 0; session_round(c, PLACE_MF, &round, &r);) {
			r = act(c, &t, action, &q, tries);
			session_back_to_applet(c);
		}
	}
	secret_clean(raw, sizeof raw);
	return r;
}

enum prose_result prose_suci(struct prose_card *c, uint8_t *suci, size_t *n)
{
	static const struct request q = { 0x80, INS_GET_IDENTITY, 0x00, 0x01, { 0 }, 256 };
	uint8_t answer[256];
	size_t len = sizeof answer, room = *n;
	struct bytes value;
	enum prose_result r = on_usim(c, &q, answer, &len);

	*n = 0;
	if (r != PROSE_OK)
		return r;
	if (tlv_find((struct bytes){ answer, len }, 0xA1, &value) != OK)
		return PROSE_FORMAT;
	if (value.n > room)
		return PROSE_NO_SPACE;
	memcpy(suci, value.p, value.n);
	*n = value.n;
	return PROSE_OK;
}
