/*
 * Small things: calls of old and what they refuse, descriptors that only name a file, barriers for restartable sequences, options of sockets
 * that are kept, and what /proc lets be set.
 */
#include "files.h"

#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define Q_SYNC_USER 0x80000100u
#define BARRIER_RSEQ (1 << 7)
#define BARRIER_REGISTER_RSEQ (1 << 8)

static void as_anybody(void)
{
	CHECK_FAILS(EPERM, syscall(SYS_acct, "none"));
	CHECK_FAILS(EPERM, syscall(SYS_swapon, "none", 0));
	CHECK_FAILS(EINVAL, syscall(SYS_swapon, "none", 0x1000000));
	CHECK_FAILS(EPERM, syscall(SYS_swapoff, "none"));
	CHECK_FAILS(EPERM, syscall(SYS_iopl, 3));
	CHECK_FAILS(EPERM, syscall(SYS_ioperm, 0x80, 1, 1));
	CHECK(syscall(SYS_ioperm, 0x80, 1, 0) == 0);
}

static void test_refusals(void)
{
	char buffer[64];
	struct stat st;

	make_file("f", "not swap space");
	FAILS(ENOENT, syscall(SYS_acct, "none"));
	FAILS(EISDIR, syscall(SYS_acct, "."));
	FAILS(EACCES, syscall(SYS_acct, "/dev/null"));
	WORKS(syscall(SYS_acct, NULL));
	FAILS(ENODEV, syscall(SYS_quotactl, 0, NULL, 0, NULL));
	WORKS(syscall(SYS_quotactl, Q_SYNC_USER, NULL, 0, NULL));
	FAILS(EINVAL, syscall(SYS_quotactl, Q_SYNC_USER | 3, NULL, 0, NULL));
	FAILS(ENOENT, syscall(SYS_quotactl, Q_SYNC_USER, "none", 0, NULL));
	FAILS(ENOTBLK, syscall(SYS_quotactl, Q_SYNC_USER, "f", 0, NULL));
	FAILS(EBADF, syscall(443, -1, Q_SYNC_USER, 0, NULL));
	FAILS(EINVAL, syscall(SYS_swapon, "f", 0));
	FAILS(ENOENT, syscall(SYS_swapon, "none", 0));
	FAILS(EISDIR, syscall(SYS_swapon, ".", 0));
	FAILS(EINVAL, syscall(SYS_swapon, "/dev/null", 0));
	FAILS(EFAULT, syscall(SYS_swapon, NULL, 0));
	FAILS(EINVAL, syscall(SYS_swapoff, "f"));
	FAILS(ENOENT, syscall(SYS_swapoff, "none"));
	FAILS(EFAULT, syscall(SYS_swapoff, NULL));
	WORKS(syscall(SYS_iopl, 0));
	FAILS(EINVAL, syscall(SYS_iopl, 4));
	FAILS(EINVAL, syscall(SYS_ioperm, 65536, 1, 1));
	FAILS(EINVAL, syscall(SYS_ioperm, 65535, 2, 1));
	FAILS(EINVAL, syscall(SYS_ioperm, 0, 0, 1));
	WORKS(as_user(as_anybody));
	WORKS(stat(".", &st));
	WORKS(syscall(SYS_ustat, (unsigned int)st.st_dev, buffer));
	FAILS(EINVAL, syscall(SYS_ustat, 0x7777, buffer));
	FAILS(EFAULT, syscall(SYS_ustat, (unsigned int)st.st_dev, NULL));
	TRUE(syscall(SYS_sysfs, 3) > 3 && syscall(SYS_sysfs, 1, "tmpfs") >= 0);
	TRUE(syscall(SYS_sysfs, 2, syscall(SYS_sysfs, 1, "tmpfs"), buffer) == 0 &&
	     !strcmp(buffer, "tmpfs"));
	FAILS(EINVAL, syscall(SYS_sysfs, 1, "no such"));
	FAILS(EINVAL, syscall(SYS_sysfs, 2, 1000, buffer));
	FAILS(EINVAL, syscall(SYS_sysfs, 4));
	FAILS(EFAULT, syscall(SYS_sysfs, 1, NULL));
	FAILS(ENODEV, memfd_create("x", MFD_HUGETLB | 7u << 26));
	FAILS(EINVAL, memfd_create("x", MFD_HUGETLB | 0x10));
	FAILS(EINVAL, memfd_create("x", 21u << 26));
	WORKS(unlink("f"));
}

static void test_select_of_a_path(void)
{
	int fd = open(".", O_PATH);
	struct timeval none = {};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(fd, &set);
	GIVES(1, select(fd + 1, &set, NULL, NULL, &none));
	TRUE(FD_ISSET(fd, &set));
	close(fd);
	FAILS(EBADF, select(fd + 1, &set, NULL, NULL, &none));
}

static void test_barriers(void)
{
	TRUE(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) & BARRIER_RSEQ);
	FAILS(EPERM, syscall(SYS_membarrier, BARRIER_RSEQ, 0, 0));
	FAILS(EPERM, syscall(SYS_membarrier, BARRIER_RSEQ, 1, 0));
	FAILS(EINVAL, syscall(SYS_membarrier, BARRIER_RSEQ, 2, 0));
	WORKS(syscall(SYS_membarrier, BARRIER_REGISTER_RSEQ, 0, 0));
	FAILS(EINVAL, syscall(SYS_membarrier, BARRIER_REGISTER_RSEQ, 1, 0));
	WORKS(syscall(SYS_membarrier, BARRIER_RSEQ, 0, 0));
	WORKS(syscall(SYS_membarrier, BARRIER_RSEQ, 1, 0));
	WORKS(syscall(SYS_membarrier, BARRIER_RSEQ, 1, 1));
	WORKS(syscall(SYS_membarrier, BARRIER_RSEQ, 1, 77));
}

/* setsockopt() of a number: 0 or a negative errno; and what getsockopt() gives then. */
static int ends[2];
static int set_option(int option, int value)
{
	return setsockopt(ends[0], SOL_SOCKET, option, &value, sizeof(value)) ? -errno : 0;
}
static int option_of(int option)
{
	int value = -1;
	socklen_t length = sizeof(value);

	return getsockopt(ends[0], SOL_SOCKET, option, &value, &length) ? -errno : value;
}
static void keeps(int option, int value, int wanted)
{
	int result = set_option(option, value), found = option_of(option);

	tap_ok(!result && found == wanted, "option %d keeps %d as %d (%d, %d)", option, value,
	       wanted, result, found);
}
#define REFUSES(option, value, error) GIVES(-(error), set_option(option, value))

static void as_anybody_options(void)
{
	CHECK(set_option(SO_BUSY_POLL, 10) == -EPERM);
	CHECK(set_option(SO_PREFER_BUSY_POLL, 1) == -EPERM && set_option(SO_PREFER_BUSY_POLL, 0) == 0);
}

static void test_kept_options(void)
{
	unsigned char bytes[64];
	socklen_t length = sizeof(bytes);

	TRUE(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	WORKS(as_user(as_anybody_options));
	keeps(SO_WIFI_STATUS, 3, 1);
	keeps(SO_NOFCS, 1, 1);
	keeps(SO_SELECT_ERR_QUEUE, 1, 1);
	keeps(SO_RCVMARK, 1, 1);
	keeps(SO_PREFER_BUSY_POLL, 1, 1);
	keeps(SO_BUSY_POLL, 100000, 100000);
	REFUSES(SO_BUSY_POLL, -1, EINVAL);
	WORKS(set_option(SO_BUSY_POLL_BUDGET, 3));
	REFUSES(SO_BUSY_POLL_BUDGET, 100000, EINVAL);
	keeps(SO_INCOMING_CPU, 3, 3);
	keeps(SO_BSDCOMPAT, 1, 0);
	keeps(SO_TXREHASH, -1, 1);
	REFUSES(SO_TXREHASH, 3, EINVAL);
	GIVES(0, option_of(SO_BUF_LOCK));
	WORKS(set_option(SO_SNDBUF, 10000));
	GIVES(1, option_of(SO_BUF_LOCK));
	keeps(SO_BUF_LOCK, 2, 2);
	REFUSES(SO_BUF_LOCK, 4, EINVAL);
	REFUSES(SO_RESERVE_MEM, -1, EINVAL);
	REFUSES(SO_RESERVE_MEM, 1, EOPNOTSUPP);
	REFUSES(SO_ZEROCOPY, 1, EOPNOTSUPP);
	REFUSES(SO_TXTIME, 1, EINVAL);
	REFUSES(SO_DETACH_FILTER, 1, ENOENT);
	keeps(SO_TIMESTAMPING, 3, 3);
	REFUSES(SO_TIMESTAMPING, -1, EINVAL);
	GIVES(-ENOPROTOOPT, option_of(SO_PEERSEC));
	GIVES(64, option_of(SO_BPF_EXTENSIONS));
	GIVES(0, option_of(SO_INCOMING_NAPI_ID));
	keeps(SO_LOCK_FILTER, 1, 1);
	REFUSES(SO_LOCK_FILTER, 0, EPERM);
	WORKS(setsockopt(ends[0], SOL_SOCKET, SO_BINDTODEVICE, "", 0));
	FAILS(ENODEV, setsockopt(ends[0], SOL_SOCKET, SO_BINDTODEVICE, "none", 5));
	WORKS(getsockopt(ends[0], SOL_SOCKET, SO_MEMINFO, bytes, &length));
	TRUE(length == 36);
	length = sizeof(bytes);
	FAILS(EINVAL, getsockopt(ends[0], SOL_SOCKET, SO_PEERNAME, bytes, &length)); /* more room than name */
	WORKS(getsockopt(ends[0], SOL_SOCKET, SO_MAX_PACING_RATE, bytes, &length));
	TRUE(length == 8 && bytes[7] == 0xff);
	FAILS(EINVAL, getsockopt(ends[0], SOL_SOCKET, SO_NETNS_COOKIE, bytes, &(socklen_t){ 4 }));
	close(ends[0]);
	close(ends[1]);
}

static int put(const char *name, const char *words)
{
	int fd = open(name, O_WRONLY), result;

	if (fd < 0)
		return -errno;
	result = write(fd, words, strlen(words)) < 0 ? -errno : 0;
	close(fd);
	return result;
}
#define SHOWS(name, wanted) tap_ok(!strcmp(text_of(name), wanted), "%s shows %s", name, wanted)

static void test_own_settings(void)
{
	SHOWS("/proc/self/coredump_filter", "00000033\n");
	WORKS(put("/proc/self/coredump_filter", "0x7f"));
	SHOWS("/proc/self/coredump_filter", "0000007f\n");
	WORKS(put("/proc/self/coredump_filter", "0xfffff"));
	SHOWS("/proc/self/coredump_filter", "000001ff\n");
	GIVES(-EINVAL, put("/proc/self/coredump_filter", "x"));
	SHOWS("/proc/self/oom_adj", "0\n");
	WORKS(put("/proc/self/oom_adj", "10"));
	SHOWS("/proc/self/oom_adj", "9\n");
	SHOWS("/proc/self/oom_score_adj", "588\n");
	WORKS(put("/proc/self/oom_adj", "15"));
	SHOWS("/proc/self/oom_score_adj", "1000\n");
	WORKS(put("/proc/self/oom_adj", "-17"));
	SHOWS("/proc/self/oom_score_adj", "-1000\n");
	SHOWS("/proc/self/oom_adj", "-17\n");
	GIVES(-EINVAL, put("/proc/self/oom_adj", "16"));
	WORKS(put("/proc/self/oom_score_adj", "0"));
	GIVES(-EPERM, put("/proc/self/setgroups", "deny"));
	WORKS(put("/proc/self/setgroups", "allow"));
	GIVES(-EPERM, put("/proc/self/uid_map", "0 0 1"));
	GIVES(-EPERM, put("/proc/self/gid_map", "0 0 1"));
}

static void test_names_in_proc(void)
{
	int fd;

	FAILS(ENOENT, open("/proc/new", O_CREAT | O_RDWR, 0600));
	FAILS(ENOENT, open("/proc/self/new", O_CREAT | O_RDWR, 0600));
	FAILS(ENOENT, mkdir("/proc/new", 0700));
	FAILS(ENOENT, mkdir("/proc/sys/new", 0700));
	FAILS(ENOENT, mknod("/proc/new", S_IFIFO | 0600, 0));
	FAILS(ENOENT, symlink("x", "/proc/new"));
	FAILS(EEXIST, mkdir("/proc/sys", 0700));
	fd = open("/proc/version", O_RDONLY);
	FAILS(EINVAL, fsync(fd));
	close(fd);
	fd = open("/proc/self", O_RDONLY);
	FAILS(EINVAL, fdatasync(fd));
	close(fd);
}

static long parts[1];
static void as_anybody_parts(void)
{
	unsigned int size = 0;

	CHECK_FAILS(EPERM, prctl(PR_SET_MM, PR_SET_MM_ARG_START, parts[0], 0, 0));
	CHECK(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0) == 0 &&
	      size == sizeof(struct prctl_mm_map));
	CHECK_FAILS(EINVAL, prctl(PR_SET_MM, PR_SET_MM_MAP, &size, 4, 0));
	CHECK_FAILS(EFAULT, prctl(PR_SET_MM, PR_SET_MM_MAP, 8, sizeof(struct prctl_mm_map), 0));
}

/* A program may say where its parts lie. */
static void test_parts_of_a_program(void)
{
	static const char title[] = "another title";
	/* Linux shows memory alone, not what is mapped of a file. */
	char *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long begin = (unsigned long)memory, end_of_it = begin + sizeof(title),
		      high = 0x7ffffffff000;
	unsigned long vector[4] = { 6, 4096, 0, 0 };
	char found[64] = {};
	int fd;

	WORKS(as_user(as_anybody_parts));
	memcpy(memory, title, sizeof(title));
	FAILS(EINVAL, prctl(PR_SET_MM, PR_SET_MM_ARG_START, 0x1000, 0, 0));
	FAILS(EINVAL, prctl(PR_SET_MM, PR_SET_MM_ARG_START, -1L, 0, 0));
	FAILS(EINVAL, prctl(PR_SET_MM, PR_SET_MM_ARG_END, begin, 0, 0)); /* before the start */
	FAILS(EINVAL, prctl(PR_SET_MM, PR_SET_MM_ARG_START, begin, 1, 0));
	FAILS(EINVAL, prctl(PR_SET_MM, PR_SET_MM_ARG_START, begin, 0, 1));
	FAILS(EINVAL, prctl(PR_SET_MM, 77, begin, 0, 0));
	FAILS(EINVAL, prctl(PR_SET_MM, PR_SET_MM_START_CODE, high - 1, 0, 0));
	FAILS(EFAULT, prctl(PR_SET_MM, PR_SET_MM_START_STACK, high - 1, 0, 0));
	FAILS(EBADF, prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, -1L, 0, 0));
	fd = open(".", O_RDONLY);
	FAILS(EACCES, prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, (long)fd, 0, 0));
	close(fd);
	fd = open("/proc/self/exe", O_RDONLY);
	FAILS(EBUSY, prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, (long)fd, 0, 0));
	close(fd);
	WORKS(prctl(PR_SET_MM, PR_SET_MM_ARG_START, begin, 0, 0));
	WORKS(prctl(PR_SET_MM, PR_SET_MM_ARG_END, end_of_it, 0, 0));
	fd = open("/proc/self/cmdline", O_RDONLY);
	GIVES(sizeof(title), read(fd, found, sizeof(found)));
	TRUE(!strcmp(found, title));
	close(fd);
	FAILS(EINVAL, prctl(PR_SET_MM, PR_SET_MM_AUXV, vector, 100000L, 0));
	WORKS(prctl(PR_SET_MM, PR_SET_MM_AUXV, vector, sizeof(vector), 0));
	fd = open("/proc/self/auxv", O_RDONLY);
	memset(found, 0, sizeof(found));
	GIVES(32, read(fd, found, 32));
	TRUE(!memcmp(found, vector, 16));
	close(fd);
}

static void test_page_map(void)
{
	char *memory = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned long long entries[4] = {}, present = 1ULL << 63;
	off_t at = (off_t)((unsigned long)memory / 4096 * 8);
	int fd = open("/proc/self/pagemap", O_RDONLY);

	memory[0] = memory[2 * 4096] = 1;
	GIVES(32, pread(fd, entries, 32, at));
	TRUE(entries[0] & present && !(entries[1] & present) && entries[2] & present &&
	     !(entries[3] & present));
	TRUE(entries[0] & 1ULL << 56 && !(entries[0] & 1ULL << 61) && entries[0] & ((1ULL << 55) - 1));
	FAILS(EINVAL, pread(fd, entries, 31, at));
	FAILS(EINVAL, pread(fd, entries, 8, at + 1));
	close(fd);
	munmap(memory, 4 * 4096);
}

int main(void)
{
	begin();
	WORKS(mount("none", top, "tmpfs", 0, "size=4m"));
	WORKS(chdir(top));
	test_refusals();
	test_select_of_a_path();
	test_barriers();
	test_kept_options();
	test_own_settings();
	test_names_in_proc();
	test_parts_of_a_program();
	test_page_map();
	WORKS(chdir("/"));
	WORKS(umount(top));
	return end();
}
