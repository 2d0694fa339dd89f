/* Pipes and fifos (fs/pipe.c). */
#ifndef KUMO_PIPE_H
#define KUMO_PIPE_H

#include <kumo/types.h>

struct file;
struct pipe;

/* A new pipe: its two ends, one reference each. flags: O_CLOEXEC is the caller's, O_NONBLOCK and O_DIRECT go to both. */
int pipe_create(struct file **read_end, struct file **write_end, u32 flags) __must_check;
/* open(2) of a node S_IFIFO, in place of its tree's open: waits for the other side as POSIX asks. -ENXIO, -ERESTARTSYS. */
int pipe_open_fifo(struct file *file) __must_check;
/* F_GETPIPE_SZ, F_SETPIPE_SZ: bytes. -EBADF: not a pipe. */
long pipe_get_size(struct file *file);
long pipe_set_size(struct file *file, unsigned long bytes);

extern unsigned int pipe_max_size; /* bytes, without CAP_SYS_RESOURCE; /proc/sys/fs/pipe-max-size */

#endif
