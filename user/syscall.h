/* System calls and the few string functions of a program that runs without a C library. Results are as the kernel gives them. */
#ifndef USER_SYSCALL_H
#define USER_SYSCALL_H

#include <asm/ioctls.h>
#include <asm/termios.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/reboot.h>
#include <linux/signal.h>
#include <linux/stat.h>
#include <linux/time.h>
#include <linux/utsname.h>
#include <linux/wait.h>
#include <stdbool.h>
#include <stddef.h>

static inline long syscall5(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

#define SYSCALL(name, a, b, c, d, e)                                                               \
	syscall5(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))

static inline int sys_open(const char *path, int flags, int mode)
{
	return SYSCALL(open, path, flags, mode, 0, 0);
}

static inline int sys_close(int fd)
{
	return SYSCALL(close, fd, 0, 0, 0, 0);
}

static inline long sys_read(int fd, void *to, size_t size)
{
	return SYSCALL(read, fd, to, size, 0, 0);
}

static inline long sys_write(int fd, const void *from, size_t size)
{
	return SYSCALL(write, fd, from, size, 0, 0);
}

static inline int sys_dup2(int from, int to)
{
	return SYSCALL(dup2, from, to, 0, 0, 0);
}

static inline int sys_ioctl(int fd, unsigned long request, const void *argument)
{
	return SYSCALL(ioctl, fd, request, argument, 0, 0);
}

static inline int sys_mount(const char *source, const char *target, const char *type,
			    unsigned long flags, const char *options)
{
	return SYSCALL(mount, source, target, type, flags, options);
}

static inline int sys_chroot(const char *path)
{
	return SYSCALL(chroot, path, 0, 0, 0, 0);
}

static inline int sys_kill(int pid, int signal)
{
	return SYSCALL(kill, pid, signal, 0, 0, 0);
}

static inline int sys_mkdir(const char *path, unsigned int mode)
{
	return SYSCALL(mkdir, path, mode, 0, 0, 0);
}

static inline int sys_sethostname(const char *name, size_t length)
{
	return SYSCALL(sethostname, name, length, 0, 0, 0);
}

static inline int sys_symlink(const char *target, const char *path)
{
	return SYSCALL(symlink, target, path, 0, 0, 0);
}

static inline int sys_chdir(const char *path)
{
	return SYSCALL(chdir, path, 0, 0, 0, 0);
}

static inline int sys_setsid(void)
{
	return SYSCALL(setsid, 0, 0, 0, 0, 0);
}

static inline int sys_fork(void)
{
	return SYSCALL(fork, 0, 0, 0, 0, 0);
}

static inline int sys_execve(const char *path, char *const *argv, char *const *environment)
{
	return SYSCALL(execve, path, argv, environment, 0, 0);
}

static inline int sys_wait4(int pid, int *status, int options)
{
	return SYSCALL(wait4, pid, status, options, 0, 0);
}

static inline int sys_finit_module(int fd, const char *parameters, int flags)
{
	return SYSCALL(finit_module, fd, parameters, flags, 0, 0);
}

static inline int sys_uname(struct new_utsname *name)
{
	return SYSCALL(uname, name, 0, 0, 0, 0);
}

static inline void sys_sync(void)
{
	SYSCALL(sync, 0, 0, 0, 0, 0);
}

static inline int sys_reboot(unsigned int command)
{
	return SYSCALL(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, 0, 0);
}

static inline void sys_sleep_ms(long milliseconds)
{
	struct __kernel_old_timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000 };

	SYSCALL(nanosleep, &time, 0, 0, 0, 0);
}

static inline __attribute__((noreturn)) void sys_exit(int status)
{
	for (;;)
		SYSCALL(exit_group, status, 0, 0, 0, 0);
}

static inline size_t string_length(const char *s)
{
	size_t length = 0;

	while (s[length])
		length++;
	return length;
}

/* What follows `prefix` in `s`, or NULL when `s` does not start with it. */
static inline char *string_after(char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return NULL;
	return s;
}

static inline bool string_same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static inline bool string_has(const char *s, char c)
{
	while (*s && *s != c)
		s++;
	return *s == c;
}

/* Puts the strings up to a NULL together; false when they do not fit. */
static inline bool string_join(char *to, size_t size, const char *const *parts)
{
	size_t at = 0;

	for (; *parts; parts++)
		for (const char *s = *parts; *s; s++) {
			if (at + 1 >= size)
				return false;
			to[at++] = *s;
		}
	to[at] = '\0';
	return true;
}

#define STRING_JOIN(to, ...) string_join(to, sizeof(to), (const char *const[]){ __VA_ARGS__, NULL })

static inline unsigned int string_number(const char *s)
{
	unsigned int value = 0;

	while (*s >= '0' && *s <= '9')
		value = value * 10 + (*s++ - '0');
	return value;
}

static inline unsigned int number_octal(const char *s)
{
	unsigned int value = 0;

	while (*s >= '0' && *s <= '7')
		value = value * 8 + (unsigned int)(*s++ - '0');
	return value;
}

/* In decimal; `to` has room for 12 bytes. */
static inline void number_text(char *to, unsigned int value)
{
	unsigned int digits = 1;

	for (unsigned int rest = value; rest >= 10; rest /= 10)
		digits++;
	to[digits] = '\0';
	for (; digits; value /= 10)
		to[--digits] = (char)('0' + value % 10);
}

#endif
