/*
 * memfd_create(2): files without a name, in a tmpfs of the kernel's own that is mounted nowhere; and seals, fcntl(2)'s
 * promises that a file in memory will not change in some way any more, which the RAM tree keeps.
 *
 * A seal against writing and a new shared mapping race: the seal is set first and then looks for mappings, a mapping is
 * linked first and then looks for the seal (mm/vm.c), so that not both can succeed.
 */
#include <kumo/memfd.h>
#include <kumo/pagecache.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <linux/memfd.h>
#include <linux/mount.h>

#include "internal.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)
#define NAME_PREFIX "memfd:"
#define NAME_ROOM (NAME_MAX_LENGTH + 1 - strlen(NAME_PREFIX)) /* bytes, with NUL */

struct mount *memfd_mount;

static bool has_seals(const struct node *node)
{
	return (node->tree->flags & TREE_SEALS) && S_ISREG(node->attr.mode);
}

long file_seals_get(struct file *file)
{
	return has_seals(file->node) ? (long)READ_ONCE(file->node->seals) : -EINVAL;
}

int file_seals_add(struct file *file, unsigned long seals)
{
	struct node *node = file->node;
	u32 before;
	int error;

	if (!(file->mode & FILE_WRITE))
		return -EPERM;
	if ((seals & ~(unsigned long)SEALS) || !has_seals(node))
		return -EINVAL;
	error = mutex_lock_killable(&node->lock);
	if (error)
		return error;
	before = node->seals;
	if (before & F_SEAL_SEAL) {
		error = -EPERM;
	} else {
		WRITE_ONCE(node->seals, before | (u32)seals);
		if ((seals & ~before & F_SEAL_WRITE) && node->cache &&
		    page_cache_mapped_writable(node->cache)) {
			WRITE_ONCE(node->seals, before);
			error = -EBUSY;
		}
	}
	mutex_unlock(&node->lock);
	return error;
}

long sys_memfd_create(const char __user *user_name, unsigned int flags)
{
	struct node_new what = { .mode = S_IFREG | 0777 };
	char name[NAME_MAX_LENGTH + 1] = NAME_PREFIX;
	struct path root = { .mount = memfd_mount, .entry = memfd_mount->root };
	unsigned int known;
	ssize_t length;
	struct file *file;

	known = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB;
	if (flags & MFD_HUGETLB)
		known |= (unsigned int)MFD_HUGE_MASK << MFD_HUGE_SHIFT;
	if (flags & ~known)
		return -EINVAL;
	length = strncpy_from_user(name + strlen(NAME_PREFIX), user_name, NAME_ROOM);
	if (length < 0)
		return length;
	if ((size_t)length == NAME_ROOM)
		return -EINVAL;
	if (flags & MFD_HUGETLB)
		return -ENODEV; /* there are no pages of that size */
	file = file_open_unnamed(&root, &what, name, O_RDWR | O_LARGEFILE, current->cred);
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (flags & MFD_ALLOW_SEALING)
		file->node->seals = 0;
	return fd_add(file, flags & MFD_CLOEXEC ? O_CLOEXEC : 0);
}

void memfd_init(void)
{
	struct tree_type *type = tree_type_get("tmpfs");
	struct tree *tree = IS_ERR(type) ? (struct tree *)type
					 : tree_attach(type, "memfd", "size=100%", &root_cred);

	if (!IS_ERR(tree))
		memfd_mount = mount_alloc(tree, tree->root_entry, MS_NOSUID);
	if (!memfd_mount)
		panic("no memory for the tree of files in memory");
	tree_type_put(type);
	tree_put(tree); /* the mount holds it */
}
