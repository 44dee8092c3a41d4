/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/support.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apdu/birth.h"
#include "apdu/prose.h"
#include "apdu/tlv.h"
#include "card/io/birth/birth.h"
#include "card/os/pin.h"
#include "ota/packet.h"
#include "ota/sms.h"

/* Test memory lives until the process ends; the chain keeps it reachable for leak checkers. */
struct block {
	struct block *next;
	max_align_t memory[];
};
static struct block *all;

static uint8_t *keep(size_t n)
{
	struct block *k = malloc(sizeof *k + n);

	ck_assert_ptr_nonnull(k);
	k->next = all;
	all = k;
	return (uint8_t *)k->memory;
}

struct bytes hex(const char *text)
{
	size_t room = strlen(text) / 2 + 1;
	struct buf b = { keep(room), 0, room, false };

	ck_assert_int_eq(hex_decode(bytes_str(text), &b), OK);
	return buf_bytes(&b);
}

struct bytes vector(const char *section, const char *name)
{
	return vector_in("tests/vectors/mikey-sakke.txt", section, name);
}

struct bytes vector_in(const char *file, const char *section, const char *name)
{
	static char line[8192];
	char head[32], key[96];
	bool inside = false;
	struct bytes found = { 0 };
	FILE *f = fopen(file, "r");

	ck_assert_ptr_nonnull(f);
	(void)snprintf(head, sizeof head, "[%s]\n", section);
	(void)snprintf(key, sizeof key, "%s = ", name);
	while (found.p == NULL && fgets(line, sizeof line, f) != NULL) {
		if (line[0] == '[')
			inside = strcmp(line, head) == 0;
		else if (inside && strncmp(line, key, strlen(key)) == 0)
			found = hex(line + strlen(key));
	}
	(void)fclose(f);
	ck_assert_msg(found.p != NULL, "no vector [%s] %s", section, name);
	return found;
}

struct bytes exact_copy(struct bytes b)
{
	uint8_t *p = keep(b.n);

	if (b.n > 0)
		memcpy(p, b.p, b.n);
	return (struct bytes){ p, b.n };
}

void covers(const char *id)
{
	const char *path = getenv("COVERS");
	FILE *f = path != NULL ? fopen(path, "a") : NULL;

	if (f == NULL)
		return;
	(void)fprintf(f, "%s\n", id);
	(void)fclose(f);
}

static enum status fixed_fill(struct rng *rng, uint8_t *out, size_t n)
{
	struct rng_fixed *r = (struct rng_fixed *)(void *)rng;

	if (r->script.n >= n)
		return bytes_take_copy(&r->script, out, n) ? OK : ERR_BUG;
	for (size_t i = 0; i < n; i++)
		out[i] = r->counter++;
	return OK;
}

struct rng_fixed rng_fixed_of(struct bytes script)
{
	return (struct rng_fixed){ { fixed_fill }, script, 1 };
}

static size_t find(const struct store_mem *m, struct bytes name)
{
	size_t i = 0;

	while (i < m->count && !bytes_equal(name_bytes(&m->row[i].name), name))
		i++;
	return i;
}

static enum status mem_load(struct store_backend *b, struct bytes name, struct buf *out)
{
	struct store_mem *m = (struct store_mem *)(void *)b;
	size_t i = find(m, name);

	if (i == m->count)
		return ERR_NOT_FOUND;
	buf_put(out, (struct bytes){ m->row[i].value, m->row[i].n });
	return buf_status(out);
}

static int compare(struct bytes a, struct bytes b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c != 0 ? c : (int)a.n - (int)b.n;
}

static enum status mem_next(struct store_backend *b, struct bytes prefix, struct bytes after, struct record_name *out)
{
	struct store_mem *m = (struct store_mem *)(void *)b;
	const struct record_name *best = NULL;

	for (size_t i = 0; i < m->count; i++) {
		struct bytes name = name_bytes(&m->row[i].name);

		if (name.n >= prefix.n && (prefix.n == 0 || memcmp(name.p, prefix.p, prefix.n) == 0) &&
		        (after.n == 0 || compare(name, after) > 0) && (best == NULL || compare(name, name_bytes(best)) < 0))
			best = &m->row[i].name;
	}
	if (best == NULL)
		return ERR_NOT_FOUND;
	*out = *best;
	return OK;
}

/* Wiped, so that what the card frees can be told from what its store does. */
static void free_row(struct store_mem *m, size_t i)
{
	if (m->row[i].value != NULL)
		secret_clean(m->row[i].value, m->row[i].n);
	free(m->row[i].value);
}

static void apply(struct store_mem *m, const struct store_change *c)
{
	size_t i = find(m, c->name);

	if (c->erase) {
		if (i < m->count) {
			free_row(m, i);
			m->row[i] = m->row[--m->count];
		}
		return;
	}
	if (i == m->count) {
		ck_assert_uint_lt(m->count, STORE_MEM_MAX);
		m->row[i].name.n = c->name.n;
		memcpy(m->row[i].name.text, c->name.p, c->name.n);
		m->row[i].value = NULL;
		m->count++;
	}
	free_row(m, i);
	m->row[i].value = malloc(c->value.n + 1);
	ck_assert_ptr_nonnull(m->row[i].value);
	if (c->value.n > 0)
		memcpy(m->row[i].value, c->value.p, c->value.n);
	m->row[i].n = c->value.n;
}

static enum status mem_write(struct store_backend *b, const struct store_change *changes, size_t n)
{
	struct store_mem *m = (struct store_mem *)(void *)b;

	if (m->cut_after >= 0 && m->writes >= m->cut_after) {
		for (size_t i = 0; m->torn && m->writes == m->cut_after && i < n / 2; i++)
			apply(m, &changes[i]);
		m->writes++;
		return ERR_IO;
	}
	m->writes++;
	for (size_t i = 0; i < n; i++)
		apply(m, &changes[i]);
	return OK;
}

void store_mem_init(struct store_mem *m)
{
	memset(m, 0, sizeof *m);
	m->backend = (struct store_backend){ mem_load, mem_next, mem_write };
	m->cut_after = -1;
}

void store_mem_copy(struct store_mem *to, const struct store_mem *from)
{
	store_mem_init(to);
	for (size_t i = 0; i < from->count; i++)
		apply(to, &(struct store_change){
		                  name_bytes(&from->row[i].name), { from->row[i].value, from->row[i].n }, false });
}

void store_mem_free(struct store_mem *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->row[i].value);
	m->count = 0;
}

bool store_mem_equal(const struct store_mem *a, const struct store_mem *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		size_t k = find(b, name_bytes(&a->row[i].name));

		if (k == b->count || !bytes_equal((struct bytes){ a->row[i].value, a->row[i].n },
		                             (struct bytes){ b->row[k].value, b->row[k].n }))
			return false;
	}
	return true;
}

static bool contains(const struct record_name *name, const char *infix)
{
	char text[RECORD_NAME_MAX + 1] = "";

	memcpy(text, name->text, name->n);
	return strstr(text, infix) != NULL;
}

static bool all_in(const struct store_mem *a, const struct store_mem *b, const char *infix)
{
	for (size_t i = 0; i < a->count; i++) {
		size_t k = find(b, name_bytes(&a->row[i].name));

		if (!contains(&a->row[i].name, infix) &&
		        (k == b->count || !bytes_equal((struct bytes){ a->row[i].value, a->row[i].n },
		                                  (struct bytes){ b->row[k].value, b->row[k].n })))
			return false;
	}
	return true;
}

bool store_mem_equal_but(const struct store_mem *a, const struct store_mem *b, const char *infix)
{
	return all_in(a, b, infix) && all_in(b, a, infix);
}

struct card_work rig_work;

struct rig *rig_profile(const char *profile)
{
	static struct secret_large secrets;
	struct rig *r = calloc(1, sizeof *r);
	struct order o = { .who = { .iccid = "8900101000000000017", .imsi = "001010000000001", .pin1_enabled = true } };
	char reason[256] = "";
	json_t *root = json_loads(profile, 0, NULL);

	ck_assert_ptr_nonnull(r);
	ck_assert_ptr_nonnull(root);
	o.who.profile = root;
	ck_assert_int_eq(bcd_encode(o.who.iccid, o.card_id, sizeof o.card_id), OK);
	ck_assert_msg(birth_test_secrets(&o, &secrets, reason, sizeof reason) == OK, "%s", reason);
	store_mem_init(&r->store);
	r->env = (struct card_env){ .backend = &r->store.backend, .rng = &rng_system, .work = &rig_work };
	memcpy(r->env.card_id, o.card_id, sizeof o.card_id);
	r->secrets = secret_large_bytes(&secrets);
	ck_assert_msg(profile_install(&r->card, &r->env, &o.who, r->secrets, reason, sizeof reason) == OK, "%s", reason);
	json_decref(root);
	rig_reboot(r);
	return r;
}

struct rig *rig_on(struct store_backend *backend, bool born)
{
	static struct secret_large secrets;
	struct rig *r = calloc(1, sizeof *r);
	struct order o = { .who = { .iccid = "8900101000000000017", .imsi = "001010000000001", .pin1_enabled = true } };

	ck_assert_ptr_nonnull(r);
	ck_assert_int_eq(bcd_encode(o.who.iccid, o.card_id, sizeof o.card_id), OK);
	ck_assert_int_eq(birth_test_secrets(&o, &secrets, NULL, 0), OK);
	store_mem_init(&r->store);
	r->env = (struct card_env){
		.backend = backend != NULL ? backend : &r->store.backend, .rng = &rng_system, .work = &rig_work
	};
	memcpy(r->env.card_id, o.card_id, sizeof o.card_id);
	r->secrets = secret_large_bytes(&secrets);
	if (!born)
		ck_assert_int_eq(profile_install(&r->card, &r->env, &o.who, r->secrets, NULL, 0), OK);
	rig_reboot(r);
	r->store.writes = 0;
	return r;
}

struct rig *rig_new(void)
{
	return rig_on(NULL, false);
}

void rig_free(struct rig **r)
{
	card_power_off(&(*r)->card);
	store_mem_free(&(*r)->store);
	free(*r);
	*r = NULL;
}

void rig_reboot(struct rig *r)
{
	r->store.cut_after = -1;
	ck_assert_int_eq(card_power_on(&r->card, &r->env), OK);
}

static uint8_t response[APDU_RESPONSE_MAX];
static struct buf answer;

unsigned rig_send_bytes(struct rig *r, struct bytes command)
{
	uint8_t *copy = malloc(command.n + 1); /* one octet of slack only: a sanitizer sees the rest */
	struct bytes c = { copy, command.n };

	ck_assert_ptr_nonnull(copy);
	if (command.n > 0)
		memcpy(copy, command.p, command.n);

	answer = BUF_OF(response);
	card_transmit(&r->card, c, &answer);
	secret_clean(copy, command.n);
	free(copy);
	ck_assert_uint_ge(answer.len, 2);
	answer.len -= 2;
	return (unsigned)(response[answer.len] << 8 | response[answer.len + 1]);
}

unsigned rig_send(struct rig *r, const char *command)
{
	return rig_send_bytes(r, hex(command));
}

struct bytes rig_data(void)
{
	return buf_bytes(&answer);
}

unsigned rig_prose(struct rig *r, uint8_t ins, uint8_t p1, struct bytes data)
{
	static uint8_t raw[APDU_COMMAND_MAX];
	struct buf b = BUF_OF(raw);
	const struct command_apdu a = { .cla = 0x80,
		.ins = ins,
		.p1 = p1,
		.data = data,
		.has_le = ins != INS_PROSE_INSTALL && ins != INS_PROSE_CHECK,
		.ne = 65536,
		.extended = true };

	if (r->card.channel[0].applet == NULL || r->card.channel[0].applet->class->rows == NULL)
		ck_assert_uint_eq(rig_send(r, "00A4040C07F050524F534501"), 0x9000);
	if (!pin_is_held(&r->card, &r->card.channel[0], KEY_PIN1))
		ck_assert_uint_eq(rig_send(r, "002000010831323334FFFFFFFF"), 0x9000);
	apdu_put(&b, &a);
	return rig_send_bytes(r, buf_bytes(&b));
}

unsigned rig_pass(struct rig *r, uint64_t now)
{
	static const uint8_t frame[PROSE_FRAME_LEN];
	uint8_t raw[64];
	struct buf b = BUF_OF(raw);

	tlv_put_uint(&b, TAG_TIME, 8, now);
	tlv_put(&b, TAG_FRAME, BYTES_OF(frame));
	return rig_prose(r, INS_PROSE_MATCH, 0, buf_bytes(&b));
}

struct bytes rig_ota(const struct rig *r, uint64_t counter, const char *tar, const char *script)
{
	uint8_t packet_raw[512], sms_raw[256], data_raw[512];
	static uint8_t raw[600];
	struct buf packet = BUF_OF(packet_raw), sms = BUF_OF(sms_raw), data = BUF_OF(data_raw), b = BUF_OF(raw);
	struct ota_command c = { 0x16, 0x19, 0x12, 0x12, { 0 }, counter, hex(script) };
	struct ota_keys k = { .kvn = 1 };

	memcpy(c.tar, hex(tar).p, 3);
	ck_assert_int_eq(tlv_find(r->secrets, BIRTH_OTA_KIC, &k.kic), OK);
	ck_assert_int_eq(tlv_find(r->secrets, BIRTH_OTA_KID, &k.kid), OK);
	ck_assert_int_eq(ota_command_build(&k, &c, &packet), OK);
	ck_assert_int_eq(sms_deliver_put(&sms, buf_bytes(&packet)), OK);
	sms_envelope_put(&data, buf_bytes(&sms));
	apdu_put(&b, &(struct command_apdu){
	                     .cla = 0x80, .ins = INS_ENVELOPE, .data = buf_bytes(&data), .has_le = true, .ne = 256 });
	ck_assert(!b.failed);
	return buf_bytes(&b);
}

void rig_subscriber(const struct rig *r, struct aka_subscriber *s)
{
	struct bytes v;

	aka_defaults(s, AKA_MILENAGE);
	ck_assert_int_eq(tlv_find(r->secrets, BIRTH_K, &v), OK);
	memcpy(s->k, v.p, v.n);
	ck_assert_int_eq(tlv_find(r->secrets, BIRTH_OPC, &v), OK);
	memcpy(s->opc, v.p, v.n);
}

struct bytes rig_authenticate(const struct rig *r, uint64_t value)
{
	static const uint8_t amf[AMF_LEN] = { 0x80, 0 };
	static uint8_t raw[64];
	struct buf b = BUF_OF(raw);
	struct bytes rand = hex(TEST_RAND);
	uint8_t sqn[SQN_LEN], autn[AUTN_LEN];
	struct aka_subscriber s;
	struct aka_keys keys;

	rig_subscriber(r, &s);
	bytes_from_uint(value, sqn, sizeof sqn);
	ck_assert_int_eq(aka_autn(&s, rand.p, sqn, amf, &keys, autn), OK);
	buf_put(&b, hex("008800812210"));
	buf_put(&b, rand);
	buf_put_u8(&b, sizeof autn);
	buf_put(&b, BYTES_OF(autn));
	buf_put_u8(&b, 0);
	ck_assert(!b.failed);
	return buf_bytes(&b);
}
