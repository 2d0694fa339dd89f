/* Modes of files: the C library's, for it hides those of the kernel's header. */
#include <sys/stat.h>
