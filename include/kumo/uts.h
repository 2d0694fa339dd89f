/* The machine's names, of uname(2), sethostname(2), setdomainname(2) and /proc/sys/kernel (kernel/uts.c). */
#ifndef KUMO_UTS_H
#define KUMO_UTS_H

#include <kumo/types.h>

#define UTS_LENGTH 64 /* without NUL */

enum uts_name { UTS_HOST, UTS_DOMAIN };
void uts_get(enum uts_name which, char name[UTS_LENGTH + 1]);
int uts_set(enum uts_name which, const char *name, size_t length) __must_check; /* -EINVAL: too long */

#endif
