/*
 * /sys/fs/mounts/ID/ctl: what can be said to the tree of a mount, by the mount's number (mountinfo(5) and statx(2) have it), of
 * those that the caller's namespace has. Read, it says how the tree is served, a fact a line. Written, a line of words:
 *
 *	replace [timeout=SECONDS] [type=NAME] [source=TEXT] [options=TEXT]
 *		another instance serves the tree, of the type NAME, else of the same; with other words to attach it by
 *	sync	makes stable what the tree holds
 *	lost	the instance is to be taken for lost: nothing is asked of it any more
 *	give-up	nobody will serve the tree any more: what waits for it gets EIO
 */
#include <kumo/err.h>
#include <kumo/main.h>
#include <kumo/mount.h>
#include <kumo/pseudo.h>
#include <kumo/serve.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/capability.h>

#include "internal.h"
#include "rebind_internal.h"

/* ---- Which tree ---- */

/* The tree of the mount with that number, referenced, or NULL. The number stands for the mount: it is never given again. */
static struct tree *tree_of_mount(int id)
{
	struct namespace *namespace = fs_current()->namespace;
	struct tree *found = NULL;
	struct mount *mount;

	if (down_read_killable(&mounts_lock))
		return NULL;
	list_for_each(mount, &namespace->mounts, namespace_link) {
		if (mount->id == id) {
			found = mount->tree;
			tree_get(found);
			break;
		}
	}
	up_read(&mounts_lock);
	return found;
}

static struct tree *tree_of_object(void *object)
{
	return tree_of_mount((int)(long)object);
}

/* ---- ctl ---- */

static int control_show(struct text *text, void *object)
{
	static const char *const states[] = {
		[TREE_UNGATED] = "always", [TREE_SERVED] = "served", [TREE_CLOSED] = "being replaced", [TREE_LOST] = "lost", [TREE_DEAD] = "given up"
	};
	struct tree *tree = tree_of_object(object);

	if (!tree)
		return -ENODEV;
	down_read(&mounts_lock);
	text_printf(text, "type %s\nsource %s\n", tree->type->name, tree->source);
	up_read(&mounts_lock);
	text_printf(text, "state %s\n", states[tree->state]);
	if (tree->gate)
		text_printf(text, "replacements %llu\n", (unsigned long long)tree->gate->replacements);
	tree_put(tree);
	return 0;
}

/* The value of the word, if it is that key's; it ends where the word does. */
static bool word_value(char *word, const char *key, char **value)
{
	size_t length = strlen(key);

	if (strncmp(word, key, length) || word[length] != '=')
		return false;
	*value = word + length + 1;
	return true;
}

/* Cuts the first word off. */
static char *next_word(char **words)
{
	char *word = *words, *end;

	while (*word == ' ')
		word++;
	for (end = word; *end && *end != ' ';)
		end++;
	*words = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

static int replace_words(char *words, struct tree_replacement *how)
{
	char *word, *value;
	u64 seconds;

	while (*(word = next_word(&words))) {
		if (word_value(word, "timeout", &value)) {
			if (parse_u64(value, 10, &seconds) || !seconds || seconds > 3600)
				return -EINVAL;
			how->timeout_ns = seconds * NSEC_PER_SEC;
		} else if (word_value(word, "source", &value)) {
			how->source = value;
		} else if (word_value(word, "options", &value)) {
			how->options = value;
		} else if (word_value(word, "type", &value)) {
			if (how->type)
				return -EINVAL;
			how->type = tree_type_get(value);
			if (IS_ERR(how->type)) {
				int error = (int)PTR_ERR(how->type);

				how->type = NULL;
				return error;
			}
		} else {
			return -EINVAL;
		}
	}
	return 0;
}

static int control_replace(struct tree *tree, char *words, const struct cred *cred)
{
	struct tree_replacement how = {};
	int error = replace_words(words, &how);

	if (!error)
		error = tree_replace(tree, &how, cred);
	if (how.type)
		tree_type_put(how.type);
	return error;
}

static int control(struct tree *tree, char *words, const struct cred *cred)
{
	const char *command = next_word(&words);

	if (!strcmp(command, "replace"))
		return control_replace(tree, words, cred);
	if (*words)
		return -EINVAL;
	if (!strcmp(command, "sync"))
		return tree_sync(tree);
	/* What is kept in memory alone cannot be. */
	if (!strcmp(command, "lost") && tree->flags & TREE_LISTED) {
		tree_lost(tree);
		return 0;
	}
	if (!strcmp(command, "give-up") && tree_is_lost(tree)) {
		tree_give_up(tree);
		return 0;
	}
	return -EINVAL;
}

static int control_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	struct tree *tree;
	char *copy;
	int error;

	if (!cred_capable(cred, CAP_SYS_ADMIN))
		return -EPERM;
	copy = kstrdup(words, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	tree = tree_of_object(object);
	error = tree ? control(tree, copy, cred) : -ENODEV;
	if (tree)
		tree_put(tree);
	kfree(copy);
	return error;
}

/* ---- The folder of mounts ---- */

static const struct pseudo_file mount_files[] = {
	PSEUDO_CONTROL("ctl", 0600, control_show, control_store),
	{},
};
static const struct pseudo_file mount_folder = PSEUDO_DIRECTORY("mount", 0555, mount_files);

static void *mounts_lookup(const struct name *name, void *unused, const struct pseudo_file **file)
{
	char text[12];
	struct tree *tree;
	u64 id;

	if (name->length >= sizeof(text) || name->text[0] == '0')
		return NULL;
	memcpy(text, name->text, name->length);
	text[name->length] = '\0';
	if (parse_u64(text, 10, &id) || id > INT32_MAX)
		return NULL;
	tree = tree_of_mount((int)id);
	if (!tree)
		return NULL;
	tree_put(tree);
	*file = &mount_folder;
	return (void *)(long)id;
}

static int mounts_list(struct dir_context *context, void *unused)
{
	struct namespace *namespace = fs_current()->namespace;
	const struct mount *mount;
	int error = down_read_killable(&mounts_lock);
	char text[12];

	if (error)
		return error;
	list_for_each(mount, &namespace->mounts, namespace_link) {
		if (mount->order < (u64)context->offset)
			continue;
		(void)scnprintf(text, sizeof(text), "%d", mount->id);
		if (!pseudo_emit(context, text, mount->order + 1, DT_DIR))
			break;
	}
	up_read(&mounts_lock);
	return 0;
}

/* A number holds nothing. */
static void mounts_put(void *object)
{
}

static const struct pseudo_dynamic mounts_dynamic = { .lookup = mounts_lookup,
						      .list = mounts_list,
						      .put = mounts_put };
static const struct pseudo_file mounts_files[] = {
	PSEUDO_DYNAMIC("", 0, &mounts_dynamic),
	{},
};

void __init tree_control_init(void)
{
	if (IS_ERR(pseudo_directory_add(sys_tree, pseudo_directory_path(sys_tree, "fs"), "mounts",
					mounts_files, NULL)))
		panic("sysfs: no memory for fs/mounts");
}
