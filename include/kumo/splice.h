/* Moving what pipes hold (fs/splice.c): the work of splice(2), tee(2) and vmsplice(2), on open files. */
#ifndef KUMO_SPLICE_H
#define KUMO_SPLICE_H

#include <kumo/file.h>

/* splice(2)'s flags; the uapi headers leave these to libc. */
enum {
	SPLICE_F_MOVE = 1,
	SPLICE_F_NONBLOCK = 2,
	SPLICE_F_MORE = 4,
	SPLICE_F_GIFT = 8,
	SPLICE_F_ALL = 15
};

/* One of the two is a pipe; positions NULL: the file's own. Bytes moved, 0 at the end of the input, or a negative errno. */
ssize_t file_splice(struct file *in, loff_t *in_pos, struct file *out, loff_t *out_pos, size_t size,
		    unsigned int flags);
/* Both are pipes: what is in the first goes to the second, and stays. */
ssize_t file_tee(struct file *in, struct file *out, size_t size, unsigned int flags);
/* Between memory and a pipe, by which end it is: into the pipe what fits, or out of it what is there. */
ssize_t file_splice_memory(struct file *file, struct iter *iter, unsigned int flags);

#endif
