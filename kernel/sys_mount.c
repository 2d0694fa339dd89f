/*
 * System calls on mounts: mount(2), umount2(2), pivot_root(2). Who is in a namespace that was made without privilege may change
 * it; fs/ knows what of it stays.
 */
#include <kumo/err.h>
#include <kumo/mount.h>
#include <kumo/serve.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/user_path.h>
#include <linux/capability.h>
#include <linux/mount.h>

#include "mount_calls.h"

/* umount2(2); the uapi headers leave these to libc. */
#define MNT_FORCE 1
#define UMOUNT_FLAGS (MNT_FORCE | 2 /* MNT_DETACH */ | 4 /* MNT_EXPIRE */ | UMOUNT_NOFOLLOW)
#define UMOUNT_NOFOLLOW 8

char *mount_text_get(const char __user *from, size_t limit)
{
	char *text;
	ssize_t length;

	if (!from)
		return NULL;
	text = kmalloc(limit, GFP_KERNEL);
	if (!text)
		return ERR_PTR(-ENOMEM);
	length = strncpy_from_user(text, from, limit);
	if (length < 0 || (size_t)length == limit) {
		kfree(text);
		return ERR_PTR(length < 0 ? length : -EINVAL);
	}
	return text;
}

bool may_mount(void)
{
	return capable(CAP_SYS_ADMIN) || current->fs->namespace->restricted;
}

struct tree *mount_tree_new(struct tree_type *type, const char *source, unsigned long flags,
			    const char *options)
{
	if (!(type->flags & TREE_TYPE_FOR_ALL) && !capable(CAP_SYS_ADMIN))
		return ERR_PTR(-EPERM);
	if (!(type->flags & TREE_TYPE_NEEDS_DEVICE))
		return tree_attach(type, source ? source : "none", options, current->cred);
	if (!source || !*source)
		return ERR_PTR(-EINVAL);
	return (flags & MS_RDONLY ? tree_attach_read_only : tree_attach)(type, source, options,
									 current->cred);
}

static int mount_new(const char __user *source_name, const struct path *over,
		     const char __user *type_name, unsigned long flags, const char *options)
{
	char *type_text = mount_text_get(type_name, PAGE_SIZE), *source = NULL;
	struct tree_type *type;
	struct tree *tree;
	int error;

	if (IS_ERR_OR_NULL(type_text))
		return type_text ? (int)PTR_ERR(type_text) : -EINVAL;
	source = mount_text_get(source_name, PAGE_SIZE);
	error = (int)PTR_ERR(source);
	if (IS_ERR(source)) {
		source = NULL;
		goto out;
	}
	type = tree_type_get(type_text);
	error = (int)PTR_ERR(type);
	if (IS_ERR(type))
		goto out;
	tree = mount_tree_new(type, source, flags, options);
	tree_type_put(type);
	error = (int)PTR_ERR(tree);
	if (IS_ERR(tree))
		goto out;
	error = mount_attach(tree, over, flags);
	tree_put(tree);
out:
	kfree(source);
	kfree(type_text);
	return error;
}

/* What the data of a bind mount says of unions; other words Linux ignores, too. */
struct bind_words {
	unsigned int how; /* UNION_* */
	bool remove, member;
};

static void bind_word(const char *word, size_t length, struct bind_words *said)
{
	static const struct {
		const char *word;
		unsigned int how;
	} words[] = { { "before", UNION_BEFORE }, { "after", UNION_AFTER }, { "create", UNION_CREATE } };

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		if (strlen(words[i].word) == length && !memcmp(words[i].word, word, length))
			said->how |= words[i].how;
	if (length == strlen("remove") && !memcmp(word, "remove", length))
		said->remove = true;
	if (length == strlen("member") && !memcmp(word, "member", length))
		said->member = true;
}

static struct bind_words bind_words(const char *text)
{
	struct bind_words said = {};
	const char *end;

	for (; text; text = *end ? end + 1 : NULL) {
		end = strchr(text, ',');
		if (!end)
			end = text + strlen(text);
		bind_word(text, (size_t)(end - text), &said);
	}
	return said;
}

static int mount_from(const char __user *source, const struct path *over, unsigned long flags,
		      const char *words)
{
	struct bind_words said = {};
	struct path from;
	char first;
	int error;

	if (!source)
		return -EINVAL;
	if (flags & MS_BIND && words)
		said = bind_words(words);
	error = get_user(first, source);
	if (!error && !first)
		error = -EINVAL;
	if (!error)
		error = user_path_walk(AT_FDCWD, source, WALK_FOLLOW, &from);
	if (error)
		return error;
	if (!(flags & MS_BIND))
		error = mount_move(&from, over);
	else if (said.remove)
		error = said.how ? -EINVAL : mount_disunite(&from, over);
	else if (said.how)
		error = mount_unite(&from, over, said.how, flags & MS_REC);
	else
		error = mount_bind(&from, over, flags & MS_REC);
	path_put(&from);
	return error;
}

#define PROPAGATION (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

static int mount_propagation(const struct path *path, unsigned long flags)
{
	unsigned long type = flags & PROPAGATION;

	if ((flags & ~(unsigned long)(PROPAGATION | MS_REC | MS_SILENT)) || (type & (type - 1)))
		return -EINVAL;
	return mount_set_propagation(path, type, flags & MS_REC);
}

/* `mount -o remount,bind,member,ro A B`: the flags of the member of the union at B that shows A. */
static int remount_member(const char __user *source, const struct path *path, unsigned long flags)
{
	struct path from;
	int error = source ? user_path_walk(AT_FDCWD, source, WALK_FOLLOW, &from) : -EINVAL;

	if (error)
		return error;
	error = mount_remount_member(&from, path, flags);
	path_put(&from);
	return error;
}

/* Of what the tree itself is like only who administers the machine decides. */
static int remount(const char __user *source, const struct path *path, unsigned long flags,
		   const char *options)
{
	struct tree *tree = path_tree(path);
	int error;

	if (flags & MS_BIND && options && bind_words(options).member)
		return remount_member(source, path, flags);

	if (!(flags & MS_BIND) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	error = mount_remount(path, flags, flags & MS_BIND);
	if (!error && !(flags & MS_BIND))
		error = serve_remount(tree, options);
	return error;
}

long sys_mount(const char __user *source, const char __user *target, const char __user *type,
	       unsigned long flags, const void __user *data)
{
	char *options;
	struct path over;
	int error;

	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~(unsigned long)MS_MGC_MSK;
	if (!may_mount())
		return -EPERM;
	options = mount_text_get(data, PAGE_SIZE);
	if (IS_ERR(options))
		return PTR_ERR(options);
	error = user_path_walk(AT_FDCWD, target, WALK_FOLLOW, &over);
	if (error)
		goto out;
	if (flags & MS_REMOUNT)
		error = remount(source, &over, flags, options);
	else if (flags & MS_BIND)
		error = mount_from(source, &over, flags, options);
	else if (flags & PROPAGATION)
		error = mount_propagation(&over, flags);
	else if (flags & MS_MOVE)
		error = mount_from(source, &over, flags, NULL);
	else
		error = mount_new(source, &over, type, flags, options);
	path_put(&over);
out:
	kfree(options);
	return error;
}

/* Leads whoever stands at the old root to the new one. */
static void move_everybody(const struct path *from, const struct path *to)
{
	struct process *process;
	struct thread *thread;
	struct fs_context *fs;

	for (int pid = 1; (process = process_next(&pid)); pid++) {
		for (int number = 1; (number = process_thread_from(process, number)); number++) {
			thread = thread_find(number);
			fs = thread ? thread_fs_get(thread) : NULL;
			if (fs) {
				fs_context_move(fs, from, to);
				fs_context_put(fs);
			}
			if (thread)
				thread_put(thread);
		}
		process_put(process);
	}
}

long sys_pivot_root(const char __user *new_name, const char __user *old_name)
{
	struct path new, old, root;
	int error;

	if (!may_mount())
		return -EPERM;
	error = user_path_walk(AT_FDCWD, new_name, WALK_FOLLOW | WALK_DIRECTORY, &new);
	if (error)
		return error;
	error = user_path_walk(AT_FDCWD, old_name, WALK_FOLLOW | WALK_DIRECTORY, &old);
	if (error)
		goto out;
	error = mount_pivot(&new, &old, &root);
	path_put(&old);
	if (error)
		goto out;
	move_everybody(&root, &new);
	path_put(&root);
out:
	path_put(&new);
	return error;
}

long sys_umount2(const char __user *target, int flags)
{
	struct path path;
	int error;

	if (flags & ~UMOUNT_FLAGS)
		return -EINVAL;
	error = user_path_walk(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? 0 : WALK_FOLLOW, &path);
	if (error)
		return error;
	if (!may_mount()) {
		path_put(&path);
		return -EPERM;
	}
	/* What nobody serves any more cannot be waited for. */
	if (flags & MNT_FORCE && capable(CAP_SYS_ADMIN) && tree_is_lost(path_tree(&path)))
		tree_give_up(path_tree(&path));
	error = mount_detach(&path, flags);
	path_put(&path);
	return error;
}
