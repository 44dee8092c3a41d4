/* SPDX-License-Identifier: Apache-2.0 */
/* pcap-lo: write every packet on the loopback interface into a pcap file: for the leak check, and for GStreamer where it comes
 * too late for the air. Stops at SIGTERM. */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

enum { SNAP = 65536, ETHERNET = 1, ROOM = 8 << 20 };

static void put(FILE *out, const void *data, size_t n)
{
	(void)fwrite(data, 1, n, out);
}

int main(int argc, char **argv)
{
	static uint8_t record[16 + SNAP];
	const uint32_t head[6] = { 0xA1B2C3D4, 4 << 16 | 2, 0, 0, SNAP, ETHERNET };
	const int room = ROOM;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	FILE *out = argc == 2 ? fopen(argv[1], "we") : NULL;

	if (fd < 0 || out == NULL)
		return 1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	(void)setvbuf(out, NULL, _IONBF, 0);
	put(out, head, sizeof head);
	for (;;) {
		struct sockaddr_ll from = { 0 };
		socklen_t len = sizeof from;
		ssize_t n = recvfrom(fd, record + 16, SNAP, 0, (struct sockaddr *)&from, &len);
		struct timeval now;

		if (n <= 0 || from.sll_pkttype == PACKET_OUTGOING) /* it comes back on this interface */
			continue;
		(void)gettimeofday(&now, NULL);
		memcpy(record, (uint32_t[4]){ (uint32_t)now.tv_sec, (uint32_t)now.tv_usec, (uint32_t)n, (uint32_t)n }, 16);
		put(out, record, 16 + (size_t)n);
	}
}
