/*
 * seconds: 150
 *
 * The instance that serves a mount is replaced again and again (/sys/fs/mounts/ID/ctl) while processes work on it that know what
 * they must find: files written, cut and mapped, files without a name, folders changed and listed. None sees an error. Afterwards
 * the tree is mounted anew, and all is there still.
 *
 *	rebind				a RAM tree, the sample counter, and ext2 on a RAM disk, a few times each
 *	rebind CYCLES TYPE SOURCE	that tree, so many times
 *
 * Linux replaces nothing; there it is skipped.
 */
#include "files.h"

#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <time.h>

enum { SIZE = 96 * 1024, NAMES = 64, LISTED = 300, WORKERS = 5 };

/* What a worker's files must hold; shared, so that it can be looked at after the worker has ended. */
struct model {
	unsigned char bytes[SIZE];
	size_t size;
	char exists[NAMES];
	unsigned long rounds;
};

static struct model *models;
static volatile int *stop;
static char control_name[64];
static const char *place = "/tmp/rebind";

static void die(const char *what, unsigned int line)
{
	printf("# line %u: %s (errno %d)\n", line, what, errno);
	fflush(stdout);
	_exit(1);
}
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition))                                                                  \
			die(#condition, __LINE__);                                                 \
	} while (0)

/* ---- Workers ---- */

static unsigned int random_state;

static unsigned int any(unsigned int below)
{
	random_state = random_state * 1103515245 + 12345;
	return (random_state >> 8) % below;
}

static void fill(unsigned char *bytes, size_t count)
{
	while (count--)
		*bytes++ = (unsigned char)any(256);
}

static int same_as(int fd, const unsigned char *expected, size_t offset, size_t count)
{
	static unsigned char bytes[SIZE];

	return pread(fd, bytes, count, (off_t)offset) == (ssize_t)count &&
	       !memcmp(bytes, expected, count);
}

/* One change of a file, and a look at some of it. */
static void change_file(int fd, struct model *model)
{
	size_t offset = any(SIZE), count = 1 + any(8192);
	struct stat st;

	if (offset + count > SIZE)
		count = SIZE - offset;
	if (any(16)) {
		if (offset > model->size)
			memset(model->bytes + model->size, 0, offset - model->size);
		fill(model->bytes + offset, count);
		MUST(pwrite(fd, model->bytes + offset, count, (off_t)offset) == (ssize_t)count);
		if (offset + count > model->size)
			model->size = offset + count;
	} else {
		if (offset > model->size)
			memset(model->bytes + model->size, 0, offset - model->size);
		MUST(!ftruncate(fd, (off_t)offset));
		model->size = offset;
	}
	if (!any(100))
		MUST(!fsync(fd));
	MUST(!fstat(fd, &st) && (size_t)st.st_size == model->size);
	offset = model->size ? any((unsigned int)model->size) : 0;
	count = model->size - offset < 8192 ? model->size - offset : 8192;
	MUST(same_as(fd, model->bytes + offset, offset, count));
}

static void work_on_file(struct model *model)
{
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);

	MUST(fd >= 0);
	for (; !*stop; model->rounds++)
		change_file(fd, model);
	close(fd);
}

/* Stores through a mapping are read by read(2), and the other way round. */
static void work_on_mapping(struct model *model)
{
	int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0644);
	unsigned char *mapped;

	MUST(fd >= 0 && !ftruncate(fd, SIZE));
	mapped = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MUST(mapped != MAP_FAILED);
	model->size = SIZE;
	for (; !*stop; model->rounds++) {
		size_t offset = any(SIZE - 512), count = 1 + any(512);

		fill(model->bytes + offset, count);
		if (any(2)) {
			memcpy(mapped + offset, model->bytes + offset, count);
			MUST(same_as(fd, model->bytes + offset, offset, count));
		} else {
			MUST(pwrite(fd, model->bytes + offset, count, (off_t)offset) == (ssize_t)count);
			MUST(!memcmp(mapped + offset, model->bytes + offset, count));
		}
		if (!any(200))
			MUST(!msync(mapped, SIZE, MS_SYNC));
		if (!any(500))
			MUST(!madvise(mapped, SIZE, MADV_DONTNEED));
	}
	MUST(!memcmp(mapped, model->bytes, SIZE));
	munmap(mapped, SIZE);
	close(fd);
}

/* Files that have lost their names, or never had one. */
static void work_without_name(struct model *model)
{
	while (!*stop) {
		int fd = any(2) ? open(".", O_RDWR | O_TMPFILE, 0600) : -1;
		struct stat st;

		if (fd < 0) {
			fd = open("short", O_RDWR | O_CREAT | O_EXCL, 0600);
			MUST(fd >= 0 && !unlink("short"));
		}
		model->size = 0;
		for (unsigned int i = 10 + any(60); i && !*stop; i--, model->rounds++)
			change_file(fd, model);
		MUST(!fstat(fd, &st) && st.st_nlink == 0);
		MUST(same_as(fd, model->bytes, 0, model->size));
		close(fd);
	}
}

static const char *name_of(unsigned int number)
{
	static char names[2][48];
	static int turn;

	turn ^= 1;
	snprintf(names[turn], sizeof(names[turn]), "names/%s%u",
		 number % 3 ? "a_longer_name_of_number_" : "n", number);
	return names[turn];
}

/* The folder has just the names that it must have. */
static void check_names(DIR *folder, const struct model *model)
{
	unsigned int count = 0, expected = 0;
	struct dirent *entry;

	rewinddir(folder);
	while ((entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			count++;
	for (unsigned int i = 0; i < NAMES; i++)
		expected += (unsigned int)model->exists[i];
	MUST(count == expected);
}

static void work_on_names(struct model *model)
{
	DIR *folder;

	MUST(!mkdir("names", 0755));
	folder = opendir("names");
	MUST(folder);
	for (; !*stop; model->rounds++) {
		unsigned int one = any(NAMES), other = any(NAMES);
		struct stat st;
		int fd;

		if (!model->exists[one]) {
			fd = open(name_of(one), O_CREAT | O_EXCL | O_WRONLY, 0644);
			MUST(fd >= 0 && write(fd, &one, sizeof(one)) == sizeof(one));
			close(fd);
			model->exists[one] = 1;
		} else if (one != other && any(2)) {
			MUST(!rename(name_of(one), name_of(other)));
			MUST(!stat(name_of(other), &st) && st.st_size == sizeof(one));
			model->exists[one] = 0;
			model->exists[other] = 1;
		} else {
			MUST(!unlink(name_of(one)));
			model->exists[one] = 0;
			MUST(stat(name_of(one), &st) && errno == ENOENT);
		}
		if (!any(20))
			check_names(folder, model);
	}
	check_names(folder, model);
	closedir(folder);
}

/* A folder that stays as it is, listed piece by piece: each name comes once. */
static void work_on_listing(struct model *model)
{
	char name[32], seen[LISTED];
	int fd;

	MUST(!mkdir("listed", 0755));
	for (int i = 0; i < LISTED; i++) {
		snprintf(name, sizeof(name), "listed/%d", i);
		fd = open(name, O_CREAT | O_WRONLY, 0644);
		MUST(fd >= 0);
		close(fd);
	}
	for (; !*stop; model->rounds++) {
		DIR *folder = opendir("listed");
		struct dirent *entry;
		int count = 0;

		MUST(folder);
		memset(seen, 0, sizeof(seen));
		while ((entry = readdir(folder))) {
			int number = atoi(entry->d_name);

			if (entry->d_name[0] == '.')
				continue;
			MUST(number >= 0 && number < LISTED && !seen[number]);
			seen[number] = 1;
			if (++count % 50 == 0)
				usleep(1000);
		}
		MUST(count == LISTED);
		closedir(folder);
	}
}

/* ---- The whole ---- */

static void start(pid_t *pid, int number, void (*work)(struct model *))
{
	fflush(stdout);
	*pid = fork();
	if (*pid)
		return;
	random_state = (unsigned int)number * 7919 + 1;
	memset(&models[number], 0, sizeof(models[number]));
	work(&models[number]);
	_exit(0);
}

static int find_control(void)
{
	FILE *file = fopen("/proc/self/mountinfo", "r");
	char line[512], where[256];
	int id, found = 0;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%d %*d %*s %*s %255s", &id, where) == 2 && !strcmp(where, place)) {
			snprintf(control_name, sizeof(control_name), "/sys/fs/mounts/%d/ctl", id);
			found = 1;
		}
	if (file)
		fclose(file);
	return found;
}

static int control(const char *words)
{
	int fd = open(control_name, O_WRONLY), done;

	if (fd < 0)
		return -1;
	done = write(fd, words, strlen(words)) == (ssize_t)strlen(words) ? 0 : -1;
	close(fd);
	return done;
}

static int replace_many(int cycles, const char *words)
{
	struct timespec before, after;
	int done = 0;

	clock_gettime(CLOCK_MONOTONIC, &before);
	for (; done < cycles; done++) {
		if (control(words)) {
			printf("# replacement %d: errno %d\n", done, errno);
			break;
		}
		if (done % 4 == 0)
			usleep(20000);
	}
	clock_gettime(CLOCK_MONOTONIC, &after);
	printf("# %d replacements in %ld ms\n", done,
	       (long)((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000));
	return done == cycles;
}

static int file_is(const char *name, const struct model *model)
{
	struct stat st;
	int fd = open(name, O_RDONLY), good = fd >= 0 && !fstat(fd, &st) &&
					      (size_t)st.st_size == model->size &&
					      same_as(fd, model->bytes, 0, model->size);

	close(fd);
	return good;
}

static int all_there(void)
{
	int good = file_is("file", &models[0]) && file_is("mapped", &models[1]);
	struct stat st;

	for (unsigned int i = 0; i < NAMES; i++)
		good &= (!stat(name_of(i), &st)) == models[3].exists[i];
	return good;
}

static void run_load(int cycles, const char *type, const char *source)
{
	static void (*const works[])(struct model *) = { work_on_file, work_on_mapping,
							 work_without_name, work_on_names,
							 work_on_listing };
	int keeps = source[0] == '/', status, good = 1;
	pid_t pids[WORKERS];

	tap_ok(!mount(source, place, type, 0, NULL), "%s can be mounted", type);
	if (!find_control() || chdir(place))
		die("chdir", __LINE__);
	*stop = 0;
	for (int i = 0; i < WORKERS; i++)
		start(&pids[i], i, works[i]);
	usleep(100000);
	tap_ok(replace_many(cycles, "replace"), "%s: %d replacements", type, cycles);
	*stop = 1;
	for (int i = 0; i < WORKERS; i++) {
		good &= waitpid(pids[i], &status, 0) == pids[i] && !status;
		printf("# worker %d: %lu rounds\n", i, models[i].rounds);
	}
	tap_ok(good, "%s: nobody has seen anything of it", type);
	tap_ok(all_there(), "%s: all is as it was left", type);
	(void)!chdir("/");
	tap_ok(!umount(place), "%s is not in use", type);
	if (!keeps)
		return;
	tap_ok(!mount(source, place, type, 0, NULL) && !chdir(place) && all_there(),
	       "%s: all is there when it is mounted again", type);
	(void)!chdir("/");
	tap_ok(!umount(place), "%s is not in use", type);
}

static long counter_value(int fd)
{
	char digits[32] = "";

	return pread(fd, digits, sizeof(digits) - 1, 0) > 0 ? atol(digits) : -1;
}

/* The sample: files that are open go on, and the value is handed over. */
static void run_counter(int cycles)
{
	int value, add, fd, good = 1;
	long before;

	if (mount("none", place, "counter", 0, NULL) || !find_control()) {
		tap_ok(1, "counter # SKIP no such module");
		return;
	}
	value = open("/tmp/rebind/value", O_RDONLY);
	add = open("/tmp/rebind/ctl", O_WRONLY);
	before = counter_value(value);
	for (int i = 1; i <= cycles && good; i++) {
		good = write(add, "add 1", 5) == 5 && !control("replace") &&
		       counter_value(value) == before + i;
		fd = open("/tmp/rebind/value", O_RDONLY);
		good = good && fd >= 0 && counter_value(fd) == before + i;
		close(fd);
	}
	tap_ok(good, "counter: %d replacements, and it has counted right", cycles);
	close(value);
	close(add);
	tap_ok(!umount(place), "counter is not in use");
}

static void check_refusals(void)
{
	mount("proc", place, "proc", 0, NULL);
	if (find_control())
		FAILS(EOPNOTSUPP, control("replace"));
	umount(place);
	mount("none", place, "tmpfs", 0, NULL);
	if (find_control()) {
		FAILS(EINVAL, control("replace type=proc"));
		FAILS(ENODEV, control("replace type=nothing"));
		FAILS(EINVAL, control("replace nothing"));
		FAILS(EINVAL, control("replace timeout=0"));
		FAILS(EINVAL, control("nothing"));
		FAILS(EINVAL, control("give-up"));
		FAILS(EINVAL, control("lost"));
		WORKS(control("sync"));
	}
	umount(place);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (access("/sys/fs/mounts", F_OK)) {
		tap_ok(1, "replacing instances # SKIP the kernel does not");
		return tap_end();
	}
	models = mmap(NULL, WORKERS * sizeof(*models), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	stop = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mkdir(place, 0755);
	if (argc == 4 && !strcmp(argv[2], "counter")) {
		run_counter(atoi(argv[1]));
	} else if (argc == 4) {
		run_load(atoi(argv[1]), argv[2], argv[3]);
	} else {
		check_refusals();
		run_load(12, "tmpfs", "none");
		run_counter(20);
		if (!system("modprobe ramdisk 2> /dev/null && mke2fs /dev/ram0 > /dev/null 2>&1"))
			run_load(8, "ext2", "/dev/ram0");
		else
			tap_ok(1, "ext2 # SKIP no RAM disk");
	}
	return tap_end();
}
