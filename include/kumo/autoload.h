/* Autoload's side to the core (kernel/module/autoload.c). What modules call is in <kumo/module.h>. */
#ifndef KUMO_AUTOLOAD_H
#define KUMO_AUTOLOAD_H

/* The program to run: /proc/sys/kernel/modprobe. Empty: none. */
extern char modprobe_path[256];

/* User space is there (the root is filled): runs what was asked for until now. The start of the system calls it. */
void autoload_start(void);

#endif
