/* Between options.c and options_kept.c. */
#ifndef NET_OPTIONS_H
#define NET_OPTIONS_H

#include <kumo/socket.h>
#include <linux/time.h>

/* A value in whatever form; how long it is. */
struct option_value {
	union {
		int number;
		u64 wide;
		struct {
			int on, seconds;
		} linger;
		struct __kernel_old_timeval time;
		struct ucred cred;
		u32 words[9];
	};
	unsigned int length;
};

/* -ENOPROTOOPT: it is none of them. `number`: the value's first word. `room`: bytes that the caller has. */
int socket_set_kept(struct socket *socket, int option, const void __user *value,
		    unsigned int length, int number) __must_check;
int socket_get_kept(const struct socket *socket, int option, struct option_value *value,
		    unsigned int room) __must_check;
int socket_bind_to_interface(struct socket *socket, const void __user *value,
			     unsigned int length) __must_check;

#endif
