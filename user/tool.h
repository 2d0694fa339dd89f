/* What the small tools share: their start, what they print, and the names of errors. */
#ifndef USER_TOOL_H
#define USER_TOOL_H

#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/sched.h>

#include "syscall.h"

/* Each tool has this: `environment` follows the arguments. Its result is the exit status. */
int tool_main(int count, char **arguments, char **environment);

__attribute__((used)) static void tool_start(long *stack)
{
	int count = (int)stack[0];
	char **arguments = (char **)(stack + 1);

	sys_exit(tool_main(count, arguments, arguments + count + 1));
}

__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call tool_start\n");

static inline bool string_equal(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static inline void print(int fd, const char *text)
{
	size_t length = string_length(text);

	while (length) {
		long part = sys_write(fd, text, length);

		if (part <= 0)
			sys_exit(1);
		text += part;
		length -= (size_t)part;
	}
}

static inline const char *error_text(int error)
{
	static const struct {
		int error;
		const char *text;
	} texts[] = {
		{ EPERM, "not permitted" },
		{ ENOENT, "no such file" },
		{ ESRCH, "no such process" },
		{ ENOMEM, "no memory" },
		{ EACCES, "permission denied" },
		{ EBUSY, "busy" },
		{ ENODEV, "no such type" },
		{ ENOTDIR, "not a directory" },
		{ EINVAL, "not possible there" },
		{ ELOOP, "too many links" },
		{ ENOSPC, "too many mounts" },
		{ ENOEXEC, "no program" },
		{ EBADF, "not open" },
		{ ENXIO, "nobody is there" },
		{ EEXIST, "it is there already" },
		{ ENAMETOOLONG, "too long" },
		{ ECONNREFUSED, "nobody serves there" },
		{ EADDRINUSE, "in use" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].error == error)
			return texts[i].text;
	return "it failed";
}

/* "TOOL: WHAT: why" to standard error; 1. */
static inline int complain(const char *tool, const char *what, int error)
{
	print(2, tool);
	print(2, ": ");
	print(2, what);
	print(2, ": ");
	print(2, error_text(-error));
	print(2, "\n");
	return 1;
}

static inline int mount_flagged(const char *source, const char *target, const char *type,
				unsigned long flags, const char *data)
{
	return SYSCALL(mount, source, target, type, flags, data);
}

#endif
