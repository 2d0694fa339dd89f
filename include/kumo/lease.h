/*
 * Leases (fs/lease.c): fcntl(2), F_SETLEASE. The holder of an open file is told by a signal before somebody else opens or truncates
 * what it has a lease on in a way that conflicts, and has a while to give it up.
 */
#ifndef KUMO_LEASE_H
#define KUMO_LEASE_H

#include <kumo/file.h>

extern int leases_enabled, lease_break_seconds; /* /proc/sys/fs/ */

/* type: F_RDLCK, F_WRLCK, F_UNLCK. -EACCES, -EAGAIN, -EINVAL, -ENOMEM. */
int file_lease_set(struct file *file, unsigned int fd, int type) __must_check;
int file_lease_get(struct file *file);	    /* what is held, or what it is to become */
void file_lease_release(struct file *file); /* the file goes */

int node_lease_break_slow(struct node *node, bool write, bool wait) __must_check;
/* Somebody opens the file, or changes its size: waits until no lease stands against it. -EWOULDBLOCK, -ERESTARTSYS. */
static inline int __must_check node_lease_break(struct node *node, bool write, bool wait)
{
	return likely(!(READ_ONCE(node->flags) & NODE_LEASED))
		       ? 0
		       : node_lease_break_slow(node, write, wait);
}

#endif
