/*
 * Access lists: what may be set, what is told, who is let in, what chmod makes of them, and what new files begin with. In a
 * tmpfs, or in the folder given as argument, which may be of any tree that has them. With `store` or `kept` behind it: leaves
 * lists there, or looks whether they are there.
 */
#include "files.h"

#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
#define NOBODY_ID ((unsigned int)ACL_UNDEFINED_ID)

struct list {
	unsigned int version;
	struct posix_acl_xattr_entry entries[16];
};
#define LIST(...) ((struct list){ POSIX_ACL_XATTR_VERSION, { __VA_ARGS__ } })
#define OWNER(bits)                                                                                \
	{                                                                                          \
		ACL_USER_OBJ, bits, NOBODY_ID                                                      \
	}
#define USER(id, bits)                                                                             \
	{                                                                                          \
		ACL_USER, bits, id                                                                 \
	}
#define GROUP_OF(bits)                                                                             \
	{                                                                                          \
		ACL_GROUP_OBJ, bits, NOBODY_ID                                                     \
	}
#define GROUP(id, bits)                                                                            \
	{                                                                                          \
		ACL_GROUP, bits, id                                                                \
	}
#define MASK(bits)                                                                                 \
	{                                                                                          \
		ACL_MASK, bits, NOBODY_ID                                                          \
	}
#define OTHER(bits)                                                                                \
	{                                                                                          \
		ACL_OTHER, bits, NOBODY_ID                                                         \
	}

static size_t length_of(const struct list *list)
{
	size_t count = 0;

	while (count < 16 && list->entries[count].e_tag)
		count++;
	return 4 + 8 * count;
}

static int set(const char *file, const char *name, struct list list)
{
	return setxattr(file, name, &list, length_of(&list), 0);
}

/* Is that, to the byte, what the file has? */
static int has(const char *file, const char *name, struct list wanted)
{
	struct list list = {};
	ssize_t size = getxattr(file, name, &list, sizeof(list));

	if (size == (ssize_t)length_of(&wanted) && !memcmp(&list, &wanted, (size_t)size))
		return 1;
	printf("# %s has %zd bytes, errno %d:", file, size, errno);
	for (ssize_t i = 0; size > 0 && i < (size - 4) / 8; i++)
		printf(" %x:%o:%d", list.entries[i].e_tag, list.entries[i].e_perm,
		       (int)list.entries[i].e_id);
	printf("\n");
	return 0;
}

static int has_none(const char *file, const char *name)
{
	char byte;

	return getxattr(file, name, &byte, 1) == -1 && errno == ENODATA;
}

static void test_forms(void)
{
	struct list good = LIST(OWNER(6), USER(5, 4), GROUP_OF(4), MASK(4), OTHER(0));

	make_file("f", "");
	FAILS(ENODATA, getxattr("f", ACCESS, NULL, 0));
	FAILS(ENODATA, getxattr("f", DEFAULT, NULL, 0));
	FAILS(EINVAL, setxattr("f", ACCESS, &good, 0, 0));
	FAILS(EINVAL, setxattr("f", ACCESS, &good, 3, 0));
	FAILS(EINVAL, setxattr("f", ACCESS, &good, 4 + 7, 0));
	FAILS(EINVAL, setxattr("f", ACCESS, &good, 4 + 8, 0)); /* only an owner */
	good.version = 1;
	FAILS(EOPNOTSUPP, setxattr("f", ACCESS, &good, length_of(&good), 0));
	FAILS(EINVAL, set("f", ACCESS, LIST(OWNER(6), GROUP_OF(4))));
	FAILS(EINVAL, set("f", ACCESS, LIST(GROUP_OF(4), OWNER(6), OTHER(0))));
	FAILS(EINVAL, set("f", ACCESS, LIST(OWNER(6), OWNER(6), GROUP_OF(4), OTHER(0))));
	FAILS(EINVAL, set("f", ACCESS, LIST(OWNER(6), USER(5, 4), GROUP_OF(4), OTHER(0))));
	FAILS(EINVAL, set("f", ACCESS, LIST(OWNER(6), GROUP_OF(4), GROUP(5, 4), OTHER(0))));
	FAILS(EINVAL, set("f", ACCESS, LIST(OWNER(6), GROUP_OF(4), USER(5, 4), MASK(4), OTHER(0))));
	FAILS(EINVAL, set("f", ACCESS, LIST(OWNER(8), GROUP_OF(4), OTHER(0))));
	FAILS(EINVAL, set("f", ACCESS, LIST(OWNER(6), { 3, 4, 4 }, GROUP_OF(4), MASK(4), OTHER(0))));
	FAILS(EINVAL, set("f", ACCESS, LIST(OWNER(6), { 0x40, 4, 4 }, OTHER(0))));
	FAILS(EINVAL,
	      set("f", ACCESS, LIST(OWNER(6), USER(NOBODY_ID, 4), GROUP_OF(4), MASK(4), OTHER(0))));
	FAILS(EINVAL, set("f", ACCESS, LIST(OWNER(6), GROUP_OF(4), MASK(4), MASK(4), OTHER(0))));
	FAILS(EINVAL, set("f", ACCESS, LIST(OWNER(6), GROUP_OF(4), OTHER(0), OTHER(0))));
	WORKS(set("f", ACCESS, LIST(OWNER(6), USER(5, 4), USER(5, 2), GROUP_OF(4), MASK(4), OTHER(0))));
	FAILS(EOPNOTSUPP, setxattr("f", "system.posix_acl_other", "", 0, 0));
	FAILS(EOPNOTSUPP, getxattr("f", "system.posix_acl_acces", NULL, 0));
	FAILS(ENOENT, set("none", ACCESS, LIST(OWNER(6), GROUP_OF(4), OTHER(0))));
	WORKS(unlink("f"));
}

static void test_what_is_told(void)
{
	const struct list list =
		LIST(OWNER(6), USER(5, 7), GROUP_OF(4), GROUP(9, 1), MASK(5), OTHER(1));
	char names[200];

	make_file("f", "");
	WORKS(set("f", ACCESS, list));
	TRUE(has("f", ACCESS, list));
	TRUE(mode_of("f") == (S_IFREG | 0651));
	GIVES(length_of(&list), getxattr("f", ACCESS, NULL, 0));
	FAILS(ERANGE, getxattr("f", ACCESS, names, length_of(&list) - 1));
	GIVES(sizeof(ACCESS), listxattr("f", names, sizeof(names)));
	TRUE(!strcmp(names, ACCESS));
	FAILS(ERANGE, listxattr("f", names, sizeof(ACCESS) - 1));
	WORKS(setxattr("f", "trusted.t", "v", 1, 0));
	GIVES(sizeof(ACCESS) + 10, listxattr("f", NULL, 0));
	GIVES(sizeof(ACCESS) + 10, listxattr("f", names, sizeof(ACCESS) + 10));
	FAILS(ERANGE, listxattr("f", names, sizeof(ACCESS) + 9));
	FAILS(ERANGE, listxattr("f", names, sizeof(ACCESS)));
	WORKS(removexattr("f", "trusted.t"));
	/* Ids of entries that have none are not kept; flags are not looked at. */
	WORKS(set("f", ACCESS, LIST({ ACL_USER_OBJ, 6, 3 }, GROUP_OF(4), MASK(7), OTHER(0))));
	TRUE(has("f", ACCESS, LIST(OWNER(6), GROUP_OF(4), MASK(7), OTHER(0))));
	WORKS(setxattr("f", ACCESS, &list, length_of(&list), XATTR_CREATE));
	/* What the mode says as well is no list. */
	WORKS(set("f", ACCESS, LIST(OWNER(6), GROUP_OF(2), OTHER(4))));
	TRUE(has_none("f", ACCESS));
	TRUE(mode_of("f") == (S_IFREG | 0624));
	GIVES(0, listxattr("f", names, sizeof(names)));
	WORKS(setxattr("f", ACCESS, &list, length_of(&list), XATTR_REPLACE));
	WORKS(removexattr("f", ACCESS));
	TRUE(has_none("f", ACCESS) && mode_of("f") == (S_IFREG | 0651));
	WORKS(removexattr("f", ACCESS)); /* again is no error */
	WORKS(setxattr("f", ACCESS, &list, length_of(&list), 0));
	WORKS(setxattr("f", ACCESS, &list, 4, 0)); /* nor are no entries */
	TRUE(has_none("f", ACCESS) && mode_of("f") == (S_IFREG | 0651));
	WORKS(unlink("f"));
}

static void test_other_kinds(void)
{
	const struct list list = LIST(OWNER(6), USER(5, 7), GROUP_OF(4), MASK(5), OTHER(1));
	int fd, pipes[2];

	make_file("f", "");
	FAILS(EACCES, set("f", DEFAULT, list));
	WORKS(setxattr("f", DEFAULT, &list, 4, 0));
	WORKS(removexattr("f", DEFAULT));
	WORKS(symlink("f", "l"));
	FAILS(EOPNOTSUPP, lsetxattr("l", ACCESS, &list, length_of(&list), 0));
	FAILS(EOPNOTSUPP, lgetxattr("l", ACCESS, NULL, 0));
	WORKS(setxattr("l", ACCESS, &list, length_of(&list), 0));
	TRUE(has("f", ACCESS, list));
	WORKS(mkfifo("p", 0600));
	WORKS(set("p", ACCESS, list));
	TRUE(has("p", ACCESS, list));
	fd = open("f", O_RDONLY);
	GIVES(length_of(&list), fgetxattr(fd, ACCESS, NULL, 0));
	WORKS(fremovexattr(fd, ACCESS));
	WORKS(fsetxattr(fd, ACCESS, &list, length_of(&list), 0));
	close(fd);
	TRUE(pipe(pipes) == 0);
	FAILS(EOPNOTSUPP, fsetxattr(pipes[0], ACCESS, &list, length_of(&list), 0));
	FAILS(EOPNOTSUPP, fgetxattr(pipes[0], ACCESS, NULL, 0));
	close(pipes[0]);
	close(pipes[1]);
	FAILS(EOPNOTSUPP, setxattr("/proc/self/comm", ACCESS, &list, length_of(&list), 0));
	FAILS(EOPNOTSUPP, getxattr("/proc/self/comm", ACCESS, NULL, 0));
	WORKS(unlink("l"));
	WORKS(unlink("p"));
	WORKS(unlink("f"));
}

static void test_chmod(void)
{
	make_file("f", "");
	WORKS(set("f", ACCESS, LIST(OWNER(6), USER(5, 7), GROUP_OF(4), MASK(5), OTHER(1))));
	WORKS(chmod("f", 04720));
	TRUE(has("f", ACCESS, LIST(OWNER(7), USER(5, 7), GROUP_OF(4), MASK(2), OTHER(0))));
	TRUE(mode_of("f") == (S_IFREG | 04720));
	WORKS(chown("f", 7, 7));
	TRUE(mode_of("f") == (S_IFREG | 0720));
	TRUE(has("f", ACCESS, LIST(OWNER(7), USER(5, 7), GROUP_OF(4), MASK(2), OTHER(0))));
	WORKS(unlink("f"));
}

/* What a process of these ids may: of "rwx". */
static int granted(const char *file, unsigned int uid, unsigned int gid, unsigned int extra)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(extra ? 1 : 0, &extra) || setresgid(gid, gid, gid) ||
		    setresuid(uid, uid, uid))
			_exit(77);
		_exit((access(file, R_OK) ? 0 : 4) | (access(file, W_OK) ? 0 : 2) |
		      (access(file, X_OK) ? 0 : 1));
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

static void test_who_is_let_in(void)
{
	make_file("f", "");
	WORKS(chown("f", 10, 20));
	WORKS(set("f", ACCESS,
		  LIST(OWNER(4), USER(11, 7), USER(12, 0), GROUP_OF(2), GROUP(21, 4), GROUP(22, 0),
		       MASK(6), OTHER(1))));
	GIVES(4, granted("f", 10, 99, 20)); /* the owner, whatever group */
	GIVES(6, granted("f", 11, 20, 0));  /* named, as far as the mask goes */
	GIVES(0, granted("f", 12, 20, 21)); /* named: nothing else counts */
	GIVES(2, granted("f", 99, 20, 0));  /* the group */
	GIVES(4, granted("f", 99, 21, 0));  /* a named one */
	GIVES(6, granted("f", 99, 21, 20)); /* each by one of its groups */
	GIVES(0, granted("f", 99, 22, 0));  /* in a group: not one of the others */
	GIVES(1, granted("f", 99, 99, 98)); /* others, whom no mask holds */
	WORKS(set("f", ACCESS, LIST(OWNER(4), USER(11, 7), GROUP_OF(2), MASK(0), OTHER(4))));
	GIVES(4, granted("f", 11, 99, 0)); /* a mask of nothing: by the mode */
	GIVES(0, granted("f", 99, 20, 0));
	WORKS(unlink("f"));
	/* On the way to a file, and in a directory. */
	WORKS(mkdir("d", 0700));
	make_file("d/f", "");
	WORKS(chmod("d/f", 0666));
	GIVES(0, granted("d/f", 11, 99, 0));
	WORKS(set("d", ACCESS, LIST(OWNER(7), USER(11, 7), GROUP_OF(0), MASK(1), OTHER(0))));
	GIVES(6, granted("d/f", 11, 99, 0));
	GIVES(0, granted("d/f", 12, 99, 0));
	GIVES(1, granted("d", 11, 99, 0));
	WORKS(chmod("d", 0770));
	GIVES(7, granted("d", 11, 99, 0));
	WORKS(chmod("d", 0700));
	GIVES(0, granted("d/f", 11, 99, 0));
	WORKS(unlink("d/f"));
	WORKS(rmdir("d"));
}

static void as_somebody(void)
{
	const struct list plain = LIST(OWNER(6), GROUP_OF(4), OTHER(0));
	const struct list more = LIST(OWNER(6), USER(5, 7), GROUP_OF(4), MASK(5), OTHER(1));
	char bytes[200];

	CHECK_FAILS(EPERM, set("f", ACCESS, plain));
	CHECK_FAILS(EPERM, set("f", ACCESS, LIST(GROUP_OF(4), OWNER(6), OTHER(0))));
	CHECK_FAILS(EINVAL, setxattr("f", ACCESS, &plain, 5, 0));
	CHECK_FAILS(EPERM, removexattr("f", ACCESS));
	CHECK_FAILS(EPERM, set("d", DEFAULT, plain));
	CHECK_FAILS(EACCES, set("f", DEFAULT, plain));
	CHECK(getxattr("f", ACCESS, bytes, sizeof(bytes)) == (ssize_t)length_of(&more));
	CHECK(set("mine", ACCESS, more) == 0);
	CHECK(mode_of("mine") == (S_IFREG | 0651)); /* its group is not the caller's: no S_ISGID */
	CHECK(removexattr("mine", ACCESS) == 0);
}

static void test_owners(void)
{
	make_file("f", "");
	make_file("mine", "");
	WORKS(mkdir("d", 0777));
	WORKS(chown("mine", 1000, 7));
	WORKS(chmod("mine", 02755));
	WORKS(set("f", ACCESS, LIST(OWNER(6), USER(5, 7), GROUP_OF(4), MASK(5), OTHER(1))));
	WORKS(as_user(as_somebody));
	WORKS(unlink("f"));
	WORKS(unlink("mine"));
	WORKS(rmdir("d"));
}

static int bind_to(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), result;

	strcpy(address.sun_path, name);
	result = bind(fd, (void *)&address, sizeof(address));
	close(fd);
	return result;
}

static void test_inheritance(void)
{
	const struct list list = LIST(OWNER(7), USER(5, 6), GROUP_OF(5), MASK(7), OTHER(4));
	int fd;

	umask(077);
	WORKS(mkdir("d", 0755));
	WORKS(set("d", DEFAULT, list));
	TRUE(has("d", DEFAULT, list) && has_none("d", ACCESS));
	TRUE(mode_of("d") == (S_IFDIR | 0700));
	/* No umask: the mode asked for, and no more than the list has. */
	close(open("d/f", O_CREAT | O_WRONLY, 0666));
	TRUE(has("d/f", ACCESS, LIST(OWNER(6), USER(5, 6), GROUP_OF(5), MASK(6), OTHER(4))));
	TRUE(has_none("d/f", DEFAULT));
	TRUE(mode_of("d/f") == (S_IFREG | 0664));
	WORKS(mkdir("d/d", 0751));
	TRUE(has("d/d", ACCESS, LIST(OWNER(7), USER(5, 6), GROUP_OF(5), MASK(5), OTHER(0))));
	TRUE(has("d/d", DEFAULT, list));
	TRUE(mode_of("d/d") == (S_IFDIR | 0750));
	WORKS(mknod("d/p", S_IFIFO | 0622, 0));
	TRUE(has("d/p", ACCESS, LIST(OWNER(6), USER(5, 6), GROUP_OF(5), MASK(2), OTHER(0))));
	WORKS(mknod("d/c", S_IFCHR | 0444, 0x103));
	TRUE(mode_of("d/c") == (S_IFCHR | 0444));
	WORKS(bind_to("d/s"));
	TRUE(mode_of("d/s") == (S_IFSOCK | 0700)); /* bind(2) heeds the umask by itself */
	WORKS(symlink("x", "d/l"));
	FAILS(EOPNOTSUPP, lgetxattr("d/l", ACCESS, NULL, 0));
	fd = open("d", O_TMPFILE | O_RDWR, 0640);
	TRUE(fd >= 0);
	GIVES(4 + 5 * 8, fgetxattr(fd, ACCESS, NULL, 0));
	close(fd);
	/* A list that is no more than a mode. */
	WORKS(set("d", DEFAULT, LIST(OWNER(7), GROUP_OF(3), OTHER(1))));
	TRUE(has("d/d", DEFAULT, list));
	close(open("d/g", O_CREAT | O_WRONLY, 0666));
	TRUE(has_none("d/g", ACCESS) && mode_of("d/g") == (S_IFREG | 0620));
	WORKS(removexattr("d", DEFAULT));
	close(open("d/h", O_CREAT | O_WRONLY, 0666));
	TRUE(has_none("d/h", ACCESS) && mode_of("d/h") == (S_IFREG | 0600));
	umask(022);
	for (const char *const *name =
		     (const char *const[]){ "d/f", "d/p", "d/c", "d/s", "d/l", "d/g", "d/h", NULL };
	     *name; name++)
		WORKS(unlink(*name));
	WORKS(rmdir("d/d"));
	WORKS(rmdir("d"));
}

/* Names and lists go together. */
static void test_rename_and_link(void)
{
	const struct list list = LIST(OWNER(6), USER(5, 7), GROUP_OF(4), MASK(5), OTHER(1));

	make_file("f", "");
	WORKS(set("f", ACCESS, list));
	WORKS(link("f", "g"));
	WORKS(rename("f", "h"));
	TRUE(has("g", ACCESS, list) && has("h", ACCESS, list));
	WORKS(unlink("g"));
	WORKS(unlink("h"));
}

/* For a tree that keeps them: what one run stores another finds. */
static int store_or_look(const char *folder, int store)
{
	const struct list list =
		LIST(OWNER(7), USER(5, 7), GROUP_OF(5), GROUP(70000, 4), MASK(7), OTHER(4));

	if (chdir(folder))
		return 1;
	if (!store)
		return !has("dir", DEFAULT, list) || !has("dir", ACCESS, list) ||
		       getxattr("dir/file", ACCESS, NULL, 0) != (ssize_t)length_of(&list) ||
		       granted("dir/file", 5, 99, 0) != 7;
	return mkdir("dir", 0777) || set("dir", ACCESS, list) || set("dir", DEFAULT, list) ||
	       make_file("dir/file", "text") || chmod("dir/file", 0674);
}

int main(int argc, char **argv)
{
	if (argc > 2)
		return store_or_look(argv[1], !strcmp(argv[2], "store"));
	begin();
	if (argc < 2)
		WORKS(mount("none", top, "tmpfs", 0, "size=4m,mode=755"));
	WORKS(chdir(argc < 2 ? top : argv[1]));
	test_forms();
	test_what_is_told();
	test_other_kinds();
	test_chmod();
	test_who_is_let_in();
	test_owners();
	test_inheritance();
	test_rename_and_link();
	WORKS(chdir("/"));
	if (argc < 2)
		WORKS(umount(top));
	return end();
}
