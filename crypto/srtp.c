#include "crypto/srtp.h"

#include <limits.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>

struct srtp_stream {
	srtp_t session;
};

struct srtp_stream *srtp_stream_new(struct bytes key, struct bytes salt, uint32_t ssrc, bool outbound)
{
	static bool ready;
	SECRET
	master = { .len = SRTP_KEY_LEN + SRTP_SALT_LEN };
	struct srtp_stream *s = calloc(1, sizeof *s);
	srtp_policy_t policy = { 0 };

	if (!ready)
		ready = srtp_init() == srtp_err_status_ok;
	if (s == NULL || !ready || key.n != SRTP_KEY_LEN || salt.n != SRTP_SALT_LEN) {
		free(s);
		return NULL;
	}
	memcpy(master.data, key.p, key.n);
	memcpy(master.data + key.n, salt.p, salt.n);
	srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
	srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
	policy.ssrc.type = ssrc_specific;
	policy.ssrc.value = ssrc;
	if (!outbound && ssrc == 0)
		policy.ssrc.type = ssrc_any_inbound;
	policy.key = master.data;
	policy.window_size = 128;
	if (srtp_create(&s->session, &policy) != srtp_err_status_ok) {
		free(s);
		return NULL;
	}
	return s;
}

void srtp_stream_free(struct srtp_stream **s)
{
	if (*s != NULL)
		(void)srtp_dealloc((*s)->session);
	free(*s);
	*s = NULL;
}

static enum status run(srtp_err_status_t (*f)(srtp_t, void *, int *), struct srtp_stream *s, uint8_t *packet, size_t *n)
{
	int len = *n <= INT_MAX ? (int)*n : -1;

	if (len < 0 || f(s->session, packet, &len) != srtp_err_status_ok)
		return ERR_CRYPTO;
	*n = (size_t)len;
	return OK;
}

enum status srtp_stream_protect(struct srtp_stream *s, uint8_t *packet, size_t *n)
{
	return run(srtp_protect, s, packet, n);
}

enum status srtp_stream_unprotect(struct srtp_stream *s, uint8_t *packet, size_t *n)
{
	return run(srtp_unprotect, s, packet, n);
}
