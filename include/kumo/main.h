/* The initialisers that kernel/main.c calls once, in its order, and that belong to no other public header. */
#ifndef KUMO_MAIN_H
#define KUMO_MAIN_H

#include <kumo/types.h>

void printk_init(void);			    /* kernel/printk.c: the log's memory */
void params_init(const char *command_line); /* kernel/params.c */
void random_init(void);			    /* kernel/random.c */
void processes_init(void); /* kernel/fork.c: caches; gives the boot thread its identity */
void thread_start_first(int (*function)(void *)); /* kernel/kthread.c: the thread that becomes process 1 */
void proc_init(void);				  /* fs/proc/ */
void sockets_init(void);			  /* net/settings.c: after /proc */
void sys_init(void);				  /* fs/sys/ */
void tree_control_init(void);			  /* fs/rebind_control.c: /sys/fs/mounts */
void device_init(void);	      /* fs/dev.c: the device tree's type and the core's devices */
void device_tree_mount(void); /* fs/dev.c: on /dev, if the root has that folder */
void modules_init(void);      /* kernel/module/ */
void serial_init(void);	      /* kernel/tty/ */
void platform_init(void);     /* kernel/platform.c */

#endif
