/* SPDX-License-Identifier: Apache-2.0 */
/* image_migration.h - from an older format of card images to this program's, one number after the other, never back.
 * An image is upgraded when it is opened: all its cards, whose roots are checked first, and the number in one transaction. */
#ifndef CARD_IO_IMAGE_IMAGE_MIGRATION_H
#define CARD_IO_IMAGE_IMAGE_MIGRATION_H

#include "card/io/image/image_file.h"

/* image_file_open, and the upgrade if the file is older. After an error it is what it was, octet for octet. */
enum image_error image_file_open_upgraded(struct image_file **out, struct image_options *);

/* What has changed with a format from 2 to IMAGE_FORMAT. */
const char *image_migration_sentence(unsigned format);

#endif
