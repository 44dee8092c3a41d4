/* SPDX-License-Identifier: Apache-2.0 */
/* SCP81 and cell broadcast. The first octet says what the rest is: an HTTP answer for the card (also cut short: a beginning
 * never means something else), a trigger (what was taken can be put again), cell broadcast pages, or what a terminal says to a
 * session that has been called for. */
#include "card/applets/remote/agent.h"
#include "ota/cell_broadcast.h"
#include "ota/http_admin.h"
#include "tests/fuzz/born.h"

static void http(const uint8_t *data, size_t n)
{
	static uint8_t memory[2048], part[2048];
	struct admin_answer whole, cut;
	enum status st;

	if (n > sizeof memory)
		return;
	memcpy(memory, data, n);
	st = admin_answer_take(memory, n, &whole);
	if (st == OK && whole.script.n > 0 && (whole.script.p < memory || whole.script.p + whole.script.n > memory + n))
		abort();
	for (size_t at = 0; at < n; at += 1 + n / 16) {
		memcpy(part, data, at);
		if (admin_answer_take(part, at, &cut) == OK &&
		        (st != OK || cut.status != whole.status || cut.script.n != whole.script.n))
			abort();
	}
}

static void trigger(struct bytes in)
{
	struct admin_trigger t, again;
	uint8_t raw[1024];
	struct buf b = BUF_OF(raw);

	if (admin_trigger_parse(in, &t) != OK)
		return;
	admin_trigger_put(&b, &t);
	if (b.failed) /* longer than we would write */
		return;
	if (admin_trigger_parse(buf_bytes(&b), &again) != OK || !bytes_equal(t.uri, again.uri) ||
	        !bytes_equal(t.host, again.host) || !bytes_equal(t.identity, again.identity) || t.kvn != again.kvn ||
	        (t.retries > 0 && t.delay != again.delay))
		abort();
}

static void pages(struct bytes in)
{
	static struct sms_assembly assembly;
	struct bytes page, packet;
	struct sms_part part;

	while (bytes_take(&in, CB_PAGE_LEN, &page))
		if (cb_page_parse(page, &part) == OK && sms_assemble(&assembly, &part, &packet) == OK &&
		        cb_packet_end(&packet) == OK && packet.n > CB_PAGES_MAX * CB_CONTENT_LEN)
			abort();
}

/* Events: kind, type, result, channel, number, length, TLVs. */
static void session(struct bytes in)
{
	static const uint8_t address[4] = { 127, 0, 0, 1 };
	struct agent_session *s = NULL;
	uint8_t connection_raw[40], raw[400];
	struct buf connection = BUF_OF(connection_raw), b = BUF_OF(raw);
	struct admin_trigger t = {
		.identity = BYTES_STR("x"), .kvn = 0x40, .retries = 3, .delay = 5, .host = BYTES_STR("h"), .uri = BYTES_STR("/")
	};
	struct bytes head, tlvs;

	power_on_newborn();
	cat_tcp_client_put(&connection, 1500, address, 443);
	t.connection = buf_bytes(&connection);
	admin_trigger_put(&b, &t);
	card.terminal_profile = true;
	if (agent_call(&card.applet[APPLET_RFM], &s, &card.applet[BUILT_IN_INSTANCES - 1], buf_bytes(&b)) != SW_OK)
		abort();
	while (bytes_take(&in, 5, &head) && bytes_take_field(&in, &tlvs)) {
		const struct cat_event e = { .kind = (enum cat_event_kind)(head.p[0] % 4),
			.type = head.p[1],
			.result = head.p[2],
			.channel = head.p[3] & 7,
			.number = head.p[4],
			.tlvs = tlvs };

		if (e.channel != 0)
			card.cat.channel_owner[e.channel] = APPLET_RFM + 1;
		agent_event(&card.applet[APPLET_RFM], &s, &e);
		if (card.cat.len > CAT_QUEUE_MAX / 2)
			cat_reset(&card.cat);
	}
	agent_end(&s);
	store_abort(&card.store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	if (n < 1)
		return 0;
	switch (data[0] % 4) {
	case 0: http(data + 1, n - 1); break;
	case 1: trigger((struct bytes){ data + 1, n - 1 }); break;
	case 2: pages((struct bytes){ data + 1, n - 1 }); break;
	default: session((struct bytes){ data + 1, n - 1 }); break;
	}
	return 0;
}
