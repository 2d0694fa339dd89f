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
#include "checking_load.h"

#include <sys/mount.h>
#include <time.h>

static char control_name[64];
static const char *place = "/tmp/rebind";

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

static void run_load(int cycles, const char *type, const char *source)
{
	int keeps = source[0] == '/', status, good = 1;
	pid_t pids[WORKERS];

	tap_ok(!mount(source, place, type, 0, NULL), "%s can be mounted", type);
	if (!find_control() || chdir(place))
		die("chdir", __LINE__);
	*stop = 0;
	for (int i = 0; i < WORKERS; i++)
		start(&pids[i], i);
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
	load_make();
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
