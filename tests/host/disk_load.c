/*
 * For disk_kills.sh, in a guest: changes names and files below DIR/a and DIR/b without end, in an order that the seed decides.
 *
 *	disk_load DIR SEED
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES 60
#define GONE 16 /* files without a name that are kept open */

static unsigned int state;
static char bytes[30000];
static int gone[GONE];

static unsigned int chance(unsigned int limit)
{
	state = state * 1103515245 + 12345;
	return (state >> 8) % limit;
}

static const char *some_name(void)
{
	static char names[2][100];
	static int at;

	at = !at;
	snprintf(names[at], sizeof(names[at]), "%c/a name that takes more room than a short one %u",
		 'a' + (int)chance(2), chance(NAMES));
	return names[at];
}

static void make(void)
{
	int fd = open(some_name(), O_CREAT | O_RDWR, 0644);

	if (fd < 0)
		return;
	if (pwrite(fd, bytes, 1 + chance(sizeof(bytes) - 1), chance(200000)) > 0 && chance(2))
		fsync(fd);
	if (!chance(4) && ftruncate(fd, chance(50000)))
		perror("ftruncate");
	close(fd);
}

/* Its last user is who is killed. */
static void lose(void)
{
	const char *name = some_name();
	int *slot = &gone[chance(GONE)];

	close(*slot);
	*slot = open(name, O_RDWR);
	unlink(name);
}

int main(int count, char **words)
{
	if (count < 3 || chdir(words[1]))
		return 1;
	state = (unsigned int)atoi(words[2]) * 7919;
	memset(bytes, 'b', sizeof(bytes));
	memset(gone, -1, sizeof(gone));
	for (;;) {
		switch (chance(8)) {
		case 0:
		case 1:
			make();
			break;
		case 2:
			rename(some_name(), some_name());
			break;
		case 3:
			lose();
			break;
		case 4:
			if (link(some_name(), some_name()))
				make();
			break;
		case 5:
			if (mkdir(some_name(), 0755))
				rmdir(some_name());
			break;
		case 6:
			unlink(some_name());
			break;
		default:
			sync();
		}
	}
}
