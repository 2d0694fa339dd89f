/* Mappings: what mmap, mprotect, mremap, madvise and mlock do in the corners, and what they refuse. */
#define _GNU_SOURCE
#include "tap.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define RW (PROT_READ | PROT_WRITE)

static sigjmp_buf escape;

static void escape_from_fault(int signal)
{
	siglongjmp(escape, signal);
}

/* The signal that reading or writing a byte gives, or 0. */
static int fault_of(char *address, int write)
{
	int signal = sigsetjmp(escape, 1);

	if (signal)
		return signal;
	if (write)
		*(volatile char *)address = *(volatile char *)address;
	else
		(void)*(volatile char *)address;
	return 0;
}

static int is_error(long result, int error)
{
	return result == -1 && errno == error;
}

static char *map(unsigned long pages, int prot, int flags)
{
	return mmap(NULL, pages * PAGE, prot, flags | MAP_ANONYMOUS, -1, 0);
}

static int new_file(unsigned long pages)
{
	char name[] = "/tmp/mappings.XXXXXX";
	int fd = mkstemp(name);

	unlink(name);
	if (ftruncate(fd, (off_t)(pages * PAGE)))
		exit(1);
	return fd;
}

static void test_mmap(void)
{
	int fd = new_file(2), zero = open("/dev/zero", O_RDWR);
	char *place = map(4, RW, MAP_PRIVATE), *shared;

	tap_ok(is_error((long)mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0), EINVAL),
	       "MAP_SHARED_VALIDATE is for files");
	tap_ok(is_error((long)mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0), EOPNOTSUPP),
	       "MAP_SYNC is refused where the file has no such memory");
	tap_ok(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_SYNC, fd, 0) != MAP_FAILED,
	       "and means nothing without validation");
	tap_ok((unsigned long)map(1, RW, MAP_PRIVATE | MAP_32BIT) < 1UL << 31,
	       "MAP_32BIT maps in the low two GiB");
	tap_ok(is_error((long)map(1UL << 19, PROT_NONE, MAP_PRIVATE | MAP_32BIT), ENOMEM),
	       "and does not without room there");
	tap_ok(is_error((long)mmap(place, PAGE, RW,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
			EEXIST),
	       "MAP_FIXED_NOREPLACE does not replace");
	shared = mmap(NULL, PAGE, RW, MAP_SHARED, zero, 0);
	if (!fork()) {
		*shared = 5;
		_exit(0);
	}
	wait(NULL);
	tap_ok(*shared == 5, "a shared mapping of /dev/zero is shared over fork");
	shared = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	tap_ok(!fault_of(shared + PAGE, 1) && fault_of(shared + 2 * PAGE, 0) == SIGBUS,
	       "what lies beyond the end of the file gives SIGBUS");
	tap_ok(!ftruncate(fd, PAGE) && fault_of(shared + PAGE, 0) == SIGBUS,
	       "so does what a truncation took away");
	tap_ok(is_error((long)map(1UL << 30, RW, MAP_PRIVATE), ENOMEM) &&
		       is_error((long)map(1UL << 30, RW, MAP_SHARED), ENOMEM) &&
		       map(1UL << 30, RW, MAP_PRIVATE | MAP_NORESERVE) != MAP_FAILED,
	       "4 TiB are promised only without a reservation");
}

static void test_mprotect(void)
{
	char *place = map(8, RW, MAP_PRIVATE);

	munmap(place + 4 * PAGE, PAGE);
	tap_ok(is_error(mprotect(place + 2 * PAGE, 4 * PAGE, PROT_READ), ENOMEM),
	       "mprotect stops at a hole");
	tap_ok(fault_of(place + 3 * PAGE, 1) == SIGSEGV && !fault_of(place + 5 * PAGE, 1),
	       "with what lies before it changed");
	tap_ok(!mprotect(place + 1, 0, PROT_READ) || errno == EINVAL, "an address must be a page's");
	tap_ok(is_error(mprotect(place, PAGE, PROT_READ | PROT_GROWSDOWN), EINVAL),
	       "PROT_GROWSDOWN is for stacks");
	tap_ok(is_error(syscall(SYS_pkey_mprotect, place, PAGE, PROT_READ, 14), EINVAL),
	       "a protection key must have been allocated");
	tap_ok(!syscall(SYS_pkey_mprotect, place, PAGE, RW, -1), "key -1 means none");
	tap_ok(is_error(syscall(SYS_pkey_alloc, 1, 0), EINVAL), "pkey_alloc has no flags");
}

static void test_mremap(void)
{
	char *place = map(8, RW, MAP_PRIVATE), *moved, *shared = map(2, RW, MAP_SHARED);
	int fd = new_file(2);

	memset(place, 1, 8 * PAGE);
	tap_ok(is_error((long)mremap(place, PAGE, 0, 0), EINVAL), "nothing is no new length");
	tap_ok(is_error((long)mremap(place, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
				     place + PAGE),
			EINVAL),
	       "the places may not overlap");
	tap_ok(is_error((long)mremap(place, 0, PAGE, MREMAP_MAYMOVE), EINVAL),
	       "private memory cannot be mapped twice");
	moved = mremap(shared, 0, 2 * PAGE, MREMAP_MAYMOVE);
	*shared = 3;
	tap_ok(moved != MAP_FAILED && *moved == 3, "shared memory can");
	moved = mremap(shared, 0, 4 * PAGE, MREMAP_MAYMOVE);
	tap_ok(!fault_of(moved + PAGE, 1) && fault_of(moved + 2 * PAGE, 0) == SIGBUS,
	       "but does not become larger");
	moved = mremap(place, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	tap_ok(moved != MAP_FAILED && moved[PAGE] == 1 && place[PAGE] == 0,
	       "MREMAP_DONTUNMAP leaves an empty mapping behind");
	mprotect(moved + 2 * PAGE, PAGE, PROT_READ);
	tap_ok(is_error((long)mremap(moved, 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE), EFAULT),
	       "what grows must be one mapping");
	tap_ok(mremap(moved, 8 * PAGE, 4 * PAGE, 0) == moved && fault_of(moved + 5 * PAGE, 0) == SIGSEGV,
	       "what shrinks may be several");
	shared = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	*shared = 7;
	moved = mremap(shared, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	tap_ok(moved != MAP_FAILED && *moved == 7 && *shared == 7,
	       "with a file's mapping both show the file");
	tap_ok(!pwrite(fd, "", 0, 0) && pwrite(fd, "q", 1, PAGE) == 1 &&
		       !remap_file_pages(shared, PAGE, 0, 1, 0) && *shared == 'q',
	       "remap_file_pages shows another page");
	shared = mmap(NULL, 3 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared[0] = 1, shared[PAGE] = 2, shared[2 * PAGE] = 3;
	tap_ok(!remap_file_pages(shared, PAGE, 0, 2, 0) && shared[0] == 3 &&
		       !remap_file_pages(shared + 2 * PAGE, PAGE, 0, 0, 0) &&
		       shared[2 * PAGE] == 1 && !remap_file_pages(shared, 2 * PAGE, 0, 1, 0) &&
		       shared[0] == 2 && shared[PAGE] == 3,
	       "of shared memory without a file, too");
	tap_ok(is_error(remap_file_pages(shared, 4 * PAGE, 0, 0, 0), EINVAL) &&
		       is_error(remap_file_pages(shared, 2 * PAGE, PROT_READ, 0, 0), EINVAL),
	       "but not more than is mapped, nor with other rights");
}

static void test_madvise(void)
{
	char *place = map(8, RW, MAP_PRIVATE), *shared = map(2, RW, MAP_SHARED),
	     *empty = map(2, PROT_NONE, MAP_PRIVATE);
	unsigned char resident[8];
	int status;

	memset(place, 1, 8 * PAGE);
	memset(shared, 1, 2 * PAGE);
	tap_ok(is_error(madvise(place, PAGE, 5), EINVAL) &&
		       is_error(madvise(place + 1, 0, MADV_NORMAL), EINVAL) &&
		       !madvise(place, 0, MADV_DONTNEED),
	       "advice and address are checked before the length");
	tap_ok(!madvise(place, PAGE, MADV_DONTNEED) && *place == 0,
	       "MADV_DONTNEED forgets private memory");
	tap_ok(!madvise(shared, PAGE, MADV_DONTNEED) && *shared == 1, "but no shared memory");
	tap_ok(!madvise(shared, PAGE, MADV_REMOVE) && *shared == 0 && shared[PAGE] == 1,
	       "which MADV_REMOVE does");
	tap_ok(is_error(madvise(place, PAGE, MADV_REMOVE), EINVAL) &&
		       is_error(madvise(shared, PAGE, MADV_FREE), EINVAL) &&
		       is_error(madvise(shared, PAGE, MADV_WIPEONFORK), EINVAL),
	       "each in its kind of mapping only");
	munmap(place + 4 * PAGE, PAGE);
	tap_ok(is_error(madvise(place + 3 * PAGE, 3 * PAGE, MADV_DONTNEED), ENOMEM) &&
		       !place[3 * PAGE] && !place[5 * PAGE],
	       "a hole is an error in the end only");
	tap_ok(!madvise(empty, PAGE, MADV_WILLNEED) &&
		       is_error(madvise(empty, PAGE, MADV_POPULATE_READ), EINVAL),
	       "what may not be read cannot be made present");
	mprotect(empty, 2 * PAGE, PROT_READ);
	tap_ok(is_error(madvise(empty, PAGE, MADV_POPULATE_WRITE), EINVAL) &&
		       !madvise(empty, PAGE, MADV_POPULATE_READ),
	       "nor can what may not be written, for writing");
	mlock(place + 5 * PAGE, PAGE);
	place[5 * PAGE] = 1;
	tap_ok(is_error(madvise(place + 5 * PAGE, PAGE, MADV_DONTNEED), EINVAL) &&
		       is_error(madvise(place + 5 * PAGE, PAGE, MADV_PAGEOUT), EINVAL) &&
		       is_error(msync(place + 5 * PAGE, PAGE, MS_INVALIDATE), EBUSY) &&
		       place[5 * PAGE] == 1,
	       "locked memory stays");
	munlock(place + 5 * PAGE, PAGE);
	madvise(place + 5 * PAGE, PAGE, MADV_WIPEONFORK);
	madvise(place + 6 * PAGE, PAGE, MADV_DONTFORK);
	if (!fork())
		_exit(place[5 * PAGE] || fault_of(place + 6 * PAGE, 0) != SIGSEGV || !place[7 * PAGE]);
	wait(&status);
	tap_ok(!status, "MADV_WIPEONFORK and MADV_DONTFORK");
	place = map(8, RW, MAP_PRIVATE);
	tap_ok(!syscall(SYS_mlock2, place, 8 * PAGE, 1) && !mincore(place, 8 * PAGE, resident) &&
		       !resident[0],
	       "MLOCK_ONFAULT brings nothing in");
	tap_ok(!mlock(place, PAGE) && !mincore(place, 8 * PAGE, resident) && resident[0] && !resident[1],
	       "mlock does");
	tap_ok(is_error(mlock(map(1, PROT_NONE, MAP_PRIVATE), PAGE), ENOMEM),
	       "but not what may not be read");
}

static void limits_without_privilege(void)
{
	struct rlimit limit = { 8 * PAGE, 8 * PAGE }, data = { 1 << 20, 1 << 20 };
	char *place = map(16, RW, MAP_PRIVATE);

	munlockall();
	if (setuid(65534))
		exit(1);
	setrlimit(RLIMIT_MEMLOCK, &limit);
	tap_ok(is_error(mlock(place, 9 * PAGE), ENOMEM) && !mlock(place, 8 * PAGE) &&
		       !mlock(place, 8 * PAGE),
	       "RLIMIT_MEMLOCK counts a page once");
	tap_ok(is_error((long)map(1, RW, MAP_PRIVATE | MAP_LOCKED), EAGAIN),
	       "MAP_LOCKED has EAGAIN for it");
	munlock(place, 8 * PAGE);
	limit.rlim_cur = 0;
	setrlimit(RLIMIT_MEMLOCK, &limit);
	tap_ok(is_error(mlock(place, 0), EPERM) && is_error(mlockall(MCL_FUTURE), EPERM) &&
		       !munlock(place, PAGE),
	       "with none at all locking is not permitted");
	setrlimit(RLIMIT_DATA, &data);
	tap_ok(is_error((long)map(1024, RW, MAP_PRIVATE), ENOMEM) &&
		       map(1024, PROT_READ, MAP_PRIVATE) != MAP_FAILED &&
		       is_error(mprotect(map(1024, PROT_READ, MAP_PRIVATE), 1024 * PAGE, RW), ENOMEM),
	       "RLIMIT_DATA is for private memory that can be written");
}

/* What a fault maps around itself is little in a new child, and grows. */
static void child_reads_a_file(void)
{
	enum { PAGES = 64, FAULTS_MOST = 20 };
	int fd = new_file(PAGES), status = -1;
	volatile char *map = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	pid_t pid;

	for (int i = 0; i < PAGES; i++)
		pwrite(fd, "x", 1, (off_t)i * PAGE);
	pid = fork();
	if (!pid) {
		struct rusage before, after;
		int sum = 0;

		getrusage(RUSAGE_SELF, &before);
		for (int i = 0; i < PAGES; i++)
			sum += map[i * PAGE];
		getrusage(RUSAGE_SELF, &after);
		_exit(sum < 0 || after.ru_minflt - before.ru_minflt > FAULTS_MOST);
	}
	tap_ok(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0,
	       "a child that reads a file through a mapping faults far less often than there are pages");
	munmap((void *)map, PAGES * PAGE);
	close(fd);
}

int main(void)
{
	signal(SIGSEGV, escape_from_fault);
	signal(SIGBUS, escape_from_fault);
	test_mmap();
	test_mprotect();
	test_mremap();
	test_madvise();
	limits_without_privilege();
	child_reads_a_file();
	return tap_end();
}
