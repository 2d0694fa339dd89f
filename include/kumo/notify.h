/*
 * Telling those who watch files (inotify(7), fs/inotify.c) what happens to them. The core calls these hooks where it
 * opens, reads, changes and names files. While nobody watches anything a hook is one test of a word that rarely changes.
 *
 * A watch is on a node. What happens to an open file or an entry is told to who watches it, and, with its name, to who
 * watches the directory that it stands in. May be called with any sleeping lock held, and no spin lock.
 */
#ifndef KUMO_NOTIFY_H
#define KUMO_NOTIFY_H

#include <kumo/file.h>
#include <linux/inotify.h>

extern atomic_t notify_watches; /* how many there are, of all instances */
extern int inotify_instances_max, inotify_watches_max, inotify_events_max; /* /proc/sys/fs/inotify/ */

static inline bool notify_wanted(void)
{
	return unlikely(atomic_read(&notify_watches));
}

void notify_entry_watched(struct entry *entry, u32 mask, bool opened);
void notify_name_watched(struct node *dir, const struct name *name, const struct node *node, u32 mask);
void notify_node_watched(struct node *node, u32 mask);
void notify_move_watched(struct node *old_dir, const struct name *old_name, struct node *new_dir,
			 const struct name *new_name, struct node *node);
void notify_unused_watched(struct node *node);

/* IN_ATTRIB, IN_MODIFY, IN_ACCESS of what a name names. */
static inline void notify_entry(struct entry *entry, u32 mask)
{
	if (notify_wanted())
		notify_entry_watched(entry, mask, false);
}
/* IN_OPEN, IN_ACCESS, IN_MODIFY, IN_CLOSE_* of an open file. */
static inline void notify_file(struct file *file, u32 mask)
{
	if (notify_wanted() && file->path.entry)
		notify_entry_watched(file->path.entry, mask, true);
}
/* IN_CREATE, IN_DELETE of a name that stands for `node`. */
static inline void notify_name(struct node *dir, const struct name *name, const struct node *node,
			       u32 mask)
{
	if (notify_wanted())
		notify_name_watched(dir, name, node, mask);
}
/* To those alone who watch the node itself: IN_ATTRIB when its count of links changed. */
static inline void notify_node(struct node *node, u32 mask)
{
	if (notify_wanted())
		notify_node_watched(node, mask);
}
/* IN_MOVED_FROM and IN_MOVED_TO with one cookie, IN_MOVE_SELF. */
static inline void notify_move(struct node *old_dir, const struct name *old_name,
			       struct node *new_dir, const struct name *new_name, struct node *node)
{
	if (notify_wanted())
		notify_move_watched(old_dir, old_name, new_dir, new_name, node);
}
/* An entry lets go of its node: if that has no name any more, IN_DELETE_SELF, and its watches end. */
static inline void notify_unused(struct node *node)
{
	if (notify_wanted() && !node->attr.nlink)
		notify_unused_watched(node);
}
/* F_NOTIFY (fs/dnotify.c): the file, open on a directory, tells its owner of DN_*; 0 ends that. */
int file_notify(struct file *file, unsigned int fd, u32 events) __must_check;
void dnotify_tell(const struct node *dir, u32 mask /* IN_* */);
void dnotify_release(struct file *file); /* the file goes */

/* The tree's last mount is gone: IN_UNMOUNT, and its watches end. */
void notify_tree_gone(const struct tree *tree);

#endif
