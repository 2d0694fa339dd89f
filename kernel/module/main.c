/*
 * The module loader. A module is an ELF relocatable object (elf.h); loading it means:
 *
 *   check      structure, vermagic, name: nothing of the file is believed before (elf.c)
 *   place      two blocks of memory in reach of the kernel: one that stays, one that goes after init; each is text, read-only
 *              data and data in whole pages. The struct module itself lies at the start of the data
 *   announce   the name is taken, so that a second load of it waits or fails
 *   link       symbols are resolved against the exports of the kernel and of modules, checked by the checksum of their
 *              type, and relocations applied (symbols.c); a module whose symbols are used is held by a module_use
 *   protect    text becomes read-only and executable, read-only data read-only: never both writable and executable
 *   configure  parameters from the kernel's command line, then from the caller (params.c); /sys/module/NAME (sysfs.c)
 *   start      init runs in the caller's context; the module is live; init memory goes; self-tests run
 *
 * Removal is the way back. It needs nobody's consent but the counts': `refs` is taken from 1 to 0 in one step, after which
 * try_module_get() fails, so no new user can come while exit runs.
 */
#define LOG_PREFIX "module: "
#include <generated/version.h>
#include <kumo/err.h>
#include <kumo/kunit.h>
#include <kumo/kva.h>
#include <kumo/main.h>
#include <kumo/oops.h>
#include <kumo/printk.h>
#include <kumo/rcu.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/track.h>
#include <kumo/uaccess.h>
#include <linux/module.h>
#include "internal.h"

_Static_assert(sizeof(struct module_version) == 64, "kmod reads entries of 64 bytes");
_Static_assert(MODULE_PAGE_SIZE == PAGE_SIZE, "elf.h has the page size of its own, for the host build");

struct mutex module_mutex = MUTEX_INIT(module_mutex, "module");
struct hlist modules;
struct wait_queue module_wait = WAIT_QUEUE_INIT(module_wait);
u32 module_changes;

void module_changed(void)
{
	WRITE_ONCE(module_changes, module_changes + 1);
	wake_up_all(&module_wait);
}

/* ---- References ---- */

bool try_module_get(struct module *module)
{
	int refs;

	if (!module)
		return true;
	refs = atomic_read(&module->refs);
	do {
		if (!refs || READ_ONCE(module->state) == MODULE_GOING)
			return false;
	} while (!atomic_try_cmpxchg(&module->refs, &refs, refs + 1));
	return true;
}
EXPORT_SYMBOL(try_module_get);

void __module_get(struct module *module)
{
	if (module)
		atomic_inc(&module->refs);
}
EXPORT_SYMBOL(__module_get);

void module_put(struct module *module)
{
	if (module && WARN_ON(atomic_add_return(&module->refs, -1) < 1))
		atomic_inc(&module->refs);
}
EXPORT_SYMBOL(module_put);

const char *module_name(const struct module *module)
{
	return module ? module->name : "kernel";
}
EXPORT_SYMBOL(module_name);

struct module *module_find(const char *name, size_t length)
{
	struct module *module;

	hlist_for_each(module, &modules, link)
		if (!strncmp(module->name, name, length) && !module->name[length])
			return module;
	return NULL;
}

/* ---- Loading ---- */

static int fault(const struct module_load *load, const char *what)
{
	pr_err("%s: %s\n", load->name ? load->name : "file", what);
	return -ENOEXEC;
}

/* "6.1.0-kumo SMP ...": with checksums of each symbol the release, its first word, need not be the same. */
static bool vermagic_equal(const char *theirs, const char *ours, bool has_versions)
{
	if (has_versions) {
		while (*theirs && *theirs != ' ')
			theirs++;
		while (*ours && *ours != ' ')
			ours++;
	}
	return !strcmp(theirs, ours);
}

static int check_identity(struct module_load *load)
{
	const struct module_image *image = &load->image;
	const char *name = module_image_info(image, "name", NULL), *vermagic;

	if (!name || !*name || strlen(name) >= MODULE_NAME_LEN || strchr(name, '/') || name[0] == '.')
		return fault(load, "no usable name= in .modinfo");
	load->name = name;
	if (!module_image_info(image, "license", NULL))
		return fault(load, "no license= in .modinfo");
	vermagic = module_image_info(image, "vermagic", NULL);
	if ((load->flags & MODULE_INIT_IGNORE_VERMAGIC)) {
		load->taints |= MODULE_TAINT_FORCED;
	} else if (!vermagic) {
		return fault(load, "no vermagic= in .modinfo");
	} else if (!vermagic_equal(vermagic, KUMO_VERMAGIC,
				   image->versions && !(load->flags & MODULE_INIT_IGNORE_MODVERSIONS))) {
		pr_err("%s: version magic '%s' should be '%s'\n", name, vermagic, KUMO_VERMAGIC);
		return -ENOEXEC;
	}
	return 0;
}

/* What lies behind the data sections: symbols for backtraces, section addresses, texts. The offset in the data region. */
static size_t extras_offset(const struct module_image *image)
{
	return ALIGN_UP((size_t)image->region_size[REGION_DATA], 16);
}

/* Three regions in one block: their bases; the block, or NULL. */
static u8 *block_alloc(struct module_load *load, unsigned int first, const size_t sizes[3])
{
	u8 *block = module_memory_alloc(sizes[0] + sizes[1] + sizes[2]);

	load->base[first] = block;
	load->base[first + 1] = block + sizes[0];
	load->base[first + 2] = block + sizes[0] + sizes[1];
	return block;
}

static size_t region_pages(const struct module_load *load, unsigned int region)
{
	return ALIGN_UP((size_t)load->image.region_size[region], PAGE_SIZE);
}

/* Memory with the sections' bytes, and the struct module in it. */
static int place(struct module_load *load)
{
	const struct module_image *image = &load->image;
	size_t extras = extras_offset(image);
	size_t core[3] = { region_pages(load, REGION_TEXT), region_pages(load, REGION_RODATA),
			   ALIGN_UP(extras + module_extras_size(image), PAGE_SIZE) };
	size_t init[3] = { region_pages(load, REGION_INIT_TEXT), region_pages(load, REGION_INIT_RODATA),
			   region_pages(load, REGION_INIT_DATA) };
	struct module *module;
	u8 *core_block, *init_block = NULL;

	core_block = block_alloc(load, REGION_TEXT, core);
	if (!core_block)
		return -ENOMEM;
	if (init[0] + init[1] + init[2]) {
		init_block = block_alloc(load, REGION_INIT_TEXT, init);
		if (!init_block) {
			module_memory_free(core_block);
			return -ENOMEM;
		}
	}
	for (unsigned int i = 1; i < image->section_count; i++) {
		const Elf64_Shdr *section = &image->sections[i];

		if (load->places[i].region == REGION_NONE)
			continue;
		if (section->sh_type == SHT_NOBITS)
			memset(loaded_section(load, i), 0, section->sh_size);
		else
			memcpy(loaded_section(load, i), section_data(image, i), section->sh_size);
	}

	module = (struct module *)load->base[REGION_DATA];
	memset(module, 0, sizeof(*module));
	strscpy(module->name, load->name, sizeof(module->name));
#ifdef CONFIG_DEBUG
	module->owner = track_owner(module->name);
#endif
	module->core = core_block;
	module->text_size = core[0];
	module->rodata_size = core[1];
	module->core_size = core[0] + core[1] + core[2];
	module->init = init_block;
	module->init_text_size = init[0];
	module->init_rodata_size = init[1];
	module->init_size = init[0] + init[1] + init[2];
	module->taints = load->taints;
	atomic_set(&module->refs, 2); /* the loader's own, until start() has done with it */
	list_init(&module->users);
	list_init(&module->uses);
	load->module = module;
	module_extras_fill(load, load->base[REGION_DATA] + extras);
	return 0;
}

static void memory_free(struct module *module)
{
	u8 *core = module->core, *init = module->init;

	module_memory_free(init);
	module_memory_free(core); /* the struct module, too */
}

/* Takes the name. When another load of it is under way: waits how that ends; -EEXIST if well, -EBUSY if not. */
static int announce(struct module *module)
{
	bool waited = false;

	for (;;) {
		enum module_state state = MODULE_GOING;
		struct module *other;
		u32 seen;
		int error;

		mutex_lock(&module_mutex);
		seen = module_changes;
		other = module_find(module->name, strlen(module->name));
		if (other)
			state = other->state;
		else if (!waited)
			hlist_add(&modules, &module->link);
		mutex_unlock(&module_mutex);
		if (!other && !waited)
			return 0;
		if (state != MODULE_UNFORMED && state != MODULE_COMING)
			return state == MODULE_LIVE ? -EEXIST : -EBUSY;
		error = wait_event_interruptible(&module_wait, READ_ONCE(module_changes) != seen);
		if (error)
			return error;
		waited = true;
	}
}

/* Since `since` or before, by another thread. */
static bool any_is_coming(u32 since)
{
	struct module *module;
	bool found = false;

	mutex_lock(&module_mutex);
	hlist_for_each(module, &modules, link)
		if (module->state == MODULE_COMING && module->starter != current &&
		    (s32)(module->coming_since - since) <= 0)
			found = true;
	mutex_unlock(&module_mutex);
	return found;
}

int modules_coming_wait(void)
{
	u64 deadline_ns = time_monotonic_ns() + COMING_WAIT_NS;
	u32 since = READ_ONCE(module_changes), seen;
	int error = 0;

	while (!error) {
		seen = READ_ONCE(module_changes);
		if (!any_is_coming(since))
			return 0;
		error = wait_event_mode(&module_wait, READ_ONCE(module_changes) != seen,
					WAIT_KILLABLE, false, deadline_ns);
	}
	return error == -ETIME ? 0 : error;
}

static void *table(const struct module_load *load, enum module_section known, size_t element_size,
		   size_t *count)
{
	unsigned int i = load->image.known[known];

	*count = i ? load->image.sections[i].sh_size / element_size : 0;
	return i ? loaded_section(load, i) : NULL;
}

/* Is `text` a string within the module's read-only data? What relocations made of a pointer is not to be believed. */
static bool owns_string(const struct module_load *load, const char *text)
{
	const char *start = (const char *)load->base[REGION_RODATA];
	size_t size = load->module->rodata_size;

	return text >= start && text < start + size &&
	       strnlen(text, (size_t)(start + size - text)) < (size_t)(start + size - text);
}

static bool inside(const void *address, const u8 *start, size_t size)
{
	return (const u8 *)address - start < (ssize_t)size && (const u8 *)address >= start;
}

/* What is called by name lies in the module's text: the descriptor's pointers are relocations' work, too. */
static bool owns_functions(const struct module *module)
{
	const void *init = (const void *)module->descriptor->init,
		   *exit = (const void *)module->descriptor->exit;

	return (!init || inside(init, module->core, module->text_size) ||
		inside(init, module->init, module->init_text_size)) &&
	       (!exit || inside(exit, module->core, module->text_size));
}

/* Finds the tables that the loader and others use, after relocation, and checks what they point to. */
static int find_tables(struct module_load *load)
{
	struct module *module = load->module;
	const struct kernel_param *params;
	size_t count;

	module->descriptor = table(load, SECTION_DESCRIPTOR, sizeof(struct module_descriptor), &count);
	if (module->descriptor->version != MODULE_DESCRIPTOR_VERSION ||
	    module->descriptor->size != sizeof(struct module_descriptor))
		return fault(load, "its descriptor is of another version");
	if (!owns_functions(module))
		return fault(load, "its init or exit function lies outside its text");
	module->exports =
		table(load, SECTION_EXPORTS, sizeof(struct kernel_symbol), &module->export_count);
	module->export_crcs = table(load, SECTION_EXPORT_CRCS, sizeof(u32), &count);
	for (size_t i = 0; i < module->export_count; i++) {
		if (!owns_string(load, module->exports[i].name))
			return fault(load, "the name of an exported symbol lies outside it");
		if (i && strcmp(module->exports[i - 1].name, module->exports[i].name) >= 0)
			return fault(load, "its exported symbols are not in order");
	}
	params = table(load, SECTION_PARAMS, sizeof(struct kernel_param), &count);
	for (size_t i = 0; i < count; i++)
		if (!owns_string(load, params[i].name) || !params[i].ops)
			return fault(load, "a parameter has no name or no operations");
	module->params = params; /* not before: forget() calls their operations */
	module->param_count = count;
	module->suites = table(load, SECTION_SUITES, sizeof(void *), &module->suite_count);
	load->constructors =
		table(load, SECTION_CONSTRUCTORS, sizeof(void *), &load->constructor_count);
	for (size_t i = 0; i < load->constructor_count; i++)
		if (!inside((const void *)load->constructors[i], module->core, module->text_size))
			return fault(load, "a constructor lies outside its text");
	module->exceptions = table(load, SECTION_EXCEPTIONS, 1, &module->exceptions_size);
	return 0;
}

static int protect(struct module *module)
{
	int error = 0;

	if (module->text_size)
		error = kva_protect(module->core, module->text_size, KVA_RX);
	if (!error && module->rodata_size)
		error = kva_protect(module->core + module->text_size, module->rodata_size, KVA_RO);
	if (!error && module->init_text_size)
		error = kva_protect(module->init, module->init_text_size, KVA_RX);
	if (!error && module->init_rodata_size)
		error = kva_protect(module->init + module->init_text_size, module->init_rodata_size,
				    KVA_RO);
	return error;
}

static void init_memory_free(struct module *module)
{
	u8 *init = module->init;

	if (!init)
		return;
	module_kallsyms_drop_init(module);
	WRITE_ONCE(module->init, NULL);
	module->init_size = module->init_text_size = module->init_rodata_size = 0;
	synchronize_rcu(); /* a backtrace on another CPU may be looking */
	module_memory_free(init);
}

static void set_state(struct module *module, enum module_state state)
{
	mutex_lock(&module_mutex);
	WRITE_ONCE(module->state, state);
	module_changed();
	mutex_unlock(&module_mutex);
}

/* The module has given back what it had, says the rule; while its symbols can still be named. */
static inline void check_leaks(struct module *module)
{
#ifdef CONFIG_DEBUG
	track_check_leaks(module->owner);
#endif
}

/* From nowhere in the list to nowhere in memory. Nobody holds it. */
static void forget(struct module *module)
{
	module_params_free(module); /* while the modules whose operations these are cannot go */
	check_leaks(module);
	mutex_lock(&module_mutex);
	module_uses_release(module);
	hlist_del(&module->link);
	module_changed();
	mutex_unlock(&module_mutex);
	synchronize_rcu();
	memory_free(module);
}

/* Runs init; the module is live or has failed. */
static int start(struct module *module)
{
	int error = module->descriptor->init ? module->descriptor->init() : 0;

	if (error > 0) {
		pr_warn("%s: init returned %d; taken for success: it should be 0 or a negative errno\n",
			module->name, error);
		error = 0;
	}
	if (error)
		return error;
	set_state(module, MODULE_LIVE);
	init_memory_free(module);
	if (module->suite_count)
		error = kunit_suites_run(module->suites, module->suite_count);
	if (error)
		pr_err("%s: its suites could not run (error %d)\n", module->name, error);
	module_put(module); /* from here on it may be removed at any moment */
	return 0;
}

/* Everything up to a struct module in memory of its own, of which nobody knows yet. */
static int prepare(struct module_load *load, const void *file, size_t size)
{
	int error = module_image_open(&load->image, file, size);

	if (error)
		return fault(load, load->image.fault);
	load->places = kvmalloc(load->image.section_count * sizeof(*load->places), GFP_KERNEL);
	if (!load->places)
		return -ENOMEM;
	error = module_image_check(&load->image, load->places, sizeof(struct module));
	if (error)
		return fault(load, load->image.fault);
	error = check_identity(load);
	if (error)
		return error;
	load->values = kvmalloc(load->image.symbol_count * sizeof(*load->values), GFP_KERNEL);
	return load->values ? place(load) : -ENOMEM;
}

/* Code and data made whole; when it returns 0 the exports are there for others. */
static int link(struct module_load *load)
{
	struct module *module = load->module;
	int error = module_symbols_resolve(load);

	if (!error)
		error = module_relocate(load);
	if (!error)
		error = find_tables(load);
	if (!error)
		error = protect(module);
	if (!error && module->exceptions_size)
		error = exception_table_add(module->exceptions, module->exceptions_size);
	if (error)
		return error;
	for (size_t i = 0; i < load->constructor_count; i++)
		load->constructors[i]();
	mutex_lock(&module_mutex);
	error = module_exports_check(load);
	if (!error) {
		module->coming_since = module_changes;
		module->starter = current;
		WRITE_ONCE(module->state, MODULE_COMING);
	}
	mutex_unlock(&module_mutex);
	if (error && module->exceptions_size)
		exception_table_remove(module->exceptions);
	return error;
}

static int admit(struct module_load *load, char *args)
{
	struct module *module = load->module;
	int error = announce(module);

	if (error) {
		memory_free(module);
		return error;
	}
	error = link(load);
	if (error)
		goto out_forget;
	if (module->taints) {
		taint_add(TAINT_FORCED_MODULE);
		pr_warn("%s: versions were not checked; the kernel is tainted\n", module->name);
	}
	error = module_params_apply(module, args);
	if (error)
		goto out_going;
	error = module_sysfs_add(module);
	if (error)
		goto out_going;
	error = start(module);
	if (!error)
		return 0;
	set_state(module, MODULE_GOING);
	module_sysfs_remove(module);
out_going:
	set_state(module, MODULE_GOING);
	if (module->exceptions_size)
		exception_table_remove(module->exceptions);
out_forget:
	forget(module);
	return error;
}

int module_load(const void *file, size_t size, char *args, unsigned int flags)
{
	struct module_load load = { .flags = flags };
	int error = prepare(&load, file, size);

	if (!error)
		error = admit(&load, args);
	kvfree(load.values);
	kvfree(load.places);
	return error;
}

/* ---- Removal ---- */

int module_unload(const char *name)
{
	struct module *module;
	int error, expected = 1;

	error = mutex_lock_interruptible(&module_mutex);
	if (error)
		return error;
	module = module_find(name, strlen(name));
	if (!module)
		error = -ENOENT;
	else if (!list_empty(&module->users))
		error = -EWOULDBLOCK;
	else if (module->state != MODULE_LIVE)
		error = -EBUSY;
	else if (module->descriptor->init && !module->descriptor->exit)
		error = -EBUSY; /* it cannot undo what init did */
	else if (!atomic_try_cmpxchg(&module->refs, &expected, 0))
		error = -EWOULDBLOCK;
	else
		WRITE_ONCE(module->state, MODULE_GOING);
	mutex_unlock(&module_mutex);
	if (error)
		return error;
	if (module->suite_count)
		kunit_suites_remove(module->suites, module->suite_count);
	if (module->descriptor->exit)
		module->descriptor->exit();
	module_sysfs_remove(module);
	if (module->exceptions_size)
		exception_table_remove(module->exceptions);
	forget(module);
	return 0;
}

void modules_init(void)
{
	printk_resize();
	autoload_init();
	module_proc_init();
	kunit_init();
}
