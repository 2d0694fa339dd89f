/*
 * Signals instead of waiting: who is told, by which signal, that an open file has become ready (fcntl(2): O_ASYNC,
 * F_SETOWN, F_SETSIG), or that what it has a lease on is wanted (fs/lease.c). The owner of a file is kernel/signal_file.c's, the
 * hooks in the queues of the file are fs/async.c's.
 */
#ifndef KUMO_ASYNC_H
#define KUMO_ASYNC_H

#include <kumo/file.h>
#include <kumo/percpu.h>

/* Who is told. Never changed: file->told is replaced under file->lock, and read under RCU. */
struct file_owner {
	int signal;    /* F_SETSIG; 0: SIGIO, without details */
	int type, pid; /* F_OWNER_*; pid 0: nobody */
	u32 uid, euid; /* of who said so: the signal is sent as if by them */
	struct rcu_head rcu;
};
struct file_owner file_owner_get(struct file *file); /* a copy; all zero when nobody has been named */
int file_owner_set(struct file *file, int type, int pid) __must_check; /* -ESRCH, -EINVAL, -ENOMEM */
/* The old way: a negative number is a group. */
int file_owner_set_number(struct file *file, int number) __must_check;
int file_owner_number(struct file *file);
int file_owner_set_signal(struct file *file, int signal) __must_check;
/* Sends the owner the signal. `code`: POLL_IN and so on; any context. */
void file_owner_signal(struct file *file, unsigned int fd, int code);
/* SIGURG to the owner, whatever signal was set: a byte came that is not to wait for its turn. Any context. */
void file_owner_urgent(struct file *file);
void file_owner_release(struct file *file); /* the file goes */

/* Starts or ends telling the owner when the file becomes ready. -ENOTTY: files of this kind do not tell. */
int file_async_set(struct file *file, unsigned int fd, bool on) __must_check;
void file_async_release(struct file *file); /* the file goes; sleeps */

/* For wake_up(): hooks that it has met on this CPU, and what sends their signals. Interrupts off, the queue's lock released. */
struct async_hook;
DECLARE_PER_CPU(struct async_hook *, async_pending);
void async_deliver(void);

#endif
