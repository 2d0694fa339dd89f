/*
 * seconds: 180
 *
 * Ten thousand mounts in one namespace: made, found, listed, copied with the namespace, taken off one by one and all at once; and
 * that there is a limit.
 */
#include "mounts.h"

#include <sys/prctl.h>
#include <time.h>

#define MANY 10000

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double begun;

static void took(const char *what)
{
	printf("# %s: %.2f s\n", what, seconds() - begun);
	fflush(stdout);
	begun = seconds();
}

static const char *place(int i)
{
	static char name[32];

	snprintf(name, sizeof(name), "b/%d", i);
	return name;
}

static int count_lines(void)
{
	FILE *file = fopen("/proc/self/mountinfo", "r");
	char line[4096];
	int count = 0;

	while (file && fgets(line, sizeof(line), file))
		count += strstr(line, " /tmp/m/b/") != NULL;
	if (file)
		fclose(file);
	return count;
}

static void in_copy(void)
{
	CHECK(!unshare(CLONE_NEWNS));
	took("copied");
	CHECK(count_lines() == MANY);
	CHECK(!umount2("b", MNT_DETACH));
	took("taken off at once");
	CHECK(count_lines() == 0);
}

static int set_limit(const char *value)
{
	int fd = open("/proc/sys/fs/mount-max", O_WRONLY);
	int ok = write(fd, value, strlen(value)) == (ssize_t)strlen(value);

	close(fd);
	return ok ? 0 : -1;
}

int main(void)
{
	int made = 0, found = 0, gone = 0;
	struct stat st, file;

	begin_mounts();
	begun = seconds();
	WORKS(mount_new("b")); /* a mount of its own, so that all can go with it */
	WORKS(make_file("a/file", ""));
	WORKS(stat("a/file", &file));
	for (int i = 0; i < MANY; i++)
		mkdir(place(i), 0755);
	took("folders");
	for (int i = 0; i < MANY; i++)
		made += !mount_bind("a", place(i));
	GIVES(MANY, made);
	took("mounted");
	for (int i = 0; i < MANY; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s/file", place(i));
		found += !stat(name, &st) && st.st_ino == file.st_ino;
	}
	GIVES(MANY, found);
	took("found");
	GIVES(MANY, count_lines());
	took("listed");
	GIVES(0, in_child(in_copy));
	begun = seconds();
	for (int i = 0; i < MANY; i += 2)
		gone += !umount(place(i));
	GIVES(MANY / 2, gone);
	took("half of them taken off, one by one");
	GIVES(MANY / 2, count_lines());
	/* With peers twice as many. */
	WORKS(mount(NULL, "b", NULL, MS_SHARED | MS_REC, NULL));
	WORKS(mount("b", "c", NULL, MS_BIND | MS_REC, NULL));
	took("bound with all");
	WORKS(access("c/1/file", F_OK));
	WORKS(mount_bind("a", "b/0"));
	WORKS(access("c/0/file", F_OK));
	WORKS(mount(NULL, "c", NULL, MS_PRIVATE | MS_REC, NULL)); /* else all would go from b, too */
	WORKS(umount2("c", MNT_DETACH));
	took("taken off again");
	WORKS(set_limit("5100"));
	FAILS(ENOSPC, mount("b", "c", NULL, MS_BIND | MS_REC, NULL));
	FAILS(ENOENT, access("c/1", F_OK));
	WORKS(set_limit("100000"));
	WORKS(umount2("b", MNT_DETACH));
	took("all gone");
	GIVES(0, count_lines());
	return end_mounts();
}
