/*
 * The newer system calls on mounts: open_tree, move_mount, fsopen, fsconfig, fsmount, fspick, mount_setattr; and their errnos.
 */
#include "mounts.h"

#include <linux/mount.h>
#include <stdint.h>
#include <sys/syscall.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

static int open_tree_of(int fd, const char *name, unsigned int flags)
{
	return (int)syscall(SYS_open_tree, fd, name, flags);
}

static int move(int from_fd, const char *from, const char *to, unsigned int flags)
{
	return (int)syscall(SYS_move_mount, from_fd, from, AT_FDCWD, to, flags);
}

static int fs_open(const char *type, unsigned int flags)
{
	return (int)syscall(SYS_fsopen, type, flags);
}

static int fs_config(int fd, unsigned int command, const char *key, const void *value, int aux)
{
	return (int)syscall(SYS_fsconfig, fd, command, key, value, aux);
}

static int fs_mount(int fd, unsigned int flags, unsigned int attributes)
{
	return (int)syscall(SYS_fsmount, fd, flags, attributes);
}

static int fs_pick(const char *name, unsigned int flags)
{
	return (int)syscall(SYS_fspick, AT_FDCWD, name, flags);
}

static int set_attributes(const char *name, unsigned int flags, uint64_t set, uint64_t clear,
			  uint64_t propagation)
{
	struct mount_attr attr = { .attr_set = set, .attr_clr = clear, .propagation = propagation };

	return (int)syscall(SYS_mount_setattr, AT_FDCWD, name, flags, &attr, sizeof(attr));
}

/* Does the options' field of the mount at `place` (below the folder of the test) have the word? */
static int has_option(const char *place, const char *word)
{
	FILE *file = fopen("/proc/self/mountinfo", "r");
	char line[1024], where[300], options[300], wanted[600];
	int found = 0;

	snprintf(wanted, sizeof(wanted), "%s/%s", top, place);
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%*d %*d %*s %*s %299s %299s", where, options) == 2 &&
		    !strcmp(where, wanted))
			found = strstr(options, word) != NULL;
	if (file)
		fclose(file);
	return found;
}

/* A tmpfs, step by step; a descriptor of its mount. */
static int make_tmpfs(unsigned int attributes)
{
	int fd = fs_open("tmpfs", FSOPEN_CLOEXEC), mount_fd;

	if (fd < 0 || fs_config(fd, FSCONFIG_SET_STRING, "size", "1M", 0) ||
	    fs_config(fd, FSCONFIG_SET_STRING, "source", "step", 0) ||
	    fs_config(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -1;
	mount_fd = fs_mount(fd, FSMOUNT_CLOEXEC, attributes);
	close(fd);
	return mount_fd;
}

static void step_by_step(void)
{
	int fd = make_tmpfs(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), file;

	TRUE(fd >= 0);
	file = openat(fd, "before", O_CREAT | O_WRONLY, 0644); /* it can be used before it stands anywhere */
	TRUE(file >= 0);
	close(file);
	WORKS(move(fd, "", "a", MOVE_MOUNT_F_EMPTY_PATH));
	WORKS(access("a/before", F_OK));
	TRUE(has_option("a", "nosuid") && has_option("a", "noexec") && has_option("a", "relatime"));
	WORKS(move(fd, "", "b", MOVE_MOUNT_F_EMPTY_PATH)); /* from one place to another */
	WORKS(access("b/before", F_OK));
	FAILS(ENOENT, access("a/before", F_OK));
	FAILS(ENOENT, move(AT_FDCWD, "nothing", "a", 0));
	FAILS(ENOENT, move(fd, "", "a", 0));
	FAILS(EINVAL, move(AT_FDCWD, "b", "file", 0));
	FAILS(EINVAL, move(AT_FDCWD, "a", "b", 0)); /* no mount's root */
	FAILS(EINVAL, move(AT_FDCWD, "b", "a", 0x1000));
	WORKS(umount2("b", MNT_DETACH));
	close(fd);
	fd = make_tmpfs(0); /* goes with its descriptor */
	TRUE(fd >= 0);
	close(fd);
}

static void the_steps_have_an_order(void)
{
	int fd, mount_fd;

	FAILS(ENODEV, fs_open("no-such-type", 0));
	FAILS(EINVAL, fs_open("tmpfs", 2));
	FAILS(EFAULT, fs_open(NULL, 0));
	fd = fs_open("tmpfs", 0);
	TRUE(fd >= 0);
	FAILS(ENODATA, read(fd, text, 100));
	FAILS(EINVAL, fs_mount(fd, 0, 0));
	FAILS(EINVAL, fs_config(fd, FSCONFIG_SET_FLAG, NULL, NULL, 0));
	FAILS(EINVAL, fs_config(fd, FSCONFIG_SET_FLAG, "ro", "x", 0));
	FAILS(EINVAL, fs_config(fd, FSCONFIG_SET_STRING, "size", NULL, 0));
	FAILS(EINVAL, fs_config(fd, FSCONFIG_CMD_CREATE, "x", NULL, 0));
	FAILS(EOPNOTSUPP, fs_config(fd, 100, NULL, NULL, 0));
	FAILS(EINVAL, fs_config(-1, FSCONFIG_SET_FLAG, "ro", NULL, 0));
	FAILS(EBADF, fs_config(1000, FSCONFIG_SET_FLAG, "ro", NULL, 0));
	FAILS(EINVAL, fs_config(0, FSCONFIG_SET_FLAG, "ro", NULL, 0));
	WORKS(fs_config(fd, FSCONFIG_SET_STRING, "source", "one", 0));
	FAILS(EINVAL, fs_config(fd, FSCONFIG_SET_STRING, "source", "two", 0));
	FAILS(EBUSY, fs_config(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
	WORKS(fs_config(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	FAILS(EBUSY, fs_config(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	FAILS(EBUSY, fs_config(fd, FSCONFIG_SET_FLAG, "ro", NULL, 0));
	FAILS(EINVAL, fs_mount(fd, 2, 0));
	FAILS(EINVAL, fs_mount(fd, 0, 0x1000));
	FAILS(EINVAL, fs_mount(fd, 0, MOUNT_ATTR__ATIME));
	FAILS(EBADF, fs_mount(1000, 0, 0));
	FAILS(EINVAL, fs_mount(0, 0, 0));
	mount_fd = fs_mount(fd, 0, 0);
	TRUE(mount_fd >= 0);
	FAILS(EBUSY, fs_mount(fd, 0, 0));
	close(mount_fd);
	close(fd);
}

static void copies(void)
{
	int fd;

	WORKS(mount("none", "a", "tmpfs", 0, NULL));
	WORKS(mkdir("a/sub", 0755));
	WORKS(mount("none", "a/sub", "tmpfs", 0, NULL));
	WORKS(make_file("a/sub/deep", "x"));
	FAILS(EINVAL, open_tree_of(AT_FDCWD, "a", 2));
	FAILS(EINVAL, open_tree_of(AT_FDCWD, "a", AT_RECURSIVE));
	FAILS(ENOENT, open_tree_of(AT_FDCWD, "nothing", OPEN_TREE_CLONE));
	fd = open_tree_of(AT_FDCWD, "a", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	TRUE(fd >= 0);
	WORKS(move(fd, "", "b", MOVE_MOUNT_F_EMPTY_PATH));
	close(fd);
	FAILS(ENOENT, access("b/sub/deep", F_OK));
	WORKS(access("b/sub", F_OK));
	WORKS(umount2("b", 0));
	fd = open_tree_of(AT_FDCWD, "a", OPEN_TREE_CLONE | AT_RECURSIVE);
	TRUE(fd >= 0);
	WORKS(move(fd, "", "b", MOVE_MOUNT_F_EMPTY_PATH));
	WORKS(access("b/sub/deep", F_OK));
	close(fd);
	WORKS(umount2("b", MNT_DETACH));
	fd = open_tree_of(AT_FDCWD, "a", 0); /* like O_PATH */
	TRUE(fd >= 0);
	FAILS(EBADF, read(fd, text, 1));
	WORKS(faccessat(fd, "sub/deep", F_OK, 0));
	close(fd);
	fd = open_tree_of(AT_FDCWD, "a", OPEN_TREE_CLONE | AT_RECURSIVE); /* not moved: gone */
	close(fd);
	WORKS(umount2("a/sub", 0));
}

static void attributes(void)
{
	struct mount_attr attr = {};
	char long_attr[64] = "";
	int fd;

	WORKS(set_attributes("a", 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV, 0, 0));
	TRUE(has_option("a", "ro,") && has_option("a", "nodev"));
	FAILS(EROFS, open("a/new", O_CREAT | O_WRONLY, 0644));
	WORKS(set_attributes("a", 0, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_RDONLY, 0));
	TRUE(has_option("a", "rw,") && has_option("a", "nodev") && has_option("a", "noexec"));
	WORKS(set_attributes("a", 0, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, 0));
	TRUE(has_option("a", "noatime"));
	FAILS(EINVAL, set_attributes("a", 0, MOUNT_ATTR_NOATIME, 0, 0));
	FAILS(EINVAL, set_attributes("a", 0, 0, MOUNT_ATTR_NOATIME, 0));
	FAILS(EINVAL, set_attributes("a", 0, 0x1000, 0, 0));
	FAILS(EINVAL, set_attributes("a", 0, 0, 0, MS_SHARED | MS_PRIVATE));
	FAILS(EINVAL, set_attributes("a", 0, 0, 0, MS_RDONLY));
	FAILS(EINVAL, set_attributes("a/sub", 0, MOUNT_ATTR_RDONLY, 0, 0));
	FAILS(EINVAL, set_attributes("a", 1, MOUNT_ATTR_RDONLY, 0, 0));
	FAILS(ENOENT, set_attributes("nothing", 0, MOUNT_ATTR_RDONLY, 0, 0));
	WORKS(set_attributes("nothing", 0, 0, 0, 0)); /* nothing to be done */
	FAILS(EINVAL, syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, &attr, 31));
	FAILS(E2BIG, syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, &attr, 5000));
	WORKS(syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, long_attr, 64));
	long_attr[50] = 1;
	FAILS(E2BIG, syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, long_attr, 64));
	FAILS(EFAULT, syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, NULL, 32));
	fd = open("a/writer", O_CREAT | O_WRONLY, 0644);
	FAILS(EBUSY, set_attributes("a", 0, MOUNT_ATTR_RDONLY, 0, 0));
	TRUE(has_option("a", "rw,"));
	close(fd);
	WORKS(set_attributes("a", AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0, MS_SHARED));
	TRUE(has_option("a", "ro,"));
	WORKS(set_attributes("a", AT_RECURSIVE, 0, MOUNT_ATTR_RDONLY, MS_PRIVATE));
}

static void picked(void)
{
	int fd;

	FAILS(EINVAL, fs_pick("a/sub", 0));
	FAILS(EINVAL, fs_pick("a", 0x100));
	FAILS(ENOENT, fs_pick("nothing", 0));
	fd = fs_pick("a", FSPICK_CLOEXEC);
	TRUE(fd >= 0);
	FAILS(EBUSY, fs_config(fd, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	FAILS(EBUSY, fs_mount(fd, 0, 0));
	WORKS(fs_config(fd, FSCONFIG_SET_FLAG, "ro", NULL, 0));
	WORKS(fs_config(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
	FAILS(EROFS, open("a/other", O_CREAT | O_WRONLY, 0644));
	close(fd);
	WORKS(umount2("a", 0));
}

static void without_privilege(void)
{
	CHECK_FAILS(EPERM, fs_open("tmpfs", 0));
	CHECK_FAILS(EPERM, fs_pick("a", 0));
	CHECK_FAILS(EPERM, fs_mount(0, 0, 0));
	CHECK_FAILS(EPERM, move(AT_FDCWD, "a", "b", 0));
	CHECK_FAILS(EPERM, open_tree_of(AT_FDCWD, "a", OPEN_TREE_CLONE));
	CHECK_FAILS(EPERM, set_attributes("a", 0, MOUNT_ATTR_RDONLY, 0, 0));
	CHECK(open_tree_of(AT_FDCWD, "a", 0) >= 0);
}

int main(void)
{
	begin_in("/tmp");
	mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	WORKS(mkdir("a", 0755));
	WORKS(mkdir("b", 0755));
	WORKS(make_file("file", ""));
	step_by_step();
	the_steps_have_an_order();
	copies();
	attributes();
	picked();
	GIVES(0, as_user(without_privilege));
	return tap_end();
}
