/* SPDX-License-Identifier: Apache-2.0 */
/* The reference of `make bench`: the least a vpcd card can be. usage: echo_card PORT */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	static uint8_t in[65536], atr[] = { 0, 20, 0x3B, 0x9D, 0x96, 0x80, 0x1F, 0xC7, 0x80, 0x31, 0xE0, 0x73, 0xFE, 0x21, 0x1B,
		0x65, 0x50, 0x52, 0x4F, 0x53, 0x45, 0x8B };
	uint8_t answer[14] = { 0, 12 }, head[2];
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "35964")),
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	answer[12] = 0x90;
	if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ||
	        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
		return 1;
	for (;;) {
		size_t n;

		(void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
		if (recv(fd, head, 2, MSG_WAITALL) != 2)
			return 0;
		n = (size_t)(head[0] << 8 | head[1]);
		if (recv(fd, in, n, MSG_WAITALL) != (ssize_t)n)
			return 0;
		if (n == 1 && in[0] == 4)
			(void)send(fd, atr, sizeof atr, 0);
		else if (n > 1)
			(void)send(fd, answer, sizeof answer, 0);
	}
}
