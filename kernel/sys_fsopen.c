/*
 * Mounting step by step: fsopen(2), fsconfig(2), fsmount(2), fspick(2). A descriptor stands for what is being set up: a type, then its
 * source and options word by word, then the tree that is attached by them, then a mount of it, which is a descriptor, too.
 */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/mount.h>
#include <kumo/serve.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/user_path.h>
#include <linux/capability.h>
#include <linux/mount.h>

#include "mount_calls.h"

#define WORD_SIZE 256 /* of keys and values, with their end */

enum phase {
	PHASE_WORDS,	/* of a tree to be attached */
	PHASE_ATTACHED, /* fsmount may come */
	PHASE_CHANGE,	/* words for a tree that there is */
	PHASE_FAILED
};

struct setup {
	struct mutex lock;
	enum phase phase;
	struct tree_type *type; /* referenced; NULL: fspick's */
	char *source, *options; /* options: words with commas between, or NULL */
	bool read_only, read_only_said;
	struct tree *tree; /* referenced, once there is one */
};

/* ---- The descriptor ---- */

static void setup_clunk(struct file *file)
{
	struct setup *setup = file->private;

	if (setup->tree)
		tree_put(setup->tree);
	if (setup->type)
		tree_type_put(setup->type);
	kfree(setup->source);
	kfree(setup->options);
	kfree(setup);
}

/* Messages about what went wrong: there are none. */
static ssize_t setup_read(struct file *file, struct iter *to, loff_t *pos)
{
	return -ENODATA;
}

static const struct tree_ops setup_ops = { .read = setup_read, .clunk = setup_clunk };

/* Takes the references over, also when it fails. */
static long setup_open(struct tree_type *type, struct tree *tree, u32 flags)
{
	struct setup *setup = kzalloc(sizeof(*setup), GFP_KERNEL);
	struct file *file = ERR_PTR(-ENOMEM);

	if (setup) {
		mutex_init(&setup->lock, "fscontext");
		setup->type = type;
		setup->tree = tree;
		setup->phase = tree ? PHASE_CHANGE : PHASE_WORDS;
		file = file_anonymous("[fscontext]", &setup_ops, setup, O_RDWR,
				      FILE_READ | FILE_WRITE | FILE_STREAM);
	}
	if (!IS_ERR(file))
		return fd_add(file, flags);
	kfree(setup);
	if (type)
		tree_type_put(type);
	if (tree)
		tree_put(tree);
	return PTR_ERR(file);
}

long sys_fsopen(const char __user *name, unsigned int flags)
{
	struct tree_type *type;
	char *text;

	if (!may_mount())
		return -EPERM;
	if (flags & ~(unsigned int)FSOPEN_CLOEXEC)
		return -EINVAL;
	text = mount_text_get(name, PAGE_SIZE);
	if (IS_ERR_OR_NULL(text))
		return text ? PTR_ERR(text) : -EFAULT;
	type = tree_type_get(text);
	kfree(text);
	return IS_ERR(type) ? PTR_ERR(type)
			    : setup_open(type, NULL, flags & FSOPEN_CLOEXEC ? O_CLOEXEC : 0);
}

long sys_fspick(int fd, const char __user *name, unsigned int flags)
{
	struct tree *tree = NULL;
	struct path path;
	int error;

	if (!may_mount())
		return -EPERM;
	if (flags & ~(unsigned int)(FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT |
				    FSPICK_EMPTY_PATH))
		return -EINVAL;
	error = user_path_walk(fd, name,
			       (flags & FSPICK_SYMLINK_NOFOLLOW ? 0U : WALK_FOLLOW) |
				       (flags & FSPICK_EMPTY_PATH ? WALK_EMPTY_PATH : 0U),
			       &path);
	if (error)
		return error;
	if (path.entry == path.mount->root) {
		tree = path_tree(&path);
		tree_get(tree);
	}
	path_put(&path);
	return tree ? setup_open(NULL, tree, flags & FSPICK_CLOEXEC ? O_CLOEXEC : 0) : -EINVAL;
}

/* ---- Words ---- */

static int add_option(struct setup *setup, const char *key, const char *value)
{
	size_t before = setup->options ? strlen(setup->options) : 0,
	       size = before + strlen(key) + (value ? strlen(value) : 0) + 3;
	char *options;

	if (size > PAGE_SIZE || strchr(key, ',') || (value && strchr(value, ',')))
		return -EINVAL;
	options = kmalloc(size, GFP_KERNEL);
	if (!options)
		return -ENOMEM;
	(void)scnprintf(options, size, "%s%s%s%s%s", before ? setup->options : "",
			before ? "," : "", key, value ? "=" : "", value ? value : "");
	kfree(setup->options);
	setup->options = options;
	return 0;
}

/* Words that mean the same of every tree, and here nothing. */
static bool is_general(const char *key)
{
	static const char *const words[] = { "async",	   "sync", "dirsync", "lazytime",
					     "nolazytime", "mand", "nomand",  "silent" };

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i], key))
			return true;
	return false;
}

static int set_flag(struct setup *setup, const char *key)
{
	if (!strcmp(key, "ro") || !strcmp(key, "rw")) {
		setup->read_only = key[1] == 'o';
		setup->read_only_said = true;
		return 0;
	}
	return is_general(key) ? 0 : add_option(setup, key, NULL);
}

static int set_string(struct setup *setup, const char *key, const char *value)
{
	if (strcmp(key, "source"))
		return add_option(setup, key, value);
	if (setup->source || setup->phase != PHASE_WORDS)
		return -EINVAL;
	setup->source = kstrdup(value, GFP_KERNEL);
	return setup->source ? 0 : -ENOMEM;
}

static int set_word(struct setup *setup, unsigned int command, const char *key, const char *value)
{
	if (setup->phase != PHASE_WORDS && setup->phase != PHASE_CHANGE)
		return -EBUSY;
	return command == FSCONFIG_SET_FLAG ? set_flag(setup, key) : set_string(setup, key, value);
}

/* ---- Commands ---- */

static int create(struct setup *setup)
{
	struct tree *tree;

	if (setup->phase != PHASE_WORDS)
		return -EBUSY;
	tree = mount_tree_new(setup->type, setup->source, setup->read_only ? MS_RDONLY : 0,
			      setup->options);
	setup->phase = IS_ERR(tree) ? PHASE_FAILED : PHASE_ATTACHED;
	if (IS_ERR(tree))
		return (int)PTR_ERR(tree);
	setup->tree = tree;
	if (!setup->read_only || setup->type->flags & TREE_TYPE_SINGLE)
		return 0;
	return tree_set_read_only(tree, true);
}

static int reconfigure(struct setup *setup)
{
	struct tree *tree = setup->tree;
	bool before;
	int error = 0;

	if (setup->phase != PHASE_CHANGE)
		return -EBUSY;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	before = tree->flags & TREE_READ_ONLY;
	if (setup->read_only_said)
		error = tree_set_read_only(tree, setup->read_only);
	if (error)
		return error;
	error = serve_remount(tree, setup->options);
	if (error && setup->read_only_said)
		(void)!tree_set_read_only(tree, before);
	return error;
}

/* Are the arguments such as the command has? */
static int check_arguments(unsigned int command, const void __user *key, const void __user *value,
			   int aux)
{
	bool good;

	switch (command) {
	case FSCONFIG_SET_FLAG:
		good = key && !value && !aux;
		break;
	case FSCONFIG_SET_STRING:
		good = key && value && !aux;
		break;
	case FSCONFIG_SET_BINARY:
		good = key && value && aux > 0 && aux <= 1024 * 1024;
		break;
	case FSCONFIG_SET_PATH:
	case FSCONFIG_SET_PATH_EMPTY:
		good = key && value && (aux == AT_FDCWD || aux >= 0);
		break;
	case FSCONFIG_SET_FD:
		good = key && !value && aux >= 0;
		break;
	case FSCONFIG_CMD_CREATE:
	case FSCONFIG_CMD_RECONFIGURE:
		good = !key && !value && !aux;
		break;
	default:
		return -EOPNOTSUPP;
	}
	return good ? 0 : -EINVAL;
}

static int configure(struct setup *setup, unsigned int command, const char *key, const char *value)
{
	int error = mutex_lock_killable(&setup->lock);

	if (error)
		return error;
	if (command == FSCONFIG_CMD_CREATE)
		error = create(setup);
	else if (command == FSCONFIG_CMD_RECONFIGURE)
		error = reconfigure(setup);
	else
		error = set_word(setup, command, key, value);
	mutex_unlock(&setup->lock);
	return error;
}

long sys_fsconfig(int fd, unsigned int command, const char __user *key_from,
		  const void __user *value_from, int aux)
{
	char *key __free_kfree = NULL, *value __free_kfree = NULL;
	struct fd_ref ref;
	long error = fd < 0 ? -EINVAL : check_arguments(command, key_from, value_from, aux);

	if (error)
		return error;
	if (command >= FSCONFIG_SET_BINARY && command <= FSCONFIG_SET_FD)
		return -EOPNOTSUPP; /* no type of tree takes such */
	ref = fd_borrow((unsigned int)fd);
	if (!ref.file)
		return -EBADF;
	error = -EINVAL;
	if (ref.file->ops != &setup_ops)
		goto out;
	key = mount_text_get(key_from, WORD_SIZE);
	error = IS_ERR(key) ? PTR_ERR(key) : 0;
	if (!error) {
		value = mount_text_get(value_from, WORD_SIZE);
		error = IS_ERR(value) ? PTR_ERR(value) : 0;
	}
	if (!error)
		error = configure(ref.file->private, command, key, value);
	if (IS_ERR(key))
		key = NULL;
	if (IS_ERR(value))
		value = NULL;
out:
	fd_release(ref);
	return error;
}

/* ---- The mount ---- */

static struct file *mount_setup(struct setup *setup, unsigned long flags)
{
	struct file *file;
	int error = mutex_lock_killable(&setup->lock);

	if (error)
		return ERR_PTR(error);
	if (!setup->tree) {
		file = ERR_PTR(-EINVAL);
	} else if (setup->phase != PHASE_ATTACHED) {
		file = ERR_PTR(-EBUSY);
	} else {
		file = mount_open_new(setup->tree, flags);
		if (!IS_ERR(file))
			setup->phase = PHASE_CHANGE; /* words that come now are for the tree as it is mounted */
		kfree(setup->options);
		setup->options = NULL;
	}
	mutex_unlock(&setup->lock);
	return file;
}

long sys_fsmount(int fd, unsigned int flags, unsigned int attributes)
{
	const unsigned int known = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				   MOUNT_ATTR_NOEXEC | MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME |
				   MOUNT_ATTR_NOSYMFOLLOW;
	unsigned long mount_flags, atime;
	struct fd_ref ref;
	struct file *file;

	if (!may_mount())
		return -EPERM;
	if (flags & ~(unsigned int)FSMOUNT_CLOEXEC || attributes & ~known ||
	    mount_flags_of_atime(attributes, &atime))
		return -EINVAL;
	mount_flags = mount_flags_of_attributes(attributes) |
		      (atime ? atime : (unsigned long)MS_STRICTATIME);
	ref = fd_borrow((unsigned int)fd);
	if (!ref.file)
		return -EBADF;
	file = ref.file->ops == &setup_ops ? mount_setup(ref.file->private, mount_flags)
					   : ERR_PTR(-EINVAL);
	fd_release(ref);
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, flags & FSMOUNT_CLOEXEC ? O_CLOEXEC : 0);
}
