/*
 * Loadable modules: what a module says about itself, and what the core asks of modules (kernel/module/).
 *
 *	static int __init hello_init(void) { ... }
 *	static void __exit hello_exit(void) { ... }
 *	module_init(hello_init);
 *	module_exit(hello_exit);
 *	MODULE_LICENSE("MIT");
 *
 * A module without an exit function cannot be removed. Nobody counts calls: what is in use is pinned by an object of the
 * core (an open file, a mount, a registration) that holds the module through try_module_get().
 */
#ifndef KUMO_MODULE_H
#define KUMO_MODULE_H

#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/moduleparam.h>
#include <kumo/printk.h>
#include <kumo/types.h>

struct module; /* the loader's; kernel/module/internal.h */

#ifndef MODULE_NAME_LEN
#define MODULE_NAME_LEN 56 /* with NUL: what an entry of the version table holds */
#endif

#ifdef MODULE
/* Lies in the module's own memory: a constant address, for static initialisers. The loader provides it. */
extern struct module __this_module;
#define THIS_MODULE (&__this_module)

#define module_init(function)                                                                      \
	static inline __maybe_unused int (*module_init_type(void))(void)                           \
	{                                                                                          \
		return function;                                                                   \
	}                                                                                          \
	int init_module(void) __attribute__((copy(function), alias(#function)))
#define module_exit(function)                                                                      \
	static inline __maybe_unused void (*module_exit_type(void))(void)                          \
	{                                                                                          \
		return function;                                                                   \
	}                                                                                          \
	void cleanup_module(void) __attribute__((copy(function), alias(#function)))
#else
#define THIS_MODULE ((struct module *)0)
#endif

/* GPL, GPL v2, Dual MIT/GPL, MIT, BSD-2-Clause, ...: required. */
#define MODULE_LICENSE(text) MODULE_INFO(license, text)
#define MODULE_DESCRIPTION(text) MODULE_INFO(description, text)
#define MODULE_AUTHOR(text) MODULE_INFO(author, text)
#define MODULE_VERSION(text) MODULE_INFO(version, text)
/* By what other names modprobe finds it: "fs-ext2", "pci:v00001AF4d00001005sv*sd*bc*sc*i*", "char-major-10-183". */
#define MODULE_ALIAS(text) MODULE_INFO(alias, text)
#define MODULE_ALIAS_FS(type) MODULE_ALIAS("fs-" type)
/* Modules that modprobe shall load first, where possible. */
#define MODULE_SOFTDEP(text) MODULE_INFO(softdep, text)

/* A reference, so that the module stays: false when it is already going. NULL is the core, which always stays.
 * Any context. */
bool try_module_get(struct module *module) __must_check;
/* One more reference by a caller who already holds one, or who runs in the module's init. */
void __module_get(struct module *module);
void module_put(struct module *module);
const char *module_name(const struct module *module); /* "kernel" for NULL */
/* The module in whose text or data `address` lies, or NULL. Under rcu_read_lock() (any context). */
struct module *module_of_address(unsigned long address);

/*
 * Asks user space for a module by name or alias: runs `/sbin/modprobe -q -- NAME` and waits. Requests for the same name at
 * the same time run it once, and modules that were coming have come when it returns. 0 when modprobe ran (the caller looks whether what it wanted is there now), negative errno
 * when it could not. Sleeps; not from a module's init function for itself.
 */
int request_module(const char *name_format, ...) __printf(1, 2);
/* Without waiting, and several requests made close together in one run of modprobe: for devices found at the start. Any
 * context that may allocate with GFP_ATOMIC. */
int request_module_nowait(const char *name_format, ...) __printf(1, 2);
/* Waits until all requests made so far without waiting are done. */
void request_module_flush(void);

#endif
