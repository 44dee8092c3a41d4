/* SPDX-License-Identifier: Apache-2.0 */
/* Sequence numbers of TS 33.102 annex C: SQN = SEQ (43 bits) || IND (5 bits), one SEQ_MS for each IND. */
#include "apdu/base/secret.h"
#include "card/applets/usim/usim.h"

enum { IND_BITS = 5, IND_MASK = SEQ_SLOTS - 1 };

static const struct bytes sqn_name = { (const uint8_t *)"sqn", 3 };

enum status usim_sqn_init(struct applet *a)
{
	static const uint8_t none[SQN_RECORD_LEN];

	return applet_put(a, sqn_name, BYTES_OF(none));
}

enum status usim_sqn_accept(
        struct applet *a, const struct usim_limits *l, const uint8_t sqn[static SQN_LEN], uint8_t sqn_ms[static SQN_LEN])
{
	SECRET_LARGE record = { 0 };
	uint64_t value = bytes_uint((struct bytes){ sqn, SQN_LEN }), own, highest = 0;
	int64_t seq = (int64_t)(value >> IND_BITS), seq_max = 0;
	unsigned ind = (unsigned)value & IND_MASK, highest_ind = 0;

	TRY(applet_get(a, sqn_name, &record));
	if (record.len != SQN_RECORD_LEN)
		return ERR_MALFORMED;
	for (unsigned i = 0; i < SEQ_SLOTS; i++) {
		uint64_t v = bytes_uint((struct bytes){ record.data + (size_t)i * SQN_LEN, SQN_LEN });

		if (v > highest) {
			highest = v;
			highest_ind = i;
		}
	}
	seq_max = (int64_t)highest;
	own = bytes_uint((struct bytes){ record.data + (size_t)ind * SQN_LEN, SQN_LEN });
	/* Differences are signed: an older SEQ of another slot is welcome as long as its own slot has not seen it (C.2.1). */
	if (seq <= (int64_t)own || seq - seq_max > (int64_t)l->delta ||
	        (l->age_limit != 0 && seq_max - seq >= (int64_t)l->age_limit)) {
		bytes_from_uint(highest << IND_BITS | highest_ind, sqn_ms, SQN_LEN);
		return ERR_DENIED;
	}
	bytes_from_uint((uint64_t)seq, record.data + (size_t)ind * SQN_LEN, SQN_LEN);
	return applet_put(a, sqn_name, secret_large_bytes(&record));
}
