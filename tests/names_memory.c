/*
 * Names of one file: what a name costs its directory must stay, what the kernel remembers of looking it up need not. With
 * both kept they do not fit into this machine.
 * run: --mem 24M
 * seconds: 60
 */
#define _GNU_SOURCE
#include "memory.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAMES = 20000, LENGTH = 200, BLOCK = 4 << 20 };

static char name[LENGTH + 1];

static const char *name_of(int number)
{
	snprintf(name, 8, "%07d", number);
	name[7] = 'n';
	return name;
}

int main(void)
{
	int fd, made, found = 0, removed = 0;
	char *memory;

	memset(name, 'n', LENGTH);
	if (mkdir("names", 0700) || chdir("names") || (fd = open("file", O_CREAT | O_WRONLY, 0600)) < 0)
		return tap_end();
	close(fd);
	for (made = 0; made < NAMES && !link("file", name_of(made)); made++)
		;
	tap_ok(made == NAMES, "%d of %d names were made, %ld KiB free (%s)", made, NAMES,
	       memory_field("MemFree"), made == NAMES ? "as it should be" : strerror(errno));
	for (int i = 0; i < made; i++)
		found += !access(name_of(i), F_OK);
	tap_ok(found == made, "all are found, %ld KiB free", memory_field("MemFree"));
	memory = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory != MAP_FAILED)
		memset(memory, 1, BLOCK);
	tap_ok(memory != MAP_FAILED, "a process finds memory");
	for (int i = 0; i < made; i++)
		removed += !unlink(name_of(i));
	unlink("file");
	tap_ok(removed == made && !chdir("..") && !rmdir("names"), "all are removed");
	return tap_end();
}
