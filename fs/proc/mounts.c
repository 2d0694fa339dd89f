/* /proc/PID/mounts, mountinfo, mountstats, namespace, and the links in ns/: what a process sees mounted. */
#include <kumo/mount.h>
#include <kumo/poll.h>
#include <kumo/string.h>
#include <linux/fs.h>

#include "internal.h"

/* ---- Lists of mounts ---- */

/* Where the thread stood when the file was opened. */
void *place_hold(void *object)
{
	struct fs_context *fs = thread_fs_get(object), *held;

	if (!fs)
		return ERR_PTR(-EINVAL);
	held = fs_context_copy(fs);
	fs_context_put(fs);
	return held ? held : ERR_PTR(-ENOMEM);
}

/* Its root alone: who watches mounts for long does not keep busy what it happened to stand in. */
void *root_hold(void *object)
{
	struct fs_context *held = place_hold(object);

	if (!IS_ERR(held))
		fs_set_working(held, &held->root);
	return held;
}

void context_release(void *held)
{
	fs_context_put(held);
}

int mounts_table_next(struct text *text, void *held, u64 *cursor)
{
	return mounts_show(text, held, MOUNTS_TABLE, cursor);
}

int mounts_info_next(struct text *text, void *held, u64 *cursor)
{
	return mounts_show(text, held, MOUNTS_INFO, cursor);
}

int mounts_statistics_next(struct text *text, void *held, u64 *cursor)
{
	return mounts_show(text, held, MOUNTS_STATISTICS, cursor);
}

int mounts_commands_next(struct text *text, void *held, u64 *cursor)
{
	return mounts_show(text, held, MOUNTS_COMMANDS, cursor);
}

/* Always readable; an urgent error means that mounts have changed since it was last asked. */
u32 mounts_poll(void *held, struct file *file, struct poll_table *table, u64 *seen)
{
	struct namespace *namespace = ((struct fs_context *)held)->namespace;
	u64 count;

	poll_wait(file, &namespace->changed, table);
	count = READ_ONCE(namespace->change_count);
	if (count == *seen)
		return POLLIN | POLLRDNORM;
	*seen = count;
	return POLLIN | POLLRDNORM | POLLERR | POLLPRI;
}

/* ---- Namespaces ---- */

/* The namespace of mounts that a thread is in, referenced; NULL: it has none any more. */
static struct namespace *thread_namespace(struct thread *thread)
{
	struct fs_context *fs = thread_fs_get(thread);
	struct namespace *namespace;

	if (!fs)
		return NULL;
	namespace = namespace_get(fs->namespace);
	fs_context_put(fs);
	return namespace;
}

static int link_target(enum namespace_kind kind, char *buffer, size_t size, void *object)
{
	struct namespace *mounts = thread_namespace(object);
	int length;

	if (!mounts)
		return -ENOENT;
	length = namespace_text(kind, mounts, buffer, size);
	namespace_put(mounts);
	return length;
}

static int link_follow(enum namespace_kind kind, struct path *path, void *object)
{
	struct namespace *mounts = thread_namespace(object);
	int error;

	if (!mounts)
		return -ENOENT;
	error = namespace_path(kind, mounts, path);
	namespace_put(mounts);
	return error;
}

#define NAMESPACE_LINK(name, kind)                                                                 \
	static int name##_target(char *buffer, size_t size, void *object)                          \
	{                                                                                          \
		return link_target(kind, buffer, size, object);                                    \
	}                                                                                          \
	static int name##_follow(struct path *path, void *object)                                  \
	{                                                                                          \
		return link_follow(kind, path, object);                                            \
	}
NAMESPACE_LINK(cgroup, NAMESPACE_CGROUP)
NAMESPACE_LINK(ipc, NAMESPACE_IPC)
NAMESPACE_LINK(mnt, NAMESPACE_MOUNTS)
NAMESPACE_LINK(net, NAMESPACE_NET)
NAMESPACE_LINK(pid, NAMESPACE_PID)
NAMESPACE_LINK(time, NAMESPACE_TIME)
NAMESPACE_LINK(user, NAMESPACE_USER)
NAMESPACE_LINK(uts, NAMESPACE_UTS)

const struct pseudo_file namespace_links[] = {
	OBJECT_LINK("cgroup", cgroup_target, cgroup_follow),
	OBJECT_LINK("ipc", ipc_target, ipc_follow),
	OBJECT_LINK("mnt", mnt_target, mnt_follow),
	OBJECT_LINK("net", net_target, net_follow),
	OBJECT_LINK("pid", pid_target, pid_follow),
	OBJECT_LINK("pid_for_children", pid_target, pid_follow),
	OBJECT_LINK("time", time_target, time_follow),
	OBJECT_LINK("time_for_children", time_target, time_follow),
	OBJECT_LINK("user", user_target, user_follow),
	OBJECT_LINK("uts", uts_target, uts_follow),
	{},
};
