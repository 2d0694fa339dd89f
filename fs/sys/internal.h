/* Between the files of /sys. */
#ifndef FS_SYS_INTERNAL_H
#define FS_SYS_INTERNAL_H

/* cpu.c: devices/system/cpu and node. Logs what there is no memory for. */
void sys_cpu_init(void);

#endif
