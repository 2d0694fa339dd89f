/* Flags of open files: the C library's, which has the same names. */
#include <fcntl.h>
