/*
 * The root on a disk: what the kernel's command line asks for in Linux's words, root=DEVICE rootfstype=TYPE (ext4)
 * rootflags=OPTIONS ro|rw (rw). The initramfs stays mounted below it, as /run/initramfs, and its modules are the new
 * root's, too; the kernel goes on starting modprobe in the initramfs.
 */
#ifndef USER_ROOT_H
#define USER_ROOT_H

#include <linux/mount.h>

#include "syscall.h"

#define COMMAND_LINE "/proc/cmdline"
#define NEW_ROOT "/root.new"
#define INITRAMFS "/run/initramfs"
#define DEVICE_WAIT_MS 10000

struct root {
	const char *device; /* NULL: the initramfs is the root */
	const char *type, *options;
	unsigned long flags; /* MS_RDONLY or 0 */
};

/* Splits `line` into words; what they say of the root. The words stay in `line`. */
static inline struct root root_wanted(char *line)
{
	struct root root = { .type = "ext4", .options = "" };

	while (*line) {
		char *word = line, *value;

		while (*line && *line != ' ' && *line != '\n')
			line++;
		if (*line)
			*line++ = '\0';
		if ((value = string_after(word, "root=")))
			root.device = value;
		else if ((value = string_after(word, "rootfstype=")))
			root.type = value;
		else if ((value = string_after(word, "rootflags=")))
			root.options = value;
		else if (string_same(word, "ro"))
			root.flags = MS_RDONLY;
		else if (string_same(word, "rw"))
			root.flags = 0;
	}
	return root;
}

/* The driver may still be looking for its devices. */
static inline int root_mount(const struct root *root)
{
	int error = -ENOENT;

	sys_mkdir(NEW_ROOT, 0755);
	for (int waited_ms = 0; waited_ms < DEVICE_WAIT_MS; waited_ms += 10) {
		error = sys_mount(root->device, NEW_ROOT, root->type, root->flags, root->options);
		if (error != -ENOENT && error != -ENXIO)
			break;
		sys_sleep_ms(10);
	}
	return error;
}

/* What the new root is to see of the old. Without a folder to stand in, a mount is left out. */
static inline void root_take_along(void (*say)(const char *what, const char *which, long error))
{
	static const struct {
		const char *source, *place, *type;
		unsigned long flags;
		const char *data;
	} mounts[] = {
		{ "/proc", NEW_ROOT "/proc", NULL, MS_BIND | MS_REC },
		{ "/sys", NEW_ROOT "/sys", NULL, MS_BIND | MS_REC },
		{ "/dev", NEW_ROOT "/dev", NULL, MS_BIND | MS_REC },
		{ "devpts", NEW_ROOT "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		  "gid=5,mode=620,ptmxmode=666" },
		{ "/lib/modules", NEW_ROOT "/lib/modules", NULL, MS_BIND },
		{ "run", NEW_ROOT "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755" },
		{ "/", NEW_ROOT INITRAMFS, NULL, MS_BIND },
	};

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		int error;

		sys_mkdir(mounts[i].place, 0755);
		error = sys_mount(mounts[i].source, mounts[i].place, mounts[i].type,
				  mounts[i].flags, mounts[i].data);
		if (error)
			say("mount", mounts[i].place, error);
	}
}

/* Makes it the root of this process and of all after it. Zero, or an error and what failed. */
static inline int root_switch(const struct root *root,
			      void (*say)(const char *what, const char *which, long error))
{
	int error = root_mount(root);

	if (error)
		return error;
	root_take_along(say);
	error = sys_chdir(NEW_ROOT);
	if (!error)
		error = sys_mount(".", "/", NULL, MS_MOVE, NULL);
	if (!error)
		error = sys_chroot(".");
	return error ? error : sys_chdir("/");
}

/* Nobody writes to the disk any more: all other processes go, then it is made read-only, which makes it clean. */
static inline int root_leave(void)
{
	int error = -EBUSY;

	sys_kill(-1, SIGKILL);
	while (sys_wait4(-1, NULL, 0) > 0)
		;
	sys_sync();
	for (int tries = 0; error == -EBUSY && tries < 100; tries++) {
		error = sys_mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
		if (error)
			sys_sleep_ms(10);
	}
	return error;
}

#endif
