/* Remote file management (TS 102 226 clause 7): secured packets by SMS-PP, a TAR table, scripts on their own channel.
 * Before the MAC is right every failure gives one answer, RSC 06 unsecured. The counter is durable before the first command. */
#include <string.h>

#include "apdu/birth.h"
#include "apdu/tlv.h"
#include "card/applets/applets.h"
#include "card/os/card.h"
#include "card/os/commands.h"
#include "ota/packet.h"
#include "ota/script.h"
#include "ota/sms.h"

enum { SCRIPT_RESPONSE_MAX = 256, POR_DATA_MAX = 100 };

static const struct rfm_target {
	const char *tar;
	const char *aid; /* of the ADF the script starts in; NULL: MF */
	size_t aid_len;
	uint16_t df; /* below it; 0: none */
	bool all_or_nothing;
} targets[] = {
	{ TAR_RFM_UICC, NULL, 0, 0, false },
	{ TAR_RFM_USIM, AID_USIM, 16, 0, false },
	{ TAR_RFM_PROSE, AID_USIM, 16, FID_DF_PROSE, true },
};

/* INS a script may use (clause 7.1). */
static const uint8_t allowed[] = { INS_SELECT, INS_READ_BINARY, INS_READ_RECORD, INS_UPDATE_BINARY, INS_UPDATE_RECORD,
	INS_SEARCH_RECORD, INS_INCREASE, INS_RETRIEVE_DATA, INS_SET_DATA, INS_ACTIVATE_FILE, INS_DEACTIVATE_FILE,
	INS_CREATE_FILE, INS_DELETE_FILE, INS_RESIZE_FILE, INS_TERMINATE_EF, INS_TERMINATE_DF };

/* Record "ota": KVN || KIc || KID. Record "ota/c": the counter, 5 octets, written by put_now. */
static const struct bytes keys_name = { (const uint8_t *)"ota", 3 };
static const struct bytes counter_name = { (const uint8_t *)"ota/c", 5 };

static enum status rfm_install(struct applet *a, struct bytes parameters)
{
	SECRET
	record = { 0 };
	struct buf b = { record.data, 0, sizeof record.data, false };
	static const uint8_t zero[5];
	struct bytes kvn, kic, kid;

	TRY(tlv_find(parameters, BIRTH_OTA_KVN, &kvn));
	TRY(tlv_find(parameters, BIRTH_OTA_KIC, &kic));
	TRY(tlv_find(parameters, BIRTH_OTA_KID, &kid));
	if (kvn.n != 1 || kvn.p[0] < 1 || kvn.p[0] > 15 || kic.n != 16 || kid.n != 16)
		return ERR_MALFORMED;
	buf_put(&b, kvn);
	buf_put(&b, kic);
	buf_put(&b, kid);
	TRY(buf_status(&b));
	TRY(applet_put(a, keys_name, buf_bytes(&b)));
	return applet_put(a, counter_name, BYTES_OF(zero));
}

static const struct rfm_target *find_target(const uint8_t tar[OTA_TAR_LEN])
{
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
		if (memcmp(targets[i].tar, tar, OTA_TAR_LEN) == 0)
			return &targets[i];
	return NULL;
}

static bool enter_target(struct card *card, const struct rfm_target *t, struct channel *ch)
{
	uint8_t df = FILE_MF;

	channel_init(ch, CHANNEL_SCRIPT, true);
	ch->adm = true;
	if (t->aid != NULL)
		df = file_by_aid(&card->fs, (struct bytes){ (const uint8_t *)t->aid, t->aid_len }, FILE_NONE);
	if (df != FILE_NONE && t->df != 0)
		df = file_child(&card->fs, df, t->df);
	if (df == FILE_NONE)
		return false;
	channel_enter(ch, df);
	if (file_adf_of(&card->fs, df) != FILE_MF)
		ch->adf = file_adf_of(&card->fs, df);
	return true;
}

static enum sw run_command(struct card *card, struct channel *ch, const struct command_apdu *a, struct buf *rsp)
{
	if (memchr(allowed, a->ins, sizeof allowed) == NULL)
		return SW_INS_NOT_SUPPORTED;
	return card_dispatch(card, ch, a, rsp);
}

/* What a script changed, for the REFRESH that follows it. */
struct changes {
	uint8_t file[8];
	size_t n;
	bool structure; /* files came, went or changed size: the list would not say enough */
};

static void note_change(struct changes *all, uint8_t ins, uint8_t ef)
{
	static const uint8_t content[] = { INS_UPDATE_BINARY, INS_UPDATE_RECORD, INS_INCREASE, INS_SET_DATA };
	static const uint8_t structure[] = { INS_CREATE_FILE, INS_DELETE_FILE, INS_RESIZE_FILE, INS_TERMINATE_EF,
		INS_TERMINATE_DF, INS_ACTIVATE_FILE, INS_DEACTIVATE_FILE };

	if (memchr(structure, ins, sizeof structure) != NULL)
		all->structure = true;
	if (memchr(content, ins, sizeof content) == NULL || memchr(all->file, ef, all->n) != NULL)
		return;
	if (all->n == sizeof all->file)
		all->structure = true;
	else
		all->file[all->n++] = ef;
}

static enum status refresh_after(struct card *card, const struct changes *all)
{
	if (all->structure)
		return cat_refresh(card, REFRESH_INIT_AND_FULL_FILE_CHANGE, (struct bytes){ 0 });
	return all->n > 0 ? cat_refresh(card, REFRESH_FILE_CHANGE, (struct bytes){ all->file, all->n }) : OK;
}

/* Run a script. On an error it stops; what ran stays, unless the TAR says all or nothing. */
static void run_script(
        struct card *card, const struct rfm_target *t, struct bytes script, struct script_result *result, struct buf *data)
{
	struct store_mark start = store_savepoint(&card->store);
	struct channel *ch = &card->channel[CHANNEL_SCRIPT];
	struct changes changes = { 0 };
	struct command_apdu a;

	*result = (struct script_result){ .sw = SW_OK };
	if (!enter_target(card, t, ch))
		result->sw = SW_FILE_NOT_FOUND;
	while (result->sw == SW_OK && script.n > 0) {
		struct store_mark before = store_savepoint(&card->store);
		enum sw sw;

		data->len = 0;
		data->failed = false;
		sw = script_next(&script, &a) == OK ? run_command(card, ch, &a, data) : SW_WRONG_LENGTH;
		if (!sw_commits(sw))
			store_rollback_to(&card->store, before);
		else
			note_change(&changes, a.ins, ch->ef);
		if (a.ins == INS_SELECT)
			data->len = 0; /* its FCP would need an explicit GET RESPONSE */
		result->executed++;
		result->sw = (uint16_t)sw;
	}
	if (result->sw != SW_OK && t->all_or_nothing) {
		store_rollback_to(&card->store, start);
		if (file_system_load(&card->fs, &card->store) != OK)
			result->sw = SW_TECHNICAL_PROBLEM;
		result->executed = 0;
		data->len = 0;
		changes = (struct changes){ 0 };
	}
	if (refresh_after(card, &changes) != OK)
		cat_reset(&card->cat); /* a terminal that leaves the queue full will read afresh after its reset */
	channel_init(ch, CHANNEL_SCRIPT, false);
	result->data = (struct bytes){ data->p, data->len < POR_DATA_MAX ? data->len : POR_DATA_MAX };
}

/* Counter rule of 5.1.4 on the stored value; RSC_OK after the new value is durable. */
static enum status accept_counter(struct applet *a, const struct ota_command *c, enum ota_rsc *rsc)
{
	SECRET_LARGE
	stored = { 0 };
	uint8_t raw[5];
	struct buf b = BUF_OF(raw);
	uint64_t last;

	TRY(applet_get(a, counter_name, &stored));
	last = bytes_uint(secret_large_bytes(&stored));
	if (last == OTA_COUNTER_BLOCKED)
		*rsc = RSC_COUNTER_BLOCKED;
	else if (c->counter <= last)
		*rsc = RSC_COUNTER_LOW;
	else if ((c->spi1 & SPI1_COUNTER_STRICT) == SPI1_COUNTER_STRICT && c->counter != last + 1)
		*rsc = RSC_COUNTER_HIGH;
	else
		*rsc = RSC_OK;
	if (*rsc != RSC_OK)
		return OK;
	buf_put_uint(&b, 5, c->counter);
	return applet_put_now(a, counter_name, buf_bytes(&b));
}

static bool por_wanted(uint8_t spi2, enum ota_rsc rsc, uint16_t sw)
{
	switch (spi2 & 3) {
	case SPI2_POR_ALWAYS: return true;
	case SPI2_POR_ON_ERROR: return rsc != RSC_OK || sw != SW_OK;
	default: return false;
	}
}

static enum sw refuse_unauthenticated(const struct ota_command *c, struct buf *rsp)
{
	struct ota_response r = { .rsc = RSC_SECURITY_ERROR };

	memcpy(r.tar, c->tar, sizeof r.tar);
	if (!por_wanted(c->spi2, r.rsc, 0))
		return SW_OK;
	return sw_of(ota_response_build(NULL, 0, &r, rsp));
}

static enum sw rfm_envelope(struct applet *a, struct bytes tpdu, struct buf *rsp)
{
	SECRET_LARGE
	record = { 0 };
	SECRET_LARGE
	plain = { 0 };
	uint8_t raw[SCRIPT_RESPONSE_MAX], answer_raw[SCRIPT_RESPONSE_MAX];
	struct buf data = BUF_OF(raw), answer = BUF_OF(answer_raw);
	struct script_result result = { .sw = SW_OK };
	struct ota_response r = { 0 };
	const struct rfm_target *target;
	struct ota_keys keys;
	struct ota_command c;
	struct bytes packet;
	enum ota_rsc rsc;
	enum status st;

	if (sms_deliver_parse(tpdu, &packet) != OK || ota_command_peek(packet, &c) != OK)
		return SW_WRONG_DATA;
	if ((st = applet_get(a, keys_name, &record)) != OK)
		return sw_of(st);
	keys = (struct ota_keys){ .kvn = record.data[0], .kic = { record.data + 1, 16 }, .kid = { record.data + 17, 16 } };
	if (ota_command_open(&keys, packet, &plain, &c) != OK)
		return refuse_unauthenticated(&c, rsp);
	if ((st = accept_counter(a, &c, &rsc)) != OK)
		return sw_of(st);
	target = find_target(c.tar);
	if (rsc == RSC_OK && target == NULL)
		rsc = RSC_TAR_UNKNOWN;
	if (rsc == RSC_OK) {
		run_script(a->card, target, c.data, &result, &data);
		script_result_put(&answer, &result);
	}
	memcpy(r.tar, c.tar, sizeof r.tar);
	r.counter = c.counter;
	r.rsc = (uint8_t)rsc;
	r.data = buf_bytes(&answer);
	if (!por_wanted(c.spi2, rsc, result.sw))
		return SW_OK;
	return sw_of(ota_response_build(&keys, c.spi2, &r, rsp));
}

const struct applet_class rfm_class = {
	.name = "RFM",
	.install = rfm_install,
	.envelope = rfm_envelope,
};
