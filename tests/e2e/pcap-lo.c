/* pcap-lo: write every packet on the loopback interface into a file, for the leak check. Stops at SIGTERM. */
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
	static uint8_t packet[65536];
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	FILE *out = argc == 2 ? fopen(argv[1], "we") : NULL;

	if (fd < 0 || out == NULL)
		return 1;
	(void)setvbuf(out, NULL, _IONBF, 0);
	for (;;) {
		ssize_t n = recv(fd, packet, sizeof packet, 0);

		if (n > 0)
			(void)fwrite(packet, 1, (size_t)n, out);
	}
}
