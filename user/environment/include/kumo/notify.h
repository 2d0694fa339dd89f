/* Telling those who watch files, in a process: nobody does. */
#ifndef KUMO_NOTIFY_H
#define KUMO_NOTIFY_H

#include <kumo/file.h>
#include <linux/inotify.h>

static inline bool notify_wanted(void)
{
	return false;
}
static inline void notify_entry(struct entry *entry, u32 mask)
{
}
static inline void notify_file(struct file *file, u32 mask)
{
}
static inline void notify_name(struct node *dir, const struct name *name, const struct node *node,
			       u32 mask)
{
}
static inline void notify_node(struct node *node, u32 mask)
{
}
static inline void notify_move(struct node *old_dir, const struct name *old_name,
			       struct node *new_dir, const struct name *new_name, struct node *node)
{
}

#endif
