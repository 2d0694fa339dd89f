/* Modules, in a process: linked in, and initialised before main(). */
#ifndef KUMO_MODULE_H
#define KUMO_MODULE_H

#include <kumo/err.h>
#include <kumo/printk.h>
#include <kumo/types.h>

struct module;
#define THIS_MODULE ((struct module *)0)

void environment_module_init(int (*init)(void), const char *name);
#define module_init(function)                                                                      \
	static __attribute__((constructor)) void environment_init_##function(void)                 \
	{                                                                                          \
		environment_module_init(function, #function);                                      \
	}
#define module_exit(function)                                                                      \
	static __maybe_unused void (*const environment_exit_##function)(void) = function

#define MODULE_LICENSE(text)
#define MODULE_DESCRIPTION(text)
#define MODULE_ALIAS(text)
#define MODULE_ALIAS_FS(type)

#endif
