/* SPDX-License-Identifier: Apache-2.0 */
/* Seccomp. What runs another program or looks into one ends the process; what is not in the list is EPERM and a line on stderr,
 * once for each number. */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

#include "sandbox/sandbox_inside.h"

/* After start, as strace shows it, and what the C library, OpenSSL, SQLite, libevent and libpq use instead elsewhere. */
static const char *const allowed[] = { "accept", "accept4", "access", "brk", "chmod", "clock_getres", "clock_gettime",
	"clock_nanosleep", "close", "dup", "dup2", "dup3", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2",
	"epoll_wait", "eventfd2", "exit", "exit_group", "faccessat", "faccessat2", "fallocate", "fchmod", "fchmodat", "fchown",
	"fcntl", "fdatasync", "flock", "fstat", "fstatfs", "fsync", "ftruncate", "futex", "getcwd", "getdents64", "getegid",
	"geteuid", "getgid", "getpeername", "getpid", "getppid", "getrandom", "getrlimit", "getrusage", "getsockname",
	"getsockopt", "gettid", "gettimeofday", "getuid", "ioctl", "lseek", "lstat", "madvise", "membarrier", "mkdir",
	"mkdirat", "mlock", "mmap", "mprotect", "mremap", "munlock", "munmap", "nanosleep", "newfstatat", "open", "openat",
	"pipe2", "poll", "ppoll", "pread64", "preadv", "prlimit64", "pselect6", "pwrite64", "pwritev", "read", "readlink",
	"readlinkat", "readv", "recvfrom", "recvmmsg", "recvmsg", "rename", "renameat", "renameat2", "restart_syscall", "rmdir",
	"rseq", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sched_getaffinity", "sched_yield",
	"select", "sendmmsg", "sendmsg", "sendto", "set_robust_list", "setsockopt", "shutdown", "sigaltstack", "stat", "statfs",
	"statx", "sysinfo", "tgkill", "time", "timerfd_create", "timerfd_settime", "times", "umask", "uname", "unlink",
	"unlinkat", "utimensat", "wait4", "write", "writev" };
static const char *const deadly[] = { "execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev", "kexec_load",
	"bpf", "init_module", "finit_module", "mount", "umount2", "pivot_root", "chroot", "setns", "unshare", "perf_event_open",
	"userfaultfd", "keyctl", "add_key", "request_key", "io_uring_setup" };
/* Their arguments are structures, which a filter cannot see: callers fall back where there is none of them. */
static const char *const absent[] = { "openat2", "clone3" };

/* Whose calls the table above has, and whose registers `refuse` knows: 32 bits have calls of other names (futex_time64). */
#if defined __x86_64__ || defined __aarch64__
enum { KNOWN_PROCESSOR = 1 };
#else
enum { KNOWN_PROCESSOR = 0 };
#endif

static void refuse(int number, siginfo_t *info, void *context)
{
	static volatile unsigned char told[1024];
	const unsigned call = (unsigned)info->si_syscall;
	ucontext_t *c = context;
	char text[] = "prose: the sandbox has refused system call 0000 (EPERM)\n";
	const int kept = errno;

	(void)number;
	if (call < sizeof told && told[call] == 0) {
		told[call] = 1;
		for (unsigned n = call, at = sizeof "prose: the sandbox has refused system call " + 2, i = 0; i < 4;
		        i++, n /= 10)
			text[at - i] = (char)('0' + n % 10);
		(void)!write(STDERR_FILENO, text, sizeof text - 1);
	}
	errno = kept;
#if defined __x86_64__
	c->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined __aarch64__
	c->uc_mcontext.regs[0] = (unsigned long long)-EPERM;
#else
	(void)c;
#endif
}

static int add(scmp_filter_ctx f, uint32_t action, const char *const *names, size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		int call = seccomp_syscall_resolve_name(names[i]);

		if (call >= 0) /* else this processor has none of that name */
			rc = seccomp_rule_add(f, action, call, 0);
	}
	return rc;
}

static int add_sockets(scmp_filter_ctx f, unsigned rights)
{
	static const struct {
		unsigned right;
		int family;
	} rows[] = { { MAY_UNIX, AF_UNIX }, { MAY_INET, AF_INET }, { MAY_INET, AF_INET6 }, { MAY_NETLINK, AF_NETLINK } };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof rows / sizeof *rows; i++)
		if ((rights & rows[i].right) != 0)
			rc = seccomp_rule_add(
			        f, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)rows[i].family));
	if (rc == 0 && (rights & MAY_CONNECT) != 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);
	if (rc == 0 && (rights & MAY_LISTEN) != 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(bind), 0);
	if (rc == 0 && (rights & MAY_LISTEN) != 0)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(listen), 0);
	return rc;
}

/* Without a trap, which would be the end: the C library blocks signals while it makes a process or a thread. */
static int add_clone(scmp_filter_ctx f, unsigned rights)
{
	const uint32_t thread = (rights & MAY_THREAD) != 0 ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM);
	int rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));

	return rc != 0 ? rc
	               : seccomp_rule_add(
	                         f, thread, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
}

#if defined __x86_64__ || defined __aarch64__
#define REFUSAL SCMP_ACT_TRAP
#else
#define REFUSAL SCMP_ACT_ERRNO(EPERM) /* without the line */
#endif

enum status sandbox_filter(unsigned rights)
{
	struct sigaction action = { .sa_sigaction = refuse, .sa_flags = SA_SIGINFO };
	scmp_filter_ctx f;
	int rc;

	if (!KNOWN_PROCESSOR)
		return ERR_NOT_FOUND;
	if ((f = seccomp_init(REFUSAL)) == NULL)
		return ERR_NO_MEMORY;
	rc = add(f, SCMP_ACT_ALLOW, allowed, sizeof allowed / sizeof *allowed);
	if (rc == 0)
		rc = add(f, SCMP_ACT_KILL_PROCESS, deadly, sizeof deadly / sizeof *deadly);
	if (rc == 0)
		rc = add(f, SCMP_ACT_ERRNO(ENOSYS), absent, sizeof absent / sizeof *absent);
	if (rc == 0)
		rc = add_sockets(f, rights);
	if (rc == 0)
		rc = add_clone(f, rights);
	if (rc == 0 && sigaction(SIGSYS, &action, NULL) == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	return rc == 0 ? OK : rc == -EINVAL || rc == -ENOSYS ? ERR_NOT_FOUND : rc == -ENOMEM ? ERR_NO_MEMORY : ERR_IO;
}
