/*
 * run: --mem 3G
 * seconds: 600
 *
 * A directory with a million files, on the RAM tree: made, found, listed once each, removed. And names of 255 arbitrary bytes.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

#include "../files.h"

#define MANY 1000000

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

static unsigned char listed[MANY];

int main(void)
{
	char name[300], other[300];
	int made = 0, found = 0, once = 0, strange = 0, gone = 0;
	struct dirent *entry;
	struct stat st;
	DIR *dir;

	WORKS(mkdir("/tmp/many", 0755));
	WORKS(chdir("/tmp/many"));
	took("begin");
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		made += !mknod(name, S_IFREG | 0644, 0);
	}
	GIVES(MANY, made);
	took("made");
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		found += !lstat(name, &st);
	}
	GIVES(MANY, found);
	took("found");
	dir = opendir(".");
	while ((entry = readdir(dir)))
		if (entry->d_name[0] == 'f')
			listed[atoi(entry->d_name + 1)]++;
		else
			strange++;
	closedir(dir);
	for (int i = 0; i < MANY; i++)
		once += listed[i] == 1;
	GIVES(MANY, once);
	GIVES(2, strange);
	took("listed");
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		gone += !unlink(name);
	}
	GIVES(MANY, gone);
	took("removed");

	/* All bytes but NUL and '/'. */
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
	dir = opendir(".");
	found = 0;
	while ((entry = readdir(dir)))
		found += !strcmp(entry->d_name, other);
	closedir(dir);
	GIVES(1, found);
	WORKS(unlink(other));
	other[255] = 'y';
	other[256] = '\0';
	FAILS(ENAMETOOLONG, make_file(other, "") ? open(other, O_CREAT | O_WRONLY, 0644) : 0);
	WORKS(chdir("/"));
	WORKS(rmdir("/tmp/many"));
	return tap_end();
}
