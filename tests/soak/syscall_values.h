/*
 * What random system calls get: numbers, words of flags, descriptors, names, addresses, each drawn from what is meant for a
 * parameter of its type, and now and then from what nobody expects. Included by syscall_fuzz.c, which says what for.
 */
#ifndef TESTS_SOAK_SYSCALL_VALUES_H
#define TESTS_SOAK_SYSCALL_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

enum {
	PAGE = 4096,
	AREA_PAGES = 16,
	LENGTH_PAGES = 8, /* fewer than so many at once */
	DESCRIPTORS = 64, /* as many as a worker may have */
};

#define FOLDER "/tmp/fuzz"
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* What a parameter is. Structures are made by syscall_memory.h, words of sets are listed in syscall_list.h. */
enum type {
	NOTHING, /* behind the last parameter: whatever comes */
	DESCRIPTOR,
	FOLDER_FD, /* AT_FDCWD more often than not */
	PATH,
	WORD,	/* a short text: of attributes, kinds of filesystems, module parameters */
	BUFFER, /* memory to be read or written */
	SIZE,
	SMALL, /* a number or index below 64 */
	EIGHT, /* the size of a set of signals, or the head of a list */
	OFFSET,
	PROCESS,
	USER,
	PLACE,	/* the start of a page */
	LENGTH, /* whole pages */
	FUTEX,	/* a word that others wait at, too */
	EITHER, /* a small number or a structure: what follows a request */
	FIRST_STRUCTURE,
	NUMBERS = FIRST_STRUCTURE, /* any structure of words */
	SIZE_AT,
	VECTOR,
	MESSAGE,
	MESSAGES,
	SOCKET_ADDRESS,
	INTERVAL, /* struct timespec, two of them where two are wanted */
	TIMEVAL,
	ALARM, /* struct itimerspec and itimerval */
	EVENT, /* struct epoll_event */
	POLLED,
	SIGNAL_SET,
	SIGNAL_ACTION,
	SIGNAL_EVENT,
	SIGNAL_INFO,
	LOCK,
	ARGUMENTS, /* of a program */
	OPENING,   /* struct open_how */
	WAITERS,
	CAPABILITIES,
	LIMIT,
	SCHEDULE,
	FIRST_SET,
	OPEN_FLAGS = FIRST_SET,
	MODE,
	AT_FLAGS,
	ACCESS,
	WHENCE,
	PROTECTION,
	MAP_FLAGS,
	REMAP_FLAGS,
	SYNC_FLAGS,
	ADVICE,
	FILE_ADVICE,
	SIGNAL,
	SIGNAL_HOW,
	REQUEST, /* of ioctl */
	FCNTL,
	FLOCK,
	FAMILY,
	SOCKET_TYPE,
	LEVEL,
	OPTION,
	HOW,
	SEND_FLAGS,
	CLOCK,
	CLOCK_FLAGS,
	FUTEX_OPERATION,
	EPOLL_OPERATION,
	FD_FLAGS, /* of what makes a descriptor */
	WAIT_FLAGS,
	WAIT_KIND,
	SPLICE_FLAGS,
	RENAME_FLAGS,
	FALLOCATE,
	MOUNT_FLAGS,
	UMOUNT_FLAGS,
	UNSHARE,
	PRCTL,
	ARCH_PRCTL,
	WATCH,
	MEMFD_FLAGS,
	XATTR_FLAGS,
	PRIORITY_WHICH,
	POLICY,
	RESOURCE,
	USAGE,
	MEMBARRIER,
	CLOSE_FLAGS,
	KCMP,
	PERSONALITY,
	IO_FLAGS, /* RWF_... */
	STATX_MASK,
	RANDOM_FLAGS,
	LOCK_FLAGS,
	RSEQ_FLAGS,
	NODE,
	TYPES,
};

struct generator {
	uint64_t state;
};

/* One set of words: any of them, or several together. */
struct set {
	const unsigned int *words;
	unsigned int count;
	bool together;
};

static char *area; /* readable and writable, with holes */

static const char *const paths[] = {
	FOLDER "/a",
	FOLDER "/b",
	FOLDER "/c/d",
	FOLDER "/c",
	FOLDER,
	FOLDER "/link",
	FOLDER "/fifo",
	FOLDER "/socket",
	FOLDER "/mount",
	FOLDER "/program",
	"a",
	"b",
	"c",
	"c/../b",
	"c/e",
	"mount/x",
	"",
	".",
	"..",
	"/dev/null",
	"/dev/zero",
	"/dev/full",
	"/dev/random",
	"/proc/self/maps",
	"/proc/self/stat",
	"/proc/self/fd/3",
	"/proc/self/fd/9",
	"/proc/self/exe",
	"/proc/self/environ",
	"/proc/self/mem",
	"/proc/self/mountinfo",
	"/proc/self/ns/mnt",
	"/proc/self/pagemap",
	"/proc/self/smaps",
	"/proc/self/comm",
	"/proc/self/oom_score_adj",
	"/proc/thread-self/status",
	"/proc/meminfo",
	"/proc/vmstat",
	"/proc/net/unix",
	"/proc/self/cmdline",
	"/proc/1/status",
	"/proc/self/fd",
	"/proc/self/fdinfo/8",
	"/sys/module",
	"/sys",
	"/dev/ptmx",
	"/dev/tty",
	"/dev/pts/0",
	"/dev/pts/1",
	"/proc/self/task",
	"/proc/mounts",
	"/proc/modules",
};

static const char *const words[] = {
	"tmpfs",
	"proc",
	"sysfs",
	"devpts",
	"ramfs",
	"bind",
	"size=64k",
	"mode=0777",
	"user.name",
	"user.name",
	"user.name",
	"user.other",
	"trusted.x",
	"security.capability",
	"system.posix_acl_access",
	"",
	"name=value",
	"newinstance",
	"#!/bin/sh\n",
};

/* xorshift64* */
static uint64_t draw(struct generator *generator)
{
	generator->state ^= generator->state >> 12;
	generator->state ^= generator->state << 25;
	generator->state ^= generator->state >> 27;
	return generator->state * 0x2545f4914f6cdd1dULL;
}

static uint64_t below(struct generator *generator, uint64_t limit)
{
	return (draw(generator) >> 16) % limit;
}

static unsigned long hostile_number(struct generator *generator)
{
	static const unsigned long numbers[] = {
		0,
		1,
		-1UL,
		-2UL,
		0x7fffffff,
		0x80000000,
		0xffffffff,
		0x100000000,
		0x7fffffffffffffff,
		0x8000000000000000,
		0x7ffffffff000,
		0x7fffffffefff,
		0x800000000000,
		4095,
		4096,
		4097,
		65535,
		65536,
		-4096UL,
		-4095UL,
		0xffff888000000000,
		0xffffffff80100000,
		0x1000000000000,
		1UL << 62,
		-100UL,
	};

	if (below(generator, 4) == 0)
		return (1UL << below(generator, 64)) + below(generator, 3) - 1;
	if (below(generator, 6) == 0)
		return draw(generator);
	return numbers[below(generator, COUNT(numbers))];
}

static unsigned long address(struct generator *generator)
{
	unsigned long page = (unsigned long)area + below(generator, AREA_PAGES) * PAGE;

	switch (below(generator, 8)) {
	case 0:
		return page + PAGE - below(generator, 64); /* the next one may be missing */
	case 1:
		return page;
	case 2:
		return hostile_number(generator);
	default:
		return page + (below(generator, PAGE) & ~7UL);
	}
}

static unsigned long descriptor(struct generator *generator)
{
	return below(generator, 32)
		       ? 3 + below(generator, DESCRIPTORS - 3) / (1 + below(generator, 3))
		       : hostile_number(generator);
}

/* What was given as a descriptor, an index, a size: nobody knows. */
static unsigned long anything(struct generator *generator)
{
	switch (below(generator, 8)) {
	case 0:
	case 1:
		return address(generator);
	case 2:
		return (unsigned long)paths[below(generator, COUNT(paths))];
	case 3:
		return hostile_number(generator);
	case 4:
		return below(generator, 3 * PAGE);
	case 5:
		return 1UL << below(generator, 32);
	case 6:
		return below(generator, 64);
	default:
		return descriptor(generator);
	}
}

static unsigned long of_set(struct generator *generator, const struct set *set)
{
	unsigned long result = set->words[below(generator, set->count)];

	while (set->together && below(generator, 2))
		result = below(generator, 8) ? result | set->words[below(generator, set->count)] : 0;
	return result;
}

/* A value of a type that lies in no memory of the caller's and is in no set. */
static unsigned long plain_value(struct generator *generator, enum type type)
{
	switch (type) {
	case DESCRIPTOR:
		return descriptor(generator);
	case FOLDER_FD:
		return below(generator, 3) ? -100UL : descriptor(generator);
	case PATH:
		return (unsigned long)paths[below(generator, COUNT(paths))];
	case WORD:
		return (unsigned long)words[below(generator, COUNT(words))];
	case BUFFER:
		return address(generator);
	case SIZE:
		return below(generator, 3) ? below(generator, 256) : below(generator, 3 * PAGE);
	case SMALL:
		return below(generator, 3) ? below(generator, 6) : below(generator, 64);
	case EIGHT:
		return below(generator, 4) ? 8 : below(generator, 4) * 8;
	case OFFSET:
		return below(generator, 2)
			       ? below(generator, 64 * 1024) & ~(below(generator, 2) * 4095)
			       : 0;
	case PROCESS:
		switch (below(generator, 4)) {
		case 0:
			return 0;
		case 1:
			return (unsigned long)gettid();
		case 2:
			return (unsigned long)getpid() + below(generator, 8);
		default:
			return (unsigned long)getpid();
		}
	case USER:
		return below(generator, 2) ? 65534 : below(generator, 3) - 1;
	case PLACE:
		return (unsigned long)area + below(generator, AREA_PAGES) * PAGE;
	case LENGTH:
		return below(generator, LENGTH_PAGES) * PAGE;
	case FUTEX:
		return (unsigned long)area + below(generator, 3) * 8 * PAGE;
	case EITHER:
		return below(generator, 2) ? below(generator, 8) : address(generator);
	default:
		return anything(generator);
	}
}

#endif
