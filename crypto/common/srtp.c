/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/common/srtp.h"

#include <limits.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>

enum { RTP_HEADER = 12 };

struct srtp_stream {
	srtp_t session;
	bool mki;
};

static bool open_stream(struct srtp_stream *s, const struct srtp_options *o)
{
	static bool ready;
	SECRET master = { 0 };
	uint8_t mki[SRTP_MKI_MAX];
	srtp_master_key_t key = { 0 }, *keys = &key;
	srtp_policy_t policy = { .window_size = 128 };
	const size_t salt_len = o->profile == SRTP_AES_GCM ? SRTP_GCM_SALT_LEN : SRTP_SALT_LEN;

	if (!ready)
		ready = srtp_init() == srtp_err_status_ok;
	if (!ready || o->key.n != SRTP_KEY_LEN || o->salt.n != salt_len || o->mki.n > sizeof mki)
		return false;
	memcpy(master.data, o->key.p, o->key.n);
	memcpy(master.data + o->key.n, o->salt.p, o->salt.n);
	if (o->mki.n > 0)
		memcpy(mki, o->mki.p, o->mki.n);
	s->mki = o->mki.n > 0;
	key.key = master.data;
	key.mki_id = mki;
	key.mki_size = (unsigned)o->mki.n;
	if (o->profile == SRTP_AES_GCM) {
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
		srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
	} else {
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
		srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
	}
	policy.ssrc.type = o->ssrc != 0 ? ssrc_specific : o->outbound ? ssrc_any_outbound : ssrc_any_inbound;
	policy.ssrc.value = o->ssrc;
	if (s->mki) {
		policy.keys = &keys;
		policy.num_master_keys = 1;
	} else {
		policy.key = master.data;
	}
	return srtp_create(&s->session, &policy) == srtp_err_status_ok;
}

struct srtp_stream *srtp_stream_new(const struct srtp_options *o)
{
	struct srtp_stream *s = calloc(1, sizeof *s);

	if (s == NULL || open_stream(s, o))
		return s;
	free(s);
	return NULL;
}

void srtp_stream_free(struct srtp_stream **s)
{
	if (*s != NULL)
		(void)srtp_dealloc((*s)->session);
	free(*s);
	*s = NULL;
}

enum status srtp_stream_protect(struct srtp_stream *s, uint8_t *packet, size_t *n)
{
	int len = *n <= INT_MAX - SRTP_OVERHEAD ? (int)*n : 0;

	if (len < RTP_HEADER || srtp_protect_mki(s->session, packet, &len, s->mki, 0) != srtp_err_status_ok)
		return ERR_CRYPTO;
	*n = (size_t)len;
	return OK;
}

enum status srtp_stream_unprotect(struct srtp_stream *s, uint8_t *packet, size_t *n)
{
	int len = *n <= INT_MAX ? (int)*n : 0;

	if (len < RTP_HEADER || srtp_unprotect_mki(s->session, packet, &len, s->mki) != srtp_err_status_ok)
		return ERR_CRYPTO;
	*n = (size_t)len;
	return OK;
}
