/*
 * Pseudo terminals: master.c has the master's side, devpts.c the tree in which slaves have their nodes.
 *
 * A pty lives as long as its master is open, or its node is held (by files that are open on it). Locks, outermost first:
 * master_mutex; devpts->lock; the terminal's own; pty->lock.
 */
#ifndef PTY_INTERNAL_H
#define PTY_INTERNAL_H

#include <kumo/file.h>
#include <kumo/mutex.h>
#include <kumo/refcount.h>
#include <kumo/tty.h>

#define PTMX_NUMBER device_make(5, 2)
#define SLAVE_MAJOR 136

/* Bytes that wait; positions run on. */
struct ring {
	u8 *bytes;
	u32 size; /* a power of two */
	u32 head, tail;
};

struct pty {
	refcount_t refs; /* of the master and of the node */
	/* devpts.c's, under devpts->lock */
	u32 number;
	struct tree *tree; /* owned reference; NULL: not entered */
	struct node *node; /* owned reference, while the master is open; its private is an owned reference of the pty */
	struct list link;

	struct tty *slave; /* owned reference */
	bool locked;	   /* TIOCSPTLCK: the slave cannot be opened */
	bool slave_closed; /* by its last user; until it is opened again */
	bool ended;	   /* the slave is hung up for good */
	bool stopped;	   /* the master sends nothing (TCOOFF) */
	bool exclusive; /* TIOCEXCL of the master, which says nothing: it cannot be opened again anyhow */
	struct mutex master_mutex; /* one writer at a time */

	spinlock_t lock;     /* interrupts off: the following */
	struct ring output;  /* from the slave */
	struct ring input;   /* to the slave, when that has no room */
	bool slave_waits;    /* the slave has more output than there was room for */
	bool packets;	     /* TIOCPKT */
	unsigned int status; /* TIOCPKT_ bits that the master has not read yet */
	struct wait_queue read_wait, write_wait; /* of the master */
};

void pty_put(struct pty *pty);

/* Enters a pty in an instance: gives it its number and a node for `cred`. `file`: the ptmx that was opened, which says in
 * which instance. -ENOSPC, -ENODEV, -ENOMEM. */
int devpts_add(struct pty *pty, const struct file *file, const struct cred *cred) __must_check;
void devpts_remove(struct pty *pty); /* the name goes; the node stays for who has it open, and nobody else gets the number */
void devpts_release(struct pty *pty); /* the number is free; of the last pty_put() */
/* The pty whose node this is; NULL: it is no node of a slave. */
struct pty *devpts_pty(const struct node *node);
/* The path of the slave, as the opener of `file` would walk to it; referenced. */
int devpts_slave_path(const struct pty *pty, const struct file *file, struct path *path) __must_check;

int devpts_init(void) __must_check;
void devpts_exit(void);
int devpts_mount(void) __must_check; /* on /dev/pts */

#endif
