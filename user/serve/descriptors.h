/* Descriptors and sockets of the process, for files that know the kernel's headers, with which the C library's do not go together. */
#ifndef SERVE_DESCRIPTORS_H
#define SERVE_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that were read or written, at least one; 0: the end; or a negative errno: -EAGAIN where it would have to wait. */
long descriptor_get(int fd, void *to, size_t room);
long descriptor_put(int fd, const void *from, size_t size);
int descriptor_wait(int fd, bool to_write); /* 0; -EINTR: a SIGUSR1 that was blocked (thread_cancel()) */
bool descriptor_is_gone(int fd);	    /* nobody is at the other end */

/* A Unix socket that listens there, in the place of one that nobody listens at any more; or a negative errno. */
int socket_listen(const char *path);
/* The next who connects; *user: who he is, *privileged: he may act for others. Negative errno: -EINTR: a SIGTERM
 * or SIGINT that was blocked. */
int socket_accept(int fd, unsigned int *user, bool *privileged);

#endif
