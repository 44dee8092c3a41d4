/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/image/image_migration.h"

/* What one card's records have to become, with image_rewrite: the last rewrite leaves a root of the new format. */
struct image_migration {
	unsigned format; /* that it leads to, from the one before */
	const char *sentence;
	enum status (*apply)(struct image *, unsigned format);
};

static enum status rewrite_root(struct image *im, unsigned format)
{
	return image_rewrite(im, format, NULL, 0);
}

/* A line is never changed: images of each format are out there. */
static const struct image_migration migrations[] = {
	{ 2, "the root says the format", rewrite_root },
};
enum { COUNT = sizeof migrations / sizeof *migrations };
_Static_assert(COUNT == IMAGE_FORMAT - 1, "one migration to each format but the first");

const char *image_migration_sentence(unsigned format)
{
	return format >= 2 && format <= IMAGE_FORMAT ? migrations[format - 2].sentence : "";
}

/* image_open_card checks every record and the root before anything is written. */
static enum image_error upgrade_card(struct image_file *file, struct bytes key, const uint8_t *card_id)
{
	struct image *im;
	enum image_error e = image_open_card(&im, file, key, card_id, false);

	for (const struct image_migration *m = migrations; e == IMAGE_OK && m < migrations + COUNT; m++)
		if (m->format > image_file_format(file) && m->apply(im, m->format) != OK)
			e = image_file_error(file);
	image_close(&im);
	return e;
}

/* One transaction, which ends with the last card or leaves nothing. */
static enum image_error upgrade(struct image_file *file, struct bytes key)
{
	enum image_error e = image_file_begin_batch(file) ? IMAGE_OK : image_file_error(file);

	for (size_t i = 0; e == IMAGE_OK && i < image_file_count(file); i++)
		e = upgrade_card(file, key, image_file_card(file, i));
	if (e == IMAGE_OK && (!image_file_set_format(file, IMAGE_FORMAT) || !image_file_end_batch(file)))
		e = image_file_error(file);
	if (e != IMAGE_OK)
		image_file_rollback(file);
	return e;
}

enum image_error image_file_open_upgraded(struct image_file **out, struct image_options *o)
{
	enum image_error e = image_file_open(out, o);

	o->upgraded_from = 0;
	if (e != IMAGE_OK || o->format == IMAGE_FORMAT)
		return e;
	if ((e = upgrade(*out, o->key)) != IMAGE_OK) {
		image_file_close(out);
		return e;
	}
	o->upgraded_from = o->format;
	o->format = IMAGE_FORMAT;
	return IMAGE_OK;
}
