/*
 * Between the files of the module loader.
 *
 * Locks: module_mutex (sleeps) protects the list of modules, their states and who uses whom; it is not held while a
 * module's own code runs, nor while entries of /sys are removed. Readers of the list who may not sleep walk it under
 * rcu_read_lock(): a module's memory goes a grace period after it left the list.
 */
#ifndef KERNEL_MODULE_INTERNAL_H
#define KERNEL_MODULE_INTERNAL_H

#include <kumo/atomic.h>
#include <kumo/list.h>
#include <kumo/module.h>
#include <kumo/module_build.h>
#include <kumo/mutex.h>
#include <kumo/wait.h>
#include "elf.h"

struct kunit_suite;
struct pseudo_directory;
struct pseudo_file;

enum module_state {
	MODULE_UNFORMED, /* its name is taken; memory is being filled */
	MODULE_COMING,	 /* whole; init runs */
	MODULE_LIVE,
	MODULE_GOING, /* exit runs, or init has failed */
};

enum { MODULE_TAINT_FORCED = 1 }; /* loaded although versions or vermagic differ, or are absent */

/* A symbol that the module defines, for backtraces and /proc/kallsyms. */
struct module_symbol {
	unsigned long address;
	u32 name;	   /* offset in module->strings */
	u32 size_and_type; /* size << 8 | nm's letter */
};

struct module_section_info {
	const char *name;
	unsigned long address;
};

/* Lies at the start of the module's own data region, as its symbol __this_module; so does what it points to. */
struct module {
	struct hlist_node link; /* in modules */
	enum module_state state;
	u32 coming_since;	      /* module_changes when it became MODULE_COMING */
	const struct thread *starter; /* whose init() this is, while it is MODULE_COMING */
	atomic_t refs;		      /* 1 while nobody pins it; 0: being removed */
	unsigned int taints;
	char name[MODULE_NAME_LEN];
	const struct module_descriptor *descriptor;

	/* Memory: whole pages of text, then read-only data, then data. */
	u8 *core, *init; /* init: NULL when there is none, or it has gone */
	size_t core_size, text_size, rodata_size;
	size_t init_size, init_text_size, init_rodata_size;

	const struct kernel_symbol *exports;
	const u32 *export_crcs;
	size_t export_count;
	const struct kernel_param *params;
	size_t param_count;
	struct kunit_suite *const *suites;
	size_t suite_count;
	const void *exceptions;
	size_t exceptions_size;

	const struct module_symbol *symbols;
	size_t symbol_count;
	const char *strings;
	const struct module_section_info *sections;
	size_t section_count;
	const char *version, *srcversion; /* NULL: not said */

	struct list users; /* module_use.owner_link: modules that need this one */
	struct list uses;  /* module_use.user_link: modules that this one needs */

	struct pseudo_directory *directory, *parameters; /* /sys/module/NAME; NULL before and after */
	struct pseudo_file *param_files;
#ifdef CONFIG_DEBUG
	unsigned int owner; /* of what it allocates: track.h */
#endif
};

/* `user` calls functions of `owner`, and holds a reference of it. */
struct module_use {
	struct list owner_link, user_link;
	struct module *owner, *user;
};

extern struct mutex module_mutex;
extern struct hlist modules; /* newest first */
/* Something about the list of modules changed: the count moves, then module_wait is woken. */
extern struct wait_queue module_wait;
extern u32 module_changes;
void module_changed(void); /* module_mutex held, so that who looked under it misses nothing */
/* How long who needs a module that is coming waits for it: its init may wait for the caller. */
#define COMING_WAIT_NS (30 * NSEC_PER_SEC)

/* What is known while a module is being loaded. */
struct module_load {
	struct module_image image;
	struct section_place *places;
	u64 *values; /* of each symbol, as relocations want it */
	u8 *base[REGION_COUNT];
	const char *name;
	unsigned int flags; /* MODULE_INIT_* */
	unsigned int taints;
	struct module *module;
	void (*const *constructors)(void); /* the compiler's own, of the debug build */
	size_t constructor_count;
};

static inline void *loaded_section(const struct module_load *load, unsigned int i)
{
	return load->base[load->places[i].region] + load->places[i].offset;
}

/* main.c. `file` stays the caller's and is only read. `args` is changed. */
int module_load(const void *file, size_t size, char *args, unsigned int flags) __must_check;
int module_unload(const char *name) __must_check;
struct module *module_find(const char *name, size_t length); /* module_mutex held */
/* Waits until the modules that are coming now have come or gone, or for COMING_WAIT_NS. 0; -EINTR: killed. */
int modules_coming_wait(void);

/* symbols.c: the export tables, versions, and who uses whom. */
int module_symbols_resolve(struct module_load *load) __must_check;
int module_exports_check(const struct module_load *load) __must_check;
void module_uses_release(struct module *module); /* module_mutex held */
int module_relocate(struct module_load *load) __must_check;

/* params.c */
int module_params_apply(struct module *module, char *args) __must_check;
void module_params_free(struct module *module);
int module_param_parse(char **args, char **name,
		       char **value); /* takes one word off; 0 at the end, else 1 or -EINVAL */

/* sysfs.c, procfs.c */
int module_sysfs_add(struct module *module) __must_check;
void module_sysfs_remove(struct module *module);
void module_proc_init(void);
const char *module_state_name(enum module_state state);

void autoload_init(void); /* autoload.c */

/* kallsyms.c: modules' part of kernel/kallsyms.c */
struct symbol_info;
size_t module_extras_size(const struct module_image *image);
void module_extras_fill(struct module_load *load, void *memory);
void module_kallsyms_drop_init(struct module *module);
bool module_symbol_lookup(unsigned long address, struct symbol_info *info);
unsigned long module_symbol_address(const char *module, size_t module_length, const char *name);
bool module_text_contains(unsigned long address); /* rcu_read_lock() held */

/* The kernel's own export table (scripts/modpost writes it). Sorted by name. */
extern const struct kernel_symbol kernel_symbols[];
extern const u32 kernel_symbol_crcs[];
extern const size_t kernel_symbol_count;
const struct kernel_symbol *exports_find(const struct kernel_symbol *table, size_t count,
					 const char *name);

#endif
