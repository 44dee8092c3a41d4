/* SPDX-License-Identifier: Apache-2.0 */
#include "card/io/birth/names.h"

#include <string.h>

#include "apdu/files.h"
#include "card/os/files/file.h"

const struct name_value profile_access[] = { { "always", ARR_READ_ALWAYS }, { "pin", ARR_READ_PIN },
	{ "pin-update", ARR_UPDATE_PIN }, { "adm", ARR_ADM }, { "always-only", ARR_READ_ALWAYS_ONLY }, { "pin2", ARR_PIN2 },
	{ "counter", ARR_COUNTER }, { "open", ARR_OPEN }, { 0 } };

const struct name_value profile_types[] = { { "df", FILE_DF }, { "adf", FILE_ADF }, { "transparent", FILE_TRANSPARENT },
	{ "linear", FILE_LINEAR }, { "cyclic", FILE_CYCLIC }, { "ber-tlv", FILE_BER_TLV }, { 0 } };

const struct name_value *names_find_n(const struct name_value *table, const char *word, size_t n)
{
	for (; word != NULL && table->name != NULL; table++)
		if (strlen(table->name) == n && strncmp(table->name, word, n) == 0)
			return table;
	return NULL;
}

const struct name_value *names_find(const struct name_value *table, const char *word)
{
	return word != NULL ? names_find_n(table, word, strlen(word)) : NULL;
}

const char *names_of(const struct name_value *table, uint32_t value)
{
	while (table->name != NULL && table->value != value)
		table++;
	return table->name;
}
