/* The client's end of a connection, for a file that knows the kernel's headers, with which the C library's of sockets do not go together. */
#ifndef FUZZ_NINEP_SERVER_PEER_H
#define FUZZ_NINEP_SERVER_PEER_H

#include <stdbool.h>
#include <stddef.h>

/* Given what the server sends, as it comes. */
typedef void peer_take(const unsigned char *bytes, size_t size);

int peer_open(int *far); /* a socket; *far is the server's. Does not come back without */
/* Sends the bytes, and takes what comes meanwhile. False: the server has hung up. */
bool peer_send(int fd, const void *bytes, size_t size, peer_take *take);
/* Takes what comes within so many milliseconds; -1: waits until something has. False: the server has hung up. */
bool peer_receive(int fd, int limit_ms, peer_take *take);
void peer_hang_up(int fd); /* nothing more is sent; answers may come */
void peer_close(int fd);

#endif
