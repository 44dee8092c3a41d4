/* SPDX-License-Identifier: Apache-2.0 */
/* prose-ue watch: APDUs that --gsmtap mirrors (ours, or any other tool's), decoded a line each. */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apdu/apdu.h"
#include "apdu/files.h"
#include "apdu/gsmtap.h"
#include "apdu/base/hex.h"
#include "apdu/ins.h"
#include "host/cli/cli.h"

enum { PACKET_MAX = 2048, SHOWN = 24 };

/* The first file that has this id: a hint for people, as an id alone does not say in which directory it is. */
static const char *file_hint(struct bytes fid)
{
	char text[5];

	if (fid.n != 2)
		return "";
	(void)hex_encode(fid, text);
	for (size_t i = 0; i < ef_name_count; i++) {
		const char *last = ef_names[i].path + strlen(ef_names[i].path) - 4;

		if (strcasecmp(last, text) == 0)
			return ef_names[i].name;
	}
	return "";
}

/* C-APDU and R-APDU stand back to back: where the first ends follows from what kind of command it is. Short lengths only. */
static bool split(struct bytes all, struct command_apdu *c, struct bytes *data, unsigned *sw)
{
	const struct ins_name *name = all.n > 5 ? ins_name(all.p[1]) : NULL;
	size_t n = all.n == 6 ? 4 : 5;

	if (all.n < 6)
		return false;
	if (all.n > 7 && (name == NULL || name->kind != INS_READS)) {
		n = 5U + all.p[4];
		if (all.n > n + 2)
			n++; /* an Le, as there is an answer */
	}
	if (n + 2 > all.n || apdu_parse((struct bytes){ all.p, n }, c) != OK)
		return false;
	*data = (struct bytes){ all.p + n, all.n - n - 2 };
	*sw = (unsigned)(all.p[all.n - 2] << 8 | all.p[all.n - 1]);
	return true;
}

static void print_hex(struct bytes b)
{
	char text[2 * SHOWN + 1];

	(void)printf(" %s%s", hex_encode((struct bytes){ b.p, b.n < SHOWN ? b.n : SHOWN }, text), b.n > SHOWN ? ".." : "");
}

static void print_packet(struct bytes all)
{
	const struct ins_name *name;
	struct command_apdu c;
	struct bytes data;
	unsigned sw;
	char ins[8];

	if (!split(all, &c, &data, &sw)) {
		(void)printf("?");
		print_hex(all);
		(void)putchar('\n');
		return;
	}
	name = ins_name(c.ins);
	(void)snprintf(ins, sizeof ins, "INS %02X", (unsigned)c.ins);
	(void)printf(
	        "%2u  %-19s %02X %02X", apdu_channel(c.cla), name != NULL ? name->name : ins, (unsigned)c.p1, (unsigned)c.p2);
	if (c.data.n > 0 && (name == NULL || name->kind != INS_PIN))
		print_hex(c.data);
	if (c.ins == INS_SELECT && file_hint(c.data)[0] != 0)
		(void)printf(" (%s)", file_hint(c.data));
	(void)printf(" -> %04X", sw);
	if (data.n > 0)
		print_hex(data);
	if (sw != 0x9000)
		(void)printf(" (%s)", sw_text(sw));
	(void)putchar('\n');
	(void)fflush(stdout);
}

int verb_watch(struct arguments *a)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(GSMTAP_PORT) };
	uint64_t end = now_microseconds() + (uint64_t)a->seconds * 1000000;
	uint8_t packet[PACKET_MAX];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	long long left = a->count;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof at) != 0) {
		if (fd >= 0)
			(void)close(fd);
		return usage_error("watch", "UDP port 4729 of 127.0.0.1 is taken: by Wireshark's capture, or another watch");
	}
	(void)printf("watching for APDUs at 127.0.0.1:%d (prose-ue --gsmtap 127.0.0.1 ...)\n", GSMTAP_PORT);
	(void)fflush(stdout);
	while (now_microseconds() < end && (a->count == 0 || left > 0)) {
		struct pollfd p = { fd, POLLIN, 0 };
		ssize_t n = poll(&p, 1, 200) == 1 ? recv(fd, packet, sizeof packet, 0) : 0;

		if (n <= GSMTAP_HEADER_LEN || packet[0] != GSMTAP_VERSION || packet[2] != GSMTAP_SIM || packet[1] * 4 >= n)
			continue;
		print_packet((struct bytes){ packet + packet[1] * 4, (size_t)n - packet[1] * 4U });
		left--;
	}
	(void)close(fd);
	return 0;
}
