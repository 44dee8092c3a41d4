/* SPDX-License-Identifier: Apache-2.0 */
/* Card content management, and security domains that do not trust one another (GlobalPlatform 2.3; DESIGN.md 3.4, S-3.3). */
#include <stdio.h>
#include <string.h>

#include "apdu/birth.h"
#include "apdu/prose.h"
#include "apdu/tlv.h"
#include "card/applets/domain/domain.h"
#include "crypto/common/aes.h"
#include "crypto/common/hash.h"
#include "crypto/guarded/seal.h"
#include "ota/gp_key.h"
#include "ota/packet.h"
#include "ota/script.h"
#include "ota/sms.h"
#include "tests/support/scp.h"

#define SELECT_ISD "00A4040C08A000000151000000"
#define OLD_ISD "A000000003000000" /* which pySim selects */
#define ELF_PROSE "F050524F534580"
#define MODULE_PROSE "F050524F53458001"
#define ELF_SD "A0000001515350"
#define MODULE_SD "A000000151535041"
#define OWN_AID "F050524F534502" /* of a second ProSe instance */
#define SSD_AID "F04649524501"   /* of the fire brigade's domain */
#define SELECT_SSD "00A4040C06F04649524501"
#define SELECT_OWN "00A4040C07F050524F534502"
#define TAR_SSD "F1F1F1"
#define TAR_OWN "F1F1F2"
#define TOOLKIT_PARAMETERS "EA0F800D010000000002011603F1F1F200"

/* A profile with a sovereign domain, and one that verifies load files. */
#define PROFILE                                                                                                                \
	"{\"keys\": {\"domains\": [{\"aid\": \"" SSD_AID "\", \"tar\": \"" TAR_SSD "\", \"sovereign\": true,"                  \
	" \"enc\": \"E0E0E0E0E0E0E0E0E0E0E0E0E0E0E0E0\", \"mac\": \"E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1\","                       \
	" \"dek\": \"E2E2E2E2E2E2E2E2E2E2E2E2E2E2E2E2\", \"kic\": \"E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3\","                       \
	" \"kid\": \"E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4\"},"                                                                     \
	" {\"aid\": \"F04441503031\", \"tar\": \"F1F1F3\", \"dap\": true,"                                                     \
	" \"enc\": \"D0D0D0D0D0D0D0D0D0D0D0D0D0D0D0D0\", \"mac\": \"D1D1D1D1D1D1D1D1D1D1D1D1D1D1D1D1\","                       \
	" \"dek\": \"D2D2D2D2D2D2D2D2D2D2D2D2D2D2D2D2\", \"kic\": \"D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3\","                       \
	" \"kid\": \"D4D4D4D4D4D4D4D4D4D4D4D4D4D4D4D4\"}]}}"
#define SELECT_DAP "00A4040C06F04441503031"

static struct scp03 session;

static struct bytes secret_of(const struct rig *r, uint32_t tag)
{
	struct bytes v;

	ck_assert_int_eq(tlv_find(r->secrets, tag, &v), OK);
	return v;
}

static void as_issuer(struct rig *r)
{
	const struct scp03_keys k = { secret_of(r, BIRTH_ISD_ENC), secret_of(r, BIRTH_ISD_MAC) };

	ck_assert_uint_eq(scp_authenticate(r, SELECT_ISD, &session, &k, 0x03), 0x9000);
}

static unsigned as_domain(struct rig *r, const char *select, const char *enc, const char *mac)
{
	const struct scp03_keys k = { hex(enc), hex(mac) };

	return scp_authenticate(r, select, &session, &k, 0x03);
}

static void as_fire(struct rig *r)
{
	ck_assert_uint_eq(
	        as_domain(r, SELECT_SSD, "E0E0E0E0E0E0E0E0E0E0E0E0E0E0E0E0", "E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1E1"), 0x9000);
}

static unsigned gp(struct rig *r, uint8_t ins, uint8_t p1, uint8_t p2, struct bytes data)
{
	return scp_send(r, &session, ins, p1, p2, data);
}

/* The six fields of an INSTALL, each hex, in order. */
static struct bytes fields(const char *a, const char *b, const char *c, const char *d, const char *e)
{
	static uint8_t raw[256];
	const char *all[] = { a, b, c, d, e, "" };
	struct buf out = BUF_OF(raw);

	for (int i = 0; i < 6; i++) {
		struct bytes v = hex(all[i]);

		buf_put_u8(&out, (uint8_t)v.n);
		buf_put(&out, v);
	}
	return buf_bytes(&out);
}

static unsigned install(
        struct rig *r, const char *elf, const char *module, const char *aid, const char *privileges, const char *parameters)
{
	return gp(r, INS_INSTALL, 0x0C, 0, fields(elf, module, aid, privileges, parameters));
}

static unsigned install_own(struct rig *r)
{
	return install(r, ELF_PROSE, MODULE_PROSE, OWN_AID, "00", TOOLKIT_PARAMETERS);
}

static struct bytes aid_tlv(const char *aid)
{
	static uint8_t raw[20];
	struct buf b = BUF_OF(raw);

	tlv_put(&b, 0x4F, hex(aid));
	return buf_bytes(&b);
}

#define TRK "A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1A1A2A2A2A2A2A2A2A2A2A2A2A2A2A2A2A2"
#define INK "B1B1B1B1B1B1B1B1B1B1B1B1B1B1B1B1B2B2B2B2B2B2B2B2B2B2B2B2B2B2B2B2"

static struct bytes transport_keys(const char *trk, const char *ink)
{
	static uint8_t raw[120];
	struct buf b = BUF_OF(raw);

	tlv_put_uint(&b, BIRTH_TRK_ID, 1, 4);
	tlv_put(&b, BIRTH_TRK, hex(trk));
	tlv_put(&b, BIRTH_INK, hex(ink));
	tlv_put_uint(&b, BIRTH_TIME, 8, 1800000000);
	return buf_bytes(&b);
}

/* No keys, but the server from which the first ones come. */
static struct bytes gba_keys(void)
{
	static uint8_t raw[60];
	struct buf b = BUF_OF(raw);

	tlv_put(&b, BIRTH_NAF, hex("6E61662E780100010001"));
	tlv_put_uint(&b, BIRTH_TIME, 8, 1800000000);
	return buf_bytes(&b);
}

static unsigned personalise(struct rig *r, const char *aid, struct bytes data)
{
	unsigned sw = gp(r, INS_INSTALL, 0x20, 0, fields("", "", aid, "", ""));

	return sw != 0x9000 ? sw : gp(r, INS_STORE_DATA, 0x80, 0, data);
}

/* A sealed time for an instance under some transport keys. */
static struct bytes sealed_object(const struct rig *r, struct bytes trk, struct bytes ink, uint8_t id, uint64_t sequence,
        enum sealed_kind kind, struct bytes payload)
{
	static uint8_t raw[300];
	struct sealed_header h = { .domain = hex(OWN_AID),
		.card_id = BYTES_OF(r->env.card_id),
		.trk_id = id,
		.kind = kind,
		.name = BYTES_STR("time"),
		.sequence = sequence,
		.not_after = UINT64_MAX };
	struct buf b = BUF_OF(raw);

	ck_assert_int_eq(seal(&rng_system, trk, ink, &h, payload, &b), OK);
	return buf_bytes(&b);
}

static struct bytes sealed_time(const struct rig *r, struct bytes trk, struct bytes ink, uint8_t id, uint64_t sequence)
{
	uint8_t raw[16];
	struct buf payload = BUF_OF(raw);

	tlv_put_uint(&payload, TIME_FLOOR, 8, 1800000100);
	return sealed_object(r, trk, ink, id, sequence, SEALED_TIME, buf_bytes(&payload));
}

static unsigned install_sealed(struct rig *r, struct bytes object)
{
	uint8_t raw[400];
	struct buf b = BUF_OF(raw);
	unsigned sw = rig_send(r, SELECT_OWN);

	if (sw != 0x9000)
		return sw;
	apdu_put(&b, &(struct command_apdu){ .cla = 0x80, .ins = INS_PROSE_INSTALL, .data = object });
	return rig_send_bytes(r, buf_bytes(&b));
}

static bool lists(struct rig *r, uint8_t p1, const char *octets)
{
	struct bytes a, want = hex(octets);

	if (gp(r, INS_GET_STATUS, p1, 0x02, hex("4F00")) != 0x9000)
		return false;
	a = scp_answer(&session, 0x9000);
	return memmem(a.p, a.n, want.p, want.n) != NULL;
}

/* From nothing to an instance that takes its own sealed objects, and back to nothing. */
START_TEST(an_instance_lives_and_goes)
{
	struct rig *r = rig_new();
	size_t rows = r->store.count;

	as_issuer(r);
	ck_assert_uint_eq(
	        gp(r, INS_INSTALL, 0x04, 0, fields(ELF_PROSE, MODULE_PROSE, OWN_AID, "00", TOOLKIT_PARAMETERS)), 0x9000);
	ck_assert(lists(r, 0x40, "4F07" OWN_AID "9F700103C503000000"));
	ck_assert_uint_eq(rig_send(r, SELECT_OWN), 0x6A82); /* not selectable yet */
	as_issuer(r);
	ck_assert_uint_eq(gp(r, INS_INSTALL, 0x08, 0, fields("", "", OWN_AID, "00", "")), 0x9000);
	ck_assert_uint_eq(gp(r, INS_INSTALL, 0x08, 0, fields("", "", OWN_AID, "00", "")), 0x6985); /* it is */
	ck_assert_uint_eq(install_sealed(r, sealed_time(r, hex(TRK), hex(INK), 4, 1)), 0x9C07);    /* no key */
	as_issuer(r);
	ck_assert_uint_eq(personalise(r, OWN_AID, gba_keys()), 0x9000);
	ck_assert_uint_eq(
	        install_sealed(r, sealed_time(r, hex(TRK), hex(INK), 4, 1)), 0x9C07); /* still none, but from a server */
	as_issuer(r);
	ck_assert_uint_eq(personalise(r, OWN_AID, transport_keys(TRK, INK)), 0x9000);
	rig_reboot(r);
	ck_assert_uint_eq(install_sealed(r, sealed_time(r, hex(TRK), hex(INK), 4, 1)), 0x9000);
	ck_assert_uint_eq(install_sealed(r, sealed_time(r, hex(TRK), hex(INK), 4, 1)), 0x9C05);
	/* Instances do not share anything: the first one's keys open nothing here. */
	ck_assert_uint_eq(install_sealed(r, sealed_time(r, secret_of(r, BIRTH_TRK), secret_of(r, BIRTH_INK), 4, 2)), 0x9C01);
	as_issuer(r);
	ck_assert_uint_eq(gp(r, INS_DELETE, 0, 0, aid_tlv(OWN_AID)), 0x9000);
	ck_assert_uint_eq(gp(r, INS_DELETE, 0, 0, aid_tlv(OWN_AID)), 0x6A88);
	ck_assert(!lists(r, 0x40, OWN_AID));
	ck_assert_uint_eq(r->store.count, rows); /* nothing of it is left */
	ck_assert_uint_eq(rig_send(r, SELECT_OWN), 0x6A82);
	as_issuer(r);
	ck_assert_uint_eq(install_own(r), 0x9000); /* and it may come again */
	rig_free(&r);
}
END_TEST

START_TEST(what_cannot_be_installed)
{
	static const struct {
		uint8_t p1;
		const char *elf, *module, *aid, *privileges, *parameters;
		unsigned sw;
	} bad[] = {
		{ 0x0C, "F050524F534599", MODULE_PROSE, OWN_AID, "00", "", 0x6A88 },
		{ 0x0C, ELF_PROSE, "F050524F53458002", OWN_AID, "00", "", 0x6A88 },
		{ 0x0C, ELF_PROSE, MODULE_PROSE, "F050524F534501", "00", "", 0x6985 }, /* the AID is taken */
		{ 0x0C, ELF_PROSE, MODULE_PROSE, ELF_PROSE, "00", "", 0x6985 },        /* by a load file */
		{ 0x0C, ELF_PROSE, MODULE_PROSE, "F0505253", "00", "", 0x6A80 },       /* too short */
		{ 0x0C, ELF_PROSE, MODULE_PROSE, OWN_AID, "80", "", 0x6985 },          /* privileges that it cannot have */
		{ 0x0C, ELF_SD, MODULE_SD, OWN_AID, "9E", "", 0x6985 },
		{ 0x0C, ELF_SD, MODULE_SD, OWN_AID, "801000", "", 0x6985 },
		{ 0x0C, ELF_SD, MODULE_SD, OWN_AID, "0000", "", 0x6A80 },
		{ 0x0C, ELF_PROSE, MODULE_PROSE, OWN_AID, "00", "C9", 0x6A80 },
		{ 0x0C, ELF_PROSE, MODULE_PROSE, OWN_AID, "00", "C90101", 0x6A80 },       /* no keys in there */
		{ 0x0C, ELF_PROSE, MODULE_PROSE, OWN_AID, "00", "EF04C8020100", 0x6A80 }, /* a quota that nobody would keep */
		{ 0x0C, ELF_PROSE, MODULE_PROSE, OWN_AID, "00", "EA0F800D010000000002011603B0000000",
		        0x6985 }, /* a TAR that is taken */
		{ 0x0C, ELF_PROSE, MODULE_PROSE, OWN_AID, "00", "EA0F800D01000000000201160300000000", 0x6985 },
		{ 0x0C, ELF_PROSE, MODULE_PROSE, OWN_AID, "00", "EA0F800D010000010002011603F1F1F200",
		        0x6A80 }, /* menus: none here */
		{ 0x0C, ELF_PROSE, MODULE_PROSE, OWN_AID, "00", "EA0B800901000000000201160301", 0x6A80 },
		{ 0x40, ELF_PROSE, MODULE_PROSE, OWN_AID, "00", "", 0x6A86 },
		{ 0x08, "", "", OWN_AID, "00", "", 0x6A88 },
		{ 0x20, "", "", "A0000000871002FFFFFFFF8907090000", "", "", 0x6985 }, /* nothing to personalise */
		{ 0x10, SSD_AID, "", OWN_AID, "", "", 0x6A88 },
	};
	struct rig *r = rig_new();
	size_t rows = r->store.count;

	as_issuer(r);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		unsigned sw = gp(r, INS_INSTALL, bad[i].p1, 0,
		        fields(bad[i].elf, bad[i].module, bad[i].aid, bad[i].privileges, bad[i].parameters));

		ck_assert_msg(sw == bad[i].sw, "row %zu: %04X", i, sw);
		ck_assert_uint_eq(r->store.count, rows);
	}
	for (size_t n = 0; n < 40; n++) { /* cut short anywhere */
		struct bytes whole = fields(ELF_PROSE, MODULE_PROSE, OWN_AID, "00", TOOLKIT_PARAMETERS);

		ck_assert_uint_ne(gp(r, INS_INSTALL, 0x0C, 0, (struct bytes){ whole.p, n < whole.n ? n : 0 }), 0x9000);
	}
	ck_assert_uint_eq(gp(r, INS_DELETE, 0, 0, aid_tlv("A000000151000000")), 0x6985);
	ck_assert_uint_eq(gp(r, INS_DELETE, 0, 0, aid_tlv("A0000000871002FFFFFFFF8907090000")), 0x6985);
	ck_assert_uint_eq(gp(r, INS_DELETE, 0, 0, aid_tlv("F050524F534501")), 0x6985);
	ck_assert_uint_eq(gp(r, INS_DELETE, 0, 0, aid_tlv(ELF_PROSE)), 0x6985);
	ck_assert_uint_eq(gp(r, INS_STORE_DATA, 0x80, 0, hex("00")), 0x6985);
	ck_assert_uint_eq(gp(r, INS_LOAD, 0x80, 0, hex("00")), 0x6985);
	ck_assert_uint_eq(gp(r, INS_SET_STATUS, 0x80, 0x01, (struct bytes){ 0 }), 0x6A80);
	ck_assert_uint_eq(gp(r, INS_SET_STATUS, 0x40, 0x80, hex("A000000151000000")), 0x6985); /* not itself */
	rig_send(r, SELECT_ISD); /* and nothing at all without a session */
	ck_assert_uint_eq(rig_send(r, "80E60C0000"), 0x6982);
	ck_assert_uint_eq(rig_send(r, "80E400000101"), 0x6982);
	/* Slots are finite, and a full card says so. */
	as_issuer(r);
	for (int i = 0; i < APPLETS_MAX; i++) {
		const bool room = i < APPLETS_MAX - BUILT_IN_INSTANCES;
		struct store_mem before;
		char aid[20];
		unsigned sw;

		store_mem_copy(&before, &r->store);
		(void)snprintf(aid, sizeof aid, "F0505253%04X", (unsigned)i);
		sw = install(r, ELF_PROSE, MODULE_PROSE, aid, "00", "");
		ck_assert_uint_eq(sw, room ? 0x9000 : 0x6A84);
		ck_assert(store_mem_equal(&before, &r->store) != room);
		ck_assert((applet_named(&r->card, hex(aid)) != NULL) == room);
		store_mem_free(&before);
	}
	rig_free(&r);
}
END_TEST

/* Cut the power at every write of INSTALL, STORE DATA and DELETE: there or not there, never half, and the card starts. */
START_TEST(power_cuts)
{
	for (int what = 0; what < 3; what++)
		for (long cut = 0; cut < 4; cut++) {
			struct rig *r = rig_new();
			size_t before, rows;
			unsigned sw;

			as_issuer(r);
			if (what > 0)
				ck_assert_uint_eq(install_own(r), 0x9000);
			if (what == 2)
				ck_assert_uint_eq(personalise(r, OWN_AID, transport_keys(TRK, INK)), 0x9000);
			if (what == 1)
				ck_assert_uint_eq(gp(r, INS_INSTALL, 0x20, 0, fields("", "", OWN_AID, "", "")), 0x9000);
			before = r->store.count;
			r->store.writes = 0;
			r->store.cut_after = cut;
			sw = what == 0   ? install_own(r)
			     : what == 1 ? gp(r, INS_STORE_DATA, 0x80, 0, transport_keys(TRK, INK))
			                 : gp(r, INS_DELETE, 0, 0, aid_tlv(OWN_AID));
			ck_assert(cut == 0 ? sw == 0x6581 : sw == 0x9000);
			if (cut == 0 && what != 1) /* the running card knows that it did not happen */
				ck_assert_uint_eq(rig_send(r, SELECT_OWN), what == 0 ? 0x6A82 : 0x9000);
			rig_reboot(r);
			rows = r->store.count;
			ck_assert_uint_eq(rows, cut == 0    ? before
			                        : what == 0 ? before + 1
			                        : what == 1 ? before + 2
			                                    : before - 3);
			ck_assert_uint_eq(rig_send(r, SELECT_OWN), (what == 2) == (cut == 0) || what == 1 ? 0x9000 : 0x6A82);
			rig_free(&r);
		}
}
END_TEST

static struct bytes load_file(const char *class_name, const char *signer, struct bytes key)
{
	static uint8_t raw[200];
	uint8_t hash[SHA256_LEN], mac[16], dap_raw[40];
	struct bytes name = bytes_str(class_name);
	struct buf b = BUF_OF(raw), dap = BUF_OF(dap_raw);

	ck_assert_int_eq(sha256(&name, 1, hash), OK);
	if (signer != NULL) {
		ck_assert_int_eq(aes_cmac(key, &(struct bytes){ hash, sizeof hash }, 1, mac), OK);
		tlv_put(&dap, 0x4F, hex(signer));
		tlv_put(&dap, 0xC3, BYTES_OF(mac));
		tlv_put(&b, 0xE2, buf_bytes(&dap));
	}
	tlv_put(&b, 0xC4, name);
	return buf_bytes(&b);
}

/* INSTALL for load has five fields, the others six. */
static struct bytes for_load(const char *domain, const char *hash)
{
	struct bytes b = fields("F0112233445566", domain, hash, "", "");

	b.n--;
	return b;
}

static unsigned load(struct rig *r, const char *domain, const char *hash, struct bytes file, size_t slice)
{
	unsigned sw = gp(r, INS_INSTALL, 0x02, 0, for_load(domain, hash));

	for (uint8_t block = 0; sw == 0x9000 && file.n > 0; block++) {
		struct bytes part;

		ck_assert(bytes_take(&file, file.n < slice ? file.n : slice, &part));
		sw = gp(r, INS_LOAD, file.n == 0 ? 0x80 : 0x00, block, part);
	}
	return sw;
}

/* Load files name classes; a hash or a signature that is asked for has to be right. */
START_TEST(load_files_hashes_and_signatures)
{
	struct rig *r = rig_profile(PROFILE);
	struct bytes name = BYTES_STR("PROSE"), key = hex("DADADADADADADADADADADADADADADADA");
	struct secret dap = { 0 };
	uint8_t hash[SHA256_LEN], set_raw[60];
	char hash_text[2 * SHA256_LEN + 1], first;
	struct buf set = BUF_OF(set_raw);

	ck_assert_int_eq(sha256(&name, 1, hash), OK);
	(void)hex_encode(BYTES_OF(hash), hash_text);
	as_issuer(r);
	ck_assert_uint_eq(load(r, "", "", load_file("NOTHING", NULL, key), 100), 0x6A80);
	ck_assert_uint_eq(load(r, "", "0011223344556677889900112233445566778899001122334455667788990011",
	                          load_file("PROSE", NULL, key), 100),
	        0x6A80);
	first = hash_text[0];
	hash_text[0] = first == '0' ? '1' : '0';
	ck_assert_uint_eq(load(r, "", hash_text, load_file("PROSE", NULL, key), 100), 0x6A80);
	hash_text[0] = first;
	ck_assert_uint_eq(load(r, "", hash_text, load_file("PROSE", NULL, key), 3), 0x9000);
	ck_assert_uint_eq(load(r, "", hash_text, load_file("PROSE", NULL, key), 100), 0x6985); /* there already */
	ck_assert(lists(r, 0x20, "F0112233445566"));
	ck_assert(lists(r, 0x10, "E30D4F07F01122334455669F700101"));
	ck_assert(lists(r, 0x10, "E3174F07" ELF_SD "9F7001018408" MODULE_SD)); /* with their modules (11.4.2.1) */
	ck_assert(!lists(r, 0x20, "8408" MODULE_SD));
	ck_assert_uint_eq(install(r, "F0112233445566", "F011223344556601", OWN_AID, "00", ""), 0x9000);
	ck_assert_uint_eq(gp(r, INS_DELETE, 0, 0, aid_tlv("F0112233445566")), 0x9000);
	ck_assert(!lists(r, 0x20, "F0112233445566"));
	/* Blocks in the wrong order end it. */
	ck_assert_uint_eq(gp(r, INS_INSTALL, 0x02, 0, for_load("", "")), 0x9000);
	ck_assert_uint_eq(gp(r, INS_LOAD, 0x80, 1, load_file("PROSE", NULL, key)), 0x6A86);
	ck_assert_uint_eq(gp(r, INS_LOAD, 0x80, 0, load_file("PROSE", NULL, key)), 0x6985);
	ck_assert_uint_eq(load(r, SSD_AID, "", load_file("PROSE", NULL, key), 100), 0x6985); /* nothing is pushed into it */
	/* A domain with the DAP privilege has a key for it. */
	ck_assert_uint_eq(
	        as_domain(r, SELECT_DAP, "D0D0D0D0D0D0D0D0D0D0D0D0D0D0D0D0", "D1D1D1D1D1D1D1D1D1D1D1D1D1D1D1D1"), 0x9000);
	ck_assert_int_eq(secret_set(&dap, key), OK);
	buf_put_u8(&set, 0x73);
	ck_assert_int_eq(gp_key_put(hex("D2D2D2D2D2D2D2D2D2D2D2D2D2D2D2D2"), &dap, &set), OK);
	ck_assert_uint_eq(gp(r, INS_PUT_KEY, 0, 1, buf_bytes(&set)), 0x9000);
	as_issuer(r);
	ck_assert_uint_eq(load(r, "F04441503031", "", load_file("PROSE", NULL, key), 100), 0x6982);
	ck_assert_uint_eq(
	        load(r, "F04441503031", "", load_file("PROSE", "F04441503031", hex("00112233445566778899AABBCCDDEEFF")), 100),
	        0x6982);
	ck_assert_uint_eq(load(r, "F04441503031", "", load_file("PROSE", SSD_AID, key), 100), 0x6982);
	ck_assert_uint_eq(load(r, "F04441503031", "", load_file("PROSE", "F04441503031", key), 60), 0x9000);
	ck_assert_uint_eq(
	        install(r, "F0112233445566", "F011223344556601", "F0112233445577", "00", ""), 0x6985); /* it is that domain's */
	rig_free(&r);
}
END_TEST

/* From the issuer to a domain that agreed, and from there by it alone. */
START_TEST(extradition_and_locks)
{
	struct rig *r = rig_profile(PROFILE);

	as_issuer(r);
	ck_assert_uint_eq(install_own(r), 0x9000);
	ck_assert_uint_eq(gp(r, INS_INSTALL, 0x10, 0, fields(SSD_AID, "", OWN_AID, "", "")),
	        0x6985); /* sovereign: nothing is pushed in */
	ck_assert_uint_eq(gp(r, INS_INSTALL, 0x10, 0, fields("F04441503031", "", OWN_AID, "", "")), 0x9000);
	ck_assert_uint_eq(personalise(r, OWN_AID, transport_keys(TRK, INK)), 0x6985); /* no longer the issuer's */
	ck_assert_uint_eq(gp(r, INS_INSTALL, 0x10, 0, fields("A000000151000000", "", OWN_AID, "", "")), 0x6985);
	ck_assert_uint_eq(
	        as_domain(r, SELECT_DAP, "D0D0D0D0D0D0D0D0D0D0D0D0D0D0D0D0", "D1D1D1D1D1D1D1D1D1D1D1D1D1D1D1D1"), 0x9000);
	ck_assert_uint_eq(personalise(r, OWN_AID, transport_keys(TRK, INK)), 0x9000);
	ck_assert(lists(r, 0x40, OWN_AID) && !lists(r, 0x40, "F050524F534501"));
	ck_assert_uint_eq(gp(r, INS_SET_STATUS, 0x40, 0x80, hex("F050524F534501")), 0x6985); /* not its own */
	ck_assert_uint_eq(gp(r, INS_DELETE, 0, 0, aid_tlv("F050524F534501")), 0x6985);
	ck_assert_uint_eq(rig_send(r, SELECT_OWN), 0x9000);
	/* Locked: nobody can select it, and who stood in it does not any more. */
	as_issuer(r);
	ck_assert_uint_eq(rig_send(r, "0070000001"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "01A4040C07F050524F534502"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "8110000000"), 0x9000);
	ck_assert_uint_eq(gp(r, INS_SET_STATUS, 0x40, 0x80, hex(OWN_AID)), 0x9000);
	ck_assert_uint_ne(rig_send(r, "8110000000"), 0x9000);
	ck_assert_uint_eq(rig_send(r, "01A4040C07F050524F534502"), 0x6A82);
	rig_reboot(r);
	ck_assert_uint_eq(rig_send(r, SELECT_OWN), 0x6A82);
	as_issuer(r);
	ck_assert_uint_eq(gp(r, INS_SET_STATUS, 0x40, 0x07, hex(OWN_AID)), 0x9000);
	ck_assert_uint_eq(install_sealed(r, sealed_time(r, hex(TRK), hex(INK), 4, 1)), 0x9000);
	/* A domain with its instances. */
	as_issuer(r);
	ck_assert_uint_eq(gp(r, INS_SET_STATUS, 0x60, 0x80, hex("F04441503031")), 0x9000);
	ck_assert_uint_eq(rig_send(r, SELECT_OWN), 0x6A82);
	ck_assert_uint_eq(rig_send(r, SELECT_DAP), 0x6A82);
	as_issuer(r);
	ck_assert_uint_eq(gp(r, INS_DELETE, 0, 0, aid_tlv("F04441503031")), 0x6985); /* not while it has instances */
	ck_assert_uint_eq(gp(r, INS_DELETE, 0, 0x80, aid_tlv("F04441503031")), 0x9000);
	ck_assert(!lists(r, 0x40, OWN_AID));
	rig_free(&r);
}
END_TEST

/* What the records of every slot above the built-in ones are, in one number. */
static void digest_of(struct rig *r, uint8_t out[SHA256_LEN])
{
	struct bytes parts[2 * STORE_MEM_MAX];
	size_t n = 0;

	for (size_t i = 0; i < r->store.count; i++) {
		const struct record_name *name = &r->store.row[i].name;

		if (name->text[0] != 'a' || name->text[1] < '4' || memcmp(name->text + 2, "/bad/", 5) == 0)
			continue; /* wrong MACs are counted, and change nothing else */
		parts[n++] = (struct bytes){ name->text, name->n };
		parts[n++] = (struct bytes){ r->store.row[i].value, r->store.row[i].n };
	}
	ck_assert_int_eq(sha256(parts, n, out), OK);
}

/* A packet to a TAR under a key set; the RSC that comes back. */
static uint8_t packet(struct rig *r, const char *tar, struct bytes kic, struct bytes kid, uint64_t counter, struct bytes data)
{
	const struct ota_keys k = { .kvn = 1, .kic = kic, .kid = kid };
	struct ota_command c = { 0x16, 0x19, 0x12, 0x12, { 0 }, counter, data };
	uint8_t packet_raw[600], reply_raw[64];
	static struct secret_large plain;
	struct buf p = BUF_OF(packet_raw), reply = BUF_OF(reply_raw);
	struct ota_response out;
	bool secured;

	memcpy(c.tar, hex(tar).p, 3);
	ck_assert_int_eq(ota_command_build(&k, &c, &p), OK);
	for (unsigned i = 1; i <= sms_parts(p.len); i++) {
		uint8_t sms_raw[SMS_TPDU_MAX], data_raw[250], raw[300];
		struct buf sms = BUF_OF(sms_raw), d = BUF_OF(data_raw), b = BUF_OF(raw);

		ck_assert_int_eq(sms_deliver_part(&sms, buf_bytes(&p), 1, i), OK);
		sms_envelope_put(&d, buf_bytes(&sms));
		apdu_put(&b, &(struct command_apdu){
		                     .cla = 0x80, .ins = INS_ENVELOPE, .data = buf_bytes(&d), .has_le = true, .ne = 256 });
		if (rig_send_bytes(r, buf_bytes(&b)) != 0x9000)
			return 0xFD;
	}
	buf_put(&reply, rig_data());
	if (ota_response_open(&k, 0x19, rig_data(), &plain, &out, &secured) != OK)
		return 0xFF;
	if (out.rsc == 0 && out.data.n >= 3 && bytes_uint((struct bytes){ out.data.p + 1, 2 }) != 0x9000)
		return 0xFE; /* ran, and failed */
	return out.rsc;
}

static struct bytes stored(const struct rig *r, const char *name)
{
	for (size_t i = 0; i < r->store.count; i++)
		if (bytes_equal((struct bytes){ r->store.row[i].name.text, r->store.row[i].name.n }, bytes_str(name)))
			return (struct bytes){ r->store.row[i].value, r->store.row[i].n };
	return (struct bytes){ 0 };
}

/* An operator who holds K, Ks, the issuer's keys, the OTA keys and the first instance's TrK, against a sovereign domain. */
START_TEST(a_hostile_operator)
{
	struct rig *r = rig_profile(PROFILE);
	uint8_t before[SHA256_LEN], after[SHA256_LEN];
	struct bytes kic = secret_of(r, BIRTH_OTA_KIC), kid = secret_of(r, BIRTH_OTA_KID);
	static const uint8_t commands[] = { INS_PUT_KEY, INS_GET_DATA, INS_STORE_DATA, INS_DELETE, INS_INSTALL, INS_LOAD,
		INS_SET_STATUS, INS_GET_STATUS };

	/* The fire brigade sets its house in order, alone: instance, keys. */
	as_fire(r);
	ck_assert_uint_eq(install_own(r), 0x9000);
	ck_assert_uint_eq(personalise(r, OWN_AID, transport_keys(TRK, INK)), 0x9000);
	ck_assert_uint_eq(install_sealed(r, sealed_time(r, hex(TRK), hex(INK), 4, 1)), 0x9000);
	digest_of(r, before);

	/* Keys of the operator in the brigade's domain. */
	{
		const struct scp03_keys issuers = { secret_of(r, BIRTH_ISD_ENC), secret_of(r, BIRTH_ISD_MAC) };

		ck_assert_uint_eq(scp_authenticate(r, SELECT_SSD, &session, &issuers, 0x03), 0);
	}
	for (size_t i = 0; i < sizeof commands; i++) { /* and without any, directly at it */
		char text[32];

		ck_assert_uint_eq(rig_send(r, SELECT_SSD), 0x9000);
		(void)snprintf(text, sizeof text, "80%02X800002010200", (unsigned)commands[i]);
		ck_assert_uint_ne(rig_send(r, text), 0x9000);
	}
	/* What the issuer's session could try. */
	as_issuer(r);
	ck_assert_uint_eq(personalise(r, OWN_AID, transport_keys(INK, TRK)), 0x6985);
	ck_assert_uint_eq(personalise(r, SSD_AID, transport_keys(INK, TRK)), 0x6985);
	ck_assert_uint_eq(gp(r, INS_INSTALL, 0x10, 0, fields("A000000151000000", "", OWN_AID, "", "")), 0x6985);
	ck_assert_uint_eq(gp(r, INS_INSTALL, 0x10, 0, fields("F04441503031", "", OWN_AID, "", "")), 0x6985);
	ck_assert_uint_eq(gp(r, INS_INSTALL, 0x08, 0, fields("", "", OWN_AID, "00", "")), 0x6985);
	ck_assert_uint_eq(install_own(r), 0x6985);
	ck_assert_uint_eq(
	        install(r, ELF_PROSE, MODULE_PROSE, "F050524F534503", "00", TOOLKIT_PARAMETERS), 0x6985); /* its TAR */
	ck_assert(lists(r, 0x40, OWN_AID)); /* that it is there is no secret */
	/* Over the air: the operator's keys for the brigade's TARs, and scripts that look for records. */
	ck_assert_uint_eq(packet(r, TAR_SSD, kic, kid, 1, hex("80E480000A4F07" OWN_AID)), RSC_SECURITY_ERROR);
	ck_assert_uint_eq(packet(r, TAR_OWN, kic, kid, 2, sealed_time(r, hex(TRK), hex(INK), 4, 2)), RSC_SECURITY_ERROR);
	ck_assert_uint_eq(packet(r, "000000", kic, kid, 3,
	                          hex("80E62000110000"
	                              "07" OWN_AID "00000000000000")),
	        0xFE);
	ck_assert_uint_eq(packet(r, "000000", kic, kid, 4, hex("00A4040007" OWN_AID)), 0xFE);
	ck_assert_uint_eq(packet(r, "B00000", kic, kid, 5, hex("00A4040007" OWN_AID "801000000A")), 0xFE);
	/* Objects under every key that the operator has. */
	ck_assert_uint_eq(install_sealed(r, sealed_time(r, secret_of(r, BIRTH_TRK), secret_of(r, BIRTH_INK), 4, 9)), 0x9C01);
	ck_assert_uint_eq(install_sealed(r, sealed_time(r, secret_of(r, BIRTH_TRK), secret_of(r, BIRTH_INK), 1, 9)), 0x9C07);
	/* Nor does the brigade name a server of the operator's, whose GBA keys would be good there: not even instead of keys.
	 */
	as_fire(r);
	ck_assert_uint_eq(personalise(r, OWN_AID, gba_keys()), 0x6985);
	ck_assert_uint_eq(install_sealed(r, sealed_object(r, hex(TRK), hex(INK), 4, 2, SEALED_NAF, hex("8003616263"))), 0x6A80);
	ck_assert_uint_eq(
	        install_sealed(r, sealed_object(r, hex(TRK), hex(INK), 4, 2, SEALED_NAF, hex("800A6E61662E780100010001"))),
	        0x9C0B);
	ck_assert_uint_eq(install_sealed(r, sealed_time(r, hex(TRK), hex(INK), SEALED_TRK_GBA, 2)), 0x9C07);
	digest_of(r, after);
	ck_assert_mem_eq(before, after, sizeof before);                                         /* nothing was replaced */
	ck_assert_uint_eq(install_sealed(r, sealed_time(r, hex(TRK), hex(INK), 4, 3)), 0x9000); /* and it goes on */

	/* The brigade's own packets reach its own domain and instance. */
	ck_assert_uint_eq(packet(r, TAR_OWN, hex("E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3"), hex("E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4"),
	                          1, sealed_time(r, hex(TRK), hex(INK), 4, 4)),
	        RSC_OK);
	ck_assert_uint_eq(packet(r, TAR_SSD, hex("E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3"), hex("E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4"),
	                          2, hex("80F240020A4F07" OWN_AID)),
	        0xFE); /* a search without its closing octet: refused, but run */
	ck_assert_uint_eq(packet(r, TAR_SSD, hex("E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3"), hex("E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4"),
	                          3, hex("80F24002024F00")),
	        RSC_OK);
	/* But not beyond them: neither the issuer's files nor its instances. */
	ck_assert_uint_eq(packet(r, TAR_SSD, hex("E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3"), hex("E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4"),
	                          4, hex("00A40004022FE2")),
	        0xFE);
	ck_assert_uint_eq(packet(r, TAR_SSD, hex("E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3"), hex("E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4"),
	                          5, hex("80D40000098307A000000001020304")),
	        0xFE);
	ck_assert_uint_eq(packet(r, "B00000", hex("E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3E3"), hex("E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4E4"),
	                          6, hex("00A40004022FE2")),
	        RSC_SECURITY_ERROR);

	/* The issuer may lock it, and delete it: then it is gone, and nobody can pretend to be it. */
	as_issuer(r);
	ck_assert_uint_eq(gp(r, INS_SET_STATUS, 0x60, 0x80, hex(SSD_AID)), 0x9000);
	ck_assert_uint_eq(rig_send(r, SELECT_OWN), 0x6A82);
	as_issuer(r);
	ck_assert_uint_eq(gp(r, INS_SET_STATUS, 0x60, 0x07, hex(SSD_AID)), 0x9000);
	ck_assert_uint_eq(install_sealed(r, sealed_time(r, hex(TRK), hex(INK), 4, 5)), 0x9000);
	as_issuer(r);
	ck_assert_uint_eq(gp(r, INS_DELETE, 0, 0x80, aid_tlv(SSD_AID)), 0x9000);
	rig_reboot(r);
	ck_assert_uint_eq(stored(r, "a4/scp").n, 0);
	ck_assert_uint_eq(stored(r, "a6/trk").n, 0);
	as_issuer(r);
	ck_assert_uint_eq(install_own(r), 0x6985);
	ck_assert_uint_eq(install(r, ELF_PROSE, MODULE_PROSE, OWN_AID "01", "00", ""), 0x6985);
	ck_assert_uint_eq(install(r, ELF_PROSE, MODULE_PROSE, "F050524F5345", "00", ""), 0x6985);
	ck_assert_uint_eq(install(r, ELF_SD, MODULE_SD, SSD_AID, "80", ""), 0x6985);
	ck_assert_uint_eq(
	        install(r, ELF_PROSE, MODULE_PROSE, "F050524F534507", "00", TOOLKIT_PARAMETERS), 0x9000); /* others may come */
	ck_assert_uint_eq(install(r, ELF_PROSE, MODULE_PROSE, OLD_ISD, "00", ""), 0x9000);
	ck_assert_uint_eq(rig_send(r, "00A4040C08" OLD_ISD), 0x9000); /* and one of this name is not the issuer's domain */
	ck_assert_uint_ne(rig_send(r, "80CA00E000"), 0x9000);
	rig_free(&r);
}
END_TEST

/* The card's life: locked, it answers to its issuer only, by terminal and over the air; terminated, to nobody for ever. */
START_TEST(the_card_is_locked_and_terminated)
{
	static const char *const others[] = { "00A4040C10A0000000871002FFFFFFFF8907090000", "00A40004023F00", "00B0950000",
		"002000010831323334FFFFFFFF", "00A4040C06F04649524501", "0088008122" };
	struct rig *r = rig_profile(PROFILE);
	struct bytes kic = secret_of(r, BIRTH_OTA_KIC), kid = secret_of(r, BIRTH_OTA_KID);

	as_fire(r);
	ck_assert_uint_eq(gp(r, INS_SET_STATUS, 0x80, 0x7F, (struct bytes){ 0 }), 0x6985); /* not the fire brigade's to do */
	as_issuer(r);
	ck_assert_uint_eq(gp(r, INS_SET_STATUS, 0x80, 0x7F, (struct bytes){ 0 }), 0x9000);
	for (int boot = 0; boot < 2; boot++) {
		for (size_t i = 0; i < sizeof others / sizeof *others; i++)
			ck_assert_msg(rig_send(r, others[i]) == 0x6985, "%s", others[i]);
		ck_assert_uint_eq(rig_send(r, SELECT_ISD), 0x6283);
		ck_assert_uint_eq(rig_send(r, "00A4040000"), 0x6283); /* by its other names, too */
		ck_assert_uint_eq(rig_send(r, "00A4040C08" OLD_ISD), 0x6283);
		rig_reboot(r);
	}
	ck_assert_uint_eq(packet(r, "B00000", kic, kid, 1, hex("00A40004022FE2")), 0xFE);
	ck_assert_uint_eq(packet(r, "000000", kic, kid, 2, hex("80F0800F00")), RSC_OK); /* and open again */
	ck_assert_uint_eq(rig_send(r, others[0]), 0x9000);
	as_issuer(r);
	ck_assert(lists(r, 0x80, "9F70010F"));
	r->store.writes = 0;
	r->store.cut_after = 0; /* cannot be written: it has not happened */
	ck_assert_uint_eq(gp(r, INS_SET_STATUS, 0x80, 0xFF, (struct bytes){ 0 }), 0x6581);
	r->store.cut_after = -1;
	ck_assert_uint_eq(rig_send(r, others[0]), 0x9000);
	as_issuer(r);
	ck_assert_uint_eq(gp(r, INS_SET_STATUS, 0x80, 0xFF, (struct bytes){ 0 }), 0x9000);
	for (int boot = 0; boot < 2; boot++) {
		for (size_t i = 0; i < sizeof others / sizeof *others; i++)
			ck_assert_msg(rig_send(r, others[i]) == 0x6985, "%s", others[i]);
		ck_assert_uint_eq(rig_send(r, SELECT_ISD), 0x6985);
		ck_assert_uint_eq(packet(r, "000000", kic, kid, 3, hex("80F0800F00")), 0xFD);
		rig_reboot(r);
	}
	rig_free(&r);
}
END_TEST

/* A script puts another instance with other rights in the place of one, and the card cannot write it down: the old one's TAR is
 * the one that counts, in the running card, too. */
START_TEST(what_is_rolled_back)
{
	struct rig *r = rig_new();
	struct bytes kic = secret_of(r, BIRTH_OTA_KIC), kid = secret_of(r, BIRTH_OTA_KID);
	struct applet *a;

	as_issuer(r);
	ck_assert_uint_eq(install_own(r), 0x9000);
	r->store.writes = 0;
	r->store.cut_after = 1; /* the packet's counter, and no more */
	ck_assert_uint_eq(packet(r, "000000", kic, kid, 1,
	                          hex("80E40000094F07" OWN_AID "80E60C002E"
	                              "07" ELF_PROSE "08" MODULE_PROSE "07" OWN_AID "0100"
	                              "11EA0F800D010000000002011603F1F1F400" /* another TAR */
	                              "00")),
	        0xFD);
	r->store.cut_after = -1;
	a = applet_named(&r->card, hex(OWN_AID));
	ck_assert_ptr_nonnull(a);
	ck_assert_mem_eq(a->tar, hex(TAR_OWN).p, 3);
	rig_free(&r);
}
END_TEST

/* A domain that the issuer makes: first keys by STORE DATA, once; from then on PUT KEY by itself. */
START_TEST(a_domain_of_the_issuers_making)
{
	struct rig *r = rig_new();
	uint8_t raw[120];
	struct buf keys = BUF_OF(raw);

	tlv_put(&keys, BIRTH_ISD_ENC, hex("C0C0C0C0C0C0C0C0C0C0C0C0C0C0C0C0"));
	tlv_put(&keys, BIRTH_ISD_MAC, hex("C1C1C1C1C1C1C1C1C1C1C1C1C1C1C1C1"));
	tlv_put(&keys, BIRTH_ISD_DEK, hex("C2C2C2C2C2C2C2C2C2C2C2C2C2C2C2C2"));
	as_issuer(r);
	ck_assert_uint_eq(install(r, ELF_SD, MODULE_SD, SSD_AID, "804000", ""), 0x9000);
	ck_assert_uint_eq(rig_send(r, SELECT_SSD), 0x9000);
	ck_assert_uint_eq(rig_send(r, "8050000008010203040506070800"), 0x6A88); /* no keys yet */
	as_issuer(r);
	ck_assert_uint_eq(personalise(r, SSD_AID, buf_bytes(&keys)), 0x9000);
	ck_assert_uint_eq(personalise(r, SSD_AID, buf_bytes(&keys)), 0x6985); /* once */
	ck_assert_uint_eq(
	        as_domain(r, SELECT_SSD, "C0C0C0C0C0C0C0C0C0C0C0C0C0C0C0C0", "C1C1C1C1C1C1C1C1C1C1C1C1C1C1C1C1"), 0x9000);
	ck_assert_uint_eq(install_own(r), 0x9000);
	ck_assert_uint_eq(
	        install(r, ELF_SD, MODULE_SD, "F04649524502", "80", ""), 0x6985); /* domains are the issuer's to make */
	ck_assert_uint_eq(gp(r, INS_DELETE, 0, 0, aid_tlv(OWN_AID)), 0x9000);
	rig_free(&r);
}
END_TEST

Suite *suite_domain(void)
{
	Suite *s = suite_create("domain");
	TCase *t = tcase_create("domain");

	tcase_add_test(t, an_instance_lives_and_goes);
	tcase_add_test(t, what_cannot_be_installed);
	tcase_add_test(t, power_cuts);
	tcase_add_test(t, load_files_hashes_and_signatures);
	tcase_add_test(t, extradition_and_locks);
	tcase_add_test(t, a_hostile_operator);
	tcase_add_test(t, what_is_rolled_back);
	tcase_add_test(t, the_card_is_locked_and_terminated);
	tcase_add_test(t, a_domain_of_the_issuers_making);
	suite_add_tcase(s, t);
	return s;
}
