/* SPDX-License-Identifier: Apache-2.0 */
#include "apdu/sw.h"

#include <stddef.h>

static const struct {
	unsigned sw, mask;
	const char *text;
} texts[] = {
	{ 0x9000, 0xFFFF, "done" },
	{ 0x9100, 0xFF00, "done; the card has a proactive command waiting" },
	{ 0x6100, 0xFF00, "response data waiting" },
	{ 0x6282, 0xFFFF, "end of file, or nothing found" },
	{ 0x6283, 0xFFFF, "the selected file is deactivated" },
	{ 0x6285, 0xFFFF, "the selected file is terminated" },
	{ 0x62F1, 0xFFFF, "more response data is there: ask for the next block" },
	{ 0x63F1, 0xFFFF, "the next block of the command is expected" },
	{ 0x63C0, 0xFFF0, "wrong PIN" },
	{ 0x6581, 0xFFFF, "the card could not store the change" },
	{ 0x6700, 0xFFFF, "wrong length" },
	{ 0x6881, 0xFFFF, "logical channel not open or not supported" },
	{ 0x6882, 0xFFFF, "secure messaging not supported" },
	{ 0x6883, 0xFFFF, "the chain of commands was broken off" },
	{ 0x6300, 0xFFFF, "the host cryptogram is wrong" },
	{ 0x6884, 0xFFFF, "command chaining not supported here" },
	{ 0x6981, 0xFFFF, "the command does not fit the file's structure" },
	{ 0x6982, 0xFFFF, "access refused: PIN not verified, or not for this user" },
	{ 0x6983, 0xFFFF, "PIN blocked: unblock it with the PUK" },
	{ 0x6984, 0xFFFF, "the PIN or file is disabled" },
	{ 0x6985, 0xFFFF, "conditions of use not satisfied" },
	{ 0x6986, 0xFFFF, "no file is selected" },
	{ 0x6A80, 0xFFFF, "wrong data in the command" },
	{ 0x6A81, 0xFFFF, "function not supported" },
	{ 0x6A82, 0xFFFF, "file or application not found" },
	{ 0x6A83, 0xFFFF, "record not found" },
	{ 0x6A84, 0xFFFF, "not enough memory on the card" },
	{ 0x6A86, 0xFFFF, "wrong P1 or P2" },
	{ 0x6A88, 0xFFFF, "no such PIN or key" },
	{ 0x6A89, 0xFFFF, "a file with this identifier exists already" },
	{ 0x6B00, 0xFFFF, "offset beyond the end of the file" },
	{ 0x6C00, 0xFF00, "wrong expected length" },
	{ 0x6D00, 0xFFFF, "instruction not supported" },
	{ 0x6E00, 0xFFFF, "class not supported" },
	{ 0x6F00, 0xFFFF, "technical problem in the card" },
	{ 0x9300, 0xFFFF, "the card is busy with a proactive command" },
	{ 0x9850, 0xFFFF, "the counter is at its maximum" },
	{ 0x9862, 0xFFFF, "authentication error: the network's MAC is wrong (another key, or no network)" },
	{ 0x9864, 0xFFFF, "the card does not have this security context" },
	{ 0x9866, 0xFFFF, "no room on the card for the derived key" },
	{ SW_PROSE_SIGNATURE, 0xFFFF, "a signature or MAC is wrong: the message was changed, or made with another key" },
	{ SW_PROSE_RECIPIENT, 0xFFFF, "the message is not addressed to this card" },
	{ SW_PROSE_SIGNER, 0xFFFF, "the signer is not the one that the group expects" },
	{ SW_PROSE_TIME, 0xFFFF, "the time stamp is outside the window: check both clocks" },
	{ SW_PROSE_REPLAY, 0xFFFF, "seen before: a replay, or a newer one is installed already" },
	{ SW_PROSE_EXPIRED, 0xFFFF, "the key's period of use is over or has not begun" },
	{ SW_PROSE_NO_KEY, 0xFFFF, "the card holds no such key: not a member, or the key was not delivered yet" },
	{ SW_PROSE_DECAPSULATION, 0xFFFF, "the encapsulated key failed its check" },
	{ SW_PROSE_RIGHT, 0xFFFF, "the key does not carry that right (monitor keys cannot announce)" },
	{ SW_PROSE_BUDGET, 0xFFFF, "the card's budget of slots for this power-on is spent" },
	{ SW_PROSE_POLICY, 0xFFFF, "the group's policy forbids it" },
	{ SW_PROSE_NOT_PROVISIONED, 0xFFFF, "the card is not provisioned: no KMS certificate or key set" },
	{ SW_PROSE_PERMISSION, 0xFFFF,
	        "no permission for this here: the PLMN's ProSe Function grants it, or the home network's preset" },
	{ SW_PROSE_REVOKED, 0xFFFF, "the identity is on its KMS's list of revoked users" },
	{ SW_PROSE_COLLISION, 0xFFFF, "another talker of this session has the same SSRC: ask for a new one" },
	{ SW_PROSE_OLD_KEY, 0xFFFF,
	        "under a key that a newer one of the group has put an end to: the talker was excluded or lacks the new key" },
};

const char *sw_text(unsigned sw)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if ((sw & texts[i].mask) == texts[i].sw)
			return texts[i].text;
	return "unknown status word";
}

bool sw_commits(enum sw sw)
{
	unsigned v = sw;

	return v == 0x9000 || (v & 0xFF00) == 0x9100 || (v & 0xFF00) == 0x6200 || (v & 0xFFF0) == 0x63C0;
}
