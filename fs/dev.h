/* Between dev.c and the devices that the core itself has. */
#ifndef FS_DEV_H
#define FS_DEV_H

void memory_devices_init(void); /* dev_memory.c */

#endif
