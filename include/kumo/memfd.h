/* Files in memory without a name, and seals (fs/memfd.c). */
#ifndef KUMO_MEMFD_H
#define KUMO_MEMFD_H

#include <kumo/file.h>

/* F_GET_SEALS, F_ADD_SEALS: -EINVAL of what cannot be sealed; -EPERM (sealed against it, or not open for writing), -EBUSY
 * (mapped writable). */
long file_seals_get(struct file *file) __must_check;
int file_seals_add(struct file *file, unsigned long seals) __must_check;
void memfd_init(void); /* after the RAM tree's types are there */

#endif
