/* SPDX-License-Identifier: Apache-2.0 */
/* prose-ue readers, info, list, provision, group, ota, apdu. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apdu/cat.h"
#include "apdu/base/hex.h"
#include "apdu/base/limits.h"
#include "apdu/sw.h"
#include "apdu/tlv.h"
#include "apdu/base/text.h"
#include "apdu/prose.h"
#include "host/cli/cli.h"
#include "ota/packet.h"
#include "ota/sms.h"

enum { OBJECT_MAX = 16384 };

int verb_readers(struct arguments *a)
{
	char *names;
	enum prose_result r = prose_pcsc_readers(&names);

	if (r != PROSE_OK)
		return ue_complain(a, "readers", NULL, r);
	for (const char *n = names; *n != 0; n += strlen(n) + 1)
		(void)puts(n);
	free(names);
	return 0;
}

static const char *date(uint64_t t, char out[24])
{
	time_t seconds = (time_t)t;
	struct tm tm;

	if (t == UINT64_MAX || gmtime_r(&seconds, &tm) == NULL)
		return "no end";
	(void)strftime(out, 24, "%Y-%m-%d %H:%M:%SZ", &tm);
	return out;
}

int verb_info(struct arguments *a)
{
	char iccid[21] = "", from[24], to[24], kms[TEXT_JSON(PROSE_URI_MAX)];
	struct prose_state s;
	enum prose_result r = prose_iccid(a->card, iccid);

	if (r == PROSE_OK)
		r = prose_state_read(a->card, &s);
	if (r != PROSE_OK)
		return ue_complain(a, "info", NULL, r);
	if (a->json)
		(void)printf(
		        "{\"iccid\": \"%s\", \"kms\": %s, \"floor\": %llu, \"latest\": %llu, \"slot_budget\": %lu, \"interface\": \"%u.%u\"}\n",
		        iccid, text_json(s.kms_uri, kms, sizeof kms), (unsigned long long)s.floor, (unsigned long long)s.latest,
		        (unsigned long)s.slot_budget, s.interface_major, s.interface_minor);
	else
		(void)printf("ICCID        %s\nKMS          %s\ntime floor   %s\ntime latest  %s\nslot budget  %lu\n", iccid,
		        s.kms_uri[0] != 0 ? s.kms_uri : "(not provisioned)", date(s.floor, from), date(s.latest, to),
		        (unsigned long)s.slot_budget);
	return 0;
}

static void print_entry(void *context, const struct prose_entry *e)
{
	const enum prose_list_kind *kind = context;
	char from[24], to[24];

	switch (*kind) {
	case PROSE_KEY_SETS: (void)printf("key set    %s, period %llu\n", e->uri, (unsigned long long)e->period_number); break;
	case PROSE_GROUPS:
		(void)printf("group      %s, keys from %s%s%s%s\n", e->uri, e->signer_uri,
		        (e->policy & 1) != 0 ? ", signed offers" : "", (e->policy & 2) != 0 ? ", key stays in the card" : "",
		        (e->policy & 0x80) != 0 ? ", listens to older keys" : "");
		break;
	case PROSE_PERMISSIONS:
		(void)printf("permission %s, %s%s%suntil %s\n", e->plmn, (e->rights & 1) != 0 ? "announce, " : "",
		        (e->rights & 2) != 0 ? "monitor, " : "", (e->rights & 4) != 0 ? "communicate, " : "",
		        date(e->not_after, to));
		break;
	case PROSE_CLAIMS:
		(void)printf("claim %-5llu %s%s, %s\n", (unsigned long long)e->number,
		        e->place == PROSE_CLAIM_NAMED  ? "in PLMN "
		        : e->place == PROSE_CLAIM_LAST ? "out of coverage, last registered in PLMN "
		                                       : "out of coverage, never registered",
		        e->plmn, date(e->time, from));
		break;
	case PROSE_GMKS:
		(void)printf("GMK        %08lx, %s to %s\n", (unsigned long)e->gmk_id, date(e->not_before, from),
		        date(e->not_after, to));
		break;
	default:
		(void)printf("discovery  %s, %s, %s%s, slots of %u s, until %s\n", e->name,
		        e->profile == 1 ? "tr-2.1" : "33.303", (e->rights & 1) != 0 ? "announce " : "",
		        (e->rights & 2) != 0 ? "monitor" : "", e->slot_seconds, date(e->not_after, to));
		break;
	}
}

int verb_list(struct arguments *a)
{
	const bool has_claims = prose_interface_at_least(a->card, 1, 1) == PROSE_OK;

	for (enum prose_list_kind k = PROSE_KEY_SETS; k <= (has_claims ? PROSE_CLAIMS : PROSE_PERMISSIONS); k++) {
		enum prose_result r = prose_list(a->card, k, print_entry, &k);

		if (r != PROSE_OK)
			return ue_complain(a, "list", NULL, r);
	}
	return 0;
}

/* A file holds one sealed object, or several back to back: each is a TLV of its own. */
void print_gmk(const struct arguments *a, const struct prose_gmk *g)
{
	char from[24], to[24], uri[TEXT_JSON(PROSE_URI_MAX)];

	if (a->json)
		(void)printf("{\"group\": %s, \"gmk_id\": \"%08lx\", \"not_before\": %llu, \"not_after\": %llu}\n",
		        text_json(g->group_uri, uri, sizeof uri), (unsigned long)g->gmk_id, (unsigned long long)g->not_before,
		        (unsigned long long)g->not_after);
	else
		(void)printf("%s: GMK %08lx, %s to %s\n", g->group_uri, (unsigned long)g->gmk_id, date(g->not_before, from),
		        date(g->not_after, to));
}

int verb_group(struct arguments *a)
{
	uint8_t message[PROSE_REQUEST_MAX];
	struct prose_gmk g;
	size_t n;
	enum prose_result r;

	if (a->word_count == 1 && (strcmp(a->words[0], "fetch") == 0 || strcmp(a->words[0], "listen") == 0))
		return group_fetch(a);
	if (a->word_count > 0 && (strcmp(a->words[0], "rekey") == 0 || strcmp(a->words[0], "invite") == 0))
		return group_manage(a);
	for (const struct group_verb *v = group_verbs; v->name != NULL && a->word_count > 0; v++)
		if (strcmp(a->words[0], v->name) == 0)
			return group_join(a, v);
	if (a->word_count != 2 || strcmp(a->words[0], "import") != 0)
		return usage_error("group",
		        "say `import FILE`, a MIKEY-SAKKE message; `fetch --bsf --from --naf`; or with a manager's card `rekey"
		        " GROUP`, `invite GROUP USER --out`");
	if (!read_file("group import", a->words[1], message, sizeof message, &n))
		return EXIT_FAILURE;
	if ((r = prose_import_gmk(a->card, now_seconds(), message, n, &g)) != PROSE_OK)
		return ue_complain(a, "group import", a->words[1], r);
	print_gmk(a, &g);
	return 0;
}

/* Short messages that the card asks for while it answers: the response packet among them. */
struct submitted {
	struct sms_assembly assembly;
	uint8_t response[OBJECT_MAX];
	size_t n;
	struct prose_terminal *terminal;
};

static uint8_t on_submit(void *context, struct prose_proactive *p)
{
	struct submitted *s = context;
	struct bytes in = { p->command, p->length }, tpdu, whole;
	struct sms_part part;
	struct tlv outer;
	struct buf b;

	uint8_t result;

	if (p->type == CAT_REFRESH)
		return RESULT_OK; /* nothing of the card is cached here */
	if (prose_terminal_command(s->terminal, p, &result))
		return result;
	if (p->type != CAT_SEND_SHORT_MESSAGE)
		return RESULT_BEYOND_CAPABILITIES;
	if (tlv_next(&in, &outer) != OK || tlv_find(outer.value, CAT_TAG_TPDU, &tpdu) != OK ||
	        sms_submit_parse(tpdu, &part) != OK || sms_assemble(&s->assembly, &part, &whole) != OK)
		return RESULT_OK;
	b = BUF_OF(s->response);
	ota_response_put(&b, whole);
	s->n = b.failed ? 0 : b.len;
	return RESULT_OK;
}

/* Every line of the file is a short message; the answer comes with the last one, or as SMS-SUBMIT. */
static enum prose_result deliver_lines(struct prose_card *card, char *text, uint8_t *por, size_t *n)
{
	const size_t room = *n;
	enum prose_result r = PROSE_FORMAT;
	char *rest = text;

	for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
		uint8_t tpdu[400];
		struct buf b = BUF_OF(tpdu);

		if (line[0] == 0)
			continue;
		if (hex_decode(bytes_str(line), &b) != OK)
			return PROSE_FORMAT;
		*n = room;
		if ((r = prose_ota_deliver(card, tpdu, b.len, por, n)) != PROSE_OK)
			return r;
	}
	return r;
}

int verb_ota(struct arguments *a)
{
	static struct submitted submitted;
	static uint8_t text[OBJECT_MAX], por[OBJECT_MAX];
	static char hex[2 * OBJECT_MAX + 1];
	size_t n, por_len = sizeof por;
	enum prose_result r;
	FILE *out = stdout;

	if (a->word_count != 2 || strcmp(a->words[0], "deliver") != 0)
		return usage_error("ota", "say `ota deliver FILE`, SMS-DELIVER TPDUs in hex, one a line");
	if (!read_file("ota deliver", a->words[1], text, sizeof text - 1, &n))
		return EXIT_FAILURE;
	text[n] = 0;
	if ((submitted.terminal = prose_terminal_new()) == NULL)
		return ue_complain(a, "ota deliver", NULL, PROSE_NO_SPACE);
	/* A card says that it wants something only to a terminal that it knows. */
	r = prose_cat(a->card, terminal_profile, sizeof terminal_profile, on_submit, &submitted);
	if (r == PROSE_OK)
		r = deliver_lines(a->card, (char *)text, por, &por_len);
	if (r == PROSE_OK && (prose_card_status(a->card) & 0xFF00) == SW_FETCH)
		r = prose_cat(a->card, NULL, 0, on_submit, &submitted);
	if (r == PROSE_OK) /* the card may have been told to call its server */
		r = prose_terminal_run(a->card, submitted.terminal, on_submit, &submitted, (unsigned)a->seconds);
	prose_terminal_free(&submitted.terminal);
	if (r != PROSE_OK)
		return ue_complain(a, "ota deliver", a->words[1], r);
	if (a->out != NULL && (out = fopen(a->out, "we")) == NULL)
		return usage_error("ota deliver", "--out cannot be written");
	(void)fprintf(out, "%s\n",
	        hex_encode(submitted.n > 0 ? (struct bytes){ submitted.response, submitted.n } : (struct bytes){ por, por_len },
	                hex));
	if (out != stdout)
		(void)fclose(out);
	return 0;
}

int verb_apdu(struct arguments *a)
{
	static uint8_t command[65600], response[65600];
	static char hex[2 * sizeof response + 1];

	if (a->word_count == 0)
		return usage_error("apdu", "needs command APDUs in hex");
	for (size_t i = 0; i < a->word_count; i++) {
		struct buf b = BUF_OF(command);
		size_t n = sizeof response;
		enum prose_result r;

		if (hex_decode(bytes_str(a->words[i]), &b) != OK)
			return ue_complain(a, "apdu", a->words[i], PROSE_FORMAT);
		if ((r = prose_apdu(a->card, command, b.len, response, &n)) != PROSE_OK)
			return ue_complain(a, "apdu", a->words[i], r);
		(void)puts(hex_encode((struct bytes){ response, n }, hex));
	}
	return 0;
}
