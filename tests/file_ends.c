/*
 * Where files end: what a mapping leaves behind the end is never seen, whether the file is in memory or comes from its disk again; what is
 * cut off in a hole takes no room; and a file that grows while others write it out keeps what was written.
 *
 *	file_ends [DIRECTORY]
 */
#include "files.h"

#include <pthread.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/vfs.h>

#define PAGE 4096
#define PIECE 700 /* bytes: pieces cross the ends of pages and blocks */
#define PIECES 3000

static char page[2 * PAGE];

/* Nothing of the file is kept in memory that its disk has. */
static int forget(int fd)
{
	return fsync(fd) ? errno : posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static bool all_zero(const char *bytes, size_t size)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, size - 1);
}

/* 100 bytes, and others behind them that only a mapping shows. */
static int file_with_tail(const char *name)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);
	char *map;

	memset(page, 'w', sizeof(page));
	if (write(fd, page, 100) != 100)
		return -1;
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -1;
	memset(map + 100, 'm', PAGE - 100);
	if (msync(map, PAGE, MS_SYNC) || munmap(map, PAGE))
		return -1;
	return fd;
}

/* Linux's trees in memory show it. */
static bool in_memory(void)
{
	struct statfs about;

	return !statfs(".", &about) && (about.f_type == TMPFS_MAGIC || about.f_type == RAMFS_MAGIC);
}

static void test_tail(bool forgotten)
{
	int fd = file_with_tail("tail");

	TRUE(fd >= 0);
	if (forgotten)
		WORKS(forget(fd));
	WORKS(ftruncate(fd, 2 * PAGE));
	GIVES(2 * PAGE, pread(fd, page, 2 * PAGE, 0));
	TRUE(page[99] == 'w');
	tap_ok(all_zero(page + 100, 2 * PAGE - 100), "a longer file has zeros there (%d)", forgotten);
	WORKS(forget(fd));
	GIVES(2 * PAGE, pread(fd, page, 2 * PAGE, 0));
	tap_ok(all_zero(page + 100, 2 * PAGE - 100), "and has them on its disk (%d)", forgotten);
	close(fd);
	WORKS(unlink("tail"));
}

/* What is written behind the end, past the cache, leaves a gap. */
static void test_direct_gap(void)
{
	int fd = file_with_tail("gap"), direct = open("gap", O_RDWR | O_DIRECT);
	char *block = aligned_alloc(PAGE, PAGE);

	memset(block, 'd', PAGE);
	if (direct < 0 || pwrite(direct, block, PAGE, 2 * PAGE) != PAGE) {
		printf("# no direct writes here\n");
	} else {
		GIVES(2 * PAGE, pread(fd, page, 2 * PAGE, 0));
		TRUE(page[99] == 'w');
		TRUE(all_zero(page + 100, 2 * PAGE - 100));
		GIVES(1, pread(fd, page, 1, 2 * PAGE));
		TRUE(page[0] == 'd');
	}
	free(block);
	close(direct);
	close(fd);
	WORKS(unlink("gap"));
}

/* The end comes to lie within a hole. */
static void test_hole(void)
{
	int fd = open("hole", O_CREAT | O_RDWR, 0644);
	struct stat st;

	WORKS(ftruncate(fd, 1 << 20));
	WORKS(fsync(fd));
	WORKS(fstat(fd, &st));
	if (st.st_blocks) {
		printf("# no holes here\n");
	} else {
		WORKS(ftruncate(fd, 5000));
		WORKS(fsync(fd));
		WORKS(fstat(fd, &st));
		GIVES(0, st.st_blocks);
		WORKS(ftruncate(fd, 1 << 20));
		WORKS(fsync(fd));
		WORKS(fstat(fd, &st));
		GIVES(0, st.st_blocks);
	}
	close(fd);
	WORKS(unlink("hole"));
}

static bool written;

static void *sync_again_and_again(void *arg)
{
	int fd = *(int *)arg;

	while (!__atomic_load_n(&written, __ATOMIC_ACQUIRE))
		sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE);
	return NULL;
}

static char letter(int piece)
{
	return (char)('a' + piece % 26);
}

static void test_growing(void)
{
	int fd = open("growing", O_CREAT | O_RDWR, 0644), put = 0, right = 0;
	pthread_t thread;

	if (pthread_create(&thread, NULL, sync_again_and_again, &fd))
		return;
	for (int i = 0; i < PIECES; i++) {
		memset(page, letter(i), PIECE);
		put += write(fd, page, PIECE) == PIECE;
	}
	__atomic_store_n(&written, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	GIVES(PIECES, put);
	WORKS(forget(fd));
	for (int i = 0; i < PIECES; i++)
		right += pread(fd, page, PIECE, (off_t)i * PIECE) == PIECE &&
			 page[0] == letter(i) && !memcmp(page, page + 1, PIECE - 1);
	GIVES(PIECES, right);
	close(fd);
	WORKS(unlink("growing"));
}

int main(int count, char **words)
{
	begin_in(count > 1 ? words[1] : "/tmp");
	if (!in_memory()) {
		test_tail(false);
		test_tail(true);
		test_direct_gap();
	}
	test_hole();
	test_growing();
	return end();
}
