/*
 * What /proc/PID tells of mounts: mounts, mountinfo and mountstats in Linux's forms, and namespace in Plan 9's: the commands that
 * build it again (namespaces.md says how to read it, user/ns.c does).
 */
#include <kumo/pseudo.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/mount.h>

#include "internal.h"
#include "mount_internal.h"

/* Names are made here, two at a time. */
struct show {
	struct text *text;
	const struct namespace *namespace;
	struct path root; /* as whose root places are seen */
	char place[PATH_MAX_BYTES], other[PATH_MAX_BYTES];
};

static void show_escaped(struct text *text, const char *s)
{
	text_puts_escaped(text, s, " \t\n\\");
}

static void show_flags(struct text *text, const struct mount *mount)
{
	static const struct {
		unsigned long flag;
		const char *name;
	} names[] = {
		{ MS_NOSUID, ",nosuid" },	    { MS_NODEV, ",nodev" },
		{ MS_NOEXEC, ",noexec" },	    { MS_NOATIME, ",noatime" },
		{ MS_NODIRATIME, ",nodiratime" },   { MS_RELATIME, ",relatime" },
		{ MS_NOSYMFOLLOW, ",nosymfollow" },
	};

	text_puts(text, mount_want_write(mount) ? "ro" : "rw");
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (mount->flags & names[i].flag)
			text_puts(text, names[i].name);
}

static void show_options(struct text *text, const struct tree *tree)
{
	if (tree->options && *tree->options)
		text_printf(text, ",%s", tree->options);
}

/* The name of a place below the root; NULL: it lies elsewhere. */
static const char *name_below(struct show *show, const struct path *path, char *buffer)
{
	char *name = path_name(path, &show->root, buffer, PATH_MAX_BYTES, false);

	return IS_ERR(name) || *name != '/' ? NULL : name;
}

/* ---- Linux's forms ---- */

static void show_table_line(struct text *text, const struct mount *mount, const char *place)
{
	const struct tree *tree = mount->tree;

	show_escaped(text, tree->source);
	text_putc(text, ' ');
	show_escaped(text, place);
	text_printf(text, " %s ", tree->type->name);
	show_flags(text, mount);
	show_options(text, tree);
	text_puts(text, " 0 0\n");
}

static void show_peers(struct show *show, const struct mount *mount)
{
	int above;

	if (mount->group)
		text_printf(show->text, " shared:%d", peer_group_id(mount->group));
	if (mount->master) {
		text_printf(show->text, " master:%d", peer_group_id(mount->master));
		above = peer_group_above(mount, &show->root);
		if (above && above != peer_group_id(mount->master))
			text_printf(show->text, " propagate_from:%d", above);
	}
	if (mount->unbindable)
		text_puts(show->text, " unbindable");
}

/* What of its tree a mount shows. */
static const char *root_within(const struct mount *mount, char *buffer)
{
	/* As if the whole tree stood somewhere. */
	struct mount whole = { .tree = mount->tree, .root = mount->tree->root_entry };
	struct path path = { .mount = &whole, .entry = mount->root };
	struct path within = { .mount = &whole, .entry = whole.root };
	const char *name;

	if (mount->root == mount->tree->root_entry)
		return "/";
	if (mount->tree->type == &namespace_tree_type)
		return mount->root->name.text;
	name = path_name(&path, &within, buffer, PATH_MAX_BYTES, true);
	return IS_ERR(name) ? "/" : name;
}

static void show_info_line(struct show *show, const struct mount *mount, const char *place)
{
	const struct tree *tree = mount->tree;
	struct text *text = show->text;

	text_printf(text, "%d %d %u:%u ", mount->id,
		    mount->over.mount ? mount->over.mount->id : mount->id,
		    (u32)(tree->device >> 8) & 0xfff,
		    (u32)(tree->device & 0xff) | (u32)(tree->device >> 12 & ~0xffU));
	show_escaped(text, root_within(mount, show->other));
	text_putc(text, ' ');
	show_escaped(text, place);
	text_putc(text, ' ');
	show_flags(text, mount);
	show_peers(show, mount);
	text_printf(text, " - %s ", tree->type->name);
	show_escaped(text, tree->source);
	text_puts(text, tree->flags & TREE_READ_ONLY ? " ro" : " rw");
	show_options(text, tree);
	text_putc(text, '\n');
}

static void show_statistics_line(struct text *text, const struct mount *mount, const char *place)
{
	text_puts(text, "device ");
	show_escaped(text, mount->tree->source);
	text_puts(text, " mounted on ");
	show_escaped(text, place);
	text_printf(text, " with fstype %s\n", mount->tree->type->name);
}

/* ---- Plan 9's form ---- */

/* A name that what the mount shows has elsewhere, by a mount made before; NULL: none. */
static const char *name_elsewhere(struct show *show, const struct mount *mount)
{
	const struct namespace *namespace = show->namespace;
	const char *name = NULL;
	struct mount *other;
	bool shows;

	list_for_each(other, &namespace->mounts, namespace_link) {
		struct path path = { .mount = other, .entry = mount->root };

		if (other == mount || name)
			break;
		if (other->tree != mount->tree || other->members)
			continue;
		spin_lock(&names_lock);
		shows = entry_is_below(mount->root, other->root);
		spin_unlock(&names_lock);
		if (shows)
			name = name_below(show, &path, show->other);
	}
	return name;
}

static void command_flags(struct show *show, const struct mount *mount, bool all)
{
	const unsigned long usual = MS_RELATIME;
	bool options = all && mount->tree->options && *mount->tree->options;

	if (mount->flags == usual && !options)
		return;
	text_puts(show->text, " -o ");
	show_flags(show->text, mount);
	if (options)
		show_options(show->text, mount->tree);
}

/* "bind [-abc] [-o FLAGS] FROM PLACE", or "mount [-o OPTIONS] -t TYPE SOURCE PLACE". */
static void show_command(struct show *show, const struct mount *mount, const char *place, const char *how)
{
	const char *from = name_elsewhere(show, mount);
	const struct tree *tree = mount->tree;
	struct text *text = show->text;

	if (from) {
		text_puts(text, "bind");
		if (*how)
			text_printf(text, " -%s", how);
		command_flags(show, mount, false);
	} else if (mount->root == tree->root_entry && !*how) {
		text_printf(text, "mount -t %s", tree->type->name);
		command_flags(show, mount, true);
		from = tree->source;
	} else {
		text_puts(text, "# no name for what is at"); /* what was bound has no other place here */
		from = "";
	}
	text_putc(text, ' ');
	if (*from) {
		show_escaped(text, from);
		text_putc(text, ' ');
	}
	show_escaped(text, place);
	text_putc(text, '\n');
}

/* Members before what the union stands on are bound last first, those after it in their order. */
static void show_union(struct show *show, const struct mount *head, const char *place)
{
	struct path member;
	bool own, create;
	unsigned int middle = 0, i;

	while (union_member_at(head, middle, &member, &own, &create) && own)
		middle++;
	if (!union_member_at(head, middle, &member, &own, &create)) {
		middle = 0; /* it shows nothing of what was there: the first one took its place */
		(void)union_member_at(head, 0, &member, &own, &create);
		show_command(show, member.mount, place, create ? "c" : "");
	}
	for (i = middle; i-- > 0 && union_member_at(head, i, &member, &own, &create);)
		show_command(show, member.mount, place, create ? "bc" : "b");
	for (i = middle + 1; union_member_at(head, i, &member, &own, &create); i++)
		show_command(show, member.mount, place, create ? "ac" : "a");
}

static void show_commands(struct show *show, const struct mount *mount, const char *place)
{
	if (mount->members)
		show_union(show, mount, place);
	else if (!mount->member && mount->over.mount)
		show_command(show, mount, place, "");
}

/* ---- All of them ---- */

static void show_mount(struct show *show, struct mount *mount, enum mounts_form form)
{
	struct path path = { .mount = mount, .entry = mount->root };
	const char *place = name_below(show, &path, show->place);

	if (!place)
		return;
	switch (form) {
	case MOUNTS_TABLE:
		show_table_line(show->text, mount, place);
		break;
	case MOUNTS_INFO:
		show_info_line(show, mount, place);
		break;
	case MOUNTS_STATISTICS:
		show_statistics_line(show->text, mount, place);
		break;
	case MOUNTS_COMMANDS:
		show_commands(show, mount, place);
		break;
	}
}

static void show_working(struct show *show, const struct path *working)
{
	const char *name = name_below(show, working, show->place);

	text_puts(show->text, "cd ");
	show_escaped(show->text, name ? name : "/");
	text_putc(show->text, '\n');
}

int mounts_show(struct text *text, struct fs_context *fs, enum mounts_form form, u64 *cursor)
{
	const struct namespace *namespace = fs->namespace;
	struct show *show = kmalloc(sizeof(*show), GFP_KERNEL);
	size_t enough = text->length + PAGE_SIZE;
	struct mount *mount;
	bool more = false;

	if (!show)
		return -ENOMEM;
	if (down_read_killable(&mounts_lock)) {
		kfree(show);
		return -EINTR;
	}
	show->text = text;
	show->namespace = namespace;
	show->root = fs->root;
	list_for_each(mount, &namespace->mounts, namespace_link) {
		if (mount->order <= *cursor)
			continue;
		more = text->length >= enough;
		if (more)
			break;
		show_mount(show, mount, form);
		*cursor = mount->order;
	}
	if (!more && form == MOUNTS_COMMANDS)
		show_working(show, &fs->working);
	up_read(&mounts_lock);
	kfree(show);
	return more;
}
