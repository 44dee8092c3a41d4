/* SPDX-License-Identifier: Apache-2.0 */
/* Files by path. They are read on our channel from the MF or the USIM; the ProSe applet is selected again afterwards. */
#include <string.h>

#include "apdu/base/hex.h"
#include "apdu/aids.h"
#include "apdu/files.h"
#include "apdu/tlv.h"
#include "host/lib/session.h"

enum { BLOCK = 255 };

static enum prose_result select_path(struct prose_card *c, const uint16_t *path, size_t n, struct prose_file_info *ef)
{
	struct request q = { 0x00, INS_SELECT, 0x04, 0x0C, BYTES_STR(AID_USIM), 0 };
	uint8_t raw[16];
	struct buf b = BUF_OF(raw);
	struct bytes fcp, descriptor, size;
	enum prose_result r = PROSE_OK;

	if (n == 0 || n > 8)
		return PROSE_FORMAT;
	if (path[0] == FID_CURRENT_ADF && (r = session_exchange(c, &q)) != PROSE_OK)
		return r;
	for (size_t i = 0; i < n; i++)
		buf_put_uint(&b, 2, path[i]);
	q = (struct request){ 0x00, INS_SELECT, 0x08, 0x04, buf_bytes(&b), 256 };
	if ((r = session_exchange(c, &q)) != PROSE_OK)
		return r;
	if (tlv_find(c->answer, 0x62, &fcp) != OK || tlv_find(fcp, 0x82, &descriptor) != OK || descriptor.n < 2)
		return PROSE_FORMAT;
	*ef = (struct prose_file_info){ .directory = (descriptor.p[0] & FDB_STRUCTURE) == FDB_DF,
		.ber_tlv = (descriptor.p[0] & FDB_STRUCTURE) == FDB_BER_TLV,
		.cyclic = (descriptor.p[0] & FDB_STRUCTURE) == FDB_CYCLIC };
	if (tlv_find(fcp, 0x80, &size) == OK)
		ef->size = (unsigned)bytes_uint(size);
	if (tlv_find(fcp, 0x88, &size) == OK && size.n == 1)
		ef->sfi = size.p[0] >> 3;
	if (tlv_find(fcp, 0x8A, &size) == OK && size.n == 1)
		ef->life = size.p[0];
	if (descriptor.n == 5) {
		ef->records = true;
		ef->record_len = (unsigned)(descriptor.p[2] << 8 | descriptor.p[3]);
		ef->record_count = descriptor.p[4];
	}
	return PROSE_OK;
}

static enum prose_result read_one(struct prose_card *c, const struct request *q, struct buf *out)
{
	enum prose_result r = session_exchange(c, q);

	if (r == PROSE_OK)
		buf_put(out, c->answer);
	return out->failed ? PROSE_NO_SPACE : r;
}

static enum prose_result read_ef(struct prose_card *c, const struct prose_file_info *ef, struct buf *out)
{
	enum prose_result r = PROSE_OK;

	for (unsigned i = 1; r == PROSE_OK && i <= ef->record_count; i++)
		r = read_one(c, &(struct request){ 0x00, INS_READ_RECORD, (uint8_t)i, 0x04, { 0 }, ef->record_len }, out);
	for (size_t at = 0; r == PROSE_OK && !ef->records && at < ef->size; at += BLOCK) {
		size_t n = ef->size - at < BLOCK ? ef->size - at : BLOCK;

		r = read_one(c, &(struct request){ 0x00, INS_READ_BINARY, (uint8_t)(at >> 8), (uint8_t)at, { 0 }, n }, out);
	}
	return r;
}

enum prose_result prose_file_info(struct prose_card *c, const uint16_t *path, size_t path_len, struct prose_file_info *out)
{
	enum prose_result r = PROSE_OK;

	for (unsigned round = 0; session_round(c, PLACE_MF, &round, &r);) {
		r = select_path(c, path, path_len, out);
		session_back_to_applet(c);
	}
	return r;
}

enum prose_result prose_file_read(struct prose_card *c, const uint16_t *path, size_t path_len, uint8_t *out, size_t *n)
{
	struct buf b = { out, 0, *n, false };
	struct prose_file_info ef;
	enum prose_result r = PROSE_OK;

	for (unsigned round = 0; session_round(c, PLACE_MF, &round, &r);) {
		b.len = 0;
		if ((r = select_path(c, path, path_len, &ef)) == PROSE_OK)
			r = read_ef(c, &ef, &b);
		if (r == PROSE_REFUSED && c->sw == SW_SECURITY_NOT_SATISFIED && (r = session_verify_pin(c)) == PROSE_OK &&
		        (r = select_path(c, path, path_len, &ef)) == PROSE_OK) {
			b.len = 0;
			r = read_ef(c, &ef, &b);
		}
		session_back_to_applet(c);
	}
	*n = r == PROSE_OK ? b.len : 0;
	return r;
}

enum prose_result prose_file_update(
        struct prose_card *c, const uint16_t *path, size_t path_len, unsigned record, const uint8_t *data, size_t n)
{
	const struct request q = { 0x00, record > 0 ? INS_UPDATE_RECORD : INS_UPDATE_BINARY, (uint8_t)record,
		record > 0 ? 0x04 : 0x00, { data, n }, 0 };
	struct prose_file_info ef;
	enum prose_result r = PROSE_OK;

	for (unsigned round = 0; session_round(c, PLACE_MF, &round, &r);) {
		if ((r = select_path(c, path, path_len, &ef)) == PROSE_OK)
			r = session_exchange(c, &q);
		if (r == PROSE_REFUSED && c->sw == SW_SECURITY_NOT_SATISFIED && (r = session_verify_pin(c)) == PROSE_OK &&
		        (r = select_path(c, path, path_len, &ef)) == PROSE_OK)
			r = session_exchange(c, &q);
		session_back_to_applet(c);
	}
	return r;
}

enum prose_result prose_iccid(struct prose_card *c, char digits[21])
{
	static const uint16_t path[] = { FID_ICCID };
	uint8_t content[ICCID_LEN];
	size_t n = sizeof content;
	enum prose_result r = prose_file_read(c, path, 1, content, &n);

	if (r != PROSE_OK)
		return r;
	return n == ICCID_LEN && bcd_decode(BYTES_OF(content), digits) == OK ? PROSE_OK : PROSE_FORMAT;
}
