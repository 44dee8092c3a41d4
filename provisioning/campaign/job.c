/* SPDX-License-Identifier: Apache-2.0 */
#include "provisioning/campaign/job.h"

#include <glob.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "apdu/aids.h"
#include "apdu/files.h"
#include "apdu/base/hex.h"
#include "apdu/prose.h"
#include "apdu/sealed.h"
#include "apdu/base/text.h"
#include "apdu/tlv.h"
#include "ota/script.h"

/* As C-APDUs back to back; the TLVs around them take the rest of what a card accepts. */
enum { JOB_HTTPS_MAX = 11264 };

/* Where the files of a TAR lie. */
static const struct root {
	const char *tar, *path;
	size_t depth;
	uint16_t fid[2];
} roots[] = {
	{ TAR_RFM_UICC, "", 1, { FID_MF } },
	{ TAR_RFM_USIM, "7FFF", 1, { FID_CURRENT_ADF } },
	{ TAR_RFM_PROSE, "7FFF/5F90", 2, { FID_CURRENT_ADF, FID_DF_PROSE } },
};

static const struct root *root_of(const struct job *j)
{
	for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
		if (memcmp(roots[i].tar, j->tar, TAR_LEN) == 0)
			return &roots[i];
	return NULL;
}

static enum status refuse(char *reason, size_t n, const char *field, const char *why)
{
	(void)snprintf(reason, n, "\"%s\" %s", field, why);
	return ERR_MALFORMED;
}

/* The part of an absolute path below the root; NULL if it is not below it. */
static const char *below(const struct root *r, const char *path)
{
	size_t n = strlen(r->path);

	if (n == 0)
		return path;
	return strncasecmp(path, r->path, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

static enum status find_file(const struct root *r, const char *text, struct job_file *f)
{
	const char *path = text;
	uint8_t raw[2 * JOB_DEPTH_MAX];
	struct buf b = BUF_OF(raw);
	char hex[4 * JOB_DEPTH_MAX + 1] = "";
	size_t n = 0;

	for (size_t i = 0; i < ef_name_count; i++)
		if (strcasecmp(ef_names[i].name, text) == 0 && below(r, ef_names[i].path) != NULL)
			path = ef_names[i].path;
	if (below(r, path) != NULL)
		path = below(r, path);
	for (; *path != 0 && n < sizeof hex - 1; path++)
		if (*path != '/')
			hex[n++] = *path;
	if (*path != 0 || hex_decode(bytes_str(hex), &b) != OK || b.len == 0 || b.len % 2 != 0)
		return ERR_MALFORMED;
	f->depth = b.len / 2;
	for (size_t i = 0; i < f->depth; i++)
		f->fid[i] = (uint16_t)(raw[2 * i] << 8 | raw[2 * i + 1]);
	return OK;
}

static enum status parse_file(const json_t *o, struct job *j, char *reason, size_t n)
{
	struct job_file *f = &j->file[j->files];
	const char *name = json_string_value(json_object_get(o, "file"));
	const char *content = json_string_value(json_object_get(o, "content"));
	json_int_t record = json_integer_value(json_object_get(o, "record"));
	json_int_t offset = json_integer_value(json_object_get(o, "offset"));
	struct buf b = { j->content, j->content_len, sizeof j->content, false };
	const struct root *r = root_of(j);

	if (r == NULL)
		return refuse(reason, n, "tar", "has no file system that is known here: B00000, B00011 or B05F90");
	if (j->files == JOB_FILES_MAX)
		return refuse(reason, n, "files", "has more than 64 entries");
	if (name == NULL || find_file(r, name, f) != OK)
		return refuse(reason, n, name != NULL ? name : "file",
		        "is no file below this TAR: a name as EF_ACC, or a path in hex");
	if (content == NULL || hex_decode(bytes_str(content), &b) != OK || b.len == j->content_len)
		return refuse(reason, n, name, "needs \"content\" in hex");
	if (record < 0 || record > 254 || offset < 0 || offset > 0x7FFF ||
	        (record > 0 && b.len - j->content_len > SCRIPT_DATA_MAX))
		return refuse(
		        reason, n, name, "has a record (1 to 254, 250 octets at most) or offset (0 to 32767) out of range");
	f->record = (unsigned)record;
	f->offset = (size_t)offset;
	f->at = j->content_len;
	f->len = b.len - j->content_len;
	j->content_len = b.len;
	j->files++;
	return OK;
}

static enum status parse_commands(const json_t *list, struct job *j, char *reason, size_t n)
{
	struct buf b = BUF_OF(j->commands);
	struct bytes left;
	struct command_apdu a;
	size_t i;
	json_t *item;

	json_array_foreach (list, i, item) {
		const char *text = json_string_value(item);

		if (text == NULL || hex_decode(bytes_str(text), &b) != OK)
			return refuse(reason, n, "commands", "is a list of C-APDUs in hex");
	}
	for (left = buf_bytes(&b); left.n > 0; j->commands_count++)
		if (script_next(&left, &a) != OK)
			return refuse(reason, n, "commands",
			        "has a C-APDU whose P3 does not fit (compact scripts: CLA INS P1 P2 P3 data)");
	j->commands_len = b.len;
	return OK;
}

static enum status check_fields(const json_t *root, char *reason, size_t n)
{
	static const struct {
		const char *name;
		int type;
	} known[] = { { "tar", JSON_STRING }, { "files", JSON_ARRAY }, { "commands", JSON_ARRAY }, { "repeat", -1 },
		{ "sealed", JSON_STRING }, { "rotate", JSON_INTEGER }, { "audit", -1 } };
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)root, key, value)
	{
		size_t i = 0;

		while (i < sizeof known / sizeof *known && strcmp(known[i].name, key) != 0)
			i++;
		if (i == sizeof known / sizeof *known)
			return refuse(
			        reason, n, key, "is not a field of a job: tar, files, commands, repeat, sealed, rotate, audit");
		if (known[i].type == -1 ? !json_is_boolean(value) : (int)json_typeof(value) != known[i].type)
			return refuse(reason, n, key, "has the wrong type");
	}
	return OK;
}

static enum status parse_root(const json_t *root, struct job *j, char *reason, size_t n)
{
	const char *tar = json_string_value(json_object_get(root, "tar"));
	const char *sealed = json_string_value(json_object_get(root, "sealed"));
	json_int_t rotate = json_integer_value(json_object_get(root, "rotate"));
	struct buf t = BUF_OF(j->tar);
	size_t i;
	json_t *file;

	TRY(check_fields(root, reason, n));
	if (tar == NULL)
		memcpy(j->tar, sealed != NULL ? TAR_PROSE : TAR_RFM_PROSE, TAR_LEN);
	else if (hex_decode(bytes_str(tar), &t) != OK || t.len != TAR_LEN)
		return refuse(reason, n, "tar", "needs six hex digits");
	json_array_foreach (json_object_get(root, "files"), i, file)
		TRY(parse_file(file, j, reason, n));
	TRY(parse_commands(json_object_get(root, "commands"), j, reason, n));
	j->repeat = json_is_true(json_object_get(root, "repeat"));
	j->audit = json_is_true(json_object_get(root, "audit"));
	if (rotate < 0 || rotate > 15)
		return refuse(reason, n, "rotate", "is a key set number, 1 to 15");
	j->rotate = (uint8_t)rotate;
	if (sealed != NULL && !text_put(j->sealed, sizeof j->sealed, "%s", sealed))
		return refuse(reason, n, "sealed", "is a path of at most 255 characters");
	if ((j->rotate > 0) + (sealed != NULL) + (j->files + j->commands_count > 0) != 1)
		return refuse(reason, n, "job", "needs files or commands, or sealed, or rotate, and not several of these");
	if (j->audit && (j->files == 0 || j->commands_count > 0))
		return refuse(reason, n, "audit", "goes with files and nothing else");
	return OK;
}

enum status job_parse(const char *text, enum job_way way, struct job *j, char *reason, size_t n)
{
	json_error_t error;
	json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	static uint8_t raw[JOB_CONTENT_MAX];
	struct buf b = { raw, 0, way == JOB_BY_SMS ? OTA_PACKET_MAX : JOB_HTTPS_MAX, false };
	enum status st;
	unsigned commands;

	*j = (struct job){ 0 };
	if (root == NULL || !json_is_object(root)) {
		(void)snprintf(
		        reason, n, "line %d: %s", root == NULL ? error.line : 1, root == NULL ? error.text : "no JSON object");
		json_decref(root);
		return ERR_MALFORMED;
	}
	st = parse_root(root, j, reason, n);
	json_decref(root);
	if (st == OK && job_script(j, (struct bytes){ 0 }, &b, &commands) != OK)
		return refuse(reason, n, "job",
		        way == JOB_BY_SMS ? "is longer than one secured packet (about 2,000 octets)"
		                          : "is longer than one script (about 11,000 octets)");
	return st;
}

/* From the TAR's directory, or from wherever the file before has led. */
static unsigned put_path(const struct job *j, const struct job_file *f, const struct job_file *before, struct buf *b)
{
	const struct root *r = root_of(j);
	unsigned count = 0;

	for (size_t i = 0; before != NULL && before->depth > 1 && i < r->depth; i++, count++)
		script_put_select(b, r->fid[i]);
	for (size_t i = 0; i < f->depth; i++, count++)
		script_put_select(b, f->fid[i]);
	return count;
}

enum status job_script(const struct job *j, struct bytes more, struct buf *out, unsigned *commands)
{
	struct tlv object;

	*commands = j->commands_count;
	for (size_t i = 0; i < j->files; i++) {
		*commands += put_path(j, &j->file[i], i > 0 ? &j->file[i - 1] : NULL, out);
		*commands += script_put_write(out, j->file[i].record, j->file[i].offset,
		        (struct bytes){ j->content + j->file[i].at, j->file[i].len });
	}
	buf_put(out, (struct bytes){ j->commands, j->commands_len });
	buf_put(out, more);
	for (; more.n > 0; ++*commands)
		TRY(tlv_next(&more, &object));
	return buf_status(out);
}

static unsigned pieces_of(const struct job_file *f)
{
	return (unsigned)((f->len + JOB_PIECE - 1) / JOB_PIECE);
}

unsigned job_pieces(const struct job *j)
{
	unsigned n = 0;

	for (size_t i = 0; i < j->files; i++)
		n += pieces_of(&j->file[i]);
	return n;
}

static const struct job_file *file_of_piece(const struct job *j, unsigned piece, size_t *at, size_t *len)
{
	for (size_t i = 0; i < j->files; i++) {
		const struct job_file *f = &j->file[i];

		if (piece < pieces_of(f)) {
			*at = (size_t)piece * JOB_PIECE;
			*len = f->len - *at < JOB_PIECE ? f->len - *at : JOB_PIECE;
			return f;
		}
		piece -= pieces_of(f);
	}
	return NULL;
}

/* A record is read whole; a long one's end does not fit the answer and is not compared. */
enum status job_read_script(const struct job *j, unsigned piece, struct buf *out)
{
	size_t at = 0, len = 0;
	const struct job_file *f = file_of_piece(j, piece, &at, &len);

	if (f == NULL)
		return ERR_NOT_FOUND;
	(void)put_path(j, f, NULL, out);
	if (f->record > 0)
		script_put_read(out, INS_READ_RECORD, (uint8_t)f->record, 0x04, (uint8_t)f->len);
	else
		script_put_read(
		        out, INS_READ_BINARY, (uint8_t)((f->offset + at) >> 8), (uint8_t)(f->offset + at), (uint8_t)len);
	return buf_status(out);
}

struct bytes job_piece(const struct job *j, unsigned piece, char *where, size_t n)
{
	size_t at = 0, len = 0;
	const struct job_file *f = file_of_piece(j, piece, &at, &len);

	if (f == NULL)
		return (struct bytes){ 0 };
	if (f->record > 0)
		(void)snprintf(where, n, "%04X, record %u", (unsigned)f->fid[f->depth - 1], f->record);
	else
		(void)snprintf(where, n, "%04X, octets %zu to %zu", (unsigned)f->fid[f->depth - 1], f->offset + at,
		        f->offset + at + len - 1);
	return (struct bytes){ j->content + f->at + at, len };
}

/* Sealed objects are TLVs and go as they are; a MIKEY-SAKKE message gets the time and a tag around it. */
static enum status put_file(const char *path, uint64_t now, struct buf *out)
{
	uint8_t raw[OTA_PACKET_MAX], message_raw[OTA_PACKET_MAX];
	struct bytes in = { raw, 0 };
	struct buf message = BUF_OF(message_raw);
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return ERR_IO;
	in.n = fread(raw, 1, sizeof raw, f);
	(void)fclose(f);
	if (in.n >= 2 && bytes_uint((struct bytes){ in.p, 2 }) == TAG_SEALED) {
		buf_put(out, in);
		return buf_status(out);
	}
	tlv_put_uint(&message, TAG_TIME, 8, now);
	tlv_put(&message, TAG_MESSAGE, in);
	tlv_put(out, TAG_IMPORT, buf_bytes(&message));
	return message.failed ? ERR_NO_SPACE : buf_status(out);
}

enum status job_sealed(const char *folder, const char *iccid, uint64_t now, struct buf *out)
{
	char pattern[PATH_MAX];
	enum status st = ERR_NOT_FOUND;
	glob_t found;

	(void)snprintf(pattern, sizeof pattern, "%s/%s.*", folder, iccid);
	if (glob(pattern, 0, NULL, &found) != 0)
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < found.gl_pathc && (st == OK || i == 0); i++)
		st = put_file(found.gl_pathv[i], now, out);
	globfree(&found);
	return st;
}
