/* Names that programs pass to system calls: short ones are copied to the stack, long ones to the heap. */
#ifndef KUMO_USER_PATH_H
#define KUMO_USER_PATH_H

#include <kumo/file.h>
#include <kumo/slab.h>
#include <kumo/uaccess.h>

struct user_path {
	char *text;
	char inline_text[128];
};

int user_path_get_long(struct user_path *path, const char __user *from) __must_check;

/* 0, -EFAULT, -ENAMETOOLONG, -ENOMEM. An empty name is user_start_get()'s to refuse. */
static inline __must_check int user_path_get(struct user_path *path, const char __user *from)
{
	ssize_t length = strncpy_from_user(path->inline_text, from, sizeof(path->inline_text));

	if (unlikely(length < 0))
		return (int)length;
	if (unlikely(length == sizeof(path->inline_text)))
		return user_path_get_long(path, from);
	path->text = path->inline_text;
	return 0;
}

static inline void user_path_put(struct user_path *path)
{
	if (unlikely(path->text != path->inline_text))
		kfree(path->text);
}

/* Where a name given with a descriptor starts: `start` for path_walk(), which stays until start_put(). */
struct user_start {
	const struct path *start; /* NULL: the working directory, or of no matter */
	struct fd_ref ref;
	struct path loose; /* of what the descriptor is open on, when that has no name */
};
int user_start_fd(struct user_start *start, int fd, const char *name, unsigned int walk) __must_check;
/* walk: WALK_*. Whether "" may be meant is looked at before the descriptor. */
static inline __must_check int user_start_get(struct user_start *start, int fd, const char *name,
					      unsigned int walk)
{
	start->start = NULL;
	start->ref = (struct fd_ref){};
	start->loose.entry = NULL;
	if (likely(fd == AT_FDCWD || *name == '/'))
		return 0;
	return user_start_fd(start, fd, name, walk);
}
static inline void user_start_put(struct user_start *start)
{
	if (unlikely(start->loose.entry))
		path_put(&start->loose);
	fd_release(start->ref);
}

/* The path that (fd, name) names: both steps and the walk. flags: WALK_*; with WALK_EMPTY_PATH "" is what fd is open on. */
int user_path_walk(int fd, const char __user *name, unsigned int flags, struct path *path) __must_check;
/* The same, as the calls want it that take AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH. */
static inline __must_check int user_path_walk_at(int fd, const char __user *name,
						 unsigned int at_flags, struct path *path)
{
	return user_path_walk(fd, name,
			      (at_flags & AT_SYMLINK_NOFOLLOW ? 0U : WALK_FOLLOW) |
				      (at_flags & AT_EMPTY_PATH ? WALK_EMPTY_PATH : 0U),
			      path);
}

#endif
