/*
 * Kernel threads that do what others ask for (kernel/act.c): those of the 9P server. Such a thread has a place in a namespace and
 * no descriptors. Credentials are an argument of all that it calls; whatever asks for those of the current thread nevertheless
 * (capable(), files of /proc that answer their reader) finds the same ones. What it waits for can be cancelled from outside.
 */
#ifndef KUMO_ACT_H
#define KUMO_ACT_H

#include <kumo/namespace.h>
#include <kumo/thread.h>

/* A context in the current thread's namespace whose root and working directory are `root`; umask 0. NULL: no memory. */
struct fs_context *fs_context_at(const struct path *root) __must_check;

/* The current kernel thread begins to serve at `fs` (takes its own reference), as root. -ENOMEM. */
int thread_serve_begin(struct fs_context *fs) __must_check;
void thread_serve_end(void); /* lets go of what it was given; the thread ends soon */
/* From now on for `cred`; takes its own reference. Only between begin and end. */
void thread_act_as(const struct cred *cred);

/*
 * The request that `thread` works on is not wanted any more: what it waits for, or would wait for until thread_cancel_clear(), ends
 * as by a signal that kills (-EINTR, -ERESTARTSYS). Who calls this sees to it that the thread still works on that request. Any
 * context.
 */
void thread_cancel(struct thread *thread);
void thread_cancel_clear(void); /* the current thread begins another */

#endif
