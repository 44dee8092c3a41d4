/* trouble.so: preloaded into a program, it loses LOSSY per cent of the datagrams that the program sends, by a fixed sequence,
 * and its clock is SKEW seconds ahead. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

ssize_t send(int fd, const void *data, size_t n, int flags)
{
	static ssize_t (*real)(int, const void *, size_t, int);
	static unsigned long state = 7, percent;
	int type = 0;
	socklen_t len = sizeof type;

	if (real == NULL) {
		void *symbol = dlsym(RTLD_NEXT, "send");
		const char *text = getenv("LOSSY");

		memcpy(&real, &symbol, sizeof real);
		percent = text != NULL ? strtoul(text, NULL, 10) : 0;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM) {
		state = state * 6364136223846793005UL + 1442695040888963407UL;
		if ((state >> 33) % 100 < percent)
			return (ssize_t)n;
	}
	return real(fd, data, n, flags);
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);
	static long skew;
	int rc;

	if (real == NULL) {
		void *symbol = dlsym(RTLD_NEXT, "clock_gettime");
		const char *text = getenv("SKEW");

		memcpy(&real, &symbol, sizeof real);
		skew = text != NULL ? strtol(text, NULL, 10) : 0;
	}
	rc = real(clock, t);
	if (clock == CLOCK_REALTIME)
		t->tv_sec += skew;
	return rc;
}
