/* SPDX-License-Identifier: Apache-2.0 */
/* The profile of a card that there is: what profile_install would make the same files from. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "apdu/aids.h"
#include "apdu/base/hex.h"
#include "apdu/files.h"
#include "card/applets/applets.h"
#include "card/io/birth/names.h"
#include "card/io/birth/profile.h"
#include "card/io/birth/profile_toolkit.h"
#include "card/os/pin.h"

static void path_of(const struct file_system *fs, uint8_t index, char out[40])
{
	char below[40] = "";

	for (out[0] = 0; index != FILE_MF; index = fs->file[index].parent) {
		(void)snprintf(out, 40, "%04X%s%.30s", (unsigned)fs->file[index].fid, below[0] != 0 ? "/" : "", below);
		(void)snprintf(below, sizeof below, "%s", out);
	}
}

/* Hex without the FF at its end. */
static json_t *hex_json(struct bytes b)
{
	char text[2 * RECORD_MAX + 1];

	while (b.n > 0 && b.p[b.n - 1] == 0xFF)
		b.n--;
	return json_string(hex_encode(b, text));
}

static json_t *content_json(const struct file *f, struct bytes content)
{
	json_t *list;

	if (f->record_len == 0)
		return hex_json(content);
	list = json_array();
	for (size_t i = 0; i < f->record_count; i++)
		(void)json_array_append_new(list, hex_json((struct bytes){ content.p + i * f->record_len, f->record_len }));
	return list;
}

static json_t *access_json(struct file_system *fs, uint8_t index)
{
	const struct file *f = &fs->file[index];
	const char *name = names_of(profile_access, f->arr_record);
	uint8_t raw[128];
	struct buf b = BUF_OF(raw);

	if (name != NULL)
		return json_string(name);
	if (f->arr_record != ARR_OWN || file_rule(fs, index, &b) != OK)
		return NULL;
	return json_pack("{s:o}", "expanded", hex_json(buf_bytes(&b)));
}

static json_t *file_json(struct file_system *fs, uint8_t index)
{
	const struct file *f = &fs->file[index];
	uint8_t raw[RECORD_MAX];
	struct buf content = BUF_OF(raw);
	char path[40], aid[33];
	json_t *o = json_object();

	path_of(fs, index, path);
	(void)json_object_set_new(o, "path", json_string(path));
	(void)json_object_set_new(o, "type", json_string(names_of(profile_types, f->type)));
	(void)json_object_set_new(o, "access", access_json(fs, index));
	if (f->type == FILE_ADF)
		(void)json_object_set_new(o, "aid", json_string(hex_encode((struct bytes){ f->aid, f->aid_len }, aid)));
	if (file_is_df(f))
		return o;
	if (f->sfi != 0)
		(void)json_object_set_new(o, "sfi", json_integer(f->sfi));
	if (f->record_len != 0) {
		(void)json_object_set_new(o, "record", json_integer(f->record_len));
		(void)json_object_set_new(o, "records", json_integer(f->record_count));
	} else {
		(void)json_object_set_new(o, "size", json_integer(f->size));
	}
	if (!f->shareable)
		(void)json_object_set_new(o, "shareable", json_false());
	if (file_is_deactivated(f))
		(void)json_object_set_new(o, "active", json_false());
	if (file_read(fs, index, &content) == OK)
		(void)json_object_set_new(o, "content", content_json(f, buf_bytes(&content)));
	return o;
}

static uint8_t standard_file(const struct file_system *fs, uint16_t fid)
{
	uint8_t adf = file_by_aid(fs, BYTES_STR(AID_USIM), FILE_NONE);

	return adf == FILE_NONE ? FILE_NONE : file_child(fs, adf, fid);
}

static json_t *imsi_json(struct file_system *fs)
{
	uint8_t raw[RECORD_MAX], index = standard_file(fs, FID_IMSI);
	struct buf b = BUF_OF(raw);
	char digits[IMSI_MAX + 1];

	if (index == FILE_NONE || file_read(fs, index, &b) != OK || imsi_decode(buf_bytes(&b), digits) != OK)
		return NULL;
	return json_string(digits);
}

static void dump_toolkit(struct card *card, json_t *root)
{
	for (size_t i = 0; i < card->applet_count; i++) {
		struct applet *a = &card->applet[i];
		struct record_name name = { 0 };
		json_t *rules;

		if (a->class != &toolkit_class)
			continue;
		rules = json_array();
		while (applet_next(a, BYTES_STR("rule/"), name_bytes(&name), &name) == OK) {
			SECRET_LARGE rule = { 0 };

			if (applet_get(a, name_bytes(&name), &rule) == OK)
				(void)json_array_append_new(rules, toolkit_decode(secret_large_bytes(&rule)));
		}
		(void)json_object_set_new(root, "toolkit", rules);
	}
}

static void dump_permission(struct card *card, json_t *root)
{
	struct applet *a = applet_named(card, BYTES_STR(AID_PROSE));

	if (a != NULL && !prose_permission_judged(a))
		(void)json_object_set_new(root, "permission", json_string("open"));
}

json_t *profile_of_card(struct card *card)
{
	struct file_system *fs = &card->fs;
	json_t *root = json_object(), *files = json_array(), *imsi = imsi_json(fs);
	char iccid[2 * CARD_ID_LEN + 1];

	if (bcd_decode(BYTES_OF(card->env.card_id), iccid) != OK || imsi == NULL) {
		json_decref(root);
		json_decref(files);
		json_decref(imsi);
		return NULL;
	}
	(void)json_object_set_new(root, "iccid", json_string(iccid));
	(void)json_object_set_new(root, "imsi", imsi);
	(void)json_object_set_new(root, "pin1_enabled", json_boolean(pin_state(card, KEY_PIN1) == PIN_ENABLED));
	for (size_t i = 1; i < fs->count; i++)
		if (fs->file[i].type != FILE_FREE && fs->file[i].fid != FID_ARR && fs->file[i].fid != FID_ARR_MF)
			(void)json_array_append_new(files, file_json(fs, (uint8_t)i));
	(void)json_object_set_new(root, "files", files);
	dump_toolkit(card, root);
	dump_permission(card, root);
	return root;
}
