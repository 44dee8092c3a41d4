/* SPDX-License-Identifier: Apache-2.0 */
/* Card content management (GlobalPlatform 2.3, clause 11): INSTALL, LOAD, DELETE, GET and SET STATUS, STORE DATA. Load files
 * name classes that are compiled in. A domain manages its own instances; the issuer may lock and delete others', and nothing
 * else. */
#include <string.h>

#include "apdu/aids.h"
#include "apdu/birth.h"
#include "apdu/base/hex.h"
#include "apdu/tlv.h"
#include "card/applets/domain/domain.h"
#include "card/applets/remote/rfm.h"
#include "crypto/common/aes.h"
#include "crypto/common/hash.h"
#include "crypto/guarded/sakke_ring.h"

enum { FOR_LOAD = 0x02, FOR_INSTALL = 0x04, FOR_SELECTABLE = 0x08, FOR_EXTRADITION = 0x10, FOR_PERSONALIZATION = 0x20 };
enum { P1_DOMAIN = 0x80, P1_APPLICATIONS = 0x40, P1_LOAD_FILES = 0x20, P1_MODULES = 0x10, P1_LAST = 0x80, P2_RELATED = 0x80 };
enum {
	TAG_AID = 0x4F,
	TAG_LIFE = 0x9F70,
	TAG_REGISTRY = 0xE3,
	TAG_PRIVILEGES = 0xC5,
	TAG_DOMAIN = 0xCC,
	TAG_LOAD_FILE = 0xC4,
	TAG_DAP = 0xE2,
	TAG_SIGNATURE = 0xC3,
	TAG_APPLICATION_PARAMETERS = 0xC9,
	TAG_SYSTEM_PARAMETERS = 0xEF,
	TAG_MODULE = 0x84,
	TAG_UICC_PARAMETERS = 0xEA,
	TAG_TOOLKIT_PARAMETERS = 0x80
};
enum { CMAC_LEN = 16, AID_MIN = 5, MSL_SPI1 = 0x01, LIFE_LOADED = 0x01 };

/* Load files that every card has: the field's own name for security domains, and ours. */
static const struct built_in {
	const char *elf, *module;
	size_t elf_len, module_len;
	unsigned class_number;
	const char *name; /* in a load file that is loaded */
} built_ins[] = {
	{ "\xA0\x00\x00\x01\x51\x53\x50", "\xA0\x00\x00\x01\x51\x53\x50\x41", 7, 8, APPLET_DOMAIN, "SD" },
	{ "\xF0\x50\x52\x4F\x53\x45\x80", "\xF0\x50\x52\x4F\x53\x45\x80\x01", 7, 8, APPLET_PROSE, "PROSE" },
};
enum { BUILT_INS = sizeof built_ins / sizeof *built_ins };

bool domain_is_issuer(const struct applet *a)
{
	return (a->privileges & PRIVILEGE_GLOBAL_REGISTRY) != 0;
}

struct applet *domain_of(struct card *card, const struct applet *a)
{
	return a->domain == DOMAIN_ISSUER ? applet_issuer(card) : &card->applet[a->domain];
}

struct applet *domain_ota_keys(struct card *card, struct applet *domain)
{
	if (domain != NULL && !domain_is_issuer(domain))
		return domain;
	for (size_t i = 0; i < card->applet_count; i++)
		if (card->applet[i].class == &rfm_class)
			return &card->applet[i];
	return NULL;
}

static bool own(const struct command *c, const struct applet *a)
{
	return domain_of(c->card, a) == c->applet;
}

static bool may(const struct command *c, enum applet_privilege p)
{
	return (c->applet->privileges & p) != 0;
}

static bool is_aid(struct bytes b)
{
	return b.n >= AID_MIN && b.n <= AID_MAX;
}

/* ---- load files --------------------------------------------------------------------------------------------------------- */

static struct record_name elf_name(struct bytes aid)
{
	char text[2 * AID_MAX + 1];

	return name_format("elf/%s", hex_encode(aid, text));
}

/* The class that a load file's module stands for; which domain the file belongs to. */
static bool find_class(struct card *card, struct bytes elf, struct bytes module, unsigned *class_number, uint8_t *domain)
{
	const struct record_name name = elf_name(elf);
	SECRET_LARGE record = { 0 };

	*domain = DOMAIN_ISSUER;
	for (size_t i = 0; i < BUILT_INS; i++)
		if (bytes_equal(elf, (struct bytes){ (const uint8_t *)built_ins[i].elf, built_ins[i].elf_len })) {
			*class_number = built_ins[i].class_number;
			return module.n == 0 || bytes_equal(module, (struct bytes){ (const uint8_t *)built_ins[i].module,
			                                                    built_ins[i].module_len });
		}
	if (applet_issuer(card) == NULL || applet_get(applet_issuer(card), name_bytes(&name), &record) != OK || record.len != 2)
		return false;
	*class_number = record.data[0];
	*domain = record.data[1];
	return true;
}

static bool aid_taken(struct card *card, struct bytes aid)
{
	unsigned class_number;
	uint8_t domain;

	return applet_named(card, aid) != NULL || find_class(card, aid, (struct bytes){ 0 }, &class_number, &domain);
}

static enum sw install_for_load(struct command *c, struct bytes in)
{
	struct domain_state *s = domain_state(c);
	struct bytes elf, domain, hash, parameters, token;
	struct applet *to = c->applet;

	if (!bytes_take_field(&in, &elf) || !bytes_take_field(&in, &domain) || !bytes_take_field(&in, &hash) ||
	        !bytes_take_field(&in, &parameters) || !bytes_take_field(&in, &token) || in.n != 0 || !is_aid(elf) ||
	        (hash.n != 0 && hash.n != SHA256_LEN))
		return SW_WRONG_DATA;
	if (domain.n > 0 && (to = applet_named(c->card, domain)) == NULL)
		return SW_REFERENCE_NOT_FOUND;
	if (!may(c, PRIVILEGE_AUTHORIZED_MANAGEMENT) || to->class != &domain_class || (to != c->applet && to->sovereign) ||
	        aid_taken(c->card, elf))
		return SW_CONDITIONS_NOT_SATISFIED;
	memcpy(s->elf, elf.p, elf.n);
	s->elf_len = (uint8_t)elf.n;
	s->elf_domain = to == applet_issuer(c->card) ? DOMAIN_ISSUER : applet_slot(to);
	s->hash_len = (uint8_t)hash.n;
	if (hash.n > 0)
		memcpy(s->hash, hash.p, hash.n);
	s->personalised = s->next_block = 0;
	s->len = 0;
	buf_put_u8(c->rsp, 0);
	return SW_OK;
}

/* Blocks in order, the last one marked in P1. True: *whole is complete. */
static enum sw gather(struct command *c, size_t max, struct bytes *whole, bool *complete)
{
	struct domain_state *s = domain_state(c);

	if (c->p2 != s->next_block || c->data.n > max - s->len) {
		s->elf_len = s->personalised = 0;
		secret_clean(s->data, sizeof s->data);
		s->len = 0;
		return c->p2 != s->next_block ? SW_WRONG_P1P2 : SW_NO_MEMORY;
	}
	if (c->data.n > 0)
		memcpy(s->data + s->len, c->data.p, c->data.n);
	s->len += c->data.n;
	s->next_block++;
	*complete = (c->p1 & P1_LAST) != 0;
	*whole = (struct bytes){ s->data, s->len };
	return SW_OK;
}

/* The signature of the file's domain over the hash of the load file (C.3, C.6), where it asks for one. */
static bool signature_right(
        struct command *c, const struct applet *domain, struct bytes whole, const uint8_t hash[static SHA256_LEN])
{
	SECRET_LARGE key = { 0 };
	uint8_t mac[CMAC_LEN];
	struct bytes aid, signature;
	struct tlv t;

	if ((domain->privileges & PRIVILEGE_DAP) == 0)
		return true;
	if (tlv_next(&whole, &t) != OK || t.tag != TAG_DAP || tlv_find(t.value, TAG_AID, &aid) != OK ||
	        tlv_find(t.value, TAG_SIGNATURE, &signature) != OK ||
	        !bytes_equal(aid, (struct bytes){ domain->aid, domain->aid_len }))
		return false;
	return applet_get(&c->card->applet[applet_slot(domain)], BYTES_STR("dap"), &key) == OK &&
	       aes_cmac(secret_large_bytes(&key), &(struct bytes){ hash, SHA256_LEN }, 1, mac) == OK &&
	       secret_equals(BYTES_OF(mac), signature);
}

static enum sw finish_load(struct command *c, struct bytes whole)
{
	struct domain_state *s = domain_state(c);
	struct applet *domain = s->elf_domain == DOMAIN_ISSUER ? applet_issuer(c->card) : &c->card->applet[s->elf_domain];
	const struct record_name name = elf_name((struct bytes){ s->elf, s->elf_len });
	uint8_t hash[SHA256_LEN], record[2] = { 0, s->elf_domain };
	struct bytes left = whole;
	struct tlv t = { 0 };
	size_t i = 0;

	while (left.n > 0 && t.tag != TAG_LOAD_FILE)
		if (tlv_next(&left, &t) != OK)
			return SW_WRONG_DATA;
	if (t.tag != TAG_LOAD_FILE || left.n != 0 || sha256(&t.value, 1, hash) != OK)
		return SW_WRONG_DATA;
	if (s->hash_len > 0 && !bytes_equal(BYTES_OF(hash), BYTES_OF(s->hash)))
		return SW_WRONG_DATA;
	if (!signature_right(c, domain, whole, hash))
		return SW_SECURITY_NOT_SATISFIED;
	while (i < BUILT_INS && !bytes_equal(t.value, bytes_str(built_ins[i].name)))
		i++;
	if (i == BUILT_INS)
		return SW_WRONG_DATA; /* no class of this card */
	record[0] = (uint8_t)built_ins[i].class_number;
	buf_put_u8(c->rsp, 0);
	return sw_of(applet_put(applet_issuer(c->card), name_bytes(&name), BYTES_OF(record)));
}

enum sw domain_load(struct command *c)
{
	struct domain_state *s = domain_state(c);
	struct bytes whole;
	bool complete;
	enum sw sw;

	if (s->elf_len == 0)
		return SW_CONDITIONS_NOT_SATISFIED;
	if ((sw = gather(c, LOAD_MAX, &whole, &complete)) != SW_OK || !complete)
		return sw;
	sw = finish_load(c, whole);
	s->elf_len = 0;
	return sw;
}

/* ---- instances ---------------------------------------------------------------------------------------------------------- */

struct parameters {
	struct bytes application;
	const uint8_t *tar; /* or NULL */
	uint8_t msl;
};

/* TS 102 226 8.2.1.3.2.2: priority, timers, text length, menu entries (two octets each), channels, MSL, TARs, services. */
static bool toolkit_parameters(struct bytes in, struct parameters *p)
{
	struct bytes head, menu, msl, tars;
	uint64_t entries, channels;

	if (!bytes_take(&in, 3, &head) || !bytes_take_uint(&in, 1, &entries) || !bytes_take(&in, (size_t)entries * 2, &menu) ||
	        !bytes_take_uint(&in, 1, &channels) || !bytes_take_field(&in, &msl) || !bytes_take_field(&in, &tars) ||
	        entries > 0 || channels > 0)
		return false;
	if (msl.n > 0 && (msl.n != 2 || msl.p[0] != MSL_SPI1))
		return false;
	p->msl = msl.n > 0 ? msl.p[1] : SPI1_DEFAULT;
	p->tar = tars.n > 0 ? tars.p : NULL;
	return tars.n == 0 || tars.n == TAR_LEN;
}

static enum sw parse_parameters(struct bytes in, struct parameters *p)
{
	struct bytes uicc, toolkit;
	struct tlv t;

	*p = (struct parameters){ .msl = SPI1_DEFAULT };
	while (in.n > 0) {
		if (tlv_next(&in, &t) != OK)
			return SW_WRONG_DATA;
		uicc = t.value;
		if (t.tag == TAG_APPLICATION_PARAMETERS)
			p->application = t.value;
		else if (t.tag == TAG_UICC_PARAMETERS) {
			if (tlv_find(uicc, TAG_TOOLKIT_PARAMETERS, &toolkit) != OK || !toolkit_parameters(toolkit, p))
				return SW_WRONG_DATA;
		} else if (t.tag != TAG_SYSTEM_PARAMETERS || t.value.n > 0)
			return SW_WRONG_DATA; /* quotas and the like: nothing here would keep them */
	}
	return SW_OK;
}

static bool allowed_privileges(const struct command *c, unsigned class_number, uint32_t privileges)
{
	const uint32_t known = PRIVILEGE_SECURITY_DOMAIN | PRIVILEGE_DAP | PRIVILEGE_AUTHORIZED_MANAGEMENT;

	if (class_number != APPLET_DOMAIN)
		return privileges == 0;
	return domain_is_issuer(c->applet) && (privileges & ~known) == 0 && (privileges & PRIVILEGE_SECURITY_DOMAIN) != 0;
}

static enum sw install_for_install(struct command *c, struct bytes in, bool selectable)
{
	struct bytes elf, module, aid, privileges, parameters, token;
	struct applet_order o = { .life = selectable ? LIFE_SELECTABLE : LIFE_INSTALLED };
	uint8_t tar[TAR_LEN], elf_domain;
	struct parameters p;
	enum status st;
	enum sw sw;

	if (!bytes_take_field(&in, &elf) || !bytes_take_field(&in, &module) || !bytes_take_field(&in, &aid) ||
	        !bytes_take_field(&in, &privileges) || !bytes_take_field(&in, &parameters) || !bytes_take_field(&in, &token) ||
	        in.n != 0 || !is_aid(aid) || (privileges.n != 1 && privileges.n != 3))
		return SW_WRONG_DATA;
	if ((sw = parse_parameters(parameters, &p)) != SW_OK)
		return sw;
	if (!find_class(c->card, elf, module, &o.class_number, &elf_domain))
		return SW_REFERENCE_NOT_FOUND;
	o.privileges = (uint32_t)bytes_uint(privileges) << (privileges.n == 1 ? 16 : 0);
	if (!may(c, PRIVILEGE_AUTHORIZED_MANAGEMENT) || !allowed_privileges(c, o.class_number, o.privileges) ||
	        aid_taken(c->card, aid) || applet_reserved(c->card, aid) ||
	        (elf_domain != DOMAIN_ISSUER && elf_domain != applet_slot(c->applet)))
		return SW_CONDITIONS_NOT_SATISFIED;
	if (p.tar != NULL && (rfm_target_built_in(p.tar) != NULL || applet_by_tar(c->card, p.tar) != NULL))
		return SW_CONDITIONS_NOT_SATISFIED;
	if (p.tar != NULL)
		memcpy(tar, p.tar, TAR_LEN);
	o.aid = aid;
	o.tar = p.tar != NULL ? tar : NULL;
	o.msl = p.msl;
	o.domain = domain_is_issuer(c->applet) ? DOMAIN_ISSUER : applet_slot(c->applet);
	o.sovereign = c->applet->sovereign;
	if ((st = applet_create(c->card, &o, p.application)) != OK)
		return sw_of(st);
	buf_put_u8(c->rsp, 0);
	return SW_OK;
}

/* The instance that an INSTALL names, if it is this domain's. */
static enum sw named(struct command *c, struct bytes aid, struct applet **a)
{
	*a = applet_named(c->card, aid);
	if (*a == NULL)
		return SW_REFERENCE_NOT_FOUND;
	return own(c, *a) && *a != c->applet ? SW_OK : SW_CONDITIONS_NOT_SATISFIED;
}

static enum sw make_selectable(struct command *c, struct applet *a)
{
	if (a->life != LIFE_INSTALLED || !may(c, PRIVILEGE_AUTHORIZED_MANAGEMENT))
		return SW_CONDITIONS_NOT_SATISFIED;
	a->life = LIFE_SELECTABLE;
	return sw_of(applet_registry_save(c->card));
}

/* To another domain, by the one it is in. What is in a sovereign domain stays there, and nothing is pushed into one. */
static enum sw extradite(struct command *c, struct applet *a, struct bytes to)
{
	struct applet *domain = applet_named(c->card, to);

	if (domain == NULL || domain->class != &domain_class)
		return SW_REFERENCE_NOT_FOUND;
	if (!may(c, PRIVILEGE_AUTHORIZED_MANAGEMENT) || c->applet->sovereign || domain->sovereign ||
	        a->class == &domain_class || applet_slot(a) < BUILT_IN_INSTANCES)
		return SW_CONDITIONS_NOT_SATISFIED;
	a->domain = domain_is_issuer(domain) ? DOMAIN_ISSUER : applet_slot(domain);
	return sw_of(applet_registry_save(c->card));
}

static enum sw for_personalization(struct command *c, struct applet *a)
{
	struct domain_state *s = domain_state(c);

	if (a->class->store_data == NULL || (a->life & LIFE_LOCKED) != 0)
		return SW_CONDITIONS_NOT_SATISFIED;
	s->personalised = (uint8_t)(applet_slot(a) + 1);
	s->elf_len = s->next_block = 0;
	s->len = 0;
	return SW_OK;
}

/* P1 says for what (11.5.2.1); the data are five fields and a token that nobody needs here. */
enum sw domain_install_command(struct command *c)
{
	struct bytes in = c->data, first, second, aid, privileges, parameters, token;
	struct applet *a;
	enum sw sw;

	if (c->p2 != 0)
		return SW_WRONG_P1P2;
	if (c->p1 == FOR_LOAD)
		return install_for_load(c, in);
	if (c->p1 == FOR_INSTALL || c->p1 == (FOR_INSTALL | FOR_SELECTABLE))
		return install_for_install(c, in, c->p1 != FOR_INSTALL);
	if (c->p1 != FOR_SELECTABLE && c->p1 != FOR_EXTRADITION && c->p1 != FOR_PERSONALIZATION)
		return SW_WRONG_P1P2;
	if (!bytes_take_field(&in, &first) || !bytes_take_field(&in, &second) || !bytes_take_field(&in, &aid) ||
	        !bytes_take_field(&in, &privileges) || !bytes_take_field(&in, &parameters) || !bytes_take_field(&in, &token) ||
	        in.n != 0)
		return SW_WRONG_DATA;
	if ((sw = named(c, aid, &a)) != SW_OK)
		return sw;
	sw = c->p1 == FOR_SELECTABLE    ? make_selectable(c, a)
	     : c->p1 == FOR_EXTRADITION ? extradite(c, a, first)
	                                : for_personalization(c, a);
	if (sw == SW_OK)
		buf_put_u8(c->rsp, 0);
	return sw;
}

enum sw domain_store_data_command(struct command *c)
{
	struct domain_state *s = domain_state(c);
	struct bytes whole;
	struct applet *a;
	bool complete;
	enum sw sw;

	if (s->personalised == 0)
		return SW_CONDITIONS_NOT_SATISFIED;
	a = &c->card->applet[s->personalised - 1];
	if ((sw = gather(c, STORE_DATA_MAX, &whole, &complete)) != SW_OK || !complete)
		return sw;
	s->personalised = 0;
	sw = a->aid_len > 0 && own(c, a) ? sw_of(a->class->store_data(a, whole)) : SW_CONDITIONS_NOT_SATISFIED;
	secret_clean(s->data, sizeof s->data);
	s->len = 0;
	return sw;
}

/* ---- deleting and locking ----------------------------------------------------------------------------------------------- */

static enum status delete_with_instances(struct card *card, struct applet *a, bool reserve)
{
	uint8_t slot = applet_slot(a);

	for (size_t i = 0; i < card->applet_count; i++)
		if (i != slot && card->applet[i].aid_len > 0 && card->applet[i].domain == slot && a->class == &domain_class)
			TRY(applet_delete(card, &card->applet[i], reserve));
	sakke_ring_clear(card->env.ring); /* its keys may have had tables */
	return applet_delete(card, a, reserve);
}

static bool has_instances(struct card *card, const struct applet *domain)
{
	for (size_t i = 0; i < card->applet_count; i++)
		if (i != applet_slot(domain) && card->applet[i].aid_len > 0 && card->applet[i].domain == applet_slot(domain))
			return true;
	return false;
}

static enum sw delete_load_file(struct command *c, struct bytes aid)
{
	const struct record_name name = elf_name(aid);
	unsigned class_number;
	uint8_t domain;
	struct applet *issuer = applet_issuer(c->card);

	if (issuer == NULL || !find_class(c->card, aid, (struct bytes){ 0 }, &class_number, &domain))
		return SW_REFERENCE_NOT_FOUND;
	if (domain != (domain_is_issuer(c->applet) ? DOMAIN_ISSUER : applet_slot(c->applet)) &&
	        !may(c, PRIVILEGE_GLOBAL_DELETE))
		return SW_CONDITIONS_NOT_SATISFIED;
	for (size_t i = 0; i < BUILT_INS; i++)
		if (bytes_equal(aid, (struct bytes){ (const uint8_t *)built_ins[i].elf, built_ins[i].elf_len }))
			return SW_CONDITIONS_NOT_SATISFIED; /* compiled in */
	if (applet_erase(issuer, name_bytes(&name)) != OK)
		return SW_MEMORY_PROBLEM;
	buf_put_u8(c->rsp, 0);
	return SW_OK;
}

enum sw domain_delete(struct command *c)
{
	struct bytes aid;
	struct applet *a;
	enum status st;

	if (c->p1 != 0 || (c->p2 != 0 && c->p2 != P2_RELATED))
		return SW_WRONG_P1P2;
	if (tlv_find(c->data, TAG_AID, &aid) != OK || !is_aid(aid))
		return SW_WRONG_DATA;
	if ((a = applet_named(c->card, aid)) == NULL)
		return delete_load_file(c, aid);
	if (applet_slot(a) < BUILT_IN_INSTANCES || a == c->applet)
		return SW_CONDITIONS_NOT_SATISFIED; /* what the card is made of */
	if (!may(c, PRIVILEGE_GLOBAL_DELETE) && !(own(c, a) && may(c, PRIVILEGE_AUTHORIZED_MANAGEMENT)))
		return SW_CONDITIONS_NOT_SATISFIED;
	if (c->p2 == 0 && has_instances(c->card, a))
		return SW_CONDITIONS_NOT_SATISFIED;
	/* What a sovereign domain deletes itself it may make again. */
	st = delete_with_instances(c->card, a, a->sovereign && !own(c, a));
	if (st != OK)
		return sw_of(st);
	domain_state(c)->personalised = 0; /* its slot may be another's soon */
	buf_put_u8(c->rsp, 0);
	return SW_OK;
}

static void set_locked(struct applet *a, bool locked)
{
	a->life = (uint8_t)(locked ? a->life | LIFE_LOCKED : a->life & ~LIFE_LOCKED);
	if (locked)
		applet_leave(a);
}

/* The card's own life: locked and unlocked by the issuer, terminated once. */
static enum sw set_card_life(struct command *c)
{
	if (!domain_is_issuer(c->applet))
		return SW_CONDITIONS_NOT_SATISFIED;
	if (c->p2 != CARD_SECURED && c->p2 != CARD_LOCKED && c->p2 != CARD_TERMINATED)
		return SW_WRONG_DATA;
	c->applet->life = c->p2 == CARD_SECURED ? (uint8_t)LIFE_SELECTABLE : c->p2;
	return sw_of(applet_registry_save(c->card));
}

/* Lock and unlock (11.10): P1 40 one instance, 60 a domain with all of its instances, 80 the card. */
enum sw domain_set_status(struct command *c)
{
	struct applet *a = applet_named(c->card, c->data);
	bool locked = (c->p2 & LIFE_LOCKED) != 0;

	if (c->p1 == P1_DOMAIN)
		return set_card_life(c);
	if (c->p1 != P1_APPLICATIONS && c->p1 != (P1_APPLICATIONS | P1_LOAD_FILES))
		return SW_WRONG_P1P2;
	if (a == NULL)
		return SW_REFERENCE_NOT_FOUND;
	if (a == c->applet || (!own(c, a) && !may(c, PRIVILEGE_GLOBAL_LOCK)) ||
	        ((c->p1 & P1_LOAD_FILES) != 0 && a->class != &domain_class))
		return SW_CONDITIONS_NOT_SATISFIED;
	if ((c->p2 & ~LIFE_LOCKED) != (a->life & ~LIFE_LOCKED) && c->p2 != LIFE_LOCKED)
		return SW_WRONG_DATA; /* nothing but the lock changes here */
	for (size_t i = 0; (c->p1 & P1_LOAD_FILES) != 0 && i < c->card->applet_count; i++)
		if (i != applet_slot(a) && c->card->applet[i].aid_len > 0 && c->card->applet[i].domain == applet_slot(a))
			set_locked(&c->card->applet[i], locked);
	set_locked(a, locked);
	return sw_of(applet_registry_save(c->card));
}

/* ---- what there is ------------------------------------------------------------------------------------------------------ */

static void put_instance(struct card *card, const struct applet *a, struct buf *out)
{
	const struct applet *domain = domain_of(card, a);
	uint8_t raw[80];
	struct buf b = BUF_OF(raw);

	tlv_put(&b, TAG_AID, (struct bytes){ a->aid, a->aid_len });
	tlv_put_uint(&b, TAG_LIFE, 1, domain_is_issuer(a) ? card->life : a->life);
	tlv_put_uint(&b, TAG_PRIVILEGES, 3, a->privileges);
	if (domain != NULL && domain != a)
		tlv_put(&b, TAG_DOMAIN, (struct bytes){ domain->aid, domain->aid_len });
	tlv_put(out, TAG_REGISTRY, buf_bytes(&b));
}

static bool begins(struct bytes aid, struct bytes with)
{
	return aid.n >= with.n && bytes_equal((struct bytes){ aid.p, with.n }, with);
}

static void put_load_file(struct bytes aid, struct bytes module, struct buf *out)
{
	uint8_t raw[40];
	struct buf b = BUF_OF(raw);

	tlv_put(&b, TAG_AID, aid);
	tlv_put_uint(&b, TAG_LIFE, 1, LIFE_LOADED);
	if (module.n > 0)
		tlv_put(&b, TAG_MODULE, module);
	tlv_put(out, TAG_REGISTRY, buf_bytes(&b));
}

static void put_load_files(struct command *c, struct bytes with)
{
	struct record_name name = { 0 };

	for (size_t i = 0; i < BUILT_INS; i++) {
		struct bytes elf = { (const uint8_t *)built_ins[i].elf, built_ins[i].elf_len };
		struct bytes module = { (const uint8_t *)built_ins[i].module, built_ins[i].module_len };

		if (begins(elf, with))
			put_load_file(elf, c->p1 == P1_MODULES ? module : (struct bytes){ 0 }, c->rsp);
	}
	while (domain_is_issuer(c->applet) && applet_next(c->applet, BYTES_STR("elf/"), name_bytes(&name), &name) == OK) {
		uint8_t raw[AID_MAX];
		struct buf aid = BUF_OF(raw);

		if (hex_decode((struct bytes){ name.text + 4, name.n - 4 }, &aid) == OK && begins(buf_bytes(&aid), with))
			put_load_file(buf_bytes(&aid), (struct bytes){ 0 }, c->rsp); /* whose modules have no names */
	}
}

/* GET STATUS in TLV form (P2 02): P1 80 the domain itself, 40 its instances (the issuer: all), 20 load files, 10 with their
 * modules. */
enum sw domain_get_status(struct command *c)
{
	size_t before = c->rsp->len;
	struct bytes with;
	bool files = c->p1 == P1_LOAD_FILES || c->p1 == P1_MODULES;

	if ((c->p1 != P1_DOMAIN && c->p1 != P1_APPLICATIONS && !files) || c->p2 != 0x02)
		return SW_WRONG_P1P2;
	if (tlv_find(c->data, TAG_AID, &with) != OK || with.n > AID_MAX)
		return SW_WRONG_DATA;
	if (files)
		put_load_files(c, with);
	for (size_t i = 0; !files && i < c->card->applet_count; i++) {
		const struct applet *a = &c->card->applet[i];

		if (a->aid_len > 0 && (a == c->applet) == (c->p1 == P1_DOMAIN) &&
		        begins((struct bytes){ a->aid, a->aid_len }, with) &&
		        (a == c->applet || own(c, a) || domain_is_issuer(c->applet)))
			put_instance(c->card, a, c->rsp);
	}
	return c->rsp->len > before ? SW_OK : SW_REFERENCE_NOT_FOUND;
}
