/*
 * Event sets (fs/epoll.c): epoll(7). A set is a file; these are the steps of its system calls.
 */
#ifndef KUMO_EPOLL_H
#define KUMO_EPOLL_H

#include <kumo/types.h>

struct epoll_event;
struct file;

struct file *epoll_create(void) __must_check; /* ERR_PTR(-ENOMEM) */
int epoll_create_fd(u32 flags) __must_check;  /* O_CLOEXEC; a descriptor, -EMFILE, -ENOMEM */
bool file_is_epoll(const struct file *file);
/* EPOLL_CTL_*: `file`, known as `fd`, in the set. *event is looked at by ADD and MOD, and may be changed. */
int epoll_control(struct file *set, int operation, struct file *file, unsigned int fd,
		  struct epoll_event *event) __must_check;
/* Up to `limit` events of files that are ready; 0 at the deadline (monotonic nanoseconds; 0: no waiting), -EINTR, -EFAULT. */
long epoll_wait_events(struct file *set, struct epoll_event __user *to, int limit,
		       u64 deadline_ns) __must_check;
/* The last reference to a file that is in sets has gone: it leaves them. May sleep. */
void epoll_file_release(struct file *file);

/* The file that is in the set as `fd`, the index-th of those: for comparing only, it is not referenced. -EINVAL: `set` is
 * none; -ENOENT. */
int epoll_target(struct file *set, unsigned int fd, unsigned int index,
		 const struct file **target) __must_check;

void epoll_init(void);
extern int epoll_watches_max; /* in the sets of one user: /proc/sys/fs/epoll/max_user_watches */

#endif
