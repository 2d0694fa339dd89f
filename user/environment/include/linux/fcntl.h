/* Flags of open files: the C library's, which has the same names, and what it tells GNU programs alone. */
#include <fcntl.h>

#ifndef O_NOATIME
#define O_NOATIME 01000000
#define O_LARGEFILE 0100000
#define __O_SYNC 04000000
#endif
#ifndef F_SEAL_SEAL
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#define F_SEAL_WRITE 8
#define F_SEAL_FUTURE_WRITE 16
#endif
