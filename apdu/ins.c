/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/ins.h"

#include <stddef.h>

#include "apdu/apdu.h"
#include "apdu/prose.h"

static const struct ins_name names[] = {
	{ INS_SELECT, "SELECT", INS_DATA },
	{ INS_STATUS, "STATUS", INS_READS },
	{ INS_READ_BINARY, "READ BINARY", INS_READS },
	{ INS_UPDATE_BINARY, "UPDATE BINARY", INS_DATA },
	{ INS_READ_RECORD, "READ RECORD", INS_READS },
	{ INS_UPDATE_RECORD, "UPDATE RECORD", INS_DATA },
	{ INS_SEARCH_RECORD, "SEARCH RECORD", INS_DATA },
	{ INS_INCREASE, "INCREASE", INS_DATA },
	{ INS_RETRIEVE_DATA, "RETRIEVE DATA", INS_DATA },
	{ INS_SET_DATA, "SET DATA", INS_DATA },
	{ INS_VERIFY_PIN, "VERIFY PIN", INS_PIN },
	{ INS_CHANGE_PIN, "CHANGE PIN", INS_PIN },
	{ INS_DISABLE_PIN, "DISABLE PIN", INS_PIN },
	{ INS_ENABLE_PIN, "ENABLE PIN", INS_PIN },
	{ INS_UNBLOCK_PIN, "UNBLOCK PIN", INS_PIN },
	{ INS_ACTIVATE_FILE, "ACTIVATE FILE", INS_DATA },
	{ INS_DEACTIVATE_FILE, "DEACTIVATE FILE", INS_DATA },
	{ INS_MANAGE_CHANNEL, "MANAGE CHANNEL", INS_READS },
	{ INS_GET_CHALLENGE, "GET CHALLENGE", INS_READS },
	{ INS_AUTHENTICATE, "AUTHENTICATE", INS_DATA },
	{ INS_AUTHENTICATE_ODD, "AUTHENTICATE", INS_DATA },
	{ INS_GET_RESPONSE, "GET RESPONSE", INS_READS },
	{ INS_ENVELOPE, "ENVELOPE", INS_DATA },
	{ INS_TERMINAL_PROFILE, "TERMINAL PROFILE", INS_DATA },
	{ INS_FETCH, "FETCH", INS_READS },
	{ INS_TERMINAL_RESPONSE, "TERMINAL RESPONSE", INS_DATA },
	{ INS_TERMINAL_CAPABILITY, "TERMINAL CAPABILITY", INS_DATA },
	{ INS_CREATE_FILE, "CREATE FILE", INS_DATA },
	{ INS_DELETE_FILE, "DELETE FILE", INS_DATA },
	{ INS_RESIZE_FILE, "RESIZE FILE", INS_DATA },
	{ INS_SUSPEND_UICC, "SUSPEND UICC", INS_DATA },
	{ INS_GET_IDENTITY, "GET IDENTITY", INS_READS },
	{ INS_TERMINATE_DF, "TERMINATE DF", INS_DATA },
	{ INS_TERMINATE_EF, "TERMINATE EF", INS_DATA },
};

const struct ins_name *ins_name(uint8_t ins)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].ins == ins)
			return &names[i];
	return NULL;
}

static const struct {
	bool proprietary; /* class 8X, CX or EX */
	uint8_t ins;
	unsigned hides;
} secrets[] = {
	{ false, INS_VERIFY_PIN, INS_HIDES_DATA },
	{ false, INS_CHANGE_PIN, INS_HIDES_DATA },
	{ false, INS_DISABLE_PIN, INS_HIDES_DATA },
	{ false, INS_ENABLE_PIN, INS_HIDES_DATA },
	{ false, INS_UNBLOCK_PIN, INS_HIDES_DATA },
	{ false, INS_AUTHENTICATE, INS_HIDES_ANSWER },
	{ false, INS_AUTHENTICATE_ODD, INS_HIDES_ANSWER },
	{ true, INS_PROSE_RELEASE_KEY, INS_HIDES_ANSWER },
	{ true, INS_PROSE_COMPUTE_CODES, INS_HIDES_ANSWER },
	{ true, INS_PROSE_PROTECT, INS_HIDES_DATA },
	{ true, INS_PROSE_UNPROTECT, INS_HIDES_ANSWER },
};

unsigned ins_hides(uint8_t cla, uint8_t ins)
{
	for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
		if (secrets[i].ins == ins && secrets[i].proprietary == ((cla & 0x80) != 0))
			return secrets[i].hides;
	return 0;
}
