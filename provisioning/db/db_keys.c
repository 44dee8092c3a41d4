/* SPDX-License-Identifier: Apache-2.0 */
/* KMS, users, enrolment, groups and their keys, discovery. */
#include "provisioning/db/db_inside.h"

#include <stdio.h>
#include <string.h>

enum status db_kms_set(struct db *db, const struct db_kms *k, struct bytes keys)
{
	uint8_t raw[WRAPPED_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes wrapped;
	struct sql_rows *s = sql_query(db->sql, "SELECT 1 FROM kms", "");
	bool exists = sql_row(s);

	(void)sql_done(s);
	if (exists)
		return ERR_DENIED;
	TRY(db_wrap(db, "kms", keys, &b));
	wrapped = buf_bytes(&b);
	return sql_done(sql_query(db->sql, "INSERT INTO kms VALUES($1,$2,$3,$4)", "siib", k->uri, (uint64_t)k->period,
	        (uint64_t)k->offset, &wrapped));
}

enum status db_kms_get(struct db *db, struct db_kms *k, struct secret_large *keys)
{
	struct sql_rows *s = sql_query(db->sql, "SELECT uri, period, period_offset, keys FROM kms", "");
	enum status st = ERR_NOT_FOUND;

	if (sql_row(s)) {
		sql_text(s, 0, k->uri, sizeof k->uri);
		k->period = sql_int(s, 1);
		k->offset = sql_int(s, 2);
		st = db_unwrap(db, "kms", sql_blob(s, 3), keys);
	}
	return sql_end(s, st);
}

enum status db_external_kms_conflict(
        struct db *db, const struct db_external_kms *k, char uri[static 129], char domain[static 129])
{
	struct sql_rows *s = sql_query(db->sql,
	        "SELECT uri, domain FROM external_kms WHERE (domain=$1 AND uri<>$2) OR (uri=$2 AND domain<>$1) ORDER BY uri",
	        "ss", k->domain, k->uri);
	enum status st = ERR_NOT_FOUND;

	if (sql_row(s)) {
		sql_text(s, 0, uri, 129);
		sql_text(s, 1, domain, 129);
		st = OK;
	}
	return sql_end(s, st);
}

enum status db_external_kms_set(struct db *db, const struct db_external_kms *k, bool move)
{
	struct bytes keys = BYTES_OF(k->keys);
	struct sql_rows *s;
	bool set;

	if (move)
		TRY(sql_done(
		        sql_query(db->sql, "DELETE FROM external_kms WHERE uri=$1 OR domain=$2", "ss", k->uri, k->domain)));
	s = sql_query(db->sql,
	        "INSERT INTO external_kms VALUES($1,$2,$3,$4,$5) ON CONFLICT(uri) DO UPDATE SET period=excluded.period,"
	        " period_offset=excluded.period_offset, keys=excluded.keys WHERE external_kms.domain=excluded.domain"
	        " RETURNING uri",
	        "ssiib", k->uri, k->domain, k->period, k->offset, &keys);
	set = sql_row(s);
	TRY(sql_done(s));
	return set ? OK : ERR_DENIED;
}

static enum status take_external(const struct sql_rows *s, struct db_external_kms *k)
{
	struct bytes keys = sql_blob(s, 4);

	*k = (struct db_external_kms){ .period = sql_int(s, 2), .offset = sql_int(s, 3) };
	sql_text(s, 0, k->uri, sizeof k->uri);
	sql_text(s, 1, k->domain, sizeof k->domain);
	if (keys.n != sizeof k->keys)
		return ERR_MALFORMED;
	memcpy(k->keys, keys.p, keys.n);
	return OK;
}

#define EXTERNAL "SELECT uri, domain, period, period_offset, keys FROM external_kms "

enum status db_external_kms_get(struct db *db, const char *domain, struct db_external_kms *k)
{
	struct sql_rows *s = sql_query(db->sql, EXTERNAL "WHERE domain=$1", "s", domain);
	enum status st = sql_row(s) ? take_external(s, k) : ERR_NOT_FOUND;

	return sql_end(s, st);
}

enum status db_external_kms_each(struct db *db, enum status (*each)(void *, const struct db_external_kms *), void *context)
{
	struct sql_rows *s = sql_query(db->sql, EXTERNAL "ORDER BY uri", "");
	struct db_external_kms k;
	enum status st = OK;

	while (st == OK && sql_row(s))
		if ((st = take_external(s, &k)) == OK)
			st = each(context, &k);
	return sql_end(s, st);
}

enum status db_user_set(struct db *db, const char *uri, const char *iccid)
{
	struct sql_rows *s = sql_query(db->sql,
	        "INSERT INTO users(uri, iccid) VALUES($1,$2) ON CONFLICT(uri) DO UPDATE SET iccid=excluded.iccid"
	        " WHERE users.iccid=excluded.iccid OR EXISTS (SELECT 1 FROM card c WHERE c.iccid=users.iccid AND"
	        " (c.revoked<>0 OR c.duplicate_of<>'')) RETURNING uri",
	        "ss", uri, iccid);
	bool set = sql_row(s);

	TRY(sql_done(s));
	return set ? OK : ERR_DENIED;
}

enum status db_user_elsewhere(struct db *db, const char *uri, const char *iccid, char holder[static 21])
{
	struct sql_rows *s = sql_query(db->sql,
	        "SELECT u.iccid FROM users u JOIN card c ON c.iccid=u.iccid WHERE u.uri=$1 AND u.iccid<>$2 AND c.revoked=0"
	        " AND c.duplicate_of=''",
	        "ss", uri, iccid);
	enum status st = ERR_NOT_FOUND;

	if (sql_row(s)) {
		sql_text(s, 0, holder, 21);
		st = OK;
	}
	return sql_end(s, st);
}

enum status db_user_allow(struct db *db, const char *uri, const char *iccid, bool move)
{
	if (move)
		TRY(sql_done(sql_query(db->sql, "UPDATE users SET iccid=$1 WHERE uri=$2", "ss", iccid, uri)));
	TRY(db_user_set(db, uri, iccid));
	return sql_done(sql_query(db->sql, "UPDATE users SET revoked=0 WHERE uri=$1", "s", uri));
}

enum status db_user_revoke(struct db *db, const char *uri, uint64_t now)
{
	return sql_done(sql_query(db->sql, "UPDATE users SET revoked=$1 WHERE uri=$2 AND revoked=0", "is", now, uri));
}

enum status db_user_installed(struct db *db, const char *uri, uint64_t period)
{
	return sql_done(sql_query(db->sql, "UPDATE users SET installed=$1 WHERE uri=$2", "is", period, uri));
}

enum status db_user_cards_each(struct db *db, enum status (*each)(void *, const char *iccid), void *context)
{
	struct sql_rows *s = sql_query(db->sql,
	        "SELECT DISTINCT u.iccid FROM users u JOIN card c ON c.iccid=u.iccid WHERE u.revoked=0 AND c.revoked=0 AND c.duplicate_of=''"
	        " ORDER BY u.iccid",
	        "");
	enum status st = OK;
	char iccid[21];

	while (st == OK && sql_row(s)) {
		sql_text(s, 0, iccid, sizeof iccid);
		st = each(context, iccid);
	}
	return sql_end(s, st);
}

/* In `meta`, under a name of its own. */
static void revoked_name(const char *kms_uri, char out[static 160])
{
	(void)snprintf(out, 160, "revoked %s", kms_uri);
}

enum status db_revoked_get(struct db *db, const char *kms_uri, struct buf *out)
{
	char name[160];
	struct sql_rows *s;
	bool found;

	revoked_name(kms_uri, name);
	s = sql_query(db->sql, "SELECT value FROM meta WHERE name=$1", "s", name);
	if ((found = sql_row(s)))
		buf_put(out, sql_blob(s, 0));
	TRY(sql_done(s));
	return found ? buf_status(out) : ERR_NOT_FOUND;
}

enum status db_revoked_set(struct db *db, const char *kms_uri, struct bytes list)
{
	char name[160];

	revoked_name(kms_uri, name);
	return sql_done(sql_query(db->sql,
	        "INSERT INTO meta VALUES($1,$2) ON CONFLICT(name) DO UPDATE SET value=excluded.value", "sb", name, &list));
}

enum status db_user_each(struct db *db, void (*each)(void *, const struct db_user *), void *context)
{
	struct sql_rows *s = sql_query(db->sql,
	        "SELECT u.uri, u.iccid, u.revoked, c.revoked, count(l.n), coalesce(max(l.period), 0), u.installed FROM users u"
	        " JOIN card c ON c.iccid=u.iccid LEFT JOIN kms_log l ON l.uri=u.uri"
	        " GROUP BY u.uri, u.iccid, u.revoked, c.revoked, u.installed ORDER BY u.uri",
	        "");

	while (sql_row(s)) {
		struct db_user u = { .revoked = sql_int(s, 2),
			.card_revoked = sql_int(s, 3),
			.keys = sql_int(s, 4),
			.period = sql_int(s, 5),
			.installed = sql_int(s, 6) };

		sql_text(s, 0, u.uri, sizeof u.uri);
		sql_text(s, 1, u.iccid, sizeof u.iccid);
		each(context, &u);
	}
	return sql_done(s);
}

enum status db_user_card(struct db *db, const char *uri, char iccid[21])
{
	struct sql_rows *s = sql_query(db->sql, "SELECT iccid, revoked FROM users WHERE uri=$1", "s", uri);
	enum status st = ERR_NOT_FOUND;

	if (sql_row(s)) {
		sql_text(s, 0, iccid, 21);
		st = sql_int(s, 1) == 0 ? OK : ERR_DENIED;
	}
	return sql_end(s, st);
}

enum status db_enrolment_add(
        struct db *db, uint64_t now, const char *id, const struct db_enrolment *e, const struct secret *key)
{
	uint8_t raw[WRAPPED_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes wrapped;
	char label[DB_LABEL_MAX];

	TRY(sql_done(sql_query(db->sql, "DELETE FROM enrol WHERE expires<=$1", "i", now)));
	db_label("enrol", id, label);
	TRY(db_wrap(db, label, secret_bytes(key), &b));
	wrapped = buf_bytes(&b);
	return sql_done(sql_query(
	        db->sql, "INSERT INTO enrol VALUES($1,$2,$3,$4,$5,0)", "sssib", id, e->iccid, e->uri, e->expires, &wrapped));
}

enum status db_enrolment_get(struct db *db, uint64_t now, const char *id, struct db_enrolment *e, struct secret *key)
{
	SECRET_LARGE plain = { 0 };
	struct sql_rows *s = sql_query(db->sql, "SELECT iccid, uri, expires, key, used FROM enrol WHERE id=$1", "s", id);
	enum status st = ERR_NOT_FOUND;
	char label[DB_LABEL_MAX];

	*e = (struct db_enrolment){ 0 };
	if (sql_row(s)) {
		sql_text(s, 0, e->iccid, sizeof e->iccid);
		sql_text(s, 1, e->uri, sizeof e->uri);
		e->expires = sql_int(s, 2);
		e->used = sql_int(s, 4) != 0;
		db_label("enrol", id, label);
		st = key != NULL ? db_unwrap(db, label, sql_blob(s, 3), &plain) : OK;
		if (st == OK && key != NULL)
			st = secret_set(key, secret_large_bytes(&plain));
	}
	TRY(sql_done(s));
	return st == OK && e->expires <= now ? ERR_NOT_FOUND : st;
}

enum status db_enrolment_drop(struct db *db, const char *id)
{
	return sql_done(sql_query(db->sql, "DELETE FROM enrol WHERE id=$1", "s", id));
}

enum status db_enrolment_use(struct db *db, const char *id)
{
	struct sql_rows *s = sql_query(db->sql, "UPDATE enrol SET used=1 WHERE id=$1 AND used=0 RETURNING id", "s", id);
	enum status st = sql_row(s) ? OK : ERR_NOT_FOUND;

	return sql_end(s, st);
}

enum status db_group_add(struct db *db, const struct db_group *g)
{
	return sql_done(sql_query(db->sql, "INSERT INTO grp(uri, manager, policy) VALUES($1,$2,$3)", "ssi", g->uri,
	        g->manager_uri, (uint64_t)g->policy));
}

enum status db_group_get(struct db *db, const char *uri, struct db_group *g)
{
	struct sql_rows *s = sql_query(db->sql, "SELECT manager, policy FROM grp WHERE uri=$1", "s", uri);
	enum status st = ERR_NOT_FOUND;

	*g = (struct db_group){ 0 };
	if (sql_row(s)) {
		(void)snprintf(g->uri, sizeof g->uri, "%s", uri);
		sql_text(s, 0, g->manager_uri, sizeof g->manager_uri);
		g->policy = (unsigned)sql_int(s, 1);
		st = OK;
	}
	return sql_end(s, st);
}

enum status db_member_set(struct db *db, const char *group, const char *user, bool member)
{
	return sql_done(sql_query(db->sql,
	        member ? "INSERT INTO member VALUES($1,$2) ON CONFLICT DO NOTHING"
	               : "DELETE FROM member WHERE grp=$1 AND uri=$2",
	        "ss", group, user));
}

enum status db_guest_set(struct db *db, const char *group, const char *user, bool guest)
{
	return sql_done(sql_query(db->sql,
	        guest ? "INSERT INTO guest VALUES($1,$2) ON CONFLICT DO NOTHING" : "DELETE FROM guest WHERE grp=$1 AND uri=$2",
	        "ss", group, user));
}

static enum status each_of(
        struct db *db, const char *query, const char *group, enum status (*each)(void *, const char *user), void *context)
{
	struct sql_rows *s = sql_query(db->sql, query, "s", group);
	enum status st = OK;
	char user[129];

	while (st == OK && sql_row(s)) {
		sql_text(s, 0, user, sizeof user);
		st = each(context, user);
	}
	return sql_end(s, st);
}

enum status db_member_each(struct db *db, const char *group, enum status (*each)(void *, const char *user), void *context)
{
	return each_of(db, "SELECT uri FROM member WHERE grp=$1 ORDER BY uri", group, each, context);
}

enum status db_guest_each(struct db *db, const char *group, enum status (*each)(void *, const char *user), void *context)
{
	return each_of(db, "SELECT uri FROM guest WHERE grp=$1 ORDER BY uri", group, each, context);
}

static void gmk_label(const char *group, uint32_t id, char label[static DB_LABEL_MAX])
{
	char name[192];

	(void)snprintf(name, sizeof name, "%s/%08lx", group, (unsigned long)id);
	db_label("gmk", name, label);
}

enum status db_gmk_add(struct db *db, const char *group, const struct db_gmk *k, struct bytes key)
{
	uint8_t raw[128];
	struct buf b = BUF_OF(raw);
	struct bytes wrapped;
	char label[DB_LABEL_MAX];

	gmk_label(group, k->id, label);
	TRY(db_wrap(db, label, key, &b));
	wrapped = buf_bytes(&b);
	return sql_done(
	        sql_query(db->sql, "INSERT INTO gmk(grp, id, not_before, not_after, key, number) VALUES($1,$2,$3,$4,$5,$6)",
	                "siiibi", group, (uint64_t)k->id, k->not_before, k->not_after, &wrapped, k->number));
}

/* Those of number 0 are from before there were numbers: by their beginning, as it was then. */
#define GMKS                                                                                                                   \
	"SELECT id, number, not_before, not_after, key FROM gmk WHERE grp=$1 AND not_after>$2"                                 \
	" ORDER BY number DESC, not_before DESC, id"

static void read_gmk(struct sql_rows *r, struct db_gmk *k)
{
	*k = (struct db_gmk){
		.id = (uint32_t)sql_int(r, 0), .number = sql_int(r, 1), .not_before = sql_int(r, 2), .not_after = sql_int(r, 3)
	};
}

enum status db_gmk_latest(struct db *db, const char *group, uint64_t now, struct db_gmk *k, struct secret *key)
{
	SECRET_LARGE plain = { 0 };
	struct sql_rows *s = sql_query(db->sql, GMKS " LIMIT 1", "si", group, now);
	enum status st = ERR_NOT_FOUND;
	char label[DB_LABEL_MAX];

	if (sql_row(s)) {
		read_gmk(s, k);
		gmk_label(group, k->id, label);
		if ((st = db_unwrap(db, label, sql_blob(s, 4), &plain)) == OK)
			st = secret_set(key, secret_large_bytes(&plain));
	}
	return sql_end(s, st);
}

enum status db_gmk_each(
        struct db *db, const char *group, uint64_t now, void (*each)(void *, const struct db_gmk *), void *context)
{
	struct sql_rows *s = sql_query(db->sql, GMKS, "si", group, now);

	while (sql_row(s)) {
		struct db_gmk k;

		read_gmk(s, &k);
		each(context, &k);
	}
	return sql_done(s);
}

enum status db_permission_set(struct db *db, const struct db_permission *p)
{
	struct bytes radio = { p->radio, p->radio_len };

	return sql_done(sql_query(db->sql,
	        "INSERT INTO permission VALUES($1,$2,$3,$4,$5) ON CONFLICT(plmn, iccid) DO UPDATE SET rights=excluded.rights,"
	        " valid=excluded.valid, radio=excluded.radio",
	        "ssiib", p->plmn, p->iccid, (uint64_t)p->rights, p->valid, &radio));
}

enum status db_permission_each(
        struct db *db, const char *iccid, enum status (*each)(void *, const struct db_permission *), void *context)
{
	struct sql_rows *s = sql_query(db->sql,
	        "SELECT plmn, iccid, rights, valid, radio FROM permission p WHERE iccid=$1 OR (iccid='' AND NOT EXISTS"
	        " (SELECT 1 FROM permission q WHERE q.plmn=p.plmn AND q.iccid=$1)) ORDER BY plmn",
	        "s", iccid);
	enum status st = OK;

	while (st == OK && sql_row(s)) {
		struct db_permission p = { .rights = (unsigned)sql_int(s, 2), .valid = sql_int(s, 3) };
		struct bytes radio = sql_blob(s, 4);

		sql_text(s, 0, p.plmn, sizeof p.plmn);
		sql_text(s, 1, p.iccid, sizeof p.iccid);
		p.radio_len = radio.n <= sizeof p.radio ? radio.n : 0;
		if (p.radio_len > 0)
			memcpy(p.radio, radio.p, p.radio_len);
		st = each(context, &p);
	}
	return sql_end(s, st);
}

enum status db_discovery_set(struct db *db, const struct db_discovery *d, struct bytes keys)
{
	uint8_t raw[WRAPPED_MAX];
	struct buf b = BUF_OF(raw);
	struct bytes wrapped;
	char label[DB_LABEL_MAX];

	db_label("discovery", d->name, label);
	TRY(db_wrap(db, label, keys, &b));
	wrapped = buf_bytes(&b);
	return sql_done(sql_query(db->sql,
	        "INSERT INTO discovery VALUES($1,$2,$3,$4) ON CONFLICT(name)"
	        " DO UPDATE SET profile=excluded.profile, slot_seconds=excluded.slot_seconds, keys=excluded.keys",
	        "siib", d->name, (uint64_t)d->profile, (uint64_t)d->slot_seconds, &wrapped));
}

enum status db_discovery_get(struct db *db, const char *name, struct db_discovery *d, struct secret_large *keys)
{
	struct sql_rows *s = sql_query(db->sql, "SELECT profile, slot_seconds, keys FROM discovery WHERE name=$1", "s", name);
	enum status st = ERR_NOT_FOUND;
	char label[DB_LABEL_MAX];

	*d = (struct db_discovery){ 0 };
	if (sql_row(s)) {
		(void)snprintf(d->name, sizeof d->name, "%s", name);
		d->profile = (unsigned)sql_int(s, 0);
		d->slot_seconds = (unsigned)sql_int(s, 1);
		db_label("discovery", name, label);
		st = db_unwrap(db, label, sql_blob(s, 2), keys);
	}
	return sql_end(s, st);
}

enum status db_card_members(struct db *db, const char *iccid, struct db_member *list, size_t room, size_t *n)
{
	struct sql_rows *r = sql_query(db->sql,
	        "SELECT m.grp, m.uri FROM member m JOIN users u ON u.uri=m.uri WHERE u.iccid=$1 ORDER BY m.grp, m.uri", "s",
	        iccid);

	for (*n = 0; sql_row(r) && *n < room; (*n)++) {
		sql_text(r, 0, list[*n].group, sizeof list[*n].group);
		sql_text(r, 1, list[*n].uri, sizeof list[*n].uri);
	}
	return sql_done(r);
}
