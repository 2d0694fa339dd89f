/* Errors are negative errnos; a pointer can carry one in the topmost page of the address space. */
#ifndef KUMO_ERR_H
#define KUMO_ERR_H

#include <asm/errno.h>
#include <kumo/types.h>

#define MAX_ERRNO 4095

/*
 * Errnos that never reach user space: an interrupted system call to be started again (see signal.h), and a request
 * that the layer in question does not know.
 */
#define ERESTARTSYS 512	   /* restart if SA_RESTART or no handler, else EINTR */
#define ERESTARTNOINTR 513 /* always restart */
#define ERESTARTNOHAND 514 /* restart if no handler, else EINTR */
#define ENOIOCTLCMD 515	   /* not an ioctl of this device; becomes ENOTTY */
#define ERESTART_RESTARTBLOCK                                                                      \
	516 /* continue through restart_syscall(2) if no handler, else EINTR */

static inline void *ERR_PTR(long error)
{
	return (void *)error;
}

static inline long PTR_ERR(const void *pointer)
{
	return (long)pointer;
}

static inline bool IS_ERR(const void *pointer)
{
	return unlikely((unsigned long)pointer >= (unsigned long)-MAX_ERRNO);
}

static inline bool IS_ERR_OR_NULL(const void *pointer)
{
	return !pointer || IS_ERR(pointer);
}

#endif
