/*
 * run: --mem 3G
 * seconds: 600
 *
 * A directory with a million files, on the RAM tree: made, found, listed once each, removed. And names of 255 arbitrary bytes.
 * Others call it for another directory, which it makes, and for another count (tests/host/file_trees.sh):
 *
 *	many_names [DIRECTORY [COUNT]]
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

#include "../files.h"

#define MANY_MAX 1000000

static double begun;

static void took(const char *what)
{
	struct timespec now;
	double seconds;

	clock_gettime(CLOCK_MONOTONIC, &now);
	seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	printf("# %s: %.2f s\n", what, seconds - begun);
	fflush(stdout);
	begun = seconds;
}

static unsigned char listed[MANY_MAX];
static int many = MANY_MAX;

static const char *nth(int i)
{
	static char name[32];

	snprintf(name, sizeof(name), "f%d", i);
	return name;
}

/* How many of the names there are in the folder, each listed once; *strange: how many others. */
static int list(int *strange)
{
	DIR *folder = opendir(".");
	struct dirent *entry;
	int once = 0;

	while (folder && (entry = readdir(folder))) {
		int i = entry->d_name[0] == 'f' ? atoi(entry->d_name + 1) : MANY_MAX;

		if (i < many)
			listed[i]++;
		else
			++*strange;
	}
	closedir(folder);
	for (int i = 0; i < many; i++)
		once += listed[i] == 1;
	return once;
}

static void test_many(void)
{
	int made = 0, found = 0, strange = 0, gone = 0;
	struct stat st;

	took("begin");
	for (int i = 0; i < many; i++)
		made += !mknod(nth(i), S_IFREG | 0644, 0);
	GIVES(many, made);
	took("made");
	for (int i = 0; i < many; i++)
		found += !lstat(nth(i), &st);
	GIVES(many, found);
	took("found");
	GIVES(many, list(&strange));
	GIVES(2, strange); /* the dots */
	took("listed");
	for (int i = 0; i < many; i++)
		gone += !unlink(nth(i));
	GIVES(many, gone);
	took("removed");
}

/* All bytes but NUL and '/'. */
static void test_bytes(void)
{
	char name[300], other[300];
	struct dirent *entry;
	struct stat st;
	int found = 0;
	DIR *folder;

	memset(name, 'x', sizeof(name));
	for (int i = 1, at = 0; i < 256; i++)
		if (i != '/')
			name[at++] = (char)i;
	name[255] = '\0';
	WORKS(make_file(name, "1"));
	memcpy(other, name, sizeof(other));
	other[0] = (char)0xff;
	FAILS(ENOENT, stat(other, &st));
	WORKS(rename(name, other));
	WORKS(stat(other, &st));
	folder = opendir(".");
	while (folder && (entry = readdir(folder)))
		found += !strcmp(entry->d_name, other);
	closedir(folder);
	GIVES(1, found);
	WORKS(unlink(other));
	other[255] = 'y';
	other[256] = '\0';
	FAILS(ENAMETOOLONG, make_file(other, "") ? open(other, O_CREAT | O_WRONLY, 0644) : 0);
}

int main(int count, char **words)
{
	const char *folder = count > 1 ? words[1] : "/tmp/many";

	if (count > 2)
		many = atoi(words[2]);
	if (many < 1 || many > MANY_MAX)
		return 2;
	WORKS(mkdir(folder, 0755));
	WORKS(chdir(folder));
	test_many();
	test_bytes();
	WORKS(chdir("/"));
	WORKS(rmdir(folder));
	return tap_end();
}
